"""auto_LiRPA: an error that names it where it is absent; the same bounds as ours where it is installed."""

import math
import sys
import types
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

import clearance as cl
from certificate_cases import make_problem
from clearance.certificates.auto_lirpa import auto_lirpa, import_auto_lirpa
from clearance.certificates.crown import margin_bounds
from clearance.certificates.operations import Affine, NotSupportedError
from clearance.errors import InputError
from closed_forms import random_inputs, random_network


@pytest.fixture
def package() -> Any:
    try:
        return import_auto_lirpa()
    except InputError as error:
        pytest.skip(str(error))


def test_its_absence_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "auto_LiRPA", None)
    with pytest.raises(InputError, match="expected auto_LiRPA to be installed for 'auto-lirpa'"):
        cl.certify(cl.Classifier(random_network(0, (2, 3, 2), nn.ReLU)), random_inputs(0, 1, 2), method="auto-lirpa")
    with pytest.raises(InputError, match="expected auto_LiRPA to be installed"):
        cl.bracket(
            cl.Classifier(random_network(0, (2, 3, 2), nn.ReLU)), random_inputs(0, 1, 2), certificate="auto-lirpa"
        )


class Double:
    """Stands in for the package: bounds by our own CROWN, behind the same calls."""

    def __init__(self, bounds: tuple[float, float] | None = None) -> None:
        self.seen: list[tuple[float, bool]] = []
        self.bounds = bounds

    def module(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(
            BoundedModule=lambda network, x, device: types.SimpleNamespace(
                compute_bounds=lambda x, C, method: self.compute(network, *x[0], C)
            ),
            BoundedTensor=lambda x, ball: (x, ball),
            PerturbationLpNorm=lambda norm, eps, x_L, x_U: (norm, eps, x_L, x_U),
        )

    def compute(self, network: nn.Module, x: torch.Tensor, ball: Any, rows: torch.Tensor) -> tuple[torch.Tensor, None]:
        norm, radius, low, _ = ball
        self.seen.append((norm, low is not None))
        problem = make_problem(network, x, norm, bounds=self.bounds if low is not None else None)
        return margin_bounds(problem, torch.tensor([radius], dtype=torch.float64), rows), None


@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_its_bounds_are_bisected_to_a_radius(norm: float, monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(0, (4, 8, 8, 3), nn.ReLU), random_inputs(0, 3, 4)
    double = Double((-50.0, 50.0))
    monkeypatch.setitem(sys.modules, "auto_LiRPA", double.module())
    proofs = auto_lirpa(make_problem(network, x, norm, bounds=(-50.0, 50.0)))
    bounds = (-50, 50) if math.isinf(norm) else None  # it ignores them otherwise
    wanted = cl.certify(cl.Classifier(network, bounds), x, norm=norm, method="crown")
    assert [proof.radius for proof in proofs] == pytest.approx([proof.radius for proof in wanted], rel=2e-3)
    assert set(double.seen) == {(norm, math.isinf(norm))}


def test_what_it_cannot_do_is_not_supported(monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(0, (2, 3, 2), nn.ReLU), random_inputs(0, 1, 2)

    def fail(*_: object, **__: object) -> None:
        raise NotImplementedError("Unsupported operations: Gelu")

    monkeypatch.setitem(sys.modules, "auto_LiRPA", types.SimpleNamespace(BoundedModule=fail))
    with pytest.raises(NotSupportedError, match="auto_LiRPA: NotImplementedError: Unsupported operations: Gelu"):
        auto_lirpa(make_problem(network, x))


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("sizes", [(6, 10, 3), (6, 10, 10, 4), (6, 12, 12, 12, 4)])
def test_installed_it_has_the_same_bounds(
    package: Any, norm: float, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
):
    network, x = random_network(1, sizes, nn.ReLU), random_inputs(1, 3, 6)
    problem = make_problem(network, x, norm)
    bounded = package.BoundedModule(network, x, device="cpu")
    for radius in (0.01, 0.05, 0.2, 0.5):
        ball = package.PerturbationLpNorm(norm=norm, eps=radius)
        theirs = bounded.compute_bounds(x=(package.BoundedTensor(x, ball),), C=problem.rows, method="CROWN")[0].detach()
        radii = torch.full((3,), radius, dtype=torch.float64)
        ours = margin_bounds(problem, radii, problem.rows)
        assert (ours >= theirs - 1e-4).all()  # it does not intersect with interval arithmetic
        with monkeypatch.context() as patch:
            patch.setattr(Affine, "interval", without_intervals)
            assert torch.allclose(margin_bounds(problem, radii, problem.rows), theirs, atol=1e-4, rtol=0)


def without_intervals(
    step: Affine, lows: Sequence[torch.Tensor], highs: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    wide = torch.full_like(step.apply(*lows), 1e6)
    return -wide, wide


def test_installed_it_certifies(package: Any):
    model, x = cl.Classifier(random_network(1, (6, 10, 10, 4), nn.ReLU), (0, 1)), random_inputs(1, 3, 6)
    theirs = cl.certify(model, x, norm="inf", method="auto-lirpa")
    ours = cl.certify(model, x, norm="inf", method="crown")
    assert {proof.method for proof in theirs} == {"auto-lirpa"}
    assert [p.radius for p in theirs] == pytest.approx([p.radius for p in ours], rel=2e-3)
