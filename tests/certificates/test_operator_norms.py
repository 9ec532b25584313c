"""The certificate by the product of operator norms: by hand, by dense matrices, by Jacobians."""

import math

import pytest
import torch
from torch import nn

import clearance as cl
from certificate_cases import IMAGE, NETWORKS, images, model_of
from clearance.certificates.operator_norms import lipschitz_constants
from clearance.certificates.translate import translate
from clearance.geometry.norms import dual_norm, vector_norm
from closed_forms import random_inputs, random_network
from layer_cases import Function


def test_the_product_of_norms_by_hand():
    network = random_network(0, (3, 5, 4), nn.ReLU)
    first, last = network[1].weight.detach(), network[3].weight.detach()
    x = random_inputs(0, 3, 3)
    logits = network(x).detach()
    for norm, dual in ((1.0, math.inf), (2.0, 2.0), (math.inf, 1.0)):
        proofs = cl.certify(cl.Classifier(network), x, norm=norm, method="operator-norms")
        for row, proof in zip(logits, proofs, strict=True):
            own = int(row.argmax())
            lengths = torch.linalg.vector_norm(last[own] - last, dual, dim=1) * torch.linalg.matrix_norm(first, norm)
            radii = torch.where(lengths > 0, (row[own] - row) / lengths, torch.inf)
            assert proof.radius == pytest.approx(float(radii.min()), rel=1e-8)
            assert proof.target == int(radii.argmin())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_the_constants_bound_what_every_value_changes_by(name: str, norm: float):
    """Of each value but a last affine one, between pairs of points near and far."""
    graph = translate(model_of(name), IMAGE)
    constants = lipschitz_constants(graph, norm)
    x, draw = images(6), torch.Generator().manual_seed(3)
    y = x + torch.randn(x.shape, generator=draw, dtype=torch.float64) * torch.logspace(-3, 0, 6).reshape(-1, 1, 1, 1)
    moved = torch.linalg.vector_norm((y - x).flatten(1), norm, dim=1)
    assert constants[0] == 1 and len(constants) in (graph.last, graph.last + 1)
    for before, after, constant in zip(graph.values(x), graph.values(y), constants, strict=False):
        change = torch.linalg.vector_norm((after - before).flatten(1), norm, dim=1)
        assert (change <= constant * moved * (1 + 1e-12) + 1e-12).all()


NEGATIVE: dict[str, nn.Module] = {
    "average pooling": nn.AvgPool2d(2, divisor_override=-3),
    "scaling": Function(lambda x: (x * -2.0)[:, :, ::2, ::2]),
    "a scaling of each sign": Function(lambda x: (x * torch.tensor([-2.0, 0.5]).reshape(2, 1, 1))[:, :, ::2, ::2]),
    "division": Function(lambda x: (x / -0.5)[:, :, ::2, ::2]),
    "a constant less the input": Function(lambda x: (0.3 - x)[:, :, ::2, ::2]),
    "negation": Function(lambda x: (-x)[:, :, ::2, ::2]),
    "a difference": Function(lambda x: x[:, :, ::2, ::2] - 2.0 * x[:, :, 1::2, 1::2]),
    "a mean": Function(lambda x: -x.reshape(-1, 2, 3, 2, 3, 2).mean((3, 5))),
    "batch norm": nn.Sequential(nn.BatchNorm2d(2), nn.AvgPool2d(2)),
    "convolution": nn.Conv2d(2, 2, 2, stride=2, groups=2),
}
"""Affine steps with negative weights, from images of 2 x 6 x 6 to 18 numbers."""


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("name", NEGATIVE)
@pytest.mark.thinned(5)
def test_negative_weights_count_by_their_size(name: str, norm: float):
    """Alone before a linear layer the network is affine: the distance to each hyperplane is known."""
    step, x = NEGATIVE[name], images(3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = nn.Sequential(step, nn.Flatten(), nn.Linear(18, 3)).double().eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.Conv2d):
            layer.weight.data.copy_(-layer.weight.data.abs() - 0.5)
    logits = network(x).detach()
    matrix = torch.autograd.functional.jacobian(lambda y: network(y).sum(0), x[:1]).flatten(1)  # type: ignore[no-untyped-call]
    own = logits.argmax(1)
    lengths = torch.stack([vector_norm(matrix[c] - matrix, dual_norm(norm)) for c in own])
    distances = torch.where(lengths > 0, (logits.gather(1, own[:, None]) - logits) / lengths, math.inf).amin(1)
    for method in ("linear", "crown", "operator-norms", "best"):
        for proof, distance in zip(
            cl.certify(cl.Classifier(network), x, norm=norm, method=method), distances, strict=True
        ):
            assert 0 < proof.radius <= float(distance) * (1 + 1e-9), proof
            if method in ("linear", "best"):
                assert proof.radius == pytest.approx(float(distance), rel=1e-6)
