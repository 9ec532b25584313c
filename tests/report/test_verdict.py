"""Sentences of a run: medians, over how many inputs they are, and what casts doubt on them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from clearance.report.verdict import notices, verdicts
from made_runs import MASKED, REFUTED, WRONG, Answer, bracket, records_of


@pytest.mark.parametrize(
    ("answers", "text", "doubt"),
    [
        ([bracket()] * 2, "median of 2 inputs: certified 0.100, estimated 0.500, attacked 1.00.", ""),
        ([bracket(None)], "median of 1 input: estimated 0.500, attacked 1.00.", ""),
        ([bracket(0.0, 0.5, None)], "median of 1 input: certified 0, estimated 0.500, no witness.", ""),
        (
            [MASKED] * 3,
            "median of 3 inputs: certified 0.100, no estimate to read, attacked 50.0.",
            "100 % masked, 100 % flagged",
        ),
        (
            [bracket(), bracket(), WRONG, bracket(status="refuted", flags=[REFUTED]), bracket(attacked=None)],
            "median of 4 inputs: certified 0.100, estimated 0.500 (over 3 of them), attacked 1.00 (over 3 of them).",
            "25 % refuted, 25 % flagged",
        ),
    ],
)
def test_a_verdict_says_its_medians_and_its_doubts(tmp_path: Path, answers: list[Answer], text: str, doubt: str):
    (found,) = verdicts(records_of(tmp_path / "run", answers))
    assert (found.about, found.text, found.doubt) == ("l2, untargeted", text, doubt)


def test_each_norm_and_target_has_a_sentence_and_each_order_its_name(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket()], norms=(2.0, math.inf), targets=("runner-up", 3), orders=(1, 2))
    found = [one.about for one in verdicts(run)]
    assert len(set(found)) == 8 and found[0] == "l2, runner-up, order 1" and "l∞, 3, order 2" in found
    assert verdicts(records_of(tmp_path / "wrong", [WRONG])) == []


@pytest.mark.parametrize(
    ("answers", "starts"),
    [
        ([bracket()] * 2, []),
        ([bracket()], ["There is one input only"]),
        ([WRONG] * 2, ["Every input is misclassified"]),
        ([None] * 2, ["This run is unfinished: 0 of 2 tasks", "No task has succeeded"]),
        (["broken", bracket(), bracket()], ["1 task failed"]),
        (["broken", None], ["This run is unfinished: 1 of 2 tasks", "1 task failed", "No task has succeeded"]),
    ],
)
def test_what_is_missing_is_said_first(tmp_path: Path, answers: list[Answer], starts: list[str]):
    found = notices(records_of(tmp_path / "run", answers))
    assert len(found) == len(starts) and all(map(str.startswith, found, starts))
