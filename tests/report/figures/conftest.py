"""A made-up run for the figures: two norms, two targets, one refuted estimate and one misclassified input."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from clearance.report.read import read_records
from clearance.report.records import RunRecords
from report_runs import make_plan, make_result, write_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecords:
    return made_run(tmp_path_factory.mktemp("figures") / "run", ("runner-up", 3))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunRecords:
    """The same with targets that leave no class out."""
    return made_run(tmp_path_factory.mktemp("whole") / "run", ("untargeted", 3))


def made_run(folder: Path, targets: tuple[str | int, ...]) -> RunRecords:
    plan = make_plan(5, norms=(2.0, math.inf), targets=targets)
    kinds = {1: "refuted", 2: "misclassified"}
    return read_records(write_run(folder, plan, lambda task: make_result(task, status=kinds.get(task.index, "ok"))))
