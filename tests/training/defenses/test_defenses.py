"""Each defence's losses where they are known, and the table."""

import inspect
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, softmax

from clearance.errors import InputError
from clearance.training import (
    Adversarial,
    Distillation,
    Fast,
    Free,
    IntervalBounds,
    NoiseAugmentation,
    PerturbationSet,
    PseudoLabels,
    Standard,
    Trades,
    guessed_labels,
)
from clearance.training.defenses.adversarial import grown
from clearance.training.defenses.defense import TrainingStep
from clearance.training.defenses.table import DEFENSES
from training_cases import linear, two_clouds

BALL = PerturbationSet(math.inf, 0.1, None)
X, Y = two_clouds(8)


def losses(defense, network=None, *, fraction: float = 0.9, seed: int = 0) -> list[float]:
    step = TrainingStep(torch.Generator().manual_seed(seed), fraction)
    return [loss.item() for loss in defense.losses(network or linear(), X, Y, step)]


def worst(network: nn.Module, radius: float) -> torch.Tensor:
    """The exact maximisers of the loss of the linear network: against the weights for class 1, along them for 0."""
    return X + radius * torch.tensor([3.0, -1.0]).sign() * (1 - 2 * Y)[:, None]


def test_standard_is_the_cross_entropy_at_a_temperature():
    assert losses(Standard()) == pytest.approx([cross_entropy(linear()(X), Y).item()])
    assert losses(Standard(4.0)) == pytest.approx([cross_entropy(linear()(X) / 4, Y).item()])


@pytest.mark.parametrize("defense", [Adversarial(BALL), Fast(BALL, 2.0)], ids=["adversarial", "fast"])
def test_the_loss_is_that_at_the_maximiser(defense):
    assert losses(defense) == pytest.approx([cross_entropy(linear()(worst(linear(), 0.1)), Y).item()], rel=1e-5)


def test_fast_takes_one_step_of_its_length_from_a_random_start():
    network, step = linear(), TrainingStep(torch.Generator().manual_seed(0), 0.9)
    seen: list[torch.Tensor] = []
    network.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach()))
    list(Fast(BALL, 0.5).losses(network, X, Y, step))
    start, moved = seen
    assert (start - X).abs().max() <= 0.1 + 1e-6
    expected = (start + 0.05 * torch.tensor([3.0, -1.0]).sign() * (1 - 2 * Y)[:, None]).clamp(X - 0.1, X + 0.1)
    torch.testing.assert_close(moved, expected)


def test_free_replays_a_batch_and_climbs_with_the_gradient_that_the_step_left():
    step, found = TrainingStep(torch.Generator().manual_seed(0), 0.0), []
    network = linear()
    for loss in Free(BALL, 3).losses(network, X, Y, step):
        loss.backward()
        found.append(loss.item())
    exact = cross_entropy(linear()(worst(network, 0.1)), Y).item()
    assert len(found) == 3
    assert found[0] < exact
    assert found[2] == pytest.approx(exact, rel=1e-5)  # steps of the whole radius: two cross the box


def test_trades_adds_the_divergence_at_a_maximiser():
    network = linear()
    here = softmax(network(X), 1)
    candidates = [X + 0.1 * torch.tensor(signs) for signs in ([1.0, -1.0], [-1.0, 1.0])]
    each = torch.stack([(here * (here / softmax(network(x), 1)).log()).sum(1) for x in candidates])
    # The divergence has a local maximum at both ends of the line along which the logits move: ascent finds either.
    natural, (least, most) = cross_entropy(network(X), Y).item(), (each.amin(0).mean(), each.amax(0).mean())
    found = (losses(Trades(BALL, steps=20, beta=2.0))[0] - natural) / 2
    assert 0.999 * least.item() <= found <= 1.001 * most.item()
    assert least > 0.9 * most


def test_distillation_learns_the_soft_answers_of_its_teacher():
    teacher = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.9))
    soft = softmax(teacher.eval()(X) / 5, 1)
    expected = -(soft * torch.log_softmax(linear()(X) / 5, 1)).sum(1).mean().item()
    teacher.train()
    assert losses(Distillation(teacher, 5.0))[0] == pytest.approx(expected)
    assert teacher.training


def test_noise_has_its_deviation_and_stays_in_the_bounds():
    seen: list[torch.Tensor] = []
    network = nn.Linear(1, 2)
    network.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    x, y = torch.full((20_000, 1), 0.5), torch.zeros(20_000, dtype=torch.int64)
    step = TrainingStep(torch.Generator().manual_seed(0), 0.0)
    for defense in (NoiseAugmentation(0.2, None), NoiseAugmentation(5.0)):
        list(defense.losses(network, x, y, step))
    assert seen[0].std().item() == pytest.approx(0.2, rel=0.03)
    assert seen[1].min() == 0 and seen[1].max() == 1


def test_interval_bounds_go_from_the_ordinary_loss_to_half_of_the_worst():
    # The interval bounds of a linear network are exact, and so is CROWN.
    network = linear()
    natural, robust = (cross_entropy(network(x), Y).item() for x in (X, worst(network, 0.1)))
    half = cross_entropy(network(worst(network, 0.05)), Y).item()
    defense = IntervalBounds(BALL, warmup=0.1, ramp=0.5)
    assert losses(defense, fraction=0.05) == pytest.approx([natural])
    assert losses(defense, fraction=0.3)[0] == pytest.approx(0.75 * natural + 0.25 * half, rel=1e-5)
    assert losses(defense, fraction=0.7)[0] == pytest.approx(0.5 * natural + 0.5 * robust, rel=1e-5)


def test_guessed_labels_count_as_their_weight_says():
    teacher = linear()
    assert guessed_labels(teacher, X).tolist() == teacher(X).argmax(1).tolist()
    one = PseudoLabels(Standard(), X[:1], Y[:1], weight=0.5)
    expected = cross_entropy(linear()(X), Y) + 0.5 * cross_entropy(linear()(X[:1]), Y[:1])
    assert losses(one)[0] == pytest.approx(expected.item())
    assert len(losses(PseudoLabels(Free(BALL, 3), X, Y))) == 3


def test_the_radius_grows_over_the_ramp():
    assert [grown(BALL, 0.5, share).radius for share in (0.0, 0.25, 0.5, 0.9)] == pytest.approx([0.001, 0.05, 0.1, 0.1])
    assert grown(BALL, 0.0, 0.0).radius == 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adversarial(BALL, steps=0), "steps: expected a positive number, got 0"),
        (lambda: Adversarial(BALL, step_size=-1.0), "step_size"),
        (lambda: Adversarial(BALL, ramp=2.0), r"ramp: expected a share in \[0, 1\], got 2"),
        (lambda: Free(BALL, 0), "replays"),
        (lambda: Fast(BALL, 0.0), "step: expected"),
        (lambda: Trades(BALL, beta=0.0), "beta"),
        (lambda: Standard(0.0), "temperature"),
        (lambda: Distillation(linear(), math.nan), "temperature"),
        (lambda: NoiseAugmentation(0.0), "deviation"),
        (lambda: IntervalBounds(PerturbationSet(2.0, 0.1)), "norm: interval bounds are of l_inf boxes, got 2"),
        (lambda: IntervalBounds(BALL, warmup=0.6), "ramp: expected more than the warm-up of 0.6"),
        (lambda: IntervalBounds(BALL, kappa=1.5), "kappa"),
        (lambda: PseudoLabels(Standard(), X, Y, weight=0.0), "weight"),
        (lambda: PseudoLabels(Standard(), X, Y[:3]), "expected one label for each input"),
    ],
)
def test_settings_are_checked(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("name", DEFENSES)
def test_every_line_of_the_table_names_a_defence_with_its_options(name: str):
    kind = DEFENSES[name]
    parameters = set(inspect.signature(kind.load()).parameters)
    assert set(kind.options) <= parameters
    assert ("perturbations" in parameters) == kind.has_threat
    assert ("teacher" in parameters) == kind.needs_teacher
