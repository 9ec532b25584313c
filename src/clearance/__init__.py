"""Clearance: how far can an input move before a neural network changes its mind?

import clearance as cl

model = cl.Classifier(network, bounds=(0, 1))
scores = cl.clever(model, x, labels=labels)

Names are imported when they are first used: `import clearance` brings in neither torch nor SciPy.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clearance.records import on_first_use

if TYPE_CHECKING:
    from clearance import attacks
    from clearance.attacks import AttackResult
    from clearance.audit import Audit, Flag, Severity
    from clearance.audit.path_integral import path_integrals
    from clearance.audit.slope import slope_estimate
    from clearance.bracket import Bracket
    from clearance.bracket.robust_accuracy import RobustAccuracy
    from clearance.certificates import Certificate, CertificateStatus
    from clearance.certificates.vnnlib import VnnlibInstance, export_vnnlib
    from clearance.data import datasets
    from clearance.errors import (
        BoundsError,
        ClearanceError,
        DtypeError,
        EngineError,
        FileError,
        InputError,
        NetworkError,
        PickleRefusedError,
        ShapeError,
        TargetError,
    )
    from clearance.estimates import extremes
    from clearance.estimates.extremes import ReverseWeibullFit, fit_reverse_weibull
    from clearance.estimates.profile.levels import Reading
    from clearance.estimates.profile.score import ProfileScore
    from clearance.estimates.scores import CleverScore, Score
    from clearance.estimates.second_order import SecondOrderScore
    from clearance.estimates.settings import PAPER, PAPER_SECOND_ORDER, Settings
    from clearance.estimates.status import Status
    from clearance.geometry import balls, norms
    from clearance.model import curvature, transforms
    from clearance.model.classifier import Classifier
    from clearance.model.cost import Cost
    from clearance.model.preprocessing import Normalize
    from clearance.model.transforms import bpda, eot
    from clearance.results.calls import attack, audit, bracket, certify, clever, robust_accuracy
    from clearance.results.comparison import ComparedRuns, compare
    from clearance.results.results import Results, load
    from clearance.results.run import run
    from clearance.results.saved_run import SavedRun, read_run
    from clearance.results.short import ResultsSummary
    from clearance.zoo import networks
    from clearance.zoo.classifiers import load_model
    from clearance.zoo.inputs import load_data

__version__ = "0.2.0"

__all__ = [
    "PAPER",
    "PAPER_SECOND_ORDER",
    "AttackResult",
    "Audit",
    "BoundsError",
    "Bracket",
    "Certificate",
    "CertificateStatus",
    "Classifier",
    "ClearanceError",
    "CleverScore",
    "ComparedRuns",
    "Cost",
    "DtypeError",
    "EngineError",
    "FileError",
    "Flag",
    "InputError",
    "NetworkError",
    "Normalize",
    "PickleRefusedError",
    "ProfileScore",
    "Reading",
    "Results",
    "ResultsSummary",
    "ReverseWeibullFit",
    "RobustAccuracy",
    "SavedRun",
    "Score",
    "SecondOrderScore",
    "Settings",
    "Severity",
    "ShapeError",
    "Status",
    "TargetError",
    "VnnlibInstance",
    "attack",
    "attacks",
    "audit",
    "balls",
    "bpda",
    "bracket",
    "certify",
    "clever",
    "compare",
    "curvature",
    "datasets",
    "eot",
    "export_vnnlib",
    "extremes",
    "fit_reverse_weibull",
    "load",
    "load_data",
    "load_model",
    "networks",
    "norms",
    "path_integrals",
    "read_run",
    "robust_accuracy",
    "run",
    "slope_estimate",
    "transforms",
]

_NAMES = {
    "attacks": ("AttackResult",),
    "audit": ("Audit", "Flag", "Severity"),
    "audit.path_integral": ("path_integrals",),
    "audit.slope": ("slope_estimate",),
    "bracket": ("Bracket",),
    "bracket.robust_accuracy": ("RobustAccuracy",),
    "certificates": ("Certificate", "CertificateStatus"),
    "certificates.vnnlib": ("VnnlibInstance", "export_vnnlib"),
    "errors": (
        "BoundsError",
        "ClearanceError",
        "DtypeError",
        "EngineError",
        "FileError",
        "InputError",
        "NetworkError",
        "PickleRefusedError",
        "ShapeError",
        "TargetError",
    ),
    "estimates.extremes": ("ReverseWeibullFit", "fit_reverse_weibull"),
    "estimates.profile.levels": ("Reading",),
    "estimates.profile.score": ("ProfileScore",),
    "estimates.scores": ("CleverScore", "Score"),
    "estimates.second_order": ("SecondOrderScore",),
    "estimates.settings": ("PAPER", "PAPER_SECOND_ORDER", "Settings"),
    "estimates.status": ("Status",),
    "model.classifier": ("Classifier",),
    "model.cost": ("Cost",),
    "model.preprocessing": ("Normalize",),
    "model.transforms": ("bpda", "eot"),
    "results.calls": ("attack", "audit", "bracket", "certify", "clever", "robust_accuracy"),
    "results.comparison": ("ComparedRuns", "compare"),
    "results.results": ("Results", "load"),
    "results.run": ("run",),
    "results.saved_run": ("SavedRun", "read_run"),
    "results.short": ("ResultsSummary",),
    "zoo.classifiers": ("load_model",),
    "zoo.inputs": ("load_data",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
_first_use = on_first_use(__name__, _HOMES)
_MODULES = {
    "attacks": "attacks",
    "balls": "geometry.balls",
    "curvature": "model.curvature",
    "datasets": "data.datasets",
    "extremes": "estimates.extremes",
    "networks": "zoo.networks",
    "norms": "geometry.norms",
    "transforms": "model.transforms",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use (PEP 562).

    Raises:
        AttributeError: If there is no such name.
    """
    if name in _MODULES:
        return importlib.import_module(f"clearance.{_MODULES[name]}")
    return _first_use(name)


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """This package. Importing the module `bracket` must not hide the function `bracket`, which has the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        """Bind no module where the import system would bind one of a function's name."""
        if not (isinstance(value, ModuleType) and name in _HOMES):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
