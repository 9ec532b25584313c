"""Exports: every record, in the plan's order, with the same bits in each format; and `clearance export`."""

import csv
import json
import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from clearance import cli
from clearance.errors import FileError, InputError
from clearance.runs.engines.local import LocalEngine
from clearance.runs.execute import open_run, read_run
from clearance.runs.export import EXPORT_FORMATS, export_run
from clearance.runs.plan import Plan, Task, ThreatModel
from clearance.runs.store import TASK_FIELDS, Result
from run_tasks import make_data, make_plan, numbers, sometimes, without_times

needs_arrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="needs pyarrow: pip install 'clearance[export]'")
HOSTILE = {
    "method": "=cmd|' /C calc'!A0",
    "nested": {"+name": "@sum", "list": [1, math.nan], "plain": 'a "quoted", line\nand more'},
    "radius": -0.1 - 0.2,
    "largest": math.inf,
    "unknown": None,
    "flag": True,
    "big": 2**70,
}


def hostile(shared: object, task: Task) -> Result:
    return Result({**HOSTILE, "mixed": task.index if task.index % 2 else "even"}, {"w": np.eye(2) * task.index})


def finish(folder: Path, plan: Plan | None = None, function: Any = numbers) -> Path:
    with open_run(folder, plan or make_plan()) as run:
        list(run.compute(function, shared={"add": 0.5}, engine=LocalEngine()))
    return folder


def exported(folder: Path, kind: str, **options: Any) -> Path:
    file = folder.parent / f"out.{kind}"
    with read_run(folder) as run:
        export_run(run, file, kind=kind, **options)
    return file


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return finish(tmp_path / "run")


def test_json_is_a_list_with_one_record_per_task_in_the_order_of_the_plan(run: Path):
    records, tasks = json.loads(exported(run, "json").read_text()), make_plan().tasks()
    assert [record["task"] for record in records] == [task.key for task in tasks]
    assert [(r["input"], r["label"], r["target"], r["order"]) for r in records] == [
        (t.index, t.label, t.target, t.order) for t in tasks
    ]
    assert [record["norm"] for record in records[:4]] == [2.0, 2.0, "inf", "inf"]
    radii = [numbers({"add": 0.5}, task).values["certified"]["radius"] for task in tasks]
    assert [record["certified"]["radius"] for record in records] == radii
    assert all(
        record["error"] is None and record["seconds"] > 0 and "arrays.maxima" not in record for record in records
    )
    assert tuple(records[0])[: len(TASK_FIELDS)] == TASK_FIELDS


def test_two_runs_of_one_plan_are_exported_alike_apart_from_times(run: Path, tmp_path: Path):
    again = finish(tmp_path / "elsewhere" / "run")
    first, second = (json.loads(exported(folder, "json", arrays=True).read_text()) for folder in (run, again))
    assert without_times(first) == without_times(second) and without_times(first) != first


def test_arrays_come_where_they_are_asked_for(run: Path):
    record = json.loads(exported(run, "json", arrays=True).read_text())[3]
    wanted = numbers({"add": 0.5}, make_plan().tasks()[3]).arrays["maxima"]
    assert np.array_equal(np.array(record["arrays.maxima"], dtype=np.float32), wanted)
    with pytest.raises(InputError, match="arrays: expected the format json or parquet, got csv"):
        exported(run, "csv", arrays=True)


def test_json_says_inf_and_nan_as_text(tmp_path: Path):
    text = exported(finish(tmp_path / "run", make_plan(1), hostile), "json").read_text()
    record = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))[0]
    assert record["largest"] == "inf" and record["nested"]["list"] == [1, "nan"]
    assert record["method"] == HOSTILE["method"] and record["big"] == 2**70 and record["flag"] is True


def test_csv_is_flat_exact_and_no_formula(tmp_path: Path):
    with exported(finish(tmp_path / "run", function=hostile), "csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and list(rows[0])[: len(TASK_FIELDS)] == list(TASK_FIELDS)
    row = rows[2]
    assert row["method"] == "'" + HOSTILE["method"] and row["nested.+name"] == "'@sum"
    assert float(row["radius"]) == HOSTILE["radius"] and row["radius"] == repr(HOSTILE["radius"])
    assert row["largest"] == row["norm"] == "inf" and row["unknown"] == row["error"] == "" and row["flag"] == "true"
    assert row["nested.list"] == "[1, NaN]" and row["nested.plain"] == HOSTILE["nested"]["plain"]
    assert [row["target"] for row in rows[:2]] == ["runner-up", "3"]


def test_csv_headers_are_no_formulas_either(tmp_path: Path):
    def named(shared: object, task: Task) -> Result:
        return Result({"=1+1": 2})

    header = exported(finish(tmp_path / "run", function=named), "csv").read_text().splitlines()[0]
    assert header.endswith(",'=1+1")


@needs_arrow
def test_a_column_with_infinities_is_one_of_numbers(tmp_path: Path):
    from pyarrow import parquet

    def proved(shared: object, task: Task) -> Result:
        return Result(
            {"certified": {"radius": "inf" if task.target == 3 else 0.25}, "lowest": "-inf", "name": "infinite"}
        )

    table = parquet.read_table(exported(finish(tmp_path / "run", function=proved), "parquet"))
    assert [str(table.schema.field(name).type) for name in ("certified.radius", "lowest")] == ["double", "double"]
    rows = table.to_pylist()
    assert {row["certified.radius"] for row in rows} == {0.25, math.inf} and rows[0]["lowest"] == -math.inf
    assert rows[0]["name"] == "infinite"


@needs_arrow
def test_parquet_is_flat_and_exact(tmp_path: Path):
    from pyarrow import parquet

    folder = finish(tmp_path / "run", function=hostile)
    table = parquet.read_table(exported(folder, "parquet", arrays=True))
    rows = table.to_pylist()
    assert len(rows) == 12 and table.column_names[: len(TASK_FIELDS)] == list(TASK_FIELDS)
    assert str(table.schema.field("norm").type) == "double" and [row["norm"] for row in rows[1:3]] == [2, math.inf]
    assert rows[0]["radius"] == HOSTILE["radius"] and rows[0]["method"] == HOSTILE["method"]
    assert rows[0]["nested.+name"] == "@sum" and rows[0]["nested.list"][0] == 1 and rows[0]["big"] == str(2**70)
    assert [row["mixed"] for row in rows[:5:4]] == ["5", "even"] and rows[0]["arrays.w"] == [[5, 0], [0, 5]]


def test_without_pyarrow_the_error_names_the_extra(run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        InputError, match=r"the extra 'export' for parquet, got none; pip install 'clearance\[export\]'"
    ):
        exported(run, "parquet")
    assert not (run.parent / "out.parquet").exists()


def test_failed_tasks_are_records_with_their_error(tmp_path: Path):
    records = json.loads(exported(finish(tmp_path / "run", make_plan(4), sometimes), "json").read_text())
    assert len(records) == 16 and records[0]["error"] == "ValueError: expected another input, got 5"
    assert "certified" not in records[0] and records[15]["error"] is None and records[15]["status"] == "ok"


def test_unfinished_tasks_are_left_out_and_equal_inputs_each_have_a_record(tmp_path: Path):
    plan = make_plan(
        data=make_data(3, input_keys=("a", "b", "a"), labels=(1, 1, 1)),
        threat=ThreatModel(norms=(2.0,), targets=("random",), bounds=None),
    )
    with open_run(tmp_path / "run", plan) as run:
        next(iter(run.compute(hostile, shared=None, engine=LocalEngine())))
    records = json.loads(exported(tmp_path / "run", "json").read_text())
    assert [record["input"] for record in records] == [5, 7]
    assert {**records[0], "input": 0} == {**records[1], "input": 0}


def test_nothing_finished_is_an_empty_table(tmp_path: Path):
    with open_run(tmp_path / "run", make_plan()):
        pass
    assert json.loads(exported(tmp_path / "run", "json").read_text()) == []
    assert exported(tmp_path / "run", "csv").read_text() == ",".join(TASK_FIELDS) + "\n"


@pytest.mark.parametrize("kind", ["json", "csv", pytest.param("parquet", marks=needs_arrow)])
def test_a_file_is_replaced_only_by_force_and_only_whole(run: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    file = exported(run, kind)
    file.write_bytes(b"mine")
    with pytest.raises(FileError, match="is there already"):
        exported(run, kind)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(FileError, match=r"cannot be written .No space left on device"):
        exported(run, kind, force=True)
    assert file.read_bytes() == b"mine"
    monkeypatch.undo()
    exported(run, kind, force=True)
    assert len(file.read_bytes()) > 100
    assert sorted(path.name for path in run.parent.iterdir()) == [file.name, "run"]


def test_the_run_itself_is_never_the_file(run: Path):
    for name in ("plan.json", "results.sqlite", "results.sqlite-wal"):
        with read_run(run) as opened, pytest.raises(FileError, match="which belongs to the run"):
            export_run(opened, run / name, kind="json", force=True)
    with (
        read_run(run) as opened,
        pytest.raises(InputError, match="format: expected one of parquet, csv, json, got 'xml'"),
    ):
        export_run(opened, run / "a.xml", kind="xml")
    assert EXPORT_FORMATS == ("parquet", "csv", "json")


def invoke(*arguments: object) -> tuple[int, str]:
    """Exit code, and what was printed, without a traceback."""
    runner, codes = CliRunner(), []
    with runner.isolation() as (out, err, _):
        codes.append(cli.run([str(argument) for argument in arguments]))
        text = out.getvalue().decode() + err.getvalue().decode()
    return codes[0], text


def test_the_command_writes_and_says_what(run: Path, tmp_path: Path):
    out = tmp_path / "records.json"
    assert invoke("export", run, "--format", "json", "--out", out) == (0, f"12 records written to {out}\n")
    assert len(json.loads(out.read_text())) == 12
    code, text = invoke("export", run, "--format", "json", "--out", out)
    assert code == 2 and text.startswith("clearance: ") and "is there already" in text and text.count("\n") == 1
    assert invoke("export", run, "--format", "csv", "--out", out, "--force")[0] == 0
    assert out.read_text().startswith("task,input,")


def test_the_command_says_what_is_missing(tmp_path: Path):
    with open_run(tmp_path / "run", make_plan()) as opened:
        next(iter(opened.compute(numbers, shared={"add": 0}, engine=LocalEngine())))
    code, text = invoke("export", tmp_path / "run", "--format", "csv", "--out", tmp_path / "o.csv")
    assert (code, text) == (0, f"1 records written to {tmp_path / 'o.csv'}; 11 of 12 tasks are not finished\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN", "--format", "xml", "--out", "OUT"], "'parquet', 'csv', 'json'"),
        (["RUN", "--format", "json"], "'--out'"),
        (["RUN", "--out", "OUT.xlsx"], "--out: expected a name that ends in .parquet, .csv, .json, or --format"),
        (["RUN", "--format", "csv", "--arrays", "--out", "OUT"], "got csv, which holds no arrays"),
        (["RUN", "--format", "json", "--out", "OUT/a/b"], "--out: expected a folder that exists"),
        (["RUN", "--format", "json", "--out", "RUN"], "--out: expected a file, got"),
        (["RUN", "--format", "json", "--out", "RUN/plan.json", "--force"], "belongs to the run"),
        (["OUT", "--format", "json", "--out", "OUT"], "expected the folder of a run, got no such folder"),
        (["RUN/plan.json", "--format", "json", "--out", "OUT"], "expected the folder of a run, got a file"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(run: Path, tmp_path: Path, arguments: list[str], message: str):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    given = [word.replace("RUN", str(run)).replace("OUT", str(tmp_path / "o.json")) for word in arguments]
    code, text = invoke("export", *given)
    assert code == 2 and message in text and text.startswith("clearance: ") and text.count("\n") == 1
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert not (tmp_path / "o.json").exists()


def test_the_command_needs_no_torch(run: Path, tmp_path: Path):
    code = (
        "import sys; from clearance.cli import run\n"
        f"assert run(['export', {str(run)!r}, '--format', 'json', '--out', {str(tmp_path / 'o.json')!r}]) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    environment = {"PYTHONPATH": str(Path(cli.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)


def named(shared: object, task: Task) -> Result:
    return Result({"predicted": 1, "status": "ok"}, {})


def test_classes_with_names_have_them_beside_their_numbers(tmp_path: Path):
    names = ("cat", "=dog()", *"cdefghij")
    plan = make_plan(data=make_data(class_names=names))
    records = json.loads(exported(finish(tmp_path / "named", plan, named), "json").read_text())
    assert {(one["label"], one["label_name"], one["predicted_name"]) for one in records} == {
        (0, "cat", "=dog()"), (1, "=dog()", "=dog()"), (2, "c", "=dog()"),
    }  # fmt: skip
    assert list(records[0])[:4] == ["task", "input", "label", "label_name"]
    table = exported(tmp_path / "named", "csv").read_text()
    assert "'=dog()" in table and ",=dog()" not in table
    digits = make_plan(data=make_data(class_names=tuple("0123456789")))
    assert "label_name" not in exported(finish(tmp_path / "digits", digits, named), "json", force=True).read_text()
