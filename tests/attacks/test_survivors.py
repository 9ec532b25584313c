"""`Survivors`: ranks, counts and radii; `pull_inside` in float32, where sums are rounded."""

import math

import pytest
import torch

from attack_cases import INF, classifier
from clearance.attacks.survivors import Survivors, check_radius, pull_inside
from clearance.errors import InputError
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare
from closed_forms import random_inputs, random_linear


def pool(passes: int = 100) -> Survivors:
    model, x = classifier(random_linear(0)), random_inputs(0, 5, 6)
    return Survivors(prepare(model, x, None, target="untargeted", norm=2, seed=0), 0.5, passes)


def test_classes_are_ranked_by_the_smallest_margin_so_far():
    found = pool()
    rows = torch.arange(5)
    logits = found.model.logits(found.x)
    ranked = logits.argsort(dim=1, descending=True)
    assert torch.equal(found.aim(rows, 0).wanted.long().argmax(1), ranked[:, 1])
    assert torch.equal(found.aim(rows, 9).wanted.long().argmax(1), ranked[:, 3])  # the last of three
    way = found.model.network.weight[ranked[:, 3]] - found.model.network.weight[ranked[:, 0]]
    towards = found.x + 0.5 * way / vector_norm(way, 2)[:, None]
    found.look(rows, towards, "square")
    closest = torch.minimum(logits.gather(1, ranked[:, :1]) - logits, *_gaps(found, towards))
    closest.scatter_(1, ranked[:, :1], INF)
    assert torch.equal(found.aim(rows, 0).wanted.long().argmax(1), ranked[:, 1])  # not ranked anew yet
    found.rank_classes()
    assert torch.equal(found.aim(rows, 0).wanted.long().argmax(1), closest.argmin(1))


def _gaps(found: Survivors, points: torch.Tensor) -> tuple[torch.Tensor]:
    logits, own = found.model.logits(points), found.goal.source
    return (logits.gather(1, own[:, None]) - logits,)


def test_what_lies_outside_the_radius_ranks_no_class():
    found, rows = pool(), torch.arange(5)
    before = found.aim(rows, 0).wanted
    found.look(rows, found.x + 1.0, "square")
    found.rank_classes()
    assert torch.equal(found.aim(rows, 0).wanted, before)


def test_the_loss_of_an_input_is_that_with_which_it_met_its_smallest_margin():
    found, rows = pool(), torch.arange(5)
    gradient = found.evaluate(rows, found.x, "cross_entropy", found.aim(rows, None)).gradient
    nearer = found.x - 0.1 * gradient / vector_norm(gradient, 2)[:, None]
    found.evaluate(rows[:2], nearer[:2], "dlr", found.aim(rows[:2], None))
    found.evaluate(rows[2:], found.x[2:] + 0.1 * gradient[2:], "dlr", found.aim(rows[2:], None))
    found.evaluate(rows[4:], nearer[4:] - 9.0, "margin", found.aim(rows[4:], None))  # outside the radius
    assert {name: chosen.tolist() for name, chosen in found.by_loss(rows, None)} == {
        "cross_entropy": [2, 3, 4],
        "margin": [],
        "dlr": [0, 1],
    }
    assert found.by_loss(rows, "margin") == [("margin", rows)]


def test_open_are_those_that_are_not_broken_and_have_passes_left():
    found = pool(passes=10)
    found.broken[1] = True
    found.count(torch.tensor([2, 3]), 4, 3)
    assert found.open(3).tolist() == [0, 4] and found.open(2).tolist() == [0, 2, 3, 4]
    assert found.still_open(torch.tensor([1, 3, 4]), 2).tolist() == [1, 2]


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, INF])
@pytest.mark.parametrize("radius", [8 / 255, 0.3, 2.0, 1e-6])
def test_pulled_inside_by_no_more_than_rounding(norm: float, radius: float):
    draw = torch.Generator().manual_seed(0)
    model = Classifier(torch.nn.Flatten(), (0, 1))
    for _ in range(20):
        x = torch.rand(1, 50, generator=draw)
        way = torch.randn(1, 50, generator=draw)
        point = model.clip(x + way / vector_norm(way, norm) * radius * (1 + 5e-4))
        near = pull_inside(model, x, point, norm, radius)
        assert float(vector_norm(near.double() - x.double(), norm)) <= radius
        assert torch.equal(model.clip(near), near)
        if radius > 1e-3 and float(vector_norm(point.double() - x.double(), norm)) > radius:
            assert float(vector_norm(near - x, norm)) >= radius * (1 - 1e-3)


def test_a_point_inside_is_left_where_it_is():
    model, x = Classifier(torch.nn.Flatten()), torch.zeros(1, 4)
    point = torch.full((1, 4), 0.1)
    assert torch.equal(pull_inside(model, x, point, INF, 0.2), point)


@pytest.mark.parametrize("radius", [-1.0, math.nan, math.inf, "8/255", None, True])
def test_a_radius_is_a_finite_number(radius):
    with pytest.raises(InputError, match="radius: expected a finite number >= 0"):
        check_radius(radius)


def test_a_quotient_in_quotes_is_answered_with_one_without():
    with pytest.raises(InputError, match=r"got '8/255' \(without quotes: 8 / 255\)"):
        check_radius("8/255")  # pyright: ignore


def test_whole_numbers_are_radii():
    assert check_radius(2) == 2.0 and check_radius(0) == 0.0
