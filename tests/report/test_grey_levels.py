"""Distances of pictures in grey levels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearance.report.answer import answers
from clearance.report.auditor_page import render_auditor
from clearance.report.grey_levels import grey_levels
from clearance.report.pictures import Drawing
from clearance.report.records import RunRecords
from made_runs import far, records_of

PICTURE = Drawing(input="", witness=None, difference=None, factor=1.0, size=(2, 2))


def pictures(folder: Path, distances: list[float | None], **changes: Any) -> RunRecords:
    run = records_of(folder, [far(distance) for distance in distances], **{"norms": (float("inf"),), **changes})
    return replace(run, entries=tuple(replace(entry, drawing=PICTURE) for entry in run.entries))


def test_what_one_level_is_and_which_witnesses_no_file_can_hold(tmp_path: Path):
    level = "In linf a distance of 1/255 = 0.00392 is one grey level of an 8-bit picture."
    assert grey_levels(pictures(tmp_path / "a", [0.1, 0.002, None])) == level
    assert grey_levels(pictures(tmp_path / "b", [0.1, 0.0019, 0.001])) == (
        f"{level} Of 3 here 2 witnesses lie nearer than half of one: rounding to a file may undo them."
    )


def test_the_answer_says_each_median_in_levels(tmp_path: Path):
    (found,) = answers(pictures(tmp_path / "run", [8 / 255]))
    assert "attacked 0.0314 = 8.00/255 (witnessed)" in found.text
    (other,) = answers(pictures(tmp_path / "two", [8 / 255], norms=(2.0,)))
    assert "/255" not in other.text


def test_the_auditors_page_says_what_one_level_is(tmp_path: Path):
    assert "one grey level of an 8-bit picture" in render_auditor(pictures(tmp_path / "run", [0.1]))
    assert "grey level" not in render_auditor(pictures(tmp_path / "two", [0.1], norms=(2.0,)))


@pytest.mark.parametrize("changes", [{"norms": (2.0,)}, {"bounds": (-1.0, 1.0)}])
def test_of_other_norms_and_other_inputs_nothing_is_said(tmp_path: Path, changes: dict[str, Any]):
    assert grey_levels(pictures(tmp_path / "a", [0.001], **changes)) == ""
    assert grey_levels(records_of(tmp_path / "b", [far(0.001)], norms=(float("inf"),))) == ""
