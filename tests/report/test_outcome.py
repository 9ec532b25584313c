"""The outcome of the gate as JSON and JUnit XML: names are text, and nothing else."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from clearance.report.demands import Limits
from clearance.report.gate import judge
from clearance.report.outcome import GateCheck, GateOutcome, as_junit, as_text, precise
from made_runs import HOSTILE, REFUTED, bracket, records_of, spoiled


def test_junit_is_what_ci_servers_read_and_holds_names_as_text(tmp_path: Path):
    answers = spoiled(3, bracket(status="refuted", flags=[REFUTED]))
    run = records_of(tmp_path / "run", answers, model=HOSTILE, targets=(HOSTILE,))
    found = judge(run, Limits(min_median=0.1, max_flagged=0.1))
    root = Xml.fromstring(as_junit(found))
    assert root.tag == "testsuites" and [suite.tag for suite in root] == ["testsuite"]
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "0")
    cases = suite.findall("testcase")
    assert len(cases) == 4 and all(case.get("name") and case.get("classname") for case in cases)
    (failure,) = suite.findall("testcase/failure")
    assert failure.get("type") == "max-flagged" and "0.3 (3 of 10), above 0.1: refuted" in (
        failure.get("message") or ""
    )
    shown = HOSTILE.replace("\u202e", "?").replace("\x1b", "?")
    assert [p.get("value") for p in suite.findall("properties/property")] == [shown, "digits-test", "none"]
    assert cases[2].get("classname") == f"clearance.gate.l2, {shown}"


def outcome(*passed: bool, value: float = 1.0) -> GateOutcome:
    checks = tuple(
        GateCheck("max-failed", "failed tasks", "", "at most 1", "0", one, "why", value, 1.0) for one in passed
    )
    return GateOutcome("run", "net", "digits", None, checks, ("a note",))


def test_one_check_that_failed_fails_the_gate():
    assert outcome(True, True).passed and outcome(True, True).sentence == "passed: 2 criteria"
    assert not outcome(True, False).passed and outcome(True, False).sentence == "failed: 1 of 2 criteria"
    assert outcome(True).sentence == "passed: 1 criterion"


def test_the_record_has_no_reason_where_a_check_passed_and_infinity_as_a_word():
    record = outcome(True, False, value=math.inf).as_record()
    assert [one["reason"] for one in record["criteria"]] == [None, "why"]
    assert [one["value"] for one in record["criteria"]] == ["inf", "inf"] and record["criteria"][0]["threat"] is None
    json.dumps(record, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (0.5, 0.5, "0.5"),
        (0.50001, 0.5, "0.50001"),
        (0.123456, 0.1, "0.1235"),
        (math.inf, 1.0, "inf"),
        (1e-9, 0, "1e-09"),
    ],
)
def test_a_number_is_told_from_its_limit(value: float, limit: float, text: str):
    assert precise(value, limit) == text


def test_neighbours_in_floating_point_are_told_apart():
    above = math.nextafter(0.1, 1)
    assert precise(above, 0.1) != precise(0.1) and float(precise(above, 0.1)) == above


def test_text_is_cut_to_its_length_and_controls_are_shown():
    assert (
        as_text("a\nb\u202ec", 10) == "a?b?c" and as_text("abcdef", 6) == "abcdef" and as_text("abcdefg", 6) == "abcde…"
    )
