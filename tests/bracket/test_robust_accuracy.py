"""Robust accuracy from both ends: closed forms, and what each input is."""

import json
import math

import pytest
import torch

import clearance as cl
from clearance.bracket.robust_accuracy import robust_accuracy
from clearance.errors import InputError
from clearance.model.robustness import Robustness
from closed_forms import as_module, exact_relu, random_inputs, random_linear, random_relu

INF = math.inf
CLOSE = 1e-3
"""Share around an exact distance within which neither a proof nor a witness is asked for."""


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, INF])
def test_on_a_linear_classifier_both_ends_are_the_share_beyond_the_radius(norm: float):
    network, x = random_linear(4), random_inputs(4, 60, 6)
    model, exact = cl.Classifier(as_module(network), dtype=torch.float64), network.distance(x, norm)
    labels = network(x).argmax(1)
    radius = float(exact.median())
    found = robust_accuracy(model, x, labels, radius, norm, budget="quick")
    surely, perhaps = int((exact > radius * (1 + CLOSE)).sum()), int((exact > radius * (1 - CLOSE)).sum())
    assert surely <= found.proved.count <= perhaps and surely <= found.not_broken.count <= perhaps
    assert found.proved.count <= found.not_broken.count


@pytest.mark.parametrize("norm", [1.0, INF])
def test_the_exact_share_of_tiny_relu_networks_lies_between_the_ends(norm: float):
    network, x = random_relu(1), random_inputs(1, 12, 4)
    model, labels = cl.Classifier(as_module(network), (0, 1)), network(x).argmax(1)
    labels[0] = (labels[0] + 1) % 3
    exact = [
        exact_relu(network, row, norm, [k for k in range(3) if k != own], 0.0, 1.0)
        for row, own in zip(x, labels.tolist(), strict=True)
    ]
    radius = 1.005 * sorted(value for value in exact[1:] if math.isfinite(value))[3]
    found = robust_accuracy(model, x, labels, radius, norm, budget="quick")
    robust = sum(least > radius for least in exact[1:])
    assert found.proved.count <= robust <= found.not_broken.count
    assert found.correct.count == 11 and found.statuses[0] is Robustness.MISCLASSIFIED
    assert found.broken.count + found.not_broken.count == found.correct.count
    assert found.proved.count >= robust - 1 and found.not_broken.count <= robust + 1


def case(count: int = 12):
    network, x = random_linear(4), random_inputs(4, count, 6)
    labels = network(x).argmax(1)
    labels[2] = (labels[2] + 1) % 4
    return cl.Classifier(as_module(network), dtype=torch.float64), network, x, labels


def test_each_input_has_its_standing_and_misclassified_ones_count_as_broken():
    model, network, x, labels = case()
    exact = network.distance(x, 2.0)
    radius = float(exact.median())
    found = cl.robust_accuracy(model, x, labels, radius, 2, budget="quick")
    for row, status in enumerate(found.statuses):
        if row == 2:
            assert status is Robustness.MISCLASSIFIED
        elif abs(float(exact[row]) / radius - 1) > CLOSE:
            assert status is (Robustness.PROVED if exact[row] > radius else Robustness.BROKEN)
    for status, attacked, proof in zip(found.statuses, found.attacked, found.certified, strict=True):
        assert (status is Robustness.BROKEN) == attacked.success
        assert (proof is None) == (status in {Robustness.BROKEN, Robustness.MISCLASSIFIED})
    assert found.not_broken.of == found.proved.of == len(found) == 12
    assert found.not_broken.share == found.not_broken.count / 12


def test_without_certificates_there_is_one_end():
    model, _, x, labels = case()
    found = robust_accuracy(model, x, labels, 0.1, 2, budget="quick", certificate="none")
    assert not found.with_certificates and found.proved.count == 0
    assert set(found.certified) == {None} and found.as_record()["proved"] is None
    assert Robustness.PROVED not in found.statuses and "proved" not in repr(found)


def test_at_radius_zero_it_is_the_accuracy():
    model, _, x, labels = case()
    found = robust_accuracy(model, x, labels, 0, "inf", budget="quick")
    assert found.not_broken.count == found.proved.count == found.correct.count == 11


def test_attacks_that_had_no_gradient_to_follow_are_counted():
    network = torch.nn.Sequential(Steps(), torch.nn.Linear(2, 2, bias=False))
    network[1].weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    x = torch.tensor([[0.6, 0.6], [-0.6, -0.6]])
    found = robust_accuracy(cl.Classifier(network), x, [0, 0], 0.05, 2, budget="quick", certificate="none")
    assert found.zero_gradient == found.as_record()["zero_gradient"] == 1  # the other one is misclassified
    assert repr(found).endswith("no gradient at 1: they may be far too many)")
    honest = robust_accuracy(cl.Classifier(network[1]), x, [0, 0], 0.05, 2, budget="quick", certificate="none")
    assert honest.zero_gradient == 0 and "gradient" not in repr(honest)


class Steps(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.round()


def test_the_record_is_strict_json():
    model, _, x, labels = case()
    record = json.loads(
        json.dumps(robust_accuracy(model, x, labels, 0.1, "inf", budget="quick").as_record(), allow_nan=False)
    )
    assert record["norm"] == "inf" and record["inputs"] == 12
    assert record["not_broken"]["share"] == record["not_broken"]["count"] / 12
    low, high = record["not_broken"]["interval"]
    assert low < record["not_broken"]["share"] < high


def test_the_same_again_with_the_same_seed():
    model, _, x, labels = case()
    once, again = (robust_accuracy(model, x, labels, 0.5, 2, budget="quick", seed=3) for _ in range(2))
    assert once.statuses == again.statuses
    assert [found.distance for found in once.attacked] == pytest.approx(
        [found.distance for found in again.attacked], rel=0, abs=0, nan_ok=True
    )


@pytest.mark.parametrize(
    "change",
    [
        {"radius": -1.0},
        {"radius": math.nan},
        {"radius": "8/255"},
        {"norm": 0.5},
        {"budget": "lavish"},
        {"certificate": "lavish"},
        {"time_limit": 0},
        {"level": 1.0},
        {"level": 95},
        {"seed": 0.5},
    ],
)
def test_misuse_is_one_clear_line(change):
    model, _, x, labels = case()
    given = {"radius": 0.1, "norm": 2, **change}
    with pytest.raises(InputError, match="expected") as caught:
        robust_accuracy(model, x, labels, given.pop("radius"), given.pop("norm"), **given)
    assert "\n" not in str(caught.value)


def test_batches_join_with_what_was_found_for_each_input():
    model, network, x, labels = case()
    radius = float(network.distance(x, 2.0).median())
    whole = robust_accuracy(model, x, labels, radius, 2, budget="quick")
    parts = [
        robust_accuracy(model, x[rows], labels[rows], radius, 2, budget="quick") for rows in (slice(5), slice(5, 12))
    ]
    both = sum(parts)
    assert isinstance(both, cl.RobustAccuracy) and both.statuses == whole.statuses and len(both.attacked) == 12
    assert both.certified[7] is parts[1].certified[2] and both.cost.forward == sum(one.cost.forward for one in parts)
    with pytest.raises(InputError, match="expected the same radius to join"):
        both + robust_accuracy(model, x, labels, radius / 2, 2, budget="quick")
