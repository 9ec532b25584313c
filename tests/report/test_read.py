"""A run's folder as records: what is kept, what is left out, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from clearance.errors import FileError
from clearance.estimates.status import Status
from clearance.report.read import read_records
from clearance.runs.store import Result
from report_runs import digits_run, make_flag, make_plan, make_result, write_run


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits_run(tmp_path_factory.mktemp("real") / "run", 3, norms=(2.0,))


def test_a_real_run_is_read(real: Path):
    run = read_records(real)
    assert (run.name, run.finished, run.total, run.failures) == ("run", 3, 3, ())
    first, wrong, _ = run.entries
    assert first.judged and not wrong.judged and wrong.status is Status.MISCLASSIFIED
    assert first.certified and first.estimated and first.attacked
    assert first.certified < first.estimated < first.attacked
    assert first.margin == pytest.approx(first.logits[0].before - first.logits[1].before, rel=1e-4)  # runner-up
    assert first.sampler == "profile" and first.lipschitz and first.margin
    assert len(first.maxima) >= 2 and first.fit and first.fit.location >= first.maxima.max() * (1 - 1e-12)
    assert first.estimated >= first.margin / first.lipschitz * (1 - 1e-9)  # its constants nearer the input are smaller
    assert [cost.part for cost in first.costs] == ["certified", "estimated", "attacked", "audit", "all"]
    assert first.costs[-1].forward >= sum(cost.forward for cost in first.costs[:-1]) > 1000
    assert first.drawing and first.drawing.size == (8, 8) and first.drawing.witness and not first.changes
    assert wrong.certified is wrong.estimated is wrong.attacked is wrong.fit is None and wrong.maxima.size == 0


def test_a_profile_is_read_with_both_readings(real: Path):
    first, wrong, _ = read_records(real).entries
    profile = first.profile
    assert profile is not None and wrong.profile is None
    assert len(profile.levels) == len(profile.norm.values) == len(profile.radial.values) >= 16
    assert profile.norm.radius == pytest.approx(first.estimated) and profile.norm.interval == first.interval
    assert profile.radial.radius is not None and profile.norm.radius is not None
    assert profile.norm.radius <= profile.radial.radius <= profile.levels[-1]
    assert list(profile.norm.values) == sorted(profile.norm.values)
    assert profile.rise == pytest.approx(profile.norm.values[-1] / profile.norm.values[0])


def test_made_up_results_have_the_form_of_real_ones(real: Path, tmp_path: Path):
    """The other tests rest on this: all that is read of a made-up result is in a real one, in the same place."""
    from clearance.runs.execute import read_run

    with read_run(real) as run:
        record = run.store.read(run.plan.tasks()[0].key)
        assert record
        made = make_result(run.plan.tasks()[0])
    missing = [name for name in made.values if name not in record.values]
    for part in ("certified", "estimated", "attacked", "audit"):
        missing += [f"{part}.{name}" for name in made.values[part] if name not in record.values[part]]
    assert not missing
    assert {name: array.dtype for name, array in made.arrays.items()} == {
        name: array.dtype for name, array in record.arrays.items()
    }


@pytest.mark.parametrize("order", [1, 2])
def test_estimates_of_both_orders_are_read_in_the_old_form_and_in_the_new(tmp_path: Path, order: int):
    """Runs stored before each order had a record of its own hold the other order's fields too, as `None`."""
    own = {1: {"lipschitz": 4.0}, 2: {"gradient_norm": 3.0}}[order]
    other = {1: {"gradient_norm": None, "largest_bend": None}, 2: {"lipschitz": None, "largest_slope": None}}[order]
    read = []
    for name, fields in {"new": own, "old": {**own, **other}}.items():

        def result(task, fields=fields):
            made = make_result(task)
            estimated = {key: value for key, value in made.values["estimated"].items() if key != "lipschitz"}
            return Result({**made.values, "estimated": {**estimated, **fields}}, made.arrays)

        records = read_records(write_run(tmp_path / name, make_plan(1, orders=(order,)), result))
        read.append((records.entries[0].lipschitz, records.entries[0].gradient_norm))
    assert read == [((4.0, None) if order == 1 else (None, 3.0))] * 2


@pytest.mark.parametrize("status", [s for s in Status if not s.has_number and s is not Status.TARGET_IS_PREDICTED])
def test_an_estimate_that_must_not_be_read_is_not_here(tmp_path: Path, status: Status):
    """Even where a record holds one."""

    def result(task):
        made = make_result(task, status=status.value)
        estimated = {**made.values["estimated"], "radius": 0.5, "interval": [0.4, 0.6]}
        return Result({**made.values, "estimated": estimated}, made.arrays)

    (entry,) = read_records(write_run(tmp_path / "run", make_plan(1), result)).entries
    assert entry.status is status and entry.estimated is None and entry.interval is None


def test_a_proof_counts_only_where_something_is_proved(tmp_path: Path):
    def result(task):
        made = make_result(task)
        proof = made.values["certified"] | {"radius": [0.1, 0.1, "inf", None][task.index]}
        proof |= {"status": ["certified", "unproven", "certified", "unsupported"][task.index]}
        return Result({**made.values, "certified": proof}, made.arrays)

    entries = read_records(write_run(tmp_path / "run", make_plan(4), result)).entries
    assert [entry.certified for entry in entries] == [0.1, 0.0, math.inf, 0.0]
    (without,) = read_records(
        write_run(tmp_path / "none", make_plan(1), lambda task: make_result(task, certified=None))
    ).entries
    assert without.certified is None and without.proof == ("", "", "")


def test_unfinished_and_failed_tasks_are_counted(tmp_path: Path):
    results = {0: make_result, 1: lambda task: "ValueError: expected another,\n input"}
    folder = write_run(tmp_path / "run", make_plan(4), lambda task: results.get(task.index, lambda _: None)(task))
    run = read_records(folder)
    assert (len(run.entries), run.finished, run.total) == (1, 2, 4)
    (failure,) = run.failures
    assert (failure.index, failure.error, failure.attempts) == (1, "ValueError: expected another,\n input", 2)


def test_flags_keep_their_evidence(tmp_path: Path):
    flags = (make_flag("refuted", radius=0.9, witness_distance=0.8), make_flag("poor_fit", "info", fit="no_endpoint"))
    run = read_records(
        write_run(tmp_path / "run", make_plan(1), lambda task: make_result(task, status="refuted", flags=flags))
    )
    (entry,) = run.entries
    assert [flag.evidence for flag in entry.flags] == [{"radius": 0.9, "witness_distance": 0.8}, {"fit": "no_endpoint"}]
    assert entry.doubted and entry.exceeded and [flag.doubts for flag in entry.flags] == [True, False]


@pytest.mark.parametrize(
    "values",
    [{}, {"status": "ok"}, {"status": "splendid"}, {"radius": 1.0}, {"status": "ok", "estimated": 3, "attacked": []}],
)
def test_other_results_are_refused(tmp_path: Path, values: dict):
    folder = write_run(tmp_path / "run", make_plan(1), lambda task: Result(values))
    with pytest.raises(FileError, match="expected the results of clearance bracket, got others"):
        read_records(folder)


def test_a_folder_without_a_run_is_refused(tmp_path: Path):
    with pytest.raises(FileError, match=r"without plan\.json"):
        read_records(tmp_path)


def test_inputs_that_are_no_images_have_a_table(tmp_path: Path):
    for bounds, shape in (((0.0, 1.0), (12,)), ((0.0, 1.0), (4, 8, 8)), (None, (1, 8, 8))):
        folder = tmp_path / f"{bounds}{shape}"
        made = write_run(folder, make_plan(1, bounds=bounds), lambda task, shape=shape: make_result(task, shape=shape))
        (entry,) = read_records(made).entries
        assert entry.drawing is None and len(entry.changes) == min(20, math.prod(shape))
