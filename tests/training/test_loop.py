"""The training loop where the answer is known: linear networks; resumed, stopped early, collapsed."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.functional import cross_entropy

from clearance.errors import FileError, InputError, NetworkError, ShapeError
from clearance.training import (
    Adversarial,
    Fast,
    Free,
    PerturbationSet,
    PseudoLabels,
    Standard,
    TrainingSettings,
    TrainingStatus,
    Validation,
    accuracy,
    robust_accuracy,
    train,
)
from clearance.training.checkpoints import epochs_done
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
        ({"images": torch.full((64, 2), float("inf"))}, NetworkError, "the loss of epoch 1 is nan"),
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


def test_each_step_is_told_and_what_is_done_can_be_read_from_the_state(tmp_path: Path):
    x, y = two_clouds()
    settings, shares = replace(SETTINGS, epochs=2), list[float]()
    assert epochs_done(tmp_path / STATE_FILE) == 0
    train(linear(), x, y, settings=settings, folder=tmp_path, watch=shares.append)
    steps = -(-len(x) // settings.batch_size)
    assert shares == [number / steps for number in range(steps)] * 2
    assert epochs_done(tmp_path / STATE_FILE) == 2
    (tmp_path / STATE_FILE).write_bytes(b"no state")
    assert epochs_done(tmp_path / STATE_FILE) == 0


def test_a_state_of_other_training_is_refused(tmp_path: Path):
    x, y = two_clouds()
    train(linear(), x, y, settings=replace(SETTINGS, epochs=1), folder=tmp_path)
    with pytest.raises(FileError, match=r"is of other training .*epochs: 1 there, 20 here"):
        train(linear(), x, y, settings=SETTINGS, folder=tmp_path)
    with pytest.raises(FileError, match=r"is of other training .*inputs"):
        train(linear(), x + 1, y, settings=replace(SETTINGS, epochs=1), folder=tmp_path)
    with pytest.raises(FileError, match=r"is of other training .*start.*; remove it to begin anew"):
        train(nn.Sequential(nn.Linear(2, 3)), x, y, settings=replace(SETTINGS, epochs=1), folder=tmp_path)
    (tmp_path / STATE_FILE).write_bytes(b"no state")
    with pytest.raises(FileError, match="damaged"):
        train(linear(), x, y, settings=SETTINGS, folder=tmp_path)


FAST = Fast(PerturbationSet(radius=0.1, **FREE_SPACE))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("labels", {"labels": 1 - two_clouds()[1]}),
        ("inputs", {"images": torch.cat([two_clouds()[0][:1], two_clouds()[0][1:] + 1])}),
        ("start", {"network": nn.Sequential(nn.Linear(2, 2))}),
        ("validation", {"validation": Validation(*two_clouds(), steps=3)}),
        ("defense", {"defense": replace(FAST, ramp=0.5)}),
        ("defense", {"defense": PseudoLabels(FAST, *two_clouds())}),
    ],
)
def test_all_that_the_values_depend_on_is_compared(tmp_path: Path, name: str, change: dict):
    x, y = two_clouds()
    same = {"network": linear(), "images": x, "labels": y, "settings": replace(SETTINGS, epochs=1), "defense": FAST}
    train(**same, folder=tmp_path)
    with pytest.raises(FileError, match=f"is of other training .*{name}: "):
        train(**{**same, "network": linear(), **change}, folder=tmp_path)
    train(**{**same, "network": linear()}, folder=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"best": "7"},
        {"best": "-1"},
        {"settings": "[]"},
        {"settings": "3"},
        {"epochs": "{}"},
        {"epochs": '[{"loss": 1, "x": 2}]'},
        {"schedule": "[]"},
        {"schedule": "null"},
        {"best/0.weight": torch.zeros(3)},
        {"best/0.weight": None},
        {"optimiser/0/step": None},
        {"optimiser/x/step": torch.zeros(())},
        {"generator": torch.zeros(3, dtype=torch.uint8)},
        {"generator": None},
    ],
    ids=str,
)
def test_a_damaged_state_is_one_line(tmp_path: Path, change: dict):
    x, y = two_clouds()
    file, settings = tmp_path / STATE_FILE, replace(SETTINGS, epochs=2)
    train(linear(), x, y, settings=settings, folder=tmp_path)
    with safe_open(file, framework="pt") as opened:
        header = dict(opened.metadata())
    tensors = load_file(file)
    for name, value in change.items():
        if value is None:
            del tensors[name]
        elif isinstance(value, str):
            header[name] = value
        else:
            tensors[name] = value
    save_file(tensors, file, header)
    with pytest.raises(FileError, match=r"damaged, or no state of this training.*; remove it to begin anew") as caught:
        train(linear(), x, y, settings=settings, folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_only_this_devices_global_random_state_is_used(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(torch, "manual_seed", refuse)  # it seeds every device's generator, and forks keep one only
    train(linear(), *two_clouds(), settings=replace(SETTINGS, epochs=1))


class Scripted:
    """A defence under which the network's bias takes the values of a list, one for each epoch of one batch."""

    label, settled, perturbations = "scripted", 0.0, PerturbationSet(radius=0.5, **FREE_SPACE)

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


def test_equal_epochs_do_not_renew_patience():
    history, _ = judged([-2.0] * 9, patience=2)
    assert (len(history.epochs), history.best, history.status) == (3, 2, TrainingStatus.STOPPED_EARLY)


def test_a_collapse_of_robust_accuracy_is_told_and_undone():
    history, bias = judged([-2.0, -8.0, 0.0])
    assert (len(history.epochs), history.best, history.status) == (2, 0, TrainingStatus.OVERFITTED)
    assert bias == pytest.approx(-2.0)


def test_training_without_an_adversary_may_become_less_robust():
    # A network that withstands the ball, fine-tuned as usual: coordinate 0 has the smaller noise and is relied on.
    x, y = two_clouds()
    network = nn.Sequential(nn.Linear(2, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[0.0, 0.0], [0.0, 4.0]]))
        network[0].bias.zero_()
    x[:, 1] *= torch.where(torch.arange(64) % 4 < 2, 1.0, -1.0)  # half of the points say the opposite there
    validation = Validation(*two_clouds(), PerturbationSet(radius=0.5, **FREE_SPACE))
    history = train(network, x, y, settings=replace(SETTINGS, epochs=40), validation=validation)
    assert history.epochs[0].robust == 1.0 and history.epochs[-1].robust < 0.5
    assert history.status is TrainingStatus.FINISHED


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
