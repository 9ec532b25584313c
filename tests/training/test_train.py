"""Training and PGD where the answer is known: linear networks, and the bundled weights' own headers."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from clearance.data.datasets import load
from clearance.errors import InputError, NetworkError, ShapeError
from clearance.training.train import PgdSettings, accuracy, adversarial_accuracy, perturb, train
from clearance.zoo.specs import load_model
from conftest import ROOT

SETTINGS = {"epochs": 20, "batch_size": 16, "learning_rate": 0.05, "seed": 0}


def two_clouds(count: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes that differ by a lot in coordinate 0 (fragile scale 0.3) and by more in coordinate 1 (scale 1)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    centres = (labels * 2 - 1)[:, None] * torch.tensor([0.3, 1.0])
    return centres + 0.05 * torch.randn(count, 2, generator=generator), labels


def linear() -> nn.Sequential:
    network = nn.Sequential(nn.Linear(2, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[0.0, 0.0], [3.0, -1.0]]))
        network[0].bias.zero_()
    return network


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_training_lowers_the_loss_and_separates_the_classes():
    network, (x, y) = linear(), two_clouds()
    before = cross_entropy(network(x), y).item()
    losses = train(network, x, -y + 1, **SETTINGS)
    assert len(losses) == 20 and losses[-1] < losses[0] and losses[-1] < before
    assert accuracy(network, x, 1 - y) == 1.0


def test_accuracy_counts():
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert accuracy(linear(), x, torch.tensor([1, 0, 0]), batch_size=2) == pytest.approx(2 / 3)


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_pgd_reaches_the_exact_corner_for_a_linear_network(bounds):
    # For a linear margin the maximiser in the box is x - radius * sign(w), clipped to the bounds.
    x, y = torch.tensor([[0.5, 0.95], [0.4, 0.02]]), torch.tensor([1, 0])
    settings = PgdSettings(radius=0.1, step_size=0.05, steps=10, bounds=bounds)
    found = perturb(linear(), x, y, settings=settings, generator=torch.Generator().manual_seed(0))
    corner = x + 0.1 * torch.tensor([[-1.0, 1.0], [1.0, -1.0]])
    torch.testing.assert_close(found, corner if bounds is None else corner.clamp(*bounds))


def test_adversarial_accuracy_is_exact_for_a_linear_network():
    # |3 a - b| / 4 is the l_inf distance to the boundary: 0.05, 0.15 and 0.25 here.
    x, y = torch.tensor([[0.2 / 3, 0.0], [0.2, 0.0], [1 / 3, 0.0]]), torch.tensor([1, 1, 1])
    settings = PgdSettings(radius=0.1, step_size=0.05, steps=10, bounds=None)
    assert accuracy(linear(), x, y) == 1.0
    assert adversarial_accuracy(linear(), x, y, settings=settings, seed=0) == pytest.approx(2 / 3)


def test_no_random_start_mends_what_is_wrong_already():
    x, y = torch.tensor([[-0.1, 0.0]]).repeat(500, 1), torch.ones(500, dtype=torch.long)
    settings = PgdSettings(radius=1.0, step_size=0.01, steps=5, bounds=None)
    assert accuracy(linear(), x, y) == adversarial_accuracy(linear(), x, y, settings=settings, seed=0) == 0.0


def test_adversarial_training_withstands_what_standard_training_does_not():
    # A classifier that relies on coordinate 0 breaks at 0.5, since that coordinate moves by 0.3 only.
    x, y = two_clouds()
    attack = PgdSettings(radius=0.5, step_size=0.2, steps=5, bounds=None)
    robust = linear()
    assert adversarial_accuracy(robust, x, y, settings=attack, seed=1) < 0.5
    train(robust, x, y, **{**SETTINGS, "epochs": 100}, adversarial=attack)
    assert adversarial_accuracy(robust, x, y, settings=attack, seed=1) == 1.0


def test_the_seed_fixes_everything_and_the_global_state_is_left_alone():
    x, y = two_clouds()

    def run(seed: int, state: int) -> torch.Tensor:
        torch.manual_seed(state)
        before = torch.get_rng_state()
        network = nn.Sequential(*linear(), nn.Dropout(0.5))
        torch.set_rng_state(before)
        attack = PgdSettings(radius=0.1, step_size=0.05, steps=2, bounds=None)
        train(network, x, y, **{**SETTINGS, "epochs": 2, "seed": seed}, adversarial=attack)
        adversarial_accuracy(network, x, y, settings=attack, seed=seed)
        assert torch.equal(before, torch.get_rng_state())
        return weights(network)

    assert torch.equal(run(0, state=1), run(0, state=2))
    assert not torch.equal(run(0, state=1), run(1, state=1))


def test_modes_and_inputs_are_put_back():
    x, y = two_clouds()
    network = nn.Sequential(linear(), nn.Dropout(0.5)).eval()
    network[1].train()
    copy = x.clone()
    train(network, x, y, **{**SETTINGS, "epochs": 1})
    accuracy(network, x, y)
    assert not network.training and network[1].training
    assert torch.equal(x, copy) and not x.requires_grad


def test_evaluation_uses_evaluation_mode_and_leaves_no_gradient():
    x, y = two_clouds()
    network = nn.Sequential(linear(), nn.Dropout(0.999))
    assert accuracy(network, x, 1 - y) == accuracy(linear(), x, 1 - y)
    attack = PgdSettings(radius=0.1, step_size=0.05, steps=2, bounds=None)
    adversarial_accuracy(network, x, y, settings=attack, seed=0)
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"epochs": 0}, InputError, "epochs: expected a positive number, got 0"),
        ({"batch_size": 0}, InputError, "batch_size"),
        ({"learning_rate": -1.0}, InputError, r"learning_rate: .* got -1\.0"),
        ({"learning_rate": float("nan")}, InputError, "learning_rate"),
        ({"images": torch.zeros(0, 2)}, ShapeError, "got 0 and"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, ShapeError, r"got 64 and \(3,\)"),
        ({"images": torch.full((64, 2), float("inf"))}, NetworkError, "the loss of epoch 0 is nan"),
    ],
)
def test_misuse_says_what_was_expected(change, error, message):
    x, y = two_clouds()
    with pytest.raises(error, match=message):
        train(linear(), **{"images": x, "labels": y, **SETTINGS, **change})


@pytest.mark.parametrize("change", [{"radius": 0.0}, {"step_size": -1.0}, {"steps": 0}, {"bounds": (1.0, 0.0)}])
def test_pgd_settings_are_checked(change):
    with pytest.raises(InputError, match="PGD: expected"):
        PgdSettings(**{"radius": 0.1, "step_size": 0.1, "steps": 1, **change})


def test_the_bundled_weights_are_as_accurate_as_their_headers_say():
    test, attacked = load("digits"), {}
    for name in ("digits-standard", "digits-robust"):
        loaded = load_model(name)
        assert loaded.metadata["name"] == name
        assert accuracy(loaded.network, test.images, test.labels) == pytest.approx(
            float(loaded.metadata["test_accuracy"]), abs=1.1 / 360
        )
        assert float(loaded.metadata["test_accuracy"]) > 0.97
        settings = PgdSettings(radius=0.15, step_size=0.01, steps=50)
        assert loaded.metadata["pgd"] == repr(settings)
        attacked[name] = adversarial_accuracy(loaded.network, test.images, test.labels, settings=settings, seed=0)
        assert attacked[name] == pytest.approx(float(loaded.metadata["pgd_accuracy"]), abs=0.01)
    assert attacked["digits-robust"] > attacked["digits-standard"] + 0.4


@pytest.mark.slow
def test_the_script_makes_the_bundled_weights_again(tmp_path: Path):
    script = ROOT / "experiments" / "train_digits.py"
    subprocess.run([sys.executable, script, "--out", tmp_path], check=True, env=source_environment(), timeout=600)
    for name in ("digits-standard", "digits-robust"):
        made = load_model("clearance.zoo.networks:digits_cnn", weights=tmp_path / f"{name}.safetensors").metadata
        for key in ("test_accuracy", "pgd_accuracy"):
            assert float(made[key]) == pytest.approx(float(load_model(name).metadata[key]), abs=0.03)


def source_environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}
