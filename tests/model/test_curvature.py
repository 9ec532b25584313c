"""Hessian-vector products and the curvature of margins against dense Hessians."""

import math

import pytest
import torch
from torch import Tensor, nn

from clearance.errors import InputError
from clearance.estimates.clever import clever
from clearance.estimates.status import Status
from clearance.geometry.eigenvalues import lanczos
from clearance.model.classifier import Classifier
from clearance.model.curvature import MarginHessian, margin_curvature, margin_hessian_vectors
from clearance.model.preprocessing import Normalize
from clearance.zoo.networks import initialise, softplus_mlp
from matrices import induced_norm, normal


def tanh_mlp(size: int = 10, seed: int = 1) -> nn.Module:
    layers = (nn.Linear(size, 16), nn.Tanh(), nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 4))
    return initialise(nn.Sequential(nn.Flatten(), *layers), seed=seed).double()


def softplus(size: int = 10, seed: int = 1) -> nn.Module:
    return softplus_mlp((size,), 4, hidden=16, seed=seed).double()


def dense_hessians(network: nn.Module, x: Tensor, predicted: int, target: int) -> Tensor:
    def margin(point: Tensor) -> Tensor:
        logits = network(point[None])[0]
        return logits[predicted] - logits[target]

    return torch.func.vmap(torch.func.hessian(margin))(x).detach()


@pytest.mark.parametrize("network", [tanh_mlp(), softplus()], ids=["tanh", "softplus"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_extreme_eigenvalues_match_dense_hessians_at_a_thousand_points(network: nn.Module, dtype: torch.dtype):
    x, starts = normal(1000, 10), normal(1000, 10, seed=1)
    exact = torch.linalg.eigvalsh(dense_hessians(network, x, 0, 1))
    model = Classifier(network, dtype=dtype)
    with model.frozen():
        found = lanczos(MarginHessian(model, x.to(dtype), 0, 1), starts.to(dtype), most=10)
    assert bool(found.converged.all())
    for value, truth in ((found.low, exact[:, 0]), (found.high, exact[:, -1])):
        assert float(((value - truth).abs() / truth.abs()).max()) < 1e-3
    assert torch.allclose(found.norm.double(), exact.abs().amax(1), rtol=1e-3)
    assert torch.allclose(found.one_sided.double(), (-exact[:, 0]).clamp_min(0), rtol=1e-3)


def test_products_margins_and_gradients_of_a_batch_in_parts():
    network, x, v = tanh_mlp(), normal(7, 10), normal(7, 10, seed=4)
    hessians = dense_hessians(network, x, 2, 0)
    model = Classifier(network, micro_batch=3)
    margin, gradient, image = margin_hessian_vectors(model, x, 2, 0, v)
    logits = network(x)
    assert torch.allclose(margin, (logits[:, 2] - logits[:, 0]).detach())
    assert torch.allclose(image, (hessians @ v[:, :, None])[:, :, 0])
    point = x.clone().requires_grad_(True)
    output = network(point)
    assert torch.allclose(gradient, torch.autograd.grad((output[:, 2] - output[:, 0]).sum(), point)[0])
    assert (model.meter.forward, model.meter.backward, model.meter.hessian_vector) == (7, 7, 7)


def test_products_are_in_input_units_behind_preprocessing_and_leave_the_network_alone():
    network = tanh_mlp(4).train()
    x, v = normal(3, 1, 2, 2), normal(3, 1, 2, 2, seed=4)
    plain = dense_hessians(network, ((x - 0.5) / 0.25).reshape(3, 4), 0, 1)
    model = Classifier(network, preprocessing=Normalize([0.5], [0.25]))
    _, _, image = margin_hessian_vectors(model, x, 0, 1, v)
    assert torch.allclose(image.flatten(1), 16 * (plain @ v.flatten(1)[:, :, None])[:, :, 0])
    assert network.training and all(p.requires_grad and p.grad is None for p in network.parameters())


class Attention(nn.Module):
    """Fused attention has no second derivative."""

    def __init__(self) -> None:
        super().__init__()
        self.last = initialise(nn.Sequential(nn.Linear(4, 3)), seed=0)

    def forward(self, x: Tensor) -> Tensor:
        words = x.reshape(len(x), 1, 3, 4)
        mixed = nn.functional.scaled_dot_product_attention(words, 2 * words, words.sin())
        return self.last(mixed.mean((1, 2)))


class OldFunction(torch.autograd.Function):
    """A function in the old style, without forward-mode formula: `torch.func.jvp` fails on it."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 3 * x**2 * gradient


class Once(OldFunction):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 3 * x**2 * gradient


def cubes(function: type[torch.autograd.Function]):
    def network(x: Tensor) -> Tensor:
        value = function.apply(x).sum(1)
        return torch.stack([value, torch.zeros_like(value)], 1)

    return network


def test_ordinary_and_less_ordinary_networks_have_products():
    x, v = normal(2, 12).float(), normal(2, 12, seed=1).float()
    model = Classifier(Attention())
    _, _, image = margin_hessian_vectors(model, x, 0, 1, v)
    step = 1e-2
    sides = [margin_hessian_vectors(model, x + sign * step * v, 0, 1, v)[1] for sign in (1, -1)]
    assert torch.allclose(image, (sides[0] - sides[1]) / (2 * step), atol=2e-3)
    old = Classifier(cubes(OldFunction), dtype=torch.float64)
    assert torch.allclose(margin_hessian_vectors(old, x.double(), 0, 1, v.double())[2], 6 * x.double() * v.double())
    linear = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)))
    assert not bool(margin_hessian_vectors(linear, x, 0, 1, v)[2].any())


def test_a_layer_without_second_derivative_is_seen_by_what_its_hessian_does_not_do():
    """PyTorch cuts the graph behind such a layer without a word: its Hessian looks like zero."""
    model, x = Classifier(cubes(Once), dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64)
    assert not bool(margin_hessian_vectors(model, x, 0, 1, x)[2].any())
    assert clever(model, x, order=2, radius=0.5)[0].status is Status.NOT_TWICE_DIFFERENTIABLE


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_the_curvature_of_points(norm: float):
    network, x = tanh_mlp(8), normal(9, 8)
    hessians = dense_hessians(network, x, 1, 3)
    model = Classifier(network, micro_batch=4)
    starts = normal(12, 9, 8, seed=6)
    found = margin_curvature(model, x, 1, 3, starts, norm=norm, tolerance=1e-6)
    exact = [induced_norm(matrix, norm) for matrix in hessians]
    assert found.values.tolist() == pytest.approx(exact, rel=1e-3)
    assert torch.allclose(
        (found.partners * (hessians @ found.vectors[:, :, None])[:, :, 0]).sum(1), found.values, rtol=1e-4
    )


@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_points_are_solved_in_parts_with_their_own_starts(norm: float, monkeypatch: pytest.MonkeyPatch):
    network, x, starts = tanh_mlp(8), normal(7, 8), normal(3, 7, 8, seed=6)
    whole = margin_curvature(Classifier(network), x, 1, 3, starts, norm=norm, tolerance=1e-6)
    monkeypatch.setattr("clearance.model.curvature.BASIS_NUMBERS", 2 * 8 * 33)  # two points at once
    parts = margin_curvature(Classifier(network, micro_batch=5), x, 1, 3, starts, norm=norm, tolerance=1e-6)
    assert torch.allclose(parts.values, whole.values, rtol=1e-5)
    assert torch.allclose(parts.margins, whole.margins) and torch.allclose(parts.gradients, whole.gradients)


def test_one_sided_curvature_is_the_negative_end():
    network, x = tanh_mlp(8), normal(9, 8)
    low = torch.linalg.eigvalsh(dense_hessians(network, x, 1, 3))[:, 0]
    found = margin_curvature(Classifier(network), x, 1, 3, normal(1, 9, 8, seed=6), kind="one-sided", tolerance=1e-6)
    assert torch.allclose(found.values, (-low).clamp_min(0), rtol=1e-4)
    with pytest.raises(InputError, match="norm 2"):
        margin_curvature(Classifier(network), x, 1, 3, normal(1, 9, 8), norm=1.0, kind="one-sided")
