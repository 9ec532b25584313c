"""What is missing from a run's page is said before anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance.report.notices import notices
from made_runs import WRONG, Answer, bracket, records_of


@pytest.mark.parametrize(
    ("answers", "starts"),
    [
        ([bracket()] * 2, []),
        ([bracket()], ["There is one input only"]),
        ([WRONG] * 2, ["Every input is misclassified"]),
        ([WRONG] * 2 + [bracket()], ["2 of 3 brackets are of misclassified inputs: is the order of the classes"]),
        ([WRONG, bracket()], []),
        ([None] * 2, ["This run is unfinished: 0 of 2 tasks", "No task has succeeded"]),
        (["broken", bracket(), bracket()], ["1 task failed"]),
        (["broken", None], ["This run is unfinished: 1 of 2 tasks", "1 task failed", "No task has succeeded"]),
    ],
)
def test_what_is_missing_is_said_first(tmp_path: Path, answers: list[Answer], starts: list[str]):
    found = notices(records_of(tmp_path / "run", answers))
    assert len(found) == len(starts) and all(map(str.startswith, found, starts))
