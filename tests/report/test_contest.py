"""What a comparison says: the verdict of a difference, and the record that is written as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clearance.report.contest import Difference, DifferenceVerdict
from made_runs import WRONG, comparison_of, far


@pytest.mark.parametrize(
    ("value", "interval", "verdict"),
    [
        (1.0, (0.5, 1.5), DifferenceVerdict.AHEAD),
        (-1.0, (-1.5, -0.5), DifferenceVerdict.BEHIND),
        (1.0, (-0.5, 2.0), DifferenceVerdict.UNDECIDED),
        (1.0, (0.0, 2.0), DifferenceVerdict.UNDECIDED),
        (-1.0, (-2.0, 0.0), DifferenceVerdict.UNDECIDED),
        (0.0, (0.0, 0.0), DifferenceVerdict.UNDECIDED),
        (1.0, None, DifferenceVerdict.TOO_FEW),
        (None, None, DifferenceVerdict.UNREADABLE),
    ],
)
def test_a_verdict_needs_an_interval_without_zero(value, interval, verdict: DifferenceVerdict):
    found = Difference("b", "a", "attacked", 6, 6, value, interval, None, None)
    assert found.verdict is verdict


def test_the_record_has_words_and_who_is_ahead_on_each_input(tmp_path: Path):
    runs = (
        [far(1.0), far(2.0), far(3.0), WRONG],
        [far(2.0), far(2.0), far(1.0), WRONG],
        [far(2.0), far(1.0), WRONG, WRONG],
    )
    record = comparison_of(tmp_path, *runs).as_record()
    (contest,) = json.loads(json.dumps(record, allow_nan=False))["contests"]
    assert [one["ahead"] for one in contest["inputs"]] == [None, None, "a", None]
    assert contest["inputs"][2] == {
        "input": 2, "content": "key2", "label": 0, "distances": [3.0, 1.0, 0.0], "ahead": "a",
    }  # fmt: skip
    assert {one["verdict"] for one in contest["differences"]} == {"too few"}
    assert (contest["norm"], contest["target"], contest["order"]) == (2.0, "untargeted", 1)
