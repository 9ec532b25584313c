"""Runs that go on with more inputs, norms, targets and orders: what is finished stays, and nothing else changes."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clearance.errors import FileError, InputError
from clearance.runs.engines.local import LocalEngine
from clearance.runs.execute import Progress, open_run, read_run
from clearance.runs.export import iterate_records
from clearance.runs.growth import added, grow
from clearance.runs.origin import Origin
from clearance.runs.plan import Answers, DataSpec, ModelSpec, Plan, ThreatModel
from clearance.runs.store import Record
from clearance.runs.threat import Feature
from conftest import ROOT
from run_tasks import make_data, make_plan, numbers, without_times

SHARED = {"add": 0.5}


def threat(*norms: float, targets: tuple[str | int, ...] = ("runner-up",)) -> ThreatModel:
    return ThreatModel(norms=norms, targets=targets, bounds=(0.0, 1.0))


def small(count: int = 3, **changes: Any) -> Plan:
    return make_plan(count, **{"threat": threat(2.0), **changes})


LARGER = {
    "inputs": small(5),
    "norms": small(threat=threat(2.0, math.inf)),
    "targets": small(threat=threat(2.0, targets=("runner-up", 3))),
    "orders": small(orders=(1, 2)),
    "all": make_plan(5, orders=(1, 2)),
}
"""What `small()` may grow to."""


def compute(folder: Path, plan: Plan) -> list[Record]:
    with open_run(folder, plan, resume=True) as run:
        return list(run.compute(numbers, shared=SHARED, engine=LocalEngine()))


def exported(folder: Path) -> list[object]:
    with read_run(folder) as run:
        return [without_times(record) for record in iterate_records(run, arrays=True)]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("what", LARGER)
def test_a_run_in_two_goes_is_the_run_in_one(tmp_path: Path, what: str):
    before, larger = compute(tmp_path / "two", small()), LARGER[what]
    after = compute(tmp_path / "two", larger)
    compute(tmp_path / "one", larger)
    assert not {record.key for record in before} & {record.key for record in after}  # nothing is computed twice
    assert len(before) + len(after) == len(larger.tasks())
    assert exported(tmp_path / "two") == exported(tmp_path / "one")
    with read_run(tmp_path / "two") as two, read_run(tmp_path / "one") as one:
        assert two.plan == one.plan and two.progress() == Progress(len(larger.tasks()), 0, len(larger.tasks()))
    assert compute(tmp_path / "two", larger) == []


def test_a_run_of_a_version_without_a_digest_in_float32_goes_on(tmp_path: Path):
    spaces = [threat(2.0).model_copy(update={"space": "ab", "rounded": rounded}) for rounded in (None, "cd")]
    older, asked = (small(threat=one) for one in spaces)
    assert [task.key for task in older.tasks()] == [task.key for task in asked.tasks()] and older.id != asked.id
    assert compute(tmp_path / "run", older) and compute(tmp_path / "run", asked) == []


def test_a_run_of_a_version_that_did_not_list_features_goes_on(tmp_path: Path):
    age = Feature(name="age", unit=11.5, low=18.0, high=99.0, moves=True)
    asked = small(threat=threat(2.0).model_copy(update={"features": (age,)}))
    assert compute(tmp_path / "run", small()) and compute(tmp_path / "run", asked) == []
    with read_run(tmp_path / "run") as run:
        assert run.plan.id == small().id != asked.id
    with pytest.raises(InputError, match=r"threat\.features"):
        grow(asked, small(threat=threat(2.0).model_copy(update={"features": (age, age)})))


def test_a_run_that_is_not_finished_grows_as_well(tmp_path: Path):
    with open_run(tmp_path / "run", small()) as run:
        next(run.compute(numbers, shared=SHARED, engine=LocalEngine()))
    assert len(compute(tmp_path / "run", LARGER["all"])) == len(LARGER["all"].tasks()) - 1
    compute(tmp_path / "one", LARGER["all"])
    assert exported(tmp_path / "run") == exported(tmp_path / "one")


def test_a_run_says_what_it_grows_by(tmp_path: Path):
    compute(tmp_path / "run", small())
    with open_run(tmp_path / "run", make_plan(5, orders=(1, 2)), resume=True) as run:
        assert run.added == ("2 inputs", "norm inf", "target 3", "order 2") and run.progress() == Progress(3, 0, 40)
    with open_run(tmp_path / "run", make_plan(5, orders=(1, 2)), resume=True) as run:
        assert run.added == ()
    assert added(small(), small(4, threat=threat(2.0, 1.0, 1.5))) == ["1 input", "norms 1, 1.5"]


def test_what_was_there_comes_first_and_the_rest_in_the_order_asked_for():
    later = make_data(3, offset=2, input_keys=("key2", "key0", "new"), labels=(2, 0, 4), indices=(2, 5, 9))
    first = make_data(2, offset=5, input_keys=("key0", "key2"), labels=(0, 2), indices=(5, 2))
    plan = grow(small(data=first, threat=threat(2.0)), small(data=later, threat=threat(1.0, math.inf, 2.0)))
    assert plan.data.places == (5, 2, 9) and plan.data.input_keys == ("key0", "key2", "new")
    assert plan.threat.norms == (2.0, 1.0, math.inf) and plan.data.count == 3 and plan.data.labels == (0, 2, 4)
    assert grow(plan, small(data=later, threat=threat(math.inf, 1.0, 2.0))).id == plan.id  # another order is no change


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (small(2), "inputs: expected those of the run (3: 5 to 7) and any more, got 2: 5 to 6"),
        (
            small(data=make_data(3, offset=8)),
            "inputs: expected those of the run (3: 5 to 7) and any more, got 3: 8 to 10",
        ),
        (small(threat=threat(math.inf, 1.5)), "norms: expected those of the run (2) and any more, got inf, 1.5"),
        (
            small(threat=threat(2.0, targets=(3,))),
            "targets: expected those of the run (runner-up) and any more, got 3",
        ),
        (small(orders=(2,)), "orders: expected those of the run (1) and any more, got 2"),
        (small(5, seed=1), "seed: 0 -> 1"),
        (small(5, parameters={"budget": "thorough"}), 'parameters.budget: "quick" -> "thorough"'),
        (small(5, model=ModelSpec(name="digits-standard", weights_hash="other")), 'model.weights_hash: "ab12" -> '),
        (small(5, threads=2), "threads: 1 -> 2"),
        (small(5, data=make_data(5, name="other")), 'data.name: "digits-test" -> "other"'),
        (
            small(5, data=make_data(5, input_keys=("key0", "x", "key2", "key3", "key4"))),
            'data.input_keys: ["key0", "key1", "key2"] -> ["key0", "x", "key2"]',
        ),
        (small(5, data=make_data(5, labels=(0, 1, 7, 3, 4))), "data.labels: [0, 1, 2] -> [0, 1, 7]"),
        (small(5, versions={"code": "new"}), "versions.clearance"),
        (
            small(5, threat=ThreatModel(norms=(2.0,), targets=("runner-up",), bounds=None)),
            "threat.bounds: [0.0, 1.0] -> nothing",
        ),
        (small(2, seed=1), "any more, got 2: 5 to 6; seed: 0 -> 1"),
    ],
)
def test_a_plan_that_would_take_away_or_change_is_refused_in_one_line(tmp_path: Path, asked: Plan, message: str):
    compute(tmp_path / "run", small())
    before = snapshot(tmp_path / "run")
    with pytest.raises(FileError) as caught:
        compute(tmp_path / "run", asked)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'run'}: cannot be resumed, its plan differs: ")
    assert snapshot(tmp_path / "run") == before


def answers(*keys: str, last: float = 2.0) -> ModelSpec:
    logits = (*[(1.0, 2.0)] * (len(keys) - 1), (1.0, last))
    return ModelSpec(name="net", weights_hash="ab12", answers=Answers(keys=keys, logits=logits, calls=2, spread=0.0))


def test_answers_to_more_inputs_take_the_place_of_those_to_fewer():
    one, two, other = answers("a"), answers("a", "b"), answers("b", "c")
    assert grow(small(1, model=one), small(2, model=two)).model == two
    assert grow(small(1, model=two), small(2, model=one)).model == two
    assert grow(small(1, model=one), small(2, model=other)).model == one
    with pytest.raises(InputError, match="the network is another one: a logit was 2 and is 3"):
        grow(small(1, model=one), small(2, model=answers("a", last=3.0)))


def with_references(count: int, *keys: str) -> Plan:
    return small(data=make_data(count, references=keys))


def test_the_references_of_the_first_sitting_stay_where_they_are_at_hand():
    first = with_references(2, "key0", "key1")
    grown = grow(first, with_references(3, "key0", "key1", "key2"))
    assert grown.data.references == ("key0", "key1") and grow(grown, with_references(3, "x", "y")).id == grown.id
    assert {task.key for task in first.tasks()} < {task.key for task in grown.tasks()}
    with pytest.raises(InputError, match=r"^data.references: 2 inputs -> 1 input, 1 of the former not among"):
        grow(with_references(2, "key0", "far"), with_references(3, "key0"))


def test_other_references_are_other_tasks():
    keys = [
        {task.key for task in plan.tasks()} for plan in (small(2), with_references(2, "a"), with_references(2, "b"))
    ]
    assert not keys[0] & keys[1] and not keys[1] & keys[2]


def test_a_reader_of_the_smaller_plan_is_not_disturbed(tmp_path: Path):
    compute(tmp_path / "run", small())
    with read_run(tmp_path / "run") as reader, open_run(tmp_path / "run", LARGER["all"], resume=True) as run:
        next(run.compute(numbers, shared=SHARED, engine=LocalEngine()))
        assert reader.progress() == Progress(3, 0, 3) and len(list(iterate_records(reader))) == 3
        with read_run(tmp_path / "run") as later:
            assert later.progress() == Progress(4, 0, 40)


GROW = """
import os, signal, sys
from pathlib import Path
import clearance.runs.execute as execute
from clearance.runs.store import Store
from test_growth import LARGER

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

moment, belong, replace = sys.argv[2], Store.belong_to, Path.replace
def replaced(self, target):
    found = replace(self, target)
    return kill() if target.name == "plan.json" else found
if moment == "before":
    Store.belong_to = kill
elif moment == "between":
    execute.replacing = kill
elif moment == "before the name changes":
    Path.replace = kill
elif moment == "after":
    Path.replace = replaced
with execute.open_run(sys.argv[1], LARGER["all"], resume=True):
    print("never")
"""


@pytest.mark.thinned(2)
@pytest.mark.parametrize("moment", ["before", "between", "before the name changes", "after"])
def test_killed_at_any_moment_the_run_is_one_or_the_other(tmp_path: Path, moment: str):
    folder = tmp_path / "run"
    compute(folder, small())
    finished = exported(folder)
    paths = os.pathsep.join(str(ROOT / place) for place in ("src", "tests", "tests/runs"))
    done = subprocess.run(
        [sys.executable, "-c", GROW, str(folder), moment], env={**os.environ, "PYTHONPATH": paths}, check=False
    )
    assert done.returncode == -9
    with read_run(folder) as run:
        assert run.plan == (LARGER["all"] if moment == "after" else small())
        assert run.progress() == Progress(3, 0, 40 if moment == "after" else 3)
    assert exported(folder) == finished
    compute(folder, LARGER["norms"] if moment == "between" else LARGER["all"])  # another way to grow is open as well
    compute(folder, LARGER["all"])
    compute(tmp_path / "one", LARGER["all"])
    assert exported(folder) == exported(tmp_path / "one")
    assert sorted(path.name for path in folder.iterdir()) == ["plan.json", "results.sqlite", "results.sqlite-lock"]


def test_a_plan_that_becomes_too_large_leaves_the_run_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compute(tmp_path / "run", small())
    before = snapshot(tmp_path / "run")
    monkeypatch.setattr("clearance.runs.plan.MAX_BYTES", 2000)
    with pytest.raises(InputError, match="plan: expected at most 2,000 bytes"):
        compute(tmp_path / "run", small(200))
    assert snapshot(tmp_path / "run") == before


def test_results_that_are_missing_are_computed_again_when_a_run_grows(tmp_path: Path):
    compute(tmp_path / "run", small())
    (tmp_path / "run" / "results.sqlite").unlink()
    assert len(compute(tmp_path / "run", LARGER["all"])) == 40


def test_data_of_other_inputs_keeps_what_the_set_is_called():
    data = DataSpec(source="s", name="n", offset=3, count=1, input_keys=("a",), labels=(7,), class_names=("x",) * 8)
    more = data.holding([*data.inputs, (4, "b", 0)])
    assert more.indices is None and more.where == "from index 3" and more.class_names == data.class_names
    assert data.holding(data.inputs) == data


def test_a_run_of_a_version_that_did_not_count_the_misclassified_goes_on(tmp_path: Path):
    old, origin = small(), Origin(started="2026-11-01")
    counted = small().data.model_copy(update={"passed_over": 2})
    asked = small().model_copy(update={"data": counted, "origin": origin})
    compute(tmp_path / "run", old)
    assert compute(tmp_path / "run", asked) == []  # every task is there
    with read_run(tmp_path / "run") as run:
        assert run.plan.data.passed_over == 2
    new = old.model_copy(update={"origin": origin})
    with pytest.raises(InputError, match="passed_over"):
        grow(new, asked)
