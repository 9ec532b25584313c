"""A made-up run for the figures: two norms, two targets, one refuted estimate and one misclassified input."""

from __future__ import annotations

import math

import pytest

from clearance.report.read import read_records
from clearance.report.records import RunRecords
from report_runs import make_plan, make_result, write_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecords:
    plan = make_plan(5, norms=(2.0, math.inf), targets=("runner-up", 3))
    kinds = {1: "refuted", 2: "misclassified"}
    folder = tmp_path_factory.mktemp("figures") / "run"
    return read_records(write_run(folder, plan, lambda task: make_result(task, status=kinds.get(task.index, "ok"))))
