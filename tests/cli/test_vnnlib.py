"""`clearance export-vnnlib`: what it writes and says, in a process of its own; bad input is one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from clearance.certificates.onnx_file import onnx_logits
from clearance.data import datasets
from clearance.zoo.specs import load_model
from command_line import run_command, run_process
from vnnlib_files import read_question

pytest.importorskip("onnxruntime", reason="needs onnx: pip install 'clearance[onnx]'")
reader = pytest.importorskip(
    "vnnlib.compat", reason="the reader of VNN-LIB 1.0 is not installed: pip install 'vnnlib<1'"
)

ARGUMENTS = ("digits-robust", "digits", "--count", "3", "--radius", "0.02,8/255", "--out", "questions")


def test_files_as_asked_and_two_lines(tmp_path: Path):
    done = run_command("export-vnnlib", *ARGUMENTS, "--timeout", "60", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "4 properties of 2 inputs and the network written to questions; instances.csv lists them",
        "left out, misclassified: input 1",
    ]
    rows = (tmp_path / "questions" / "instances.csv").read_text().splitlines()
    names = [f"vnnlib/input_{number}_radius_{radius}.vnnlib" for number in (0, 2) for radius in (0.02, 8 / 255)]
    assert rows == [f"onnx/network.onnx,{name},60" for name in names]
    images, network = datasets.load("digits").images[:3], load_model("digits-robust").network
    logits = network(images).detach()
    data = (tmp_path / "questions" / "onnx" / "network.onnx").read_bytes()
    assert torch.allclose(onnx_logits(data, images).float(), logits, rtol=1e-5, atol=1e-5)
    ends, cases = read_question(tmp_path / "questions" / names[3], 64, 10)
    x = images[2].double().flatten().numpy()
    expected = np.stack([x - 8 / 255, x + 8 / 255], 1).clip(0, 1)
    np.testing.assert_allclose(ends, expected, rtol=0, atol=2.0**-52)
    assert len(cases) == 9 and all(rows[0][int(logits[2].argmax())] == 1 for rows, _ in cases)


def test_numbers_count_from_the_whole_set_and_one_target_is_one_condition(tmp_path: Path):
    arguments = ("digits-robust", "digits", "--count", "3", "--offset", "4", "--radius", "0.1", "--target", "5")
    done = run_command("export-vnnlib", *arguments, "--no-bounds", "--out", "q", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "left out, of the target class already: input 5" in done.stdout.splitlines()
    files = sorted(path.name for path in (tmp_path / "q" / "vnnlib").iterdir())
    assert files == ["input_4_radius_0.1.vnnlib", "input_6_radius_0.1.vnnlib"]
    text = (tmp_path / "q" / "vnnlib" / files[0]).read_text()
    assert "(or" not in text and text.count("(>= Y_5 Y_") == 1
    assert text.count("(<= X_") == text.count("(>= X_") == 64 and "(>= X_0 -0.1)" in text


def test_the_normalisation_is_in_the_file(tmp_path: Path):
    done = run_command("export-vnnlib", *ARGUMENTS, "--mean", "0.2", "--std", "0.9", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    images, network = datasets.load("digits").images[:3], load_model("digits-robust").network
    data = (tmp_path / "questions" / "onnx" / "network.onnx").read_bytes()
    expected = network((images - 0.2) / 0.9).detach()
    assert torch.allclose(onnx_logits(data, images).float(), expected, rtol=1e-5, atol=1e-5)


MODULE = """
import torch
from torch import nn

class Values(nn.Module):
    def forward(self, x):
        return torch.linalg.svdvals(x.reshape(len(x), 8, 8))

def make():
    return Values()
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--norm", "2"), "norm: expected inf, as provers read boxes alone, got '2': its ball is no box"),
        (("--norm", "0.5"), "norm: expected p >= 1"),
        (("--radius", "0"), "--radius"),
        (("--radius", "-0.1"), "--radius"),
        (("--radius", "nan"), "--radius"),
        (("--radius", "inf"), "--radius"),
        (("--radius", "0.1,wide"), "--radius"),
        (("--target", "10"), "target: expected a class index from 0 to 9, got 10"),
        (("--target", "nearest"), "target: expected one of"),
        (("--timeout", "0"), "timeout: expected a finite number of seconds > 0, got 0.0"),
        (("--out", "full"), "out: expected a new or an empty folder, got full, which is not empty"),
        (("--out", "nowhere/q"), "out: expected a folder in one that exists, got nowhere/q"),
        (
            ("--count", "1", "--offset", "1"),
            "inputs: expected one that the network classifies correctly, got none of 1",
        ),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(arguments: tuple[str, ...], message: str, tmp_path: Path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    done = run_command("export-vnnlib", *ARGUMENTS, *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and sorted(tmp_path.rglob("*")) == before
    assert done.stderr.startswith("clearance: ") and done.stderr.count("\n") == 1 and message in done.stderr


def test_a_network_that_cannot_be_exported_is_one_line(tmp_path: Path):
    (tmp_path / "network_of_values.py").write_text(MODULE)
    labels, images = np.zeros(2, dtype=np.int64), np.random.default_rng(0).random((2, 1, 8, 8), dtype=np.float32)
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    before = {path.name for path in tmp_path.iterdir()}
    arguments = ("network_of_values:make", "data.npz", "--radius", "0.1", "--out", "q")
    done = run_process("export-vnnlib", *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("clearance: network: expected one that torch.onnx can export, got Unsupported")
    assert done.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == before


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_the_missing_extra_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, name, None)
    done = run_command("export-vnnlib", *ARGUMENTS, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and not list(tmp_path.iterdir())
    expected = f"clearance: export_vnnlib: expected the extra 'onnx' to be installed, got no {name}"
    assert done.stderr == f"{expected}; pip install 'clearance[onnx]'\n"


def test_other_commands_do_not_import_onnx():
    code = (
        "import sys; from clearance.cli import run; run(['certify', 'digits-robust', 'digits', '--count', '1'])\n"
        "sys.exit(str({'onnx', 'onnxruntime'} & set(sys.modules)) if {'onnx', 'onnxruntime'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
