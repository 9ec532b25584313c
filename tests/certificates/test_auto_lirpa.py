"""auto_LiRPA: an error that names it where it is absent; the same bounds as ours where it is installed."""

import math
import sys
import types
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

import clearance as cl
from certificate_cases import images, make_problem, margin_bounds
from clearance.certificates.auto_lirpa import auto_lirpa, flat_network, import_auto_lirpa
from clearance.certificates.operations import Affine, NotSupportedError
from clearance.errors import InputError
from closed_forms import Linear, as_module, random_inputs, random_linear, random_network


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


Pair = tuple[torch.Tensor, torch.Tensor]


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

    def compute(self, network: nn.Module, x: torch.Tensor, ball: Any, rows: torch.Tensor) -> Pair:
        norm, radius, low, _ = ball
        self.seen.append((norm, low is not None))
        problem = make_problem(network, x, norm, bounds=self.bounds if low is not None else None)
        radii = torch.tensor([radius], dtype=torch.float64)
        return margin_bounds(problem, radii, rows), -margin_bounds(problem, radii, -rows)


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


@pytest.mark.parametrize("error", [NotImplementedError, ValueError, IndexError, ZeroDivisionError])
def test_what_it_cannot_do_is_not_supported(error: type[Exception], monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(0, (2, 3, 2), nn.ReLU), random_inputs(0, 1, 2)

    def fail(*_: object, **__: object) -> None:
        raise error("Unsupported operations: Gelu")

    monkeypatch.setitem(sys.modules, "auto_LiRPA", types.SimpleNamespace(BoundedModule=fail))
    with pytest.raises(NotSupportedError, match=f"auto_LiRPA: {error.__name__}: Unsupported operations: Gelu"):
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


class ScalesItself(nn.Module):
    """A network whose first step is elementwise, as preprocessing is."""

    def __init__(self, network: nn.Module, mean: torch.Tensor, std: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network((x - self.mean) / self.std)


MEAN, STD = [0.5, 0.4, 0.3, 0.2], [0.1, 0.2, 0.5, 2.0]
NORMS = (1.0, 1.5, 2.0, 3.0, math.inf)


def scaled(network: nn.Module, how: str) -> cl.Classifier:
    """The network behind `(x - mean) / std`, uniform or for each channel, as preprocessing or a step of its own."""
    mean, std = torch.tensor(MEAN).double(), torch.tensor(STD).double()
    if how == "itself":
        return cl.Classifier(ScalesItself(network, mean, std))
    return cl.Classifier(
        network, preprocessing=cl.Normalize(0.5, 0.25) if how == "uniform" else cl.Normalize(MEAN, STD)
    )


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("how", ["uniform", "for each channel", "itself"])
def test_it_is_given_a_linear_layer_first(how: str, norm: float, monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(0, (4, 8, 8, 3), nn.ReLU), random_inputs(0, 2, 4)
    model = scaled(network, how)
    problem = replace(make_problem(network, x, norm), model=model)
    given, flat = flat_network(problem)
    assert torch.allclose(given(flat), model.logits(x))
    if math.isfinite(norm) or how != "itself":
        assert isinstance(given[0], nn.Linear)  # type: ignore[index]
        assert not any(isinstance(module, cl.Normalize) for module in given.modules())
    monkeypatch.setattr("clearance.certificates.auto_lirpa.LARGEST_FIRST_LAYER", 3)
    if math.isfinite(norm) or how != "itself":
        with pytest.raises(NotSupportedError, match="at most 3 entries of an input, got 4"):
            flat_network(problem)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("how", ["uniform", "for each channel", "itself"])
def test_installed_it_keeps_the_ball_behind_a_scaling(package: Any, how: str, norm: float):
    """An affine network has a closed form; a ReLU network a witness by our exact solver."""
    line, x = random_linear(0, size=4), random_inputs(0, 3, 4)
    std = torch.full((4,), 0.25).double() if how == "uniform" else torch.tensor(STD).double()
    model = scaled(as_module(line), how)
    behind = Linear(line.weight / std, model.logits(torch.zeros(1, 4).double())[0])
    proofs = cl.certify(model, x, norm=norm, method="auto-lirpa")
    assert [p.radius for p in proofs] == pytest.approx(behind.distance(x, norm).tolist(), rel=2e-3)
    deeper = scaled(random_network(1, (4, 10, 10, 3), nn.ReLU), how)
    proofs = cl.certify(deeper, x, norm=norm, method="auto-lirpa")
    assert all(proof.status == "certified" for proof in proofs)
    if norm in (1.0, 2.0, math.inf):
        exact = cl.certify(deeper, x, norm=norm, method="exact")
        assert all(proof.radius <= found.radius * (1 + 1e-6) for proof, found in zip(proofs, exact, strict=True))


@pytest.mark.parametrize("norm", NORMS)
def test_installed_convolutions_count_in_the_dual_norm(package: Any, norm: float):
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4)
    )
    model, x = cl.Classifier(network.double()), images(2)
    theirs = cl.certify(model, x, norm=norm, method="auto-lirpa")
    ours = cl.certify(model, x, norm=norm, method="crown")
    assert all(a.radius <= b.radius * (1 + 2e-3) for a, b in zip(theirs, ours, strict=True))


def test_bounds_of_another_function_are_refused(monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(0, (4, 8, 8, 3), nn.ReLU), random_inputs(0, 1, 4)

    class Other(Double):
        def compute(self, network: nn.Module, x: torch.Tensor, ball: Any, rows: torch.Tensor) -> Pair:
            low, high = super().compute(network, x, ball, rows)
            return 1.001 * low, 1.001 * high

    monkeypatch.setitem(sys.modules, "auto_LiRPA", Other().module())
    with pytest.raises(NotSupportedError, match="do not hold the network's margin"):
        auto_lirpa(make_problem(network, x))


@pytest.mark.parametrize("include", [True, False])
def test_installed_pooling_that_does_not_count_its_padding(package: Any, include: bool):
    pool = nn.AvgPool2d(2, padding=1, count_include_pad=include)
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), pool, nn.Flatten(), nn.Linear(27, 4)).double()
    (theirs,) = cl.certify(cl.Classifier(network), images(1), method="auto-lirpa")
    (ours,) = cl.certify(cl.Classifier(network), images(1), method="crown")
    assert theirs.status == "unsupported" or theirs.radius <= ours.radius * (1 + 2e-3)


def test_installed_it_certifies(package: Any):
    model, x = cl.Classifier(random_network(1, (6, 10, 10, 4), nn.ReLU), (0, 1)), random_inputs(1, 3, 6)
    theirs = cl.certify(model, x, norm="inf", method="auto-lirpa")
    ours = cl.certify(model, x, norm="inf", method="crown")
    assert {proof.method for proof in theirs} == {"auto-lirpa"}
    assert [p.radius for p in theirs] == pytest.approx([p.radius for p in ours], rel=2e-3)
