"""The JSON of a page: what it holds, what it must not hold, and that it stays inside its element."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clearance.report.payload import as_script, pack, whole
from clearance.report.read import read_records
from report_runs import make_flag, make_plan, make_result, write_run


@given(st.text())
def test_embedded_json_reads_back_and_ends_no_script(text: str):
    embedded = as_script([text])
    assert not re.search("[<>&\u2028\u2029]", embedded)
    assert json.loads(embedded) == [text]
    embedded.encode()


def test_numbers_are_whole():
    assert [whole(value) for value in (None, math.nan, -math.inf, 1 / 3)] == [None, None, "-inf", 1 / 3]


def test_no_estimate_that_must_not_be_read_is_in_the_data(tmp_path: Path):
    run = write_run(
        tmp_path / "run", make_plan(1), lambda task: make_result(task, status="refuted", estimated=0.123456)
    )
    columns = pack([read_records(run)])["columns"]
    assert columns["estimated"] == columns["low"] == columns["high"] == [None]


def test_equal_inputs_share_a_picture(tmp_path: Path):
    plan = make_plan(3)
    data = plan.data.model_copy(update={"input_keys": ("a", "a", "b"), "labels": (1, 1, 2)})
    run = read_records(write_run(tmp_path / "run", plan.model_copy(update={"data": data})))
    assert (len(run.entries), run.total) == (3, 2)
    assert len(pack([run])["pictures"]) == 2
    assert np.array_equal(run.entries[0].maxima, run.entries[1].maxima)


def test_exact_numbers_are_kept_where_they_are_rounded_the_safe_way(tmp_path: Path):
    run = write_run(
        tmp_path / "run",
        make_plan(1),
        lambda task: make_result(task, certified=0.123456789, estimated=0.23456789, attacked=0.3456789012),
    )
    columns = pack([read_records(run)])["columns"]
    assert (columns["certified"], columns["estimated"], columns["attacked"]) == (
        [0.123456789],
        [0.23456789],
        [0.3456789012],
    )


def test_recurring_texts_are_kept_once_and_numbers_that_json_has_not_are_words(tmp_path: Path):
    flags = (make_flag(share=0.123456, steps=math.inf, note="a word"),)
    run = write_run(tmp_path / "run", make_plan(3), lambda task: make_result(task, certified="inf", flags=flags))
    packed = pack([read_records(run)])
    assert packed["columns"]["certified"] == ["inf"] * 3
    raised = [details["flags"] for details in packed["details"]]
    assert raised[0] == raised[1] == raised[2]
    ((code, severity, meaning, remedy, evidence),) = raised[0]
    assert (code, severity, evidence) == ("zero_gradient", "error", {"share": "0.123", "steps": "∞", "note": "a word"})
    texts = packed["texts"]
    assert (texts[meaning], texts[remedy]) == ("what zero_gradient says", "what to do about zero_gradient")
    assert len(texts) == len(set(texts))
    json.dumps(packed, allow_nan=False)


def test_the_columns_have_one_value_for_each_bracket_of_each_run(tmp_path: Path):
    runs = [read_records(write_run(tmp_path / name, make_plan(size))) for name, size in (("a", 2), ("b", 3))]
    packed = pack(runs)
    assert {len(column) for column in packed["columns"].values()} == {5} and len(packed["details"]) == 5
    assert packed["columns"]["run"] == [0, 0, 1, 1, 1] and [run["name"] for run in packed["runs"]] == ["a", "b"]
    assert pack([])["columns"] == {}
