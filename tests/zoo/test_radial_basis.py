"""Gaussian units by their formula, and where their centres are put."""

import math

import pytest
import torch

from clearance.errors import InputError, ShapeError
from clearance.zoo.networks import linear_classifier
from clearance.zoo.radial_basis import RadialBasis, place_centres, rbf_network


def test_a_unit_is_a_gaussian_of_the_distance():
    layer = RadialBasis(2, 1)
    with torch.no_grad():
        layer.centres.copy_(torch.tensor([[1.0, 2.0]]))
        layer.log_rates.fill_(math.log(0.5))
    found = layer(torch.tensor([[1.0, 2.0], [4.0, 6.0]]))
    torch.testing.assert_close(found, torch.tensor([[1.0], [math.exp(-12.5)]]))


def test_far_away_every_answer_is_the_bias():
    network = rbf_network((1, 2, 2), 3, units=4)
    torch.testing.assert_close(network(torch.full((1, 1, 2, 2), 1e3))[0], network.logits.bias)


def test_centres_are_inputs_and_units_answer_one_over_e_on_average():
    images = torch.rand(500, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    network = rbf_network((1, 3, 3), 2, units=7)
    assert place_centres(network, images, seed=0) == 1
    centres = network.units.centres
    placed = {tuple(row) for row in centres.tolist()}
    assert len(placed) == 7
    assert placed <= {tuple(row) for row in images.flatten(1).tolist()}
    squares = torch.cdist(centres, images.flatten(1)) ** 2
    torch.testing.assert_close(network.units.log_rates.exp() * squares.mean(1), torch.ones(7))


def test_the_seed_fixes_the_centres():
    images = torch.rand(50, 4, generator=torch.Generator().manual_seed(0))
    first, same, other = (rbf_network((4,), 2, units=3, seed=0) for _ in range(3))
    for network, seed in ((first, 1), (same, 1), (other, 2)):
        place_centres(network, images, seed=seed)
    assert torch.equal(first.units.centres, same.units.centres)
    assert not torch.equal(first.units.centres, other.units.centres)


def test_misuse():
    with pytest.raises(InputError, match="at least 300 inputs, one for each unit, got 5"):
        place_centres(rbf_network((4,), 2), torch.rand(5, 4), seed=0)
    with pytest.raises(InputError, match="at least 2 classes and 1 unit, got 1 and 300"):
        rbf_network((4,), 1)
    with pytest.raises(ShapeError, match="positive sizes"):
        rbf_network((), 2)
    assert place_centres(linear_classifier((4,), 2), torch.rand(5, 4), seed=0) == 0
