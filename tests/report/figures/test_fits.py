"""Shares of fits as bars: groups without a fit have none."""

from __future__ import annotations

from dataclasses import replace

from clearance.report.figures.fits import share_rows
from clearance.report.records import RunRecords


def test_a_group_without_fits_has_no_bar(run: RunRecords):
    entries = [replace(entry, fit=None) if entry.target == "3" else entry for entry in run.entries]
    found = share_rows(entries)
    assert {group.target for group, _ in found} == {"runner-up"} and len(found) == 2
    assert all(row["fits"] == 4 and 0 <= row["share"] <= 1 for _, row in found)
