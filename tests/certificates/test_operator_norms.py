"""The certificate by the product of operator norms: by hand, by dense matrices, by Jacobians."""

import math

import pytest
import torch
from torch import nn

import clearance as cl
from certificate_cases import IMAGE, NETWORKS, images, model_of
from clearance.certificates.operator_norms import lipschitz_constants
from clearance.certificates.translate import translate
from closed_forms import random_inputs, random_network


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
