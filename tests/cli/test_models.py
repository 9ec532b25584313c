"""Model specs on the command line: flags, notes on stderr, preprocessing, and the help that is made from the table."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from clearance.zoo.table import SPECS
from command_line import run_command
from model_files import FACTORY, small_cnn, write_exported, write_vision_transformer
from torchvision_operators import define_torchvision_operators

DIGITS = ("digits", "--count", "1", "--radius", "0.5", "--bound", "ball", "--blocks", "2", "--block-size", "8")


@pytest.fixture
def factory(here: Path) -> str:
    (here / "net_of_cli_test.py").write_text(FACTORY)
    return "net_of_cli_test.py:make"


def test_weights_and_arguments(factory: str):
    torch.save({"state_dict": small_cnn().state_dict()}, "w.pth")
    done = run_command("score", factory, *DIGITS, "--weights", "w.pth")
    assert (done.returncode, done.stderr) == (0, "") and "net_of_cli_test.py:make on digits" in done.stdout
    done = run_command("score", factory, *DIGITS, "--weights", "w.pth", "--model-args", "width=5")
    assert done.returncode == 2 and "expected shape (5, 1, 3, 3) for 0.weight, got (4, 1, 3, 3)" in done.stderr
    done = run_command("score", factory, *DIGITS, "--model-args", "width=5", "--model-args", "depth=2")
    assert done.returncode == 2 and "has no parameter depth; its parameters: width" in done.stderr


@pytest.mark.parametrize("given", ["width", "=5", "a b=5", ""])
def test_arguments_need_a_name(factory: str, given: str):
    done = run_command("score", factory, *DIGITS, "--model-args", given)
    assert done.returncode == 2 and f"expected NAME=VALUE, got {given!r}" in done.stderr


def test_notes_are_said_once_on_stderr(here: Path):
    write_exported(small_cnn(), Path("n.pt2"), fixed=True)
    done = run_command("score", "n.pt2", *DIGITS)
    note = "clearance: n.pt2: inputs of shape (1, 8, 8); written for batches of 1; takes any\n"
    assert (done.returncode, done.stderr) == (0, note) and "takes any" not in done.stdout


@pytest.mark.parametrize("command", ["score", "attack", "certify", "audit"])
def test_a_pickle_is_one_line_without_trust_and_a_network_with_it(here: Path, command: str):
    torch.save(small_cnn(), "n.pt")
    done = run_command(command, "n.pt", "digits", "--count", "1")
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert "n.pt: is a pickle" in done.stderr and "--trust-pickle" in done.stderr
    if command == "certify":
        done = run_command(command, "n.pt", "digits", "--count", "1", "--trust-pickle", "--method", "linear")
        assert done.stderr.startswith("clearance: a pickled network: loading it ran code of the file\n")


def test_class_names_of_the_model_serve_data_without_any(here: Path):
    define_torchvision_operators()
    write_vision_transformer(here / "vit")
    np.savez("d.npz", images=np.full((1, 1, 8, 8), 0.5, dtype=np.float32), labels=np.array([0]))
    command = ("bracket", "hf:vit", "d.npz", "--out", "run", "--budget", "1500", "--certificate", "none")
    done = run_command(*command)
    assert done.returncode == 0, done.stderr
    plan = json.loads((here / "run" / "plan.json").read_text())
    assert plan["data"]["class_names"][:2] == ["digit 0", "digit 1"] and plan["model"]["mean"] == [0.5]


def test_help_says_what_a_model_may_be():
    text = " ".join(run_command("score", "--help", columns=120).stdout.split())
    assert all(name in text for name in SPECS) and "{models}" not in text
    assert "--trust-pickle" in text and ".safetensors, or tensors as .pt, .pth, .th" in text


def test_a_run_is_resumed_with_the_same_model_and_refused_with_another(here: Path):
    """Loading a file twice gives one digest; another file under the name gives another."""
    data = np.random.default_rng(0).random((1, 1, 8, 8), dtype=np.float32)
    np.savez("d.npz", images=data, labels=small_cnn()(torch.from_numpy(data)).argmax(1).numpy())
    write_exported(small_cnn(), Path("n.pt2"), fixed=False)
    command = ("bracket", "n.pt2", "d.npz", "--bounds", "0", "1", "--out", "run", "--budget", "1500")
    assert run_command(*command, "--certificate", "none").returncode == 0
    again = run_command(*command, "--certificate", "none", "--resume")
    assert again.returncode == 0, again.stderr
    network = small_cnn()
    with torch.no_grad():
        network[3].bias[0] += 1
    write_exported(network, Path("n.pt2"), fixed=False)
    other = run_command(*command, "--certificate", "none", "--resume")
    assert other.returncode == 2 and "weights_hash" in other.stderr
