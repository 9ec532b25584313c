"""The command that a plan stands for: computed again by it, a run has the same plan."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clearance.report.repeat import NEW_FOLDER, command_of, lacks
from clearance.runs.execute import read_run
from clearance.runs.plan import Plan
from command_line import run_command
from made_runs import make_plan

QUICK = ("--budget", "1500", "--certificate", "none")


@pytest.mark.parametrize(
    "flags",
    [
        ("--count", "1", "--norm", "2,inf"),
        ("--per-class", "1", "--classes", "4,2"),
        ("--indices", "3,5", "--target", "runner-up,7", "--seed", "4", "--mean", "0.25", "--std", "0.3"),
        ("--count", "1", "--offset", "2", "--order", "2", "--micro-batch", "16", "--time-limit", "3"),
    ],
)
def test_the_command_makes_the_same_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]):
    plans: list[Plan] = []
    monkeypatch.setattr("clearance.cli.bracket.compute", lambda plan, *_, **__: plans.append(plan) or 0)
    words = ["clearance", "bracket", "digits-standard", "digits", *flags, *QUICK]
    for _ in range(2):
        done = run_command(*words[1:], "--out", str(tmp_path / "run"))
        assert done.returncode == 0, done.stderr
        words = shlex.split(command_of(plans[-1]))
    first, again = plans
    assert words[0] == "clearance" and first.id == again.id and first.data.count == len(again.data.labels)


def test_names_with_spaces_stay_whole_and_given_weights_are_named():
    plan = make_plan(2, model="my net.py:make")
    plan = plan.model_copy(update={"model": plan.model.model_copy(update={"weights": "/a b/net.safetensors"})})
    words = shlex.split(command_of(plan))
    assert words[2] == "my net.py:make" and words[words.index("--weights") + 1] == "/a b/net.safetensors"


def test_a_table_with_all_its_flags_is_planned_again(here: Path, monkeypatch: pytest.MonkeyPatch):
    plans: list[Plan] = []
    monkeypatch.setattr("clearance.cli.bracket.compute", lambda plan, *_, **__: plans.append(plan) or 0)
    (here / "net.py").write_text("from torch import nn\n\ndef make(classes=3):\n    return nn.Linear(3, classes)\n")
    (here / "d.csv").write_text("age,share,member,kind\n20,0.1,0,1\n30,0.2,1,0\n50,0.4,1,0\n60,0.8,0,1\n")
    (here / "b.csv").write_text("feature,low,high\nage,18,99\n")
    save_file({"weight": torch.ones(2, 3), "bias": torch.tensor([1.0, 0.0])}, here / "w.safetensors")
    flags = ["--model-args", "classes=2", "--weights", "w.safetensors", "--bounds-file", "b.csv", "--label", "kind"]
    flags += ["--scale", "std", "--fixed", "share", "--skip-misclassified", "--count", "2", *QUICK]
    words = ["clearance", "bracket", "net.py:make", "d.csv", *flags]
    for _ in range(2):
        done = run_command(*words[1:], "--out", str(here / "run"))
        assert done.returncode == 0, done.stderr
        words = shlex.split(command_of(plans[-1]))
    first, again = plans
    assert first.id == again.id and not lacks(first) and first.data.passed_over == 1
    assert first.origin is not None
    assert {file.role: file.sha256 for file in first.origin.files} == {
        role: hashlib.sha256((here / name).read_bytes()).hexdigest()
        for role, name in (("model", "net.py"), ("data", "d.csv"), ("weights", "w.safetensors"), ("bounds", "b.csv"))
    }
    assert first.model_copy(update={"origin": None}).id == first.id


def test_a_file_that_brings_its_values_gets_no_weights_and_what_is_lost_is_said():
    plan = make_plan(2, model="credit.skops")
    plan = plan.model_copy(update={"model": plan.model.model_copy(update={"weights": "credit.skops"})})
    assert "--weights" not in command_of(plan) and not lacks(plan)
    scaled = plan.model_copy(update={"threat": plan.threat.model_copy(update={"space": "ab"})})
    assert "the scale" in lacks(scaled)


def test_the_command_runs_as_it_stands(here: Path):
    words = ["bracket", "digits-standard", "digits", "--count", "1", *QUICK]
    assert run_command(*words, "--out", "run").returncode == 0
    with read_run("run") as run:
        again = shlex.split(command_of(run.plan))
    assert run_command(*again[1:]).returncode == 0
    with read_run(NEW_FOLDER) as other:
        assert other.plan.id == run.plan.id
