"""`sigma_zero`: fewest coordinates in closed form and by mixed-integer programs, units, and the promises of attacks."""

import math

import pytest
import torch
from torch import Tensor

from attack_cases import (
    INF,
    LinearCase,
    Variants,
    assert_begins_at_its_start,
    assert_finds_nothing,
    assert_most_have_a_witness,
    assert_promises,
    classifier,
    each_dead,
    goal_of,
    linear_case,
    on_any_network,
    small_inputs,
    threatened,
)
from clearance.attacks import Goal, attack, sigma_zero
from clearance.attacks.sigma_zero import SIGMA, coordinate_widths, smooth_count_gradient
from clearance.errors import InputError
from clearance.model.classifier import Classifier
from closed_forms import exact_relu, fewest_linear, random_inputs, random_linear, random_relu

SHORT: Variants = {"sigma_zero": (0.0, lambda m, x, g: sigma_zero(m, x, g, steps=20))}
SEEDS = range(2)


def fewest(seed: int, classes: int) -> tuple[Classifier, Tensor, Goal, Tensor]:
    """A linear classifier in the unit box: model, inputs, goal, and the exact distance of each input."""
    network, x = random_linear(seed, classes=classes, size=12), random_inputs(seed, 20, 12)
    model = classifier(network, (0, 1))
    goal = goal_of(model, x)
    targets = [row.nonzero().flatten().tolist() for row in goal.wanted]
    exact = [fewest_linear(network, row, chosen, 0.0, 1.0) for row, chosen in zip(x, targets, strict=True)]
    return model, x, goal, torch.tensor(exact)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("classes", [2, 4])
def test_in_a_box_never_fewer_than_the_closed_form_and_mostly_as_many(classes: int):
    """Alone it is seldom more than one coordinate off; with what `attack` does to its witnesses it is exact."""
    exact, alone, best = [], [], []
    for seed in SEEDS:
        model, x, goal, least = fewest(seed, classes)
        exact.append(least)
        alone.append(sigma_zero(model, x, goal).distance)
        best.append(torch.tensor([result.distance for result in attack(model, x, norm=0, budget="quick")]))
    least, rough, found = torch.cat(exact), torch.cat(alone), torch.cat(best)
    assert least.isfinite().sum() >= 30 and (least[least.isfinite()] > 1).any()  # not all of them trivial
    assert (rough >= least).all() and (found >= least).all()
    assert torch.equal(found.isfinite(), least.isfinite())
    reachable = least.isfinite()
    assert (rough <= least + 1)[reachable].double().mean() >= 0.9
    assert (found == least)[reachable].double().mean() >= (1.0 if classes == 2 else 0.9)


def test_against_mixed_integer_programs_on_tiny_networks():
    found, exact = [], []
    for seed in range(50, 54):
        network, x = random_relu(seed), random_inputs(seed, 4, 4)
        model = classifier(network, (0, 1))
        goal = goal_of(model, x)
        found += [result.distance for result in attack(model, x, norm=0, budget="quick")]
        for row, wanted in zip(x, goal.wanted, strict=True):
            least = exact_relu(network, row, 0.0, wanted.nonzero().flatten().tolist(), 0.0, 1.0)
            exact.append(math.ceil(least - 1e-6) if math.isfinite(least) else INF)  # the solver's tolerance
    assert {1, 2} <= set(exact)
    assert all(ours >= least for ours, least in zip(found, exact, strict=True)), (found, exact)
    assert sum(ours == least for ours, least in zip(found, exact, strict=True)) >= 15, (found, exact)


def test_without_bounds_one_coordinate_is_enough_for_a_linear_classifier():
    case = linear_case(0, classes=3)
    results = attack(case.model, case.x, norm=0, budget="quick")
    assert [result.distance for result in results] == [1.0] * len(case.x)


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
@pytest.mark.parametrize(("scale", "loud"), [(1e-4, 1e5), (1000.0, 1e-6)])
def test_units_do_not_matter(bounds: tuple[float, float] | None, scale: float, loud: float):
    """Inputs (and bounds) in other units, and logits in others: as many coordinates."""
    network, x = random_relu(1, size=12, hidden=16), random_inputs(1, 6, 12)
    model = classifier(network, bounds)
    stretched = classifier(lambda z: loud * network(z / scale), bounds and tuple(scale * bound for bound in bounds))
    plain = sigma_zero(model, x, goal_of(model, x), steps=60)
    other = sigma_zero(stretched, scale * x, goal_of(stretched, scale * x), steps=60)
    assert plain.success.sum() >= 3
    assert torch.equal(plain.distance, other.distance)


def test_the_number_of_coordinates_does_not_matter():
    """Coordinates that nothing depends on stay as they are."""
    case = linear_case(1)
    wide = torch.cat([case.x, 0.5 * torch.ones(8, 500, dtype=torch.float64)], 1)
    narrow, padded = classifier(case.network, (0, 1)), classifier(lambda z: case.network(z[:, :12]), (0, 1))
    goal = goal_of(narrow, case.x)
    found = sigma_zero(padded, wide, goal)
    assert torch.equal(found.distance, sigma_zero(narrow, case.x, goal).distance)
    assert torch.equal(found.adversarial[:, 12:], wide[:, 12:])


def test_every_channel_of_a_pixel_is_a_coordinate():
    """One pixel of three channels, each of which has to change."""

    def network(x: Tensor) -> Tensor:
        total = x.flatten(1).sum(1)
        return torch.stack([2.5 - total, total * 0], 1)

    model, x = classifier(network, (0, 1)), torch.zeros(1, 3, 1, 1, dtype=torch.float64)
    (result,) = attack(model, x, norm="l0", budget="quick")
    assert result.distance == 3.0


def test_bounds_that_are_infinite_or_leave_no_room():
    case = linear_case(2)
    low, high = torch.zeros(12), torch.full((12,), INF)
    low[:3] = high[:3] = case.x[0, :3]
    model = classifier(case.network, (low.double(), high.double()))
    x = case.x.clone()
    x[:, :3] = case.x[0, :3]
    goal = goal_of(model, x)
    widths = coordinate_widths(model, x, goal)
    assert (widths > 0).all() and widths.isfinite().all()
    found = sigma_zero(model, x, goal)
    assert found.success.all() and torch.equal(found.adversarial[:, :3], x[:, :3])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_targeted_never_fewer_than_the_closed_form(rank: int):
    """A targeted witness is ahead of the source, so it needs at least what that takes."""
    case = linear_case(0, classes=4)
    model, goal = classifier(case.network, (-1, 2)), case.toward(rank)
    found = sigma_zero(model, case.x, goal)
    exact = [
        fewest_linear(case.network, row, wanted.nonzero().flatten().tolist(), -1.0, 2.0)
        for row, wanted in zip(case.x, goal.wanted, strict=True)
    ]
    assert found.success.sum() >= 7 and (found.distance >= torch.tensor(exact)).all()


def test_an_aim_leads_to_its_class():
    """Aimed at the class that is farthest, most witnesses are of that class."""
    case = linear_case(3, classes=3)
    model, last = classifier(case.network, (-4, 5)), case.toward(2)
    aim = case.goal.to_class(last.wanted.long().argmax(1))
    aimed, free = (sigma_zero(model, case.x, case.goal, aim=given).adversarial for given in (aim, None))
    there = [(model.logits(found).argmax(1) == last.wanted.long().argmax(1)).sum() for found in (aimed, free)]
    assert there[0] > there[1]


def test_the_gradient_of_the_smooth_count():
    z = torch.linspace(-1, 1, 21, dtype=torch.float64)[None].requires_grad_()
    (z.square() / (z.square() + SIGMA)).sum().backward()
    assert torch.allclose(smooth_count_gradient(z.detach()), z.grad)


@on_any_network()
def test_promises(threat):
    assert_promises(*SHORT["sigma_zero"], *threatened(threat))


@each_dead
def test_nothing_without_gradients(dead):
    assert_finds_nothing(SHORT["sigma_zero"][1], dead)


def test_most_inputs_have_a_witness():
    assert_most_have_a_witness(SHORT["sigma_zero"][1])


def test_a_start_is_where_it_begins(case: LinearCase):
    assert_begins_at_its_start(sigma_zero, case)


def test_restarts_differ_by_seed_and_not_by_the_batch():
    model, x = Classifier(random_relu(3, size=6, hidden=16).__call__, (0, 1)), small_inputs(3, 6)
    together = attack(model, x, norm=0, budget="quick")
    alone = [attack(model, row[None], norm=0, budget="quick") for row in x]
    assert [result.distance for result in together] == [one.distance for (one,) in alone]
    again = attack(model, x, norm="0", budget="quick")
    assert all(
        (a.adversarial is None and b.adversarial is None) or torch.equal(a.adversarial, b.adversarial)
        for a, b in zip(together, again, strict=True)
    )


def test_misuse_is_one_clear_line(case: LinearCase):
    with pytest.raises(InputError, match="steps: expected at least 1, got 0"):
        sigma_zero(case.model, small_inputs(0), case.goal, steps=0)
    for method, norm, message in (
        ("pgd", 0, "norm: expected p >= 1 for method pgd, got l0"),
        ("ddn", "l0", "norm: expected l2 for method ddn, got l0"),
        ("sigma_zero", 1, "norm: expected l0 for method sigma_zero, got l1"),
        ("best", 0.5, r"norm: expected p >= 1, or 0 for the number of coordinates that differ, got 0\.5"),
        ("best", -1, "norm: expected p >= 1, or 0 .* got -1"),
    ):
        with pytest.raises(InputError, match=message):
            attack(case.model, case.x, norm=norm, method=method)
