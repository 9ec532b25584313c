"""`clearance certify`: table, JSON (in a process of its own), bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import run_command
from conftest import ROOT
from waiting import HANG


def test_table():
    result = run_command("certify", "digits-standard", "digits", "--count", "3", "--norm", "inf")
    assert result.returncode == 0, result.stderr
    assert "digits-standard on digits" in result.stdout
    assert "misclassified" in result.stdout and "certified" in result.stdout and "crown" in result.stdout
    assert "Median certified radius" in result.stdout and "over 2 of 3 inputs" in result.stdout
    assert "up to floating-point rounding" in result.stdout
    assert "estimate" not in result.stdout


def test_json():
    arguments = ("--count", "2", "--target", "runner-up", "--method", "operator-norms", "--json")
    result = run_command("certify", "digits-robust", "digits", *arguments)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    first, second = document["results"]
    assert first["status"] == "certified" and first["method"] == "operator-norms"
    assert 0 < first["radius"] < 1
    assert second["status"] == "misclassified" and second["radius"] is None
    assert document["settings"] == {"norm": "2", "method": "operator-norms", "time_limit": 60.0, "seed": 0}


def test_why_there_is_no_radius_is_said(tmp_path: Path):
    (tmp_path / "network_with_gelu.py").write_text(
        "import torch\nfrom torch import nn\ndef make():\n    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Flatten(), nn.Softmin(dim=1), nn.Linear(64, 10))\n"
    )
    result = run_command("certify", "network_with_gelu:make", "digits", "--count", "20", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Softmin (1)" in result.stdout and "unsupported" in result.stdout
    assert "Median certified radius - over 0 of 20 inputs" in result.stdout


def test_what_a_solver_prints_stays_out_of_stdout():
    code = (
        "import ctypes, os\nfrom clearance.cli.certify import native_output_on_stderr\nprint('before')\n"
        "with native_output_on_stderr():\n    ctypes.CDLL(None).puts(b'noise')\n    os.write(1, b'more noise')\n"
        "print('after')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=HANG, env=environment)
    assert result.stdout == "before\nafter\n"
    assert "noise" in result.stderr and "more noise" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits-standard", "nowhere.npz"), "nowhere.npz"),
        (("digits-standard", "digits", "--norm", "0.5"), "norm: expected p >= 1"),
        (("digits-standard", "digits", "--norm", "l0"), "norm: expected p >= 1, got 'l0'; l0 is no norm: only attack"),
        (("digits-standard", "digits", "--method", "magic"), "--method"),
        (("digits-standard", "digits", "--time-limit", "0"), "time_limit: expected a positive number"),
        (("digits-standard", "digits", "--target", "nearest"), "target: expected one of"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(arguments: tuple[str, ...], message: str, tmp_path: Path):
    result = run_command("certify", *arguments, "--count", "1", folder=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("clearance: ")
    assert message in result.stderr
