"""Attacks: witnesses, that is, upper bounds of the minimum adversarial distortion.

Each method is one pure function in the file of its name, from a classifier, inputs and a `Goal` to `Witnesses`;
`attack` combines them, confirms what they find by fresh forward passes, and returns one `AttackResult` per input.
`table.ATTACKS` lists the methods that `attack` can run by name:

    fgsm               any p
    linear_steps       any p
    ifgsm              any p
    pgd                any p
    apgd               any p
    square             l2, linf
    ddn                l2
    fast_minimum_norm  any p
    pdpgd              l1
    elastic_net        l1
    carlini_wagner     l2, linf
    sigma_zero         l0
    box_points         any p
    cutting_planes     any p
    boundary_walk      any p
    refine             any p

`bisect_radius` turns an attack of fixed radius into one of minimum distance; `bisect_segments` brings a witness that is
known nearer, `restore_coordinates` one for `l0`. Names are imported when they are first used: `clearance.attacks.table`
brings in no torch.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from clearance.records import on_first_use

if TYPE_CHECKING:
    from clearance.attacks.apgd import apgd
    from clearance.attacks.best import attack
    from clearance.attacks.bisect_radius import bisect_radius
    from clearance.attacks.boundary_walk import boundary_walk
    from clearance.attacks.carlini_wagner import carlini_wagner
    from clearance.attacks.cutting_planes import cutting_planes
    from clearance.attacks.ddn import ddn
    from clearance.attacks.elastic_net import elastic_net
    from clearance.attacks.fast_minimum_norm import fast_minimum_norm
    from clearance.attacks.fgsm import fgsm
    from clearance.attacks.goals import Goal, make_goal
    from clearance.attacks.ifgsm import ifgsm
    from clearance.attacks.pdpgd import pdpgd
    from clearance.attacks.pgd import pgd
    from clearance.attacks.refine import refine
    from clearance.attacks.restore_coordinates import restore_coordinates
    from clearance.attacks.result import AttackResult, Witnesses
    from clearance.attacks.segments import bisect_segments
    from clearance.attacks.sigma_zero import sigma_zero
    from clearance.attacks.square import square
    from clearance.attacks.table import ATTACKS

__all__ = [
    "ATTACKS",
    "AttackResult",
    "Goal",
    "Witnesses",
    "apgd",
    "attack",
    "bisect_radius",
    "bisect_segments",
    "boundary_walk",
    "carlini_wagner",
    "cutting_planes",
    "ddn",
    "elastic_net",
    "fast_minimum_norm",
    "fgsm",
    "ifgsm",
    "make_goal",
    "pdpgd",
    "pgd",
    "refine",
    "restore_coordinates",
    "sigma_zero",
    "square",
]

_ELSEWHERE = {
    "ATTACKS": "table",
    "AttackResult": "result",
    "Goal": "goals",
    "Witnesses": "result",
    "attack": "best",
    "bisect_segments": "segments",
    "make_goal": "goals",
}
"""Modules of the names that do not lie in a module of their own name."""


__getattr__ = on_first_use(__name__, {name: _ELSEWHERE.get(name, name) for name in __all__})
"""Its public names are imported when they are first used."""


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *__all__})


class _AttacksPackage(ModuleType):
    """This package. Importing the module `ddn` must not hide the function `ddn`, which has the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        """Bind the function of a module where the import system would bind the module."""
        shadows = isinstance(value, ModuleType) and name in __all__
        super().__setattr__(name, getattr(value, name) if shadows else value)


sys.modules[__name__].__class__ = _AttacksPackage
