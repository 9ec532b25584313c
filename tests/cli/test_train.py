"""`clearance train`, in this process: what is written, what is refused, what goes on after a stop."""

import json
import math
import shlex
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from clearance.cli import run, train
from clearance.cli.train_state import locked_state
from clearance.cli.values import NormOf
from clearance.data import datasets
from clearance.training import PerturbationSet, accuracy, cards, robust_accuracy
from clearance.zoo.headers import read_header
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


@pytest.mark.parametrize(
    "arguments",
    [
        "--defense trades --radius 0.1 --steps 2 --beta 3 --seed 5",
        "--defense adversarial --radius 1/30 --steps 2 --norm 2 --optimiser sgd --half",
        "--defense free --radius 0.1 --replays 2",
        "--defense fast --radius 0.1 --ramp 0.5 --augmentation crop-flip",
        "--defense distillation --temperature 20",
        "--defense interval-bounds --radius 0.05",
        "--unlabelled digits --defense fast --radius 0.1",
    ],
)
def test_the_command_of_the_card_makes_the_same_bits_again(arguments: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cards, "CARD_STEPS", 2)
    assert run([*FAST, *arguments.split(), "--out", "a.safetensors"]) == 0
    command = shlex.split(read_header(Path("a.safetensors"))["command"])[1:]
    torch.rand(7)
    assert run([*command[:-1], "b c.safetensors"]) == 0
    first, second = load_file("a.safetensors"), load_file("b c.safetensors")
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
def test_every_defence_ends_with_a_network_that_answers(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cards, "CARD_STEPS", 2)
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
    assert "radius: expected a positive number" in refused(capsys, "--radius", "0")
    assert "patience: epochs are judged on the inputs kept apart" in refused(
        capsys, "--holdout", "0", "--patience", "2"
    )
    assert "bounded-relu expects one of seven_layer_cnn, strided_cnn, got digits_cnn" in refused(
        capsys, "--defense", "bounded-relu"
    )
    assert "labeller: guesses labels of --unlabelled" in refused(capsys, "--labeller", "digits-standard")
    assert "network-args: digits_cnn takes seed; got depth" in refused(capsys, "--network-args", "depth=3")
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
    Path("a.md").unlink()
    Path("a.training").write_text("mine")
    assert run([*FAST, "--out", "a.safetensors", "--force"]) == 2
    assert "a.training: expected a folder for the state of training" in capsys.readouterr().err
    assert run([*FAST, "--out", "/proc/a.safetensors"]) == 2
    assert "/proc/a.training: cannot be written" in capsys.readouterr().err


def test_a_users_own_files_beside_the_state_are_kept():
    folder = Path("a.training")
    (folder / "network").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "network" / "more.txt").write_text("mine")
    assert run([*FAST, "--out", "a.safetensors", "--force"]) == 0
    assert sorted(file.name for file in folder.rglob("*")) == ["more.txt", "network", "notes.txt"]


def test_one_process_trains_at_a_time(capsys: pytest.CaptureFixture[str]):
    with locked_state(Path("a.training"), anew=False):
        assert run([*FAST, "--out", "a.safetensors"]) == 2
    assert "in use by another run of this program" in capsys.readouterr().err
    assert not Path("a.training").exists()
    Path("a.training").mkdir()
    for ending in ("-lock", "-lock-journal"):  # as a kill leaves them
        Path("a.training", f"training{ending}").touch()
    assert run([*FAST, "--out", "a.safetensors"]) == 0
    assert not Path("a.training").exists()


def test_a_network_of_another_architecture_cannot_be_the_start(capsys: pytest.CaptureFixture[str]):
    arguments = ["train", "digits", "--network", "linear_classifier", "--epochs", "1", "--holdout", "0"]
    assert run([*arguments, "--out", "s.safetensors"]) == 0
    capsys.readouterr()
    assert "expected the same architecture but for the last layer" in refused(capsys, "--start", "s.safetensors")
    other = [*arguments, "--out", "a.safetensors", "--start"]
    assert run([*other, "digits-standard"]) == 2
    assert "expected the same architecture" in capsys.readouterr().err
    assert run([*arguments, "--out", "s.safetensors", "--force", "--start", "s.safetensors"]) == 2
    assert "s.safetensors would be replaced" in capsys.readouterr().err


def test_only_the_last_layer_may_be_new(capsys: pytest.CaptureFixture[str]):
    small = ["train", "digits", "--network", "strided_cnn", "--epochs", "1", "--network-args", "channels=2,2"]
    assert run([*small, "--network-args", "hidden=4", "--out", "s.safetensors"]) == 0
    start = [*small, "--start", "s.safetensors", "--out", "a.safetensors"]
    assert run([*start, "--network-args", "hidden=5"]) == 2
    assert "differing: ['hidden.bias', 'hidden.weight']" in capsys.readouterr().err
    assert run([*start, "--network-args", "hidden=4", "--network-args", "classes=12"]) == 0
    assert "start: logits.bias, logits.weight are new" in capsys.readouterr().err
    assert load_model("a.safetensors").class_names == ()  # digits name ten of the twelve


def pictures(*parts: str, classes: str = "ab", size: tuple[int, int] = (8, 8)) -> None:
    """Twelve pictures of each class in folders of each part: classes differ in brightness."""
    generator = np.random.default_rng(0)
    for part in parts:
        for index, name in enumerate(classes):
            folder = Path("p", part, name)
            folder.mkdir(parents=True)
            for place in range(12):
                pixels = generator.integers(100 * index, 100 * index + 50, (*size, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{place:02d}.png")


PICTURES = ("train", "folder:p", "--network", "strided_cnn", "--network-args", "channels=2,2", "--out", "a.safetensors")


def test_data_in_order_of_classes_are_kept_apart_evenly():
    pictures("train", "test")
    assert run([*PICTURES, "--holdout", "8", "--epochs", "20", "--learning-rate", "0.01", "--resize", "8x12"]) == 0
    header = read_header(Path("a.safetensors"))
    assert header["data"] == "p-train, 16 inputs; 8 kept apart, evenly spread"
    assert header["clean_accuracy"] == "1.0000 on 24 test inputs"
    assert "--resize 8x12" in header["command"]


def test_what_fails_in_the_end_is_told_at_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(train, "train", refuse)
    pictures("train")
    assert run([*PICTURES]) == 2
    assert "expected a sub-folder test" in capsys.readouterr().err
    pictures("test", size=(8, 9))
    assert run([*PICTURES]) == 2
    assert "expected a test part of shape (3, 8, 8) as the training part, got (3, 8, 9)" in capsys.readouterr().err
    assert run([*PICTURES, "--resize", "8x8", "--network-args", "input_shape=1,8,8"]) == 2
    assert "network: it does not take inputs of shape (3, 8, 8)" in capsys.readouterr().err
    pictures("test", classes="c")
    assert run([*PICTURES, "--resize", "8x8"]) == 2
    assert "'c'" in capsys.readouterr().err
    few = ["train", "digits", "--network", "linear_classifier", "--network-args", "classes=3", "--out", "a.safetensors"]
    assert run(few) == 2
    assert "expected one logit for each of 10 classes" in capsys.readouterr().err
    pooled = ["train", "digits", "--network", "seven_layer_cnn", "--defense", "interval-bounds", "--radius", "0.1"]
    assert run([*pooled, "--out", "a.safetensors"]) == 2
    assert "got MaxPool2d; set crown to 0" in capsys.readouterr().err


def test_an_archive_gives_every_fifth_input_to_the_card(capsys: pytest.CaptureFixture[str]):
    digits = datasets.load("digits", count=100)
    np.savez("d.npz", images=digits.images.numpy(), labels=digits.labels.numpy())
    assert run(["train", "d.npz", "--network", "digits_cnn", "--epochs", "3", "--out", "a.safetensors"]) == 0
    assert "d.npz has no test part: every 5th input is kept for the card" in capsys.readouterr().err
    header, network = read_header(Path("a.safetensors")), load_model("a.safetensors").network
    assert header["data"] == "d without every 5th input of the file, 64 inputs; 16 kept apart, evenly spread"
    share = accuracy(network, digits.images[4::5], digits.labels[4::5])
    assert header["clean_accuracy"] == f"{share:.4f} on 20 test inputs"
    assert header["bounds"] == "null"


def test_noise_stays_in_the_range_of_the_data(monkeypatch: pytest.MonkeyPatch):
    digits = datasets.load("digits", count=100).in_units_of((0, 16))
    np.savez("d.npz", images=digits.images.numpy(), labels=digits.labels.numpy(), bounds=np.array([0.0, 16.0]))
    seen = []
    monkeypatch.setattr(train, "train", lambda *_, defense, **__: seen.append(defense) or sys.exit())
    arguments = ["train", "d.npz", "--network", "strided_cnn", "--defense", "bounded-relu", "--out", "a.safetensors"]
    run(arguments)
    assert seen[0].bounds == (0.0, 16.0)


def test_inputs_kept_apart_are_no_unlabelled_ones(capsys: pytest.CaptureFixture[str]):
    assert run([*FAST, "--unlabelled", "digits", "--labeller", "digits-standard", "--out", "a.safetensors"]) == 0
    assert "1377 inputs with guessed labels" in read_header(Path("a.safetensors"))["defense"]  # 1437 less 60
    refused_now = [*FAST, "--force", "--out", "a.safetensors", "--unlabelled"]
    np.savez("u.npz", images=np.zeros((3, 1, 9, 9), np.float32), labels=np.zeros(3, np.int64))
    assert run([*refused_now, "u.npz"]) == 2
    assert "unlabelled: expected inputs of shape (1, 8, 8), as those of DATA, got (1, 9, 9)" in capsys.readouterr().err
    assert run([*refused_now, "digits", "--labeller", "mnist-cnn"]) == 2
    assert "labeller: it does not take inputs of shape (1, 8, 8)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits-standard", "digits-robust"])
def test_the_command_of_a_bundled_network_makes_it_again(name: str):
    command = load_model(name).metadata["command"].split()[1:]
    assert run(command) == 0
    made, bundled = read_header(Path(f"{name}.safetensors")), load_model(name).metadata
    for key in ("clean_accuracy", "robust_accuracy"):
        assert float(made[key].split()[0]) == pytest.approx(float(bundled[key].split()[0]), abs=0.03)


@pytest.mark.parametrize(("given", "known"), [("inf", "inf"), ("Linf", "inf"), ("l2", "2"), ("2.0", "2")])
def test_norms_are_written_as_everywhere(given: str, known: str):
    assert NormOf("inf", "2").convert(given, None, None) == known


@pytest.mark.parametrize(("given", "said"), [("1", "expected inf or 2, got '1'"), ("two", "expected a number >= 1")])
def test_other_norms_are_refused(given: str, said: str):
    with pytest.raises(click.BadParameter, match=said):
        NormOf("inf", "2").convert(given, None, None)
