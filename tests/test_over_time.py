"""The record of benchmarks: what it holds, and the table and chart of several."""

import json
import sys
from pathlib import Path

import pytest

from conftest import ROOT


@pytest.fixture
def over_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import over_time as module

    yield module
    for name in ("over_time", "speed", "public"):
        sys.modules.pop(name, None)


def test_a_record_is_drawn_beside_the_others(over_time, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page, figure = tmp_path / "page.md", tmp_path / "figure.svg"
    page.write_text("before\n<!-- from benchmarks/over_time.py: make bench -->\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr(over_time, "PAGE", page)
    monkeypatch.setattr(over_time, "FIGURE", figure)
    names = [name if " / " in name and "nearest" not in name else f"{name}, l2" for name in over_time.RATIOS]
    first = over_time.record(dict.fromkeys(names, 0.123456))
    second = {**first, "commit": "0000000", "ratios": {**first["ratios"], "new": 2.0}}
    over_time.draw([first, second])
    assert "| new |  | 2 |" in page.read_text() and "0.123 | 0.123 |" in page.read_text()
    assert page.read_text().startswith("before\n") and page.read_text().endswith("after\n")
    assert all(name in figure.read_text() for name in over_time.RATIOS)


def test_the_records_that_are_kept_say_where_they_come_from():
    files = sorted((ROOT / "benchmarks/records").glob("*.json"))
    assert files
    for file in files:
        found = json.loads(file.read_text())
        assert file.stem == f"{found['date']}-{found['commit']}" and "+" not in found["commit"]
        assert found["machine"]["cores"] >= 1 and found["versions"]["torch"] and len(found["ratios"]) == 15


def test_the_page_shows_the_newest_records(over_time):
    (shown,) = over_time.MARKS.findall(over_time.PAGE.read_text())
    assert shown == over_time.table(over_time.records()), "run: python benchmarks/over_time.py --draw"
