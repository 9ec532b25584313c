"""`clearance train`, in this process: what is written, what is refused, what goes on after a stop."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clearance.cli import run, train
from clearance.data import datasets
from clearance.training import PerturbationSet, accuracy, robust_accuracy
from clearance.zoo.checkpoints import read_header
from clearance.zoo.specs import load_model

FAST = ("train", "digits", "--network", "digits_cnn", "--count", "300", "--holdout", "60", "--epochs", "2")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run([*FAST, "--out", "a.safetensors", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("clearance: ") and "\n" not in error
    assert not Path("a.safetensors").exists()
    return error


def test_the_checkpoint_is_a_model_and_its_card_is_true(capsys: pytest.CaptureFixture[str]):
    assert run([*FAST, "--defense", "fast", "--radius", "2/20", "--out", "a.safetensors", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    loaded, test = load_model("a.safetensors"), datasets.load("digits")
    assert loaded.input_shape == (1, 8, 8) and loaded.bounds == (0.0, 1.0) and len(loaded.class_names) == 10
    assert card["clean_accuracy"] == f"{accuracy(loaded.network, test.images, test.labels):.4f} on 360 test inputs"
    ball = PerturbationSet(math.inf, 0.1)
    robust = robust_accuracy(loaded.network, test.images, test.labels, perturbations=ball, steps=50, seed=0)
    assert card["robust_accuracy"].startswith(f"{robust:.4f} on the first 360")
    assert card["threat_model"] == "l_inf, radius 0.1, inputs in [0, 1]"
    assert card["data"] == "digits-train, 240 inputs; 60 kept apart"
    page = Path("a.md").read_text()
    assert page.startswith("# a\n") and all(
        f"| {value} |" in page for value in read_header(Path("a.safetensors")).values()
    )
    assert not Path("a.training").exists()


def test_the_command_of_the_card_makes_the_same_bits_again(capsys: pytest.CaptureFixture[str]):
    arguments = [*FAST, "--defense", "trades", "--radius", "0.1", "--steps", "2", "--beta", "3", "--seed", "5"]
    assert run([*arguments, "--out", "a.safetensors"]) == 0
    command = read_header(Path("a.safetensors"))["command"].split()[1:]
    assert run([*command[:-1], "b.safetensors"]) == 0
    first, second = load_file("a.safetensors"), load_file("b.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--defense", "adversarial", "--radius", "0.1", "--steps", "2", "--norm", "2"),
        ("--defense", "free", "--radius", "0.1", "--replays", "2"),
        ("--defense", "distillation", "--temperature", "20"),
        ("--defense", "interval-bounds", "--radius", "0.05"),
        ("--unlabelled", "digits", "--defense", "fast", "--radius", "0.1"),
        ("--unlabelled", "digits", "--labeller", "digits-standard"),
        ("--start", "digits"),
    ],
)
def test_every_defence_ends_with_a_network_that_answers(arguments: tuple[str, ...]):
    if arguments[0] == "--start":
        assert run([*FAST, "--out", "s.safetensors"]) == 0
        arguments = ("--start", "s.safetensors")
    assert run([*FAST, *arguments, "--out", "a.safetensors", "--half"]) == 0
    assert load_model("a.safetensors").network(torch.zeros(1, 1, 8, 8)).isfinite().all()
    assert {value.dtype for value in load_file("a.safetensors").values()} == {torch.float16}


def test_bounded_relu_comes_with_its_defence():
    arguments = ["train", "digits", "--network", "seven_layer_cnn", "--network-args", "channels=2,3", "--count", "200"]
    arguments += ["--holdout", "0", "--epochs", "1", "--defense", "bounded-relu", "--out", "a.safetensors"]
    assert run([*arguments, "--network-args", "hidden=5"]) == 0
    loaded = load_model("a.safetensors")
    assert sum(type(layer).__name__ == "Hardtanh" for layer in loaded.network.modules()) == 6
    assert json.loads(loaded.metadata["arguments"])["channels"] == [2, 3]


def test_centres_are_placed_at_training_inputs():
    arguments = ["train", "digits", "--network", "rbf_network", "--network-args", "units=40", "--epochs", "5"]
    assert run([*arguments, "--learning-rate", "0.01", "--holdout", "100", "--out", "a.safetensors"]) == 0
    test = datasets.load("digits")
    assert accuracy(load_model("a.safetensors").network, test.images, test.labels) > 0.7


def test_a_stop_keeps_what_is_done(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    assert run([*FAST, "--out", "whole.safetensors"]) == 0
    measured = train.measure

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "measure", stop)
    assert run([*FAST, "--out", "a.safetensors"]) == 130
    assert "a.training keeps what is done: give the same command to go on" in capsys.readouterr().err
    assert not Path("a.safetensors").exists()
    monkeypatch.setattr(train, "measure", measured)
    assert run([*FAST, "--epochs", "3", "--out", "a.safetensors"]) == 2
    assert "is of other training" in capsys.readouterr().err
    assert run([*FAST, "--out", "a.safetensors"]) == 0
    assert load_file("a.safetensors").keys() == load_file("whole.safetensors").keys()
    assert all(
        torch.equal(value, load_file("whole.safetensors")[name]) for name, value in load_file("a.safetensors").items()
    )


def test_flags_that_do_not_go_together(capsys: pytest.CaptureFixture[str]):
    assert "radius: --defense fast needs --radius" in refused(capsys, "--defense", "fast")
    assert "beta: --defense fast takes --ramp" in refused(capsys, "--defense", "fast", "--radius", ".1", "--beta", "2")
    assert "steps: --defense distillation takes --temperature" in refused(
        capsys, "--defense", "distillation", "--steps", "3"
    )
    assert "holdout: expected less than the 300 training inputs" in refused(capsys, "--holdout", "300")
    assert "labeller: guesses labels of --unlabelled" in refused(capsys, "--labeller", "digits-standard")
    assert "network: digits_cnn does not take these arguments" in refused(capsys, "--network-args", "depth=3")
    assert "no such file" in refused(capsys, "--start", "missing.safetensors")
    assert "norm: interval bounds are of l_inf boxes" in refused(
        capsys, "--defense", "interval-bounds", "--radius", "1", "--norm", "2"
    )
    assert "ramp: expected a share" in refused(capsys, "--defense", "fast", "--radius", ".1", "--ramp", "2")


def test_outputs_are_checked_before_training(capsys: pytest.CaptureFixture[str]):
    assert run([*FAST, "--out", "a.pt"]) == 2
    assert "out: expected FILE.safetensors, got a.pt" in capsys.readouterr().err
    assert run([*FAST, "--out", "missing/a.safetensors"]) == 2
    assert "expected a folder" in capsys.readouterr().err
    Path("a.md").write_text("mine")
    assert run([*FAST, "--out", "a.safetensors"]) == 2
    assert "a.md: is there already; give --force" in capsys.readouterr().err
    assert Path("a.md").read_text() == "mine"


def test_a_network_of_another_architecture_cannot_be_the_start(capsys: pytest.CaptureFixture[str]):
    arguments = ["train", "digits", "--network", "linear_classifier", "--epochs", "1", "--holdout", "0"]
    assert run([*arguments, "--out", "s.safetensors"]) == 0
    capsys.readouterr()
    assert "expected the same architecture but for the last layer" in refused(capsys, "--start", "s.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits-standard", "digits-robust"])
def test_the_command_of_a_bundled_network_makes_it_again(name: str):
    command = load_model(name).metadata["command"].split()[1:]
    assert run(command) == 0
    made, bundled = read_header(Path(f"{name}.safetensors")), load_model(name).metadata
    for key in ("clean_accuracy", "robust_accuracy"):
        assert float(made[key].split()[0]) == pytest.approx(float(bundled[key].split()[0]), abs=0.03)
