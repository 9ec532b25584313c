"""The fuzz of `benchmarks/soundness.py` on one network of every form, and that it finds certificates that are wrong."""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import clearance as cl
from clearance.certificates.agreement import Claim
from clearance.certificates.layers.activations import Activation, ActivationBounds
from clearance.certificates.layers.products import Product
from clearance.certificates.layers.smooth import Smooth
from clearance.certificates.operations import Affine
from clearance.certificates.region import Region

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))  # behind the tests' own helpers

import soundness  # pyright: ignore[reportMissingImports]
from network_forms import FORMS  # pyright: ignore[reportMissingImports]

HONEST = [name for name, form in FORMS.items() if form.certified]
REFUSED = [name for name, form in FORMS.items() if not form.certified]
METHODS = ["best", "linear", "sdp-crown", "crown", "one-hidden", "operator-norms", "exact", "branch-and-bound"]


@pytest.fixture(autouse=True)
def _little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundness, "EXACT_SECONDS", 0.2)


def judged(names: Sequence[str], *, turn: int = 0, methods: Sequence[str] = METHODS) -> dict[str, Any]:
    """What became of one network of each form."""
    lines = {name: soundness.Line() for name in names}
    for place, name in enumerate(names):
        problem = soundness.make_problem(name, turn + place, 10_000 + place, inputs=1)
        soundness.judge(problem, list(methods), lines[name], Counter())
    return lines


def test_there_are_enough_forms():
    assert len(HONEST) >= 80 and len(REFUSED) >= 20


@pytest.mark.parametrize("part", range(6))
@pytest.mark.thinned(6)
def test_no_certificate_is_larger_than_a_witness(part: int):
    lines = judged(list(FORMS)[part::6])
    assert not [said for line in lines.values() for said in line.violations]
    assert not [said for name, line in lines.items() for said in soundness.failures(name, line)]


def widened(bounds: ActivationBounds) -> ActivationBounds:
    """Linear bounds whose upper function is a tenth too low."""
    return replace(bounds, upper_offset=bounds.upper_offset - 0.1 * (bounds.upper_offset.abs() + 0.1))


RELAX, LOWEST, LIPSCHITZ = Activation.relax, Region.lowest, Affine.lipschitz
TANGENTS, PLANES = Smooth.relax, Product.relax
PLANTED: dict[str, tuple[object, str, Any, str]] = {
    "a relaxation": (
        Activation,
        "relax",
        lambda step, low, high: widened(RELAX(step, low, high)),
        "two hidden layers",
    ),
    "tangents": (
        Smooth,
        "relax",
        lambda step, low, high: widened(TANGENTS(step, low, high)),
        "GELU",
    ),
    "planes": (
        Product,
        "relax",
        lambda step, *ends: replace(planes := PLANES(step, *ends), spread=-0.5 * planes.spread),
        "a gate",
    ),
    "the dual norm": (
        Region,
        "lowest",
        lambda region, rows, splits=1: LOWEST(replace(region, radius=0.8 * region.radius), rows, splits=splits),
        "two hidden layers",
    ),
    "an operator norm": (
        Affine,
        "lipschitz",
        lambda step, norm: [0.05 * value for value in LIPSCHITZ(step, norm)],
        "residual",
    ),
    "a sign": (
        Affine,
        "interval",
        lambda step, lows, highs: (step.apply(*lows), step.apply(*highs)),
        "different activations",
    ),
}
"""Mistakes of a proof: where, and a form on which it shows."""


@pytest.mark.parametrize("mistake", PLANTED)
@pytest.mark.thinned(6)
def test_it_finds_what_is_planted(mistake: str, monkeypatch: pytest.MonkeyPatch):
    where, name, wrong, form = PLANTED[mistake]
    monkeypatch.setattr(where, name, wrong)
    monkeypatch.setattr(Claim, "in_ball", lambda _: "")  # certificates are held against points before they get out
    lines = [judged([form], turn=turn, methods=["best", "crown", "operator-norms"])[form] for turn in range(5)]
    assert [said for line in lines for said in line.violations]


@pytest.mark.parametrize("mistake", PLANTED)
@pytest.mark.thinned(4)
def test_what_is_planted_does_not_get_out(mistake: str, monkeypatch: pytest.MonkeyPatch):
    """The points of the ball alone refute it."""
    where, name, wrong, form = PLANTED[mistake]
    monkeypatch.setattr(where, name, wrong)
    lines = [judged([form], turn=turn, methods=["best", "crown", "operator-norms"])[form] for turn in range(5)]
    assert sum(line.refused for line in lines) > 0


def test_refusing_everything_does_not_pass(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Claim, "in_ball", lambda _: "no")
    (line,) = judged(["affine"]).values()
    assert soundness.failures("affine", line) == ["affine: 1 of 1 refused (no)"]


def test_the_search_finds_the_nearest_witness_of_a_linear_network():
    torch.manual_seed(0)
    network = torch.nn.Linear(6, 3, dtype=torch.float64)
    model, x = cl.Classifier(network), torch.rand(1, 6, dtype=torch.float64)
    for norm in soundness.NORMS:
        (proof,) = cl.certify(model, x, norm=norm, method="linear")  # exact
        inputs = soundness.prepare(model, x, None, target="untargeted", norm=norm, seed=0)
        assert math.isinf(soundness.nearest_witness(inputs, proof.radius))
        found = soundness.nearest_witness(inputs, 1.2 * proof.radius)
        assert proof.radius < found < 1.05 * proof.radius


def test_a_witness_leads_beyond_rounding():
    model = cl.Classifier(torch.nn.Identity(), dtype=torch.float64)
    x = torch.tensor([[1.0, 0.0, 0.5]], dtype=torch.float64)
    inputs = soundness.prepare(model, x, None, target="untargeted", norm=2.0, seed=0)
    near: Tensor = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0 + 1e-9, 0.0], [1.0, 1.0 + 1e-13, 0.0]], dtype=torch.float64)
    assert (soundness._leads(inputs, near) > 0).tolist() == [False, True, False]
