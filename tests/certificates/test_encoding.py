"""The encoding of a ReLU network: its equations give the network's own logits at every point of the region."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from certificate_cases import make_problem
from clearance.certificates.encoding import Array, Encoding, count_relu_units, encode
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.certificates.translate import translate
from clearance.geometry.balls import sample_ball
from closed_forms import random_inputs, random_network

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "one layer": lambda: random_network(0, (3, 8, 3), nn.ReLU),
    "two layers": lambda: random_network(1, (3, 7, 6, 3), nn.ReLU),
    "leaky": lambda: random_network(2, (3, 7, 6, 3), lambda: nn.LeakyReLU(0.2)),
    "affine": lambda: random_network(3, (3, 4), nn.ReLU),
    "activation last": lambda: random_network(4, (3, 6, 3), nn.ReLU).append(nn.ReLU()),
}
each = pytest.mark.parametrize("name", NETWORKS)


def solve(network: Encoding, step: Array) -> tuple[Array, Array]:
    """Pre-activations and logits at a displacement, by the equations of the module's docstring."""
    variables, before = np.concatenate([step, np.zeros(len(network.offsets))]), np.zeros(len(network.offsets))
    for j, (row, offset, left) in enumerate(
        zip(network.units, network.offsets, network.left_coefficients, strict=True)
    ):
        assert not row[network.size + j :].any()
        before[j] = row @ variables + offset
        variables[network.size + j] = max(before[j], left * before[j])
    return before, network.logits @ variables + network.biases


@each
@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("radius", [0.0, 0.3, 3.0])
def test_its_equations_are_the_network(name: str, norm: float, radius: float):
    network, x = NETWORKS[name](), random_inputs(0, 1, 3)
    graph = make_problem(network, x).graph
    region = Region(x, torch.tensor([radius], dtype=torch.float64), norm, None)
    found = encode(relax(graph, region))
    assert found.size == 3 and (found.low < 0).all() and (found.high > 0).all()
    draw = torch.Generator().manual_seed(0)
    for step in (
        sample_ball(50, (3,), norm=norm, radius=radius or 1e-12, generator=draw).double() if radius else [x[0] * 0]
    ):
        before, logits = solve(found, step.numpy())
        assert np.allclose(logits, network(x + step)[0].detach().numpy(), atol=1e-12)
        assert (found.low - 1e-9 <= before).all() and (before <= found.high + 1e-9).all()


def test_units_that_keep_their_sign_need_no_variable():
    network, x = NETWORKS["two layers"](), random_inputs(0, 1, 3)
    graph = make_problem(network, x).graph
    counts = []
    for radius in (0.0, 0.3, 100.0):
        region = Region(x, torch.tensor([radius], dtype=torch.float64), 2.0, None)
        counts.append(len(encode(relax(graph, region)).offsets))
    assert counts[0] == 0 < counts[1] <= counts[2] <= count_relu_units(graph) == 13


@pytest.mark.parametrize("layer", [nn.Tanh(), nn.ReLU6(), nn.Softplus()])
def test_other_activations_are_refused(layer: nn.Module):
    model = make_problem(NETWORKS["affine"](), random_inputs(0, 1, 3)).model
    graph = translate(type(model)(nn.Sequential(layer)), (3,))
    with pytest.raises(NotSupportedError, match="exact: expected ReLU layers only"):
        count_relu_units(graph)
