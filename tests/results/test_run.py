"""A run from Python: the same as the command line's, resumed by either, read back as results."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

import clearance as cl
from clearance.errors import FileError, InputError
from clearance.results import run as module
from clearance.results.pages import as_run
from command_line import run_command
from result_cases import LABELS, X, linear

QUICK: dict[str, Any] = {"budget": 1500, "certificate": "none", "progress": False}
COMMAND = ("bracket", "digits-robust", "digits", "--count", "2", "--budget", "1500", "--certificate", "none")


def without_seconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_seconds(one) for name, one in value.items() if not name.endswith("seconds")}
    return [without_seconds(one) for one in value] if isinstance(value, list | tuple) else value


def test_it_is_the_run_of_the_command_line_and_either_resumes_it(here: Path):
    made = cl.run("digits-robust", "digits", count=2, out="mine", **QUICK)
    done = run_command(*COMMAND, "--out", "theirs")
    assert done.returncode == 0, done.stderr
    theirs = cl.read_run("theirs")
    assert ids(made) == ids(theirs) and made.finished and theirs.finished
    mine, other = (json.loads((here / name / "plan.json").read_text()) for name in ("mine", "theirs"))
    assert mine.pop("origin") and other.pop("origin") and mine == other
    ours, others = (run.to_dataframe().filter(regex="^(?!.*seconds)") for run in (made, theirs))
    assert ours.equals(others)
    again = run_command(*COMMAND, "--out", "mine", "--resume", "--json")
    assert json.loads(again.stdout)["tasks"] == {"done": 2, "failed": 0, "total": 2}
    model, data = cl.load_model("digits-robust"), cl.load_data("digits", count=2)
    assert ids(cl.run(model, data, out="theirs", resume=True, **QUICK)) == ids(theirs)


def ids(run: cl.SavedRun) -> dict[str, str]:
    return {name: plan.id for name, plan in run.plans.items()}


def test_an_interrupted_run_goes_on_where_it_stopped(here: Path):
    class StopError(Exception):
        pass

    def stop(done: int, total: int, left: float | None) -> None:
        told.append((done, total))
        raise StopError

    told: list[tuple[int, int]] = []
    choices = {**QUICK, "norms": [2, "inf"], "out": "run"}
    model = cl.Classifier(linear())
    with pytest.raises(StopError):
        cl.run(model, (X[:2], LABELS[:2]), **{**choices, "progress": stop})
    half = cl.read_run("run")
    assert not half.finished and "1 of 4 tasks" in repr(half) and told == [(1, 4)]
    with pytest.raises(FileError, match="got one with a run"):
        cl.run(model, (X[:2], LABELS[:2]), **choices)
    told.clear()
    whole = cl.run(
        model, (X[:2], LABELS[:2]), resume=True, **{**choices, "progress": lambda *now: told.append(now[:2])}
    )
    assert whole.finished and told == [(1, 3), (2, 3), (3, 3)]
    assert half.finished  # nothing was kept open or remembered


def test_results_are_those_of_a_call(here: Path):
    model = cl.Classifier(linear())
    saved = cl.run(model, (X, LABELS), out="run", norms=[2, "inf"], budget=1500, certificate="linear", progress=False)
    assert list(saved.groups()) == [
        ("Linear (in memory)", 2.0, "untargeted"),
        ("Linear (in memory)", math.inf, "untargeted"),
    ]
    read = saved.results(norm=2)
    called = cl.bracket(model, X, LABELS, references=X, budget=1500, certificate="linear", progress=False)
    assert [without_seconds(one.as_record()) for one in read] == [without_seconds(one.as_record()) for one in called]
    assert [one.given for one in read] == [one.given for one in called] and torch.equal(read[0].x0, called[0].x0)
    assert torch.equal(read[0].attacked.adversarial, called[0].attacked.adversarial)  # pyright: ignore
    assert read[0].estimated.maxima == called[0].estimated.maxima
    if importlib.util.find_spec("pandas"):
        assert list(saved.to_dataframe()["flags"])[:4] == list(called.to_dataframe()["flags"])
    assert read.summary().attacked == called.summary().attacked and len(saved.results()) == 8
    read.save("kept")
    assert cl.load("kept") == read
    for wrong in ({"norm": 3}, {"target": "runner-up"}, {"order": 2}, {"model": "another"}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))}: expected one of"):
            saved.results(**wrong)  # pyright: ignore[reportArgumentType]


def test_results_of_several_norms_are_told_apart(here: Path):
    """Distances in two norms share no scale: no median is over both, and no input is counted twice."""
    saved = cl.run(cl.Classifier(linear()), (X, LABELS), out="run", norms=["inf", 2], **QUICK)
    both, groups = saved.results(), saved.summary()
    found = both.summary()
    assert list(found.groups) == ["linf, untargeted", "l2, untargeted"] and found.inputs == 8 and found.attacked is None
    for name, one in zip(found.groups, groups.values(), strict=True):
        assert found.groups[name] == one and f"{name}: {one}" in repr(both) and f"{name}: {one}" in both.html()
    assert found.groups["linf, untargeted"].attacked != found.groups["l2, untargeted"].attacked
    assert "<th>norm</th>" in both.html() and "<th>norm</th>" not in saved.results(norm=2).html()
    assert repr(both[:4]) != repr(both) and found.as_record()["groups"]["l2, untargeted"]["inputs"] == 4
    run = as_run("run", both, both.setup)
    assert [entry.index for entry in run.entries] == [0, 0, 1, 1, 2, 2, 3, 3] and run.plan.data.count == 4
    assert [row.attacked for row in run.rows] == [row.attacked for row in saved.records()[0].rows]
    turned = cl.Results(reversed(both), both.setup)
    assert list(turned.summary().groups) == ["l2, untargeted", "linf, untargeted"]


def test_results_of_two_calls_are_inputs_of_their_own():
    model = cl.Classifier(linear())
    one, other = (cl.bracket(model, part, [0], **QUICK) for part in (X[:1], X[1:2]))
    joined = cl.Results([*one, *other], one.setup)
    assert [entry.index for entry in as_run("run", joined, joined.setup).entries] == [0, 1]


def test_several_models_have_a_folder_each_and_a_comparison(here: Path):
    models = {"one": cl.Classifier(linear()), "two": cl.Classifier(linear(-1.0))}
    saved = cl.run(models, (X[:2], LABELS[:2]), out="run", **QUICK)
    assert list(saved.parts) == ["one", "two"] and sorted(path.name for path in (here / "run").iterdir()) == [
        "one",
        "two",
    ]
    assert saved.plans["one"].model.name == "one (in memory)"
    assert saved.plans["one"].model.weights_hash != saved.plans["two"].model.weights_hash
    assert saved.to_dataframe()["model"].tolist() == ["one", "one", "two", "two"]
    with pytest.raises(InputError, match="model: expected one of one, two, got None"):
        saved.results()
    assert [path.name for path in saved.report()] == ["compare.html", "report.html", "report.html"]
    assert repr(cl.compare(saved)) == "ComparedRuns(one, two on 2 shared inputs)" and "<table>" in saved._repr_html_()


def test_another_network_is_another_plan(here: Path):
    data = (X[:1], LABELS[:1])
    cl.run(cl.Classifier(linear()), data, out="run", **QUICK)
    with pytest.raises(FileError, match="weights_hash"):
        cl.run(cl.Classifier(linear(2.0)), data, out="run", resume=True, **QUICK)
    averaged = [cl.eot(cl.Classifier(linear()), samples, seed=0) for samples in (2, 3)]
    one, other = (module.run_inputs(model, data).network.network for model in averaged)
    from clearance.runs.fingerprint import fingerprint

    assert fingerprint(one) != fingerprint(other)


def test_a_failed_task_is_a_line_and_no_result(here: Path, monkeypatch: pytest.MonkeyPatch):
    def evaluate(shared: Any, task: Any) -> Any:
        raise RuntimeError("no\nway")

    monkeypatch.setattr(module, "evaluate_tasks", evaluate)
    saved = cl.run(cl.Classifier(linear()), (X[:1], LABELS[:1]), out="run", **QUICK)
    assert saved.failures == ["Linear (in memory), input 0: RuntimeError: no way"] and len(saved.results()) == 0
    assert "1 failed" in repr(saved) and saved.to_dataframe()["error"].tolist() == ["RuntimeError: no way"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"engine": "cluster"}, "engine: expected one of local, ray"),
        ({"retry_failed": True}, "retry_failed: expected resume=True"),
        ({"norms": 0.5}, "norm"),
        ({"targets": "nearest"}, "target"),
        ({"budget": "tiny"}, "budget"),
        ({"count": 3}, "count: expected None with inputs that are in memory"),
        ({"time_limit": -1.0}, "time_limit"),
    ],
)
def test_misuse_is_refused_before_anything_is_written(here: Path, wrong: dict[str, Any], said: str):
    with pytest.raises(InputError, match=said):
        cl.run(cl.Classifier(linear()), (X[:1], LABELS[:1]), **{**QUICK, "out": "run", **wrong})
    assert not (here / "run").exists()


def test_models_and_data_that_are_none(here: Path):
    with pytest.raises(InputError, match="models: expected at least one"):
        cl.run([], "digits", out="run")
    with pytest.raises(InputError, match="each with a name of its own, got Linear-in-memory, Linear-in-memory"):
        cl.run([cl.Classifier(linear()), cl.Classifier(linear())], (X, LABELS), out="run")
    with pytest.raises(InputError, match=r"expected a clearance\.Classifier, got Linear"):
        cl.run(linear(), "digits", out="run")  # pyright: ignore
    for data in (X, (X, LABELS[:1]), 3):
        with pytest.raises(InputError, match="data: expected"):
            cl.run(cl.Classifier(linear()), data, out="run")  # pyright: ignore
    for folder in ("nowhere", "."):
        with pytest.raises(FileError, match="expected the folder of a run"):
            cl.read_run(folder)
