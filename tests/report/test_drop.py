"""How far a release falls below a baseline: pairs, intervals, what may not be compared."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearance.errors import InputError
from clearance.report.demands import Limits
from clearance.report.drop import relative_drop
from clearance.report.gate import judge
from made_runs import GOOD, MASKED, WRONG, Answer, bracket, only, records_of


def scaled(factor: float) -> list[Answer]:
    return [bracket(0.1 * factor * k, 0.2 * factor * k, 0.3 * factor * k) for k in range(1, 11)]


@pytest.mark.parametrize("name", ["attacked", "estimated", "certified"])
def test_a_drop_is_measured_in_pairs(tmp_path: Path, name: str):
    baseline = records_of(tmp_path / "old", GOOD, weights_hash="other")
    run = records_of(tmp_path / "run", scaled(0.9))
    check = only(judge(run, Limits(max_drop=0.11, drop_of=(name,)), baseline=baseline), "max-drop")
    # The same share of every input: whatever is resampled, the drop is 10 %.
    assert check.passed and check.value == pytest.approx(0.1) and check.interval == pytest.approx((0.1, 0.1))
    tight = only(judge(run, Limits(max_drop=0.09, drop_of=(name,)), baseline=baseline), "max-drop")
    assert not tight.passed and "by more than 0.09 is not excluded" in tight.reason
    assert judge(baseline, Limits(max_drop=0.0, drop_of=(name,)), baseline=run).passed  # a rise is no drop


def test_a_drop_that_is_not_excluded_falls_short(tmp_path: Path):
    generator = np.random.default_rng(3)
    old = generator.uniform(1, 2, size=40)
    new = old * generator.uniform(0.6, 1.4, size=40)
    runs = [records_of(tmp_path / name, [bracket(0.1, 0.2, float(v)) for v in values])
            for name, values in (("old", old), ("new", new))]  # fmt: skip
    check = only(judge(runs[1], Limits(max_drop=0.2), baseline=runs[0]), "max-drop")
    low, high = check.interval
    assert low < check.value < high
    for limit, passed in ((high, True), ((check.value + high) / 2, False)):
        assert only(judge(runs[1], Limits(max_drop=limit), baseline=runs[0]), "max-drop").passed is passed


def test_a_masked_release_does_not_hide_a_drop(tmp_path: Path):
    baseline = records_of(tmp_path / "old", [bracket()] * 20)
    mostly = records_of(tmp_path / "new", [MASKED] * 11 + [bracket()] * 9)
    check = only(judge(mostly, Limits(max_drop=0.5), baseline=baseline), "max-drop")
    assert not check.passed and "only 9 of 20 inputs have a number that may be read in both runs" in check.reason


def test_newly_misclassified_inputs_count_as_zero(tmp_path: Path):
    baseline = records_of(tmp_path / "old", [*GOOD, WRONG])
    run = records_of(tmp_path / "new", [WRONG] * 6 + [*GOOD[6:], bracket()])
    check = only(judge(run, Limits(max_drop=0.5), baseline=baseline), "max-drop")
    assert not check.passed and check.value == 1.0 and "of 10 inputs" in check.got


def test_inputs_are_paired_by_content_whatever_their_place(tmp_path: Path):
    baseline = records_of(tmp_path / "old", GOOD)  # key0 to key9
    run = records_of(tmp_path / "new", [*GOOD[2:], bracket(9, 9, 9)], first=2, offset=50)  # key2 to key10
    found = judge(run, Limits(max_drop=0.0), baseline=baseline)
    assert found.passed and only(found, "max-drop").interval == (0.0, 0.0)
    assert found.notes[0] == "the drop is over the 8 inputs that both runs have (9 here, 10 there)"


def test_too_few_pairs_exclude_nothing(tmp_path: Path):
    baseline, run = (records_of(tmp_path / name, GOOD[:5]) for name in ("old", "new"))
    check = only(judge(run, Limits(max_drop=1.0), baseline=baseline), "max-drop")
    assert not check.passed and check.reason == "only 5 inputs can be compared; an interval needs 6"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bounds": (0.0, 255.0)}, "bounds: 0 to 1 in run, 0 to 255 in old"),
        ({"bounds": None}, "bounds: 0 to 1 in run, none in old"),
        ({"budget": "thorough"}, "budget: quick in run, thorough in old"),
        ({"norms": (1.0,)}, "l2, untargeted: not in old"),
        ({"orders": (2,)}, "l2, untargeted: not in old"),
        ({"first": 100}, "inputs: none in common"),
        ({"labels": (1,) * 10}, "inputs: none in common, 10 have other labels"),
    ],
)
def test_a_baseline_that_cannot_be_compared_is_refused(tmp_path: Path, changes: dict[str, Any], message: str):
    run, baseline = records_of(tmp_path / "run", GOOD), records_of(tmp_path / "old", GOOD, **changes)
    with pytest.raises(InputError, match=re.escape(message)):
        judge(run, Limits(max_drop=0.1), baseline=baseline)


def test_what_else_differs_is_said(tmp_path: Path):
    changes: dict[str, Any] = {"seed": 7, "certificate": "crown", "versions": {"clearance": "0.1.0", "code": "beef"}}
    run = records_of(tmp_path / "run", GOOD)
    baseline = records_of(tmp_path / "old", [*GOOD[:9], None], labels=(0,) * 8 + (1, 0), **changes)
    assert judge(run, Limits(max_drop=0.1), baseline=baseline).notes == (
        "old was computed with other versions of code",
        "old has another seed (7, not 0)",
        "old was certified by crown, not best",
        "the drop is over the 9 inputs that both runs have (10 here, 10 there)",
        "1 input of both runs are left out: their labels differ",
        "old is not finished: 9 of 10 tasks",
        "old has the same weights",
    )


def test_drops_where_a_median_is_zero_or_infinite():
    assert relative_drop([0, 0], [1, 1]) == 1 and relative_drop([1], [0]) == 0
    assert relative_drop([math.inf], [math.inf]) == 0 and relative_drop([1], [math.inf]) == 1
    assert relative_drop([math.inf], [1]) == -math.inf
