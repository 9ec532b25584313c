"""The training loop where the answer is known: linear networks; resumed, stopped early, collapsed."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from clearance.errors import FileError, InputError, NetworkError, ShapeError
from clearance.training import (
    Adversarial,
    Free,
    PerturbationSet,
    Standard,
    TrainingSettings,
    TrainingStatus,
    Validation,
    accuracy,
    robust_accuracy,
    train,
)
from clearance.training.loop import STATE_FILE, crop_flip
from training_cases import linear, two_clouds, weights

SETTINGS = TrainingSettings(epochs=20, batch_size=16, learning_rate=0.05)
FREE_SPACE = {"norm": float("inf"), "bounds": None}


def test_training_lowers_the_loss_and_separates_the_classes():
    network, (x, y) = linear(), two_clouds()
    before = cross_entropy(network(x), y).item()
    losses = train(network, x, -y + 1, settings=SETTINGS).losses
    assert len(losses) == 20 and losses[-1] < losses[0] and losses[-1] < before
    assert accuracy(network, x, 1 - y) == 1.0


def test_accuracy_counts():
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert accuracy(linear(), x, torch.tensor([1, 0, 0]), batch_size=2) == pytest.approx(2 / 3)


def test_adversarial_training_withstands_what_standard_training_does_not():
    # A classifier that relies on coordinate 0 breaks at 0.5, since that coordinate moves by 0.3 only.
    x, y = two_clouds()
    ball = PerturbationSet(radius=0.5, **FREE_SPACE)
    robust = linear()
    assert robust_accuracy(robust, x, y, perturbations=ball, steps=5, seed=1) < 0.5
    train(robust, x, y, settings=replace(SETTINGS, epochs=100), defense=Adversarial(ball, 5, 0.2))
    assert robust_accuracy(robust, x, y, perturbations=ball, steps=5, seed=1) == 1.0


def test_the_seed_fixes_everything_and_the_global_state_is_left_alone():
    x, y = two_clouds()

    def run(seed: int, state: int) -> torch.Tensor:
        torch.manual_seed(state)
        before = torch.get_rng_state()
        network = nn.Sequential(*linear(), nn.Dropout(0.5))
        torch.set_rng_state(before)
        ball = PerturbationSet(radius=0.1, **FREE_SPACE)
        train(network, x, y, settings=replace(SETTINGS, epochs=2, seed=seed), defense=Adversarial(ball, 2))
        robust_accuracy(network, x, y, perturbations=ball, steps=2, seed=seed)
        assert torch.equal(before, torch.get_rng_state())
        return weights(network)

    assert torch.equal(run(0, state=1), run(0, state=2))
    assert not torch.equal(run(0, state=1), run(1, state=1))


def test_modes_and_inputs_are_put_back():
    x, y = two_clouds()
    network = nn.Sequential(linear(), nn.Dropout(0.5)).eval()
    network[1].train()
    copy = x.clone()
    train(network, x, y, settings=replace(SETTINGS, epochs=1))
    accuracy(network, x, y)
    assert not network.training and network[1].training
    assert torch.equal(x, copy) and not x.requires_grad


def test_evaluation_uses_evaluation_mode_and_leaves_no_gradient():
    x, y = two_clouds()
    network = nn.Sequential(linear(), nn.Dropout(0.999))
    assert accuracy(network, x, 1 - y) == accuracy(linear(), x, 1 - y)
    robust_accuracy(network, x, y, perturbations=PerturbationSet(radius=0.1, **FREE_SPACE), steps=2, seed=0)
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs: expected a positive number, got 0"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": -1.0}, r"learning_rate: .* got -1\.0"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"weight_decay": -1.0}, "weight_decay: expected a number >= 0"),
        ({"patience": 0}, "patience: expected at least 1"),
        ({"optimiser": "newton"}, "optimiser: expected one of adam, sgd, got 'newton'"),
        ({"augmentation": "paint"}, "augmentation: expected one of none, crop-flip"),
        ({"seed": 0.5}, "seed"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(InputError, match=message):
        replace(SETTINGS, **change)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": torch.zeros(0, 2)}, ShapeError, "got 0 and"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, ShapeError, r"got 64 and \(3,\)"),
        ({"images": torch.full((64, 2), float("inf"))}, NetworkError, "the loss of epoch 0 is nan"),
    ],
)
def test_misuse_says_what_was_expected(change, error, message):
    x, y = two_clouds()
    with pytest.raises(error, match=message):
        train(linear(), **{"images": x, "labels": y, "settings": SETTINGS, **change})


class KilledError(Exception):
    """Stands for a kill between two epochs."""


@pytest.mark.parametrize(
    "defense", [Standard(), Free(PerturbationSet(radius=0.1, **FREE_SPACE), 3)], ids=["one", "free"]
)
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_training_that_was_killed_ends_with_the_same_bits(tmp_path: Path, optimiser: str, defense: object):
    x, y = two_clouds()
    settings = replace(SETTINGS, epochs=5, optimiser=optimiser)

    def network() -> nn.Sequential:
        return nn.Sequential(*linear(), nn.Dropout(0.2))

    unbroken, resumed, calls = network(), network(), count()

    def kill(done: int, _: object) -> None:
        next(calls)
        if done == 2:
            raise KilledError

    history = train(unbroken, x, y, settings=settings, defense=defense)
    with pytest.raises(KilledError):
        train(resumed, x, y, settings=settings, defense=defense, folder=tmp_path, report=kill)
    resumed = network()
    again = train(resumed, x, y, settings=settings, defense=defense, folder=tmp_path)
    assert again == history
    assert torch.equal(weights(unbroken), weights(resumed))
    assert next(calls) == 2


def test_a_state_of_other_training_is_refused(tmp_path: Path):
    x, y = two_clouds()
    train(linear(), x, y, settings=replace(SETTINGS, epochs=1), folder=tmp_path)
    with pytest.raises(FileError, match=r"is of other training .*epochs: 1 there, 20 here"):
        train(linear(), x, y, settings=SETTINGS, folder=tmp_path)
    with pytest.raises(FileError, match=r"is of other training .*inputs"):
        train(linear(), x + 1, y, settings=replace(SETTINGS, epochs=1), folder=tmp_path)
    with pytest.raises(FileError, match="no state of this training"):
        train(nn.Sequential(nn.Linear(2, 3)), x, y, settings=replace(SETTINGS, epochs=1), folder=tmp_path)
    (tmp_path / STATE_FILE).write_bytes(b"no state")
    with pytest.raises(FileError, match="damaged"):
        train(linear(), x, y, settings=SETTINGS, folder=tmp_path)


class Scripted:
    """A defence under which the network's bias takes the values of a list, one for each epoch of one batch."""

    label, settled = "scripted", 0.0

    def __init__(self, biases: list[float]) -> None:
        self.biases = iter(biases)

    def losses(self, network, images, labels, step):
        with torch.no_grad():
            network[0].bias.copy_(torch.tensor([0.0, next(self.biases)]))
        yield (network(images) * 0).sum()


def on_a_line() -> tuple[torch.Tensor, torch.Tensor, nn.Sequential]:
    """Ten points of class 1 at 1, 2, ..., 10 and the logits 0 and `x + bias`."""
    network = nn.Sequential(nn.Linear(1, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[0.0], [1.0]]))
    return torch.arange(1.0, 11.0)[:, None], torch.ones(10, dtype=torch.int64), network


def judged(biases: list[float], **change: object):
    """Train by a script and judge by the share of points that are right by more than 1/2."""
    x, y, network = on_a_line()
    validation = Validation(x, y, PerturbationSet(radius=0.5, **FREE_SPACE))
    settings = TrainingSettings(**{"epochs": len(biases), "batch_size": 10, "learning_rate": 1e-9, **change})
    defense = Scripted(biases)
    return train(network, x, y, settings=settings, defense=defense, validation=validation), network[0].bias[1].item()


def test_the_best_epoch_is_kept():
    history, bias = judged([-6.0, -2.0, -4.0])
    assert [epoch.robust for epoch in history.epochs] == [0.4, 0.8, 0.6]
    assert [epoch.clean for epoch in history.epochs] == [0.4, 0.8, 0.6]
    assert (history.best, bias, history.status) == (1, pytest.approx(-2.0), TrainingStatus.FINISHED)


def test_patience_ends_training():
    history, bias = judged([-2.0, -3.0, -3.0, 0.0], patience=2)
    assert (len(history.epochs), history.best, history.status) == (3, 0, TrainingStatus.STOPPED_EARLY)
    assert bias == pytest.approx(-2.0)


def test_a_collapse_of_robust_accuracy_is_told_and_undone():
    history, bias = judged([-2.0, -8.0, 0.0])
    assert (len(history.epochs), history.best, history.status) == (2, 0, TrainingStatus.OVERFITTED)
    assert bias == pytest.approx(-2.0)


def test_epochs_before_the_radius_is_full_do_not_count():
    x, y, network = on_a_line()
    defense = Scripted([0.0, -9.0, -5.0])
    defense.settled = 0.5
    validation = Validation(x, y, PerturbationSet(radius=0.5, **FREE_SPACE))
    settings = TrainingSettings(epochs=3, batch_size=10, learning_rate=1e-9)
    history = train(network, x, y, settings=settings, defense=defense, validation=validation)
    assert (history.best, history.status) == (2, TrainingStatus.FINISHED)


def test_shifts_and_mirror_images_are_of_the_picture_itself():
    picture = torch.arange(1.0, 37.0).reshape(1, 1, 6, 6)
    moved = crop_flip(picture.repeat(500, 1, 1, 1), torch.Generator().manual_seed(0))
    padded = nn.functional.pad(picture, (4,) * 4)
    windows = padded.unfold(2, 6, 1).unfold(3, 6, 1).reshape(-1, 6, 6)
    possible = {tuple(each.flatten().tolist()) for window in windows for each in (window, window.flip(1))}
    found = {tuple(each.flatten().tolist()) for each in moved}
    assert len(possible) == 2 * 81
    assert found <= possible
    assert len(found) > 140  # of 162, in 500 draws
