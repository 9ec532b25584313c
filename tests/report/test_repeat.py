"""The command that a plan stands for: computed again by it, a run has the same plan."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from clearance.report.repeat import command_of
from clearance.runs.plan import Plan
from command_line import run_command
from made_runs import make_plan

QUICK = ("--budget", "quick", "--certificate", "none")


@pytest.mark.parametrize(
    "flags",
    [
        ("--count", "1", "--norm", "2,inf"),
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
