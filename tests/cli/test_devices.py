"""`--device auto`, `--compile` and `--channels-last` on the command line: in results, in plans, and resumed."""

import json
from pathlib import Path

import pytest
import torch

from command_line import run_command

QUICK = ("--count", "1", "--budget", "1500", "--certificate", "none")


@pytest.fixture(autouse=True)
def without_machine_code(monkeypatch: pytest.MonkeyPatch):
    """All of `torch.compile` but the compiler of machine code, which takes seconds for each kind of batch."""
    monkeypatch.setattr("clearance.model.execution.BACKEND", "aot_eager")
    torch.compiler.reset()


def test_auto_says_what_it_chose(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("clearance.cli.inspection.MEASURED_SECONDS", 0.01)
    done = run_command("inspect", "digits-standard", "--device", "auto", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["input"]["device"] == "cpu"
    arguments = ("digits-standard", "digits", "--count", "1", "--method", "operator-norms", "--device", "auto")
    document = json.loads(run_command("certify", *arguments, "--json").stdout)
    assert document["model"]["device"] == "cpu" and "compiled" not in document["model"]


def test_how_it_is_computed_is_in_the_results_and_hardly_changes_them():
    arguments = ("attack", "digits-standard", "digits", "--count", "2", "--method", "fgsm", "--json")
    plain = json.loads(run_command(*arguments).stdout)
    other = json.loads(run_command(*arguments, "--compile", "--channels-last").stdout)
    assert other["model"].pop("compiled") and other["model"].pop("channels_last") and other["model"] == plain["model"]
    distances = [document["results"][0]["distance"] for document in (plain, other)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-3) and distances[0] > 0


def test_inspect_says_how_it_is_computed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("clearance.cli.inspection.MEASURED_SECONDS", 0.01)
    done = run_command("inspect", "digits-standard", "--compile", "--channels-last")
    assert done.returncode == 0 and "cpu, float32, torch.compile, channels last" in done.stdout


@pytest.mark.parametrize(("flag", "name"), [("--channels-last", "channels_last"), ("--compile", "compiled")])
def test_it_is_part_of_the_plan(here: Path, flag: str, name: str):
    arguments = ("bracket", "digits-standard", "digits", *QUICK, "--out", "run")
    done = run_command(*arguments, flag)
    assert done.returncode == 0, done.stderr
    assert json.loads((here / "run" / "plan.json").read_text())["parameters"][name] is True
    torch.compiler.reset()
    assert run_command(*arguments, flag, "--resume").returncode == 0
    done = run_command(*arguments, "--resume")
    assert done.returncode == 2 and name in done.stderr and done.stderr.count("\n") == 1
