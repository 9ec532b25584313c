"""The toy model: its formulas against enumeration and numerical integration, and the experiment end to end."""

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.stats import norm

from clearance.errors import InputError
from clearance.experiments.toy_distribution import ToyModel, Weights, bayes, linear_accuracy, robust_accuracy_limit
from clearance.experiments.toy_model import measure
from tiny_experiments import tiny

MODEL = ToyModel(p=0.8, eta=0.3, d=4)


def integrated(weights: Weights, model: ToyModel, eps: float) -> float:
    """Accuracy under the worst of all corner perturbations, on a grid over the sum of the last features, label +1."""
    n = model.d - 1
    corners = [np.array(corner) for corner in product((-eps, eps), repeat=model.d)] if eps else [np.zeros(model.d)]
    sums = np.linspace(-20, 20, 40_001)
    density = norm.pdf(sums, model.eta * n, math.sqrt(n))
    total = 0.0
    for first, share in ((1.0, model.p), (-1.0, 1 - model.p)):
        activations = [weights.first * (first + c[0]) + weights.other * (sums + c[1:].sum()) for c in corners]
        total += share * trapezoid(density * (np.min(activations, axis=0) > 0), sums)
    return float(total)


@pytest.mark.parametrize("weights", [Weights(0, 1), Weights(1, 0), Weights(1, 1), Weights(-0.5, 2), bayes(MODEL)])
@pytest.mark.parametrize("eps", [0.0, 0.2, 0.6])
def test_accuracy_is_that_of_the_worst_corner(weights: Weights, eps: float):
    assert weights.accuracy(MODEL, eps) == pytest.approx(integrated(weights, MODEL, eps), abs=1e-3)  # the grid's width


def test_accuracy_of_any_weights_is_that_of_a_sample():
    weight, bias = torch.tensor([0.7, 1.0, -0.2, 0.4]), 0.3
    x, labels = MODEL.sample(40_000, seed=5)
    sign = 2.0 * labels - 1
    shift = 0.1 * weight.abs().sum()
    share = float((sign * (x @ weight.double() + bias) > shift).double().mean())
    expected = linear_accuracy(MODEL, weight, bias, 0.1)
    assert expected == pytest.approx(share, abs=4.5 * math.sqrt(0.25 / 40_000))  # standard errors


def test_no_linear_classifier_is_more_accurate_than_bayes():
    best = bayes(MODEL).accuracy(MODEL)
    assert all(Weights(a, 1).accuracy(MODEL) <= best + 1e-12 for a in np.linspace(-5, 5, 201))
    assert best > max(Weights(0, 1).accuracy(MODEL), Weights(1, 0).accuracy(MODEL))


@pytest.mark.parametrize("p", [0.5, 0.8, 0.97])
@pytest.mark.parametrize("eta", [0.1, 0.4])
def test_accuracy_limits_robust_accuracy_at_twice_eta(p: float, eta: float):
    model = ToyModel(p, eta, 6)
    for weights in (Weights(0, 1), Weights(1, 0), bayes(model), *(Weights(a, 1) for a in np.linspace(-3, 3, 31))):
        assert weights.accuracy(model, 2 * eta) <= robust_accuracy_limit(model, weights.accuracy(model)) + 1e-12


def test_the_sample_has_the_stated_moments():
    x, labels = MODEL.sample(40_000, seed=3)
    sign = 2.0 * labels - 1
    error = 4.5 / math.sqrt(40_000)  # 4.5 standard errors of a mean of variance at most 1
    assert float((x[:, 0] == sign).double().mean()) == pytest.approx(MODEL.p, abs=error)
    assert torch.allclose((x[:, 1:] * sign[:, None]).mean(0), torch.tensor(MODEL.eta).double(), atol=error)
    assert torch.allclose(x[:, 1:].var(0), torch.tensor(1.0 + MODEL.eta**2).double(), atol=3 * error)


def test_certificate_and_attack_enclose_each_other():
    seen = measure(MODEL, bayes(MODEL).network(MODEL.d), 0.2, count=20, attacked=20, seed=0)
    assert seen.proved == seen.not_broken <= seen.clean  # the attack is exact on a linear network, up to its bisection


def test_parameters_are_checked():
    with pytest.raises(InputError, match="p < 1"):
        ToyModel(1.0, 0.1, 5)


@pytest.mark.slow
def test_the_experiment_on_its_tiny_scale(tmp_path: Path):
    found = tiny("toy-model", tmp_path)
    assert all(finding.holds for finding in found.findings)
    assert len(found.tables[0].rows) == 8 and len(found.figures) == 1
