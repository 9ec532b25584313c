"""Accuracies of linear networks, whose distances are known."""

import math

import pytest
import torch

from clearance.training import PerturbationSet, accuracy, robust_accuracy
from training_cases import linear


def test_accuracy_counts():
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert accuracy(linear(), x, torch.tensor([1, 0, 0]), batch_size=2) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("norm", "unit"), [(math.inf, 4.0), (2.0, math.sqrt(10))])
def test_robust_accuracy_is_exact_for_a_linear_network(norm: float, unit: float):
    # |3 a - b| over the dual norm of (3, -1) is the distance to the boundary: 0.05, 0.15 and 0.25 here.
    x = torch.tensor([[0.05, 0.0], [0.15, 0.0], [0.25, 0.0]]) * unit / 3
    ball = PerturbationSet(norm, 0.1, None)
    assert accuracy(linear(), x, torch.ones(3, dtype=torch.int64)) == 1.0
    found = robust_accuracy(linear(), x, torch.ones(3, dtype=torch.int64), perturbations=ball, steps=20, seed=0)
    assert found == pytest.approx(2 / 3)


def test_no_random_start_mends_what_is_wrong_already():
    x, y = torch.tensor([[-0.1, 0.0]]).repeat(500, 1), torch.ones(500, dtype=torch.long)
    ball = PerturbationSet(math.inf, 1.0, None)
    found = robust_accuracy(linear(), x, y, perturbations=ball, steps=5, step_size=0.01, seed=0)
    assert accuracy(linear(), x, y) == found == 0.0
