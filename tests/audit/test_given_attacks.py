"""Attacks that are handed to the audit: a witness is believed when the classifier confirms it."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import clearance as cl
from clearance.audit import Audit
from clearance.errors import InputError, ShapeError

X = torch.tensor([[0.45, 0.6, 0.3], [0.7, 0.52, 0.36]])


def classifier(**options: object) -> cl.Classifier:
    layer = nn.Linear(3, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0, 1.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 2.0]]))
        layer.bias.copy_(torch.tensor([0.0, 2.0, 1.0]))
    return cl.Classifier(layer, bounds=(0, 1), **options)  # type: ignore[arg-type]


def audited(model: cl.Classifier, points: torch.Tensor, **options: object) -> list[Audit]:
    """The audit that is told of these witnesses."""
    found = cl.attack(model, X, budget="quick", **options)  # type: ignore[arg-type]
    told = [replace(one, adversarial=point, distance=0.1) for one, point in zip(found, points, strict=True)]
    return cl.audit(model, X, attacks=told, **options)  # type: ignore[arg-type]


def witnesses(model: cl.Classifier, **options: object) -> torch.Tensor:
    found = cl.attack(model, X, budget="quick", **options)  # type: ignore[arg-type]
    return torch.stack([one.adversarial for one in found if one.adversarial is not None])


@pytest.mark.parametrize("scale", [None, torch.tensor([0.3, 3.0, 0.7])])
def test_what_is_no_witness_is_refused(scale: torch.Tensor | None):
    model = classifier(scale=scale)
    real = witnesses(model)
    audited(model, real)
    for place, point, said in [
        (0, X[0], "input 0: expected a point that is predicted as another class than 0, got one of class 0"),
        (1, X[1] - 2, "attacks: the witness of input 1: "),
        (1, torch.full((3,), torch.nan), "attacks: the witness of input 1: "),
    ]:
        points = real.clone()
        points[place] = point
        with pytest.raises(InputError, match=said):
            audited(model, points)


def test_a_witness_of_another_class_than_the_target_is_refused():
    model = classifier()
    first = [int(model.logits(point[None]).argmax()) for point in witnesses(model)]
    other = [({0, 1, 2} - {0, one}).pop() for one in first]
    with pytest.raises(InputError, match=f"predicted as class {other[0]}, got one of class {first[0]}"):
        cl.audit(model, X, attacks=cl.attack(model, X, budget="quick"), target=other[0])


def test_a_fixed_coordinate_that_moved_is_refused():
    free, tied = classifier(), classifier(fixed=torch.tensor([False, True, False]))
    with pytest.raises(InputError, match="attacks: the witness of input 0"):
        cl.audit(tied, X, attacks=cl.attack(free, X, budget="quick"))


@pytest.mark.parametrize("scale", [None, torch.tensor([0.3, 3.0, 0.7])])
def test_a_witness_of_another_shape_is_refused(scale: torch.Tensor | None):
    model = classifier(scale=scale)
    with pytest.raises(ShapeError, match="attacks: the witness of input 0"):
        audited(model, torch.rand(2, 4))


def test_a_random_network_confirms_what_it_may_have_answered():
    class Noisy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            margin = x.sum(1) - 1.2 + 1e-4 * torch.randn(len(x))
            return torch.stack([margin, torch.zeros_like(margin)], 1)

    model = cl.Classifier(Noisy(), bounds=(0, 1))
    found = cl.attack(model, X, budget="quick")
    told = [replace(one, adversarial=x) for one, x in zip(found, X, strict=True)]
    assert [one.has("random") for one in cl.audit(model, X, attacks=told)] == [True, True]
