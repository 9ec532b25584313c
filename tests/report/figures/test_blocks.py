"""Estimates against the number of blocks: a point for each halving, and an axis that names each."""

from __future__ import annotations

import pytest

from clearance.report.figures.blocks import block_chart, refit_rows
from clearance.report.records import RunRecords


def test_each_halving_is_a_point_and_a_tick(run: RunRecords):
    rows = [row for group, row in refit_rows(run.entries) if (group.norm, group.target) == (2.0, "3")]
    assert [row["blocks"] for row in rows] == [6, 12]
    assert [row["attacked"] for row in rows] == pytest.approx([0.8, 0.8])
    spec = block_chart([{**row, "target": "3"} for row in rows], "target").to_dict(validate=False)
    assert spec["layer"][0]["encoding"]["x"]["axis"]["values"] == [6, 12]
