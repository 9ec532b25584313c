"""Robust accuracy and the checklist on the page of a run, in headless Chromium."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from browser import Browser, needs_chromium
from clearance.report.compare import compare
from clearance.report.compare_page import write_comparison
from clearance.report.page import write_report
from made_runs import MASKED, WRONG, Answer, bracket, records_of, run_of

pytestmark = needs_chromium

ANSWERS: list[Answer] = [*(bracket(0.02 * k, 0.05 * k, 0.06 * k) for k in range(1, 17)), MASKED, WRONG, WRONG, None]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = run_of(tmp_path_factory.mktemp("security") / "run", ANSWERS, norms=(2.0, math.inf))
    return write_report(folder, radii=[8 / 255, 0.3])


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_robust_accuracy_and_the_checklist_are_seen_whole(browser: Browser, page: Path, width: int, dark: bool):
    browser.open(page, "#robust", width=width, dark=dark)
    browser.finish()
    browser.run("document.querySelector('#robust').scrollIntoView()")
    browser.keep(f"robust-{width}{'-dark' if dark else ''}")
    browser.run("document.querySelector('#checklist').scrollIntoView()")
    browser.keep(f"checklist-{width}{'-dark' if dark else ''}")
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.run("return [...document.querySelectorAll('[data-chart^=security] svg.marks')].length") == 2
    assert browser.run("return [...document.querySelectorAll('.checklist li')].every((item) => item.innerText)")
    assert browser.errors() == [] and browser.requests() == []


def test_the_curves_that_are_drawn_end_where_the_counts_end(browser: Browser, page: Path):
    """At the right end of the axis nothing is proved; an input without a task and a far witness are not broken."""
    browser.open(page)
    browser.finish()
    rows = browser.run("return data.specs['security-0'].data ?? data.specs['security-0'].datasets")
    last = (rows["values"] if "values" in rows else next(iter(rows.values())))[-1]
    assert (last["proved"], last["not_broken"]) == (0, 2 / 20)
    shown = browser.run(
        "return [...document.querySelectorAll('#table-robust-accuracy ~ * tbody tr')].map((r) => r.innerText)"
    )
    assert [row.split("\t")[1] for row in shown] == ["0", "8/255", "0.3"] * 2
    assert shown[2].split("\t")[2:4] == ["2 of 20 (10 %)", "13 of 20 (65 %)"]


def test_the_sections_come_in_the_order_of_the_navigation(browser: Browser, page: Path):
    browser.open(page)
    links = browser.run("return [...document.querySelectorAll('nav a')].map((link) => link.getAttribute('href'))")
    tops = browser.run("return arguments[0].map((id) => document.querySelector(id).getBoundingClientRect().top)", links)
    assert tops == sorted(tops) and {"#robust", "#checklist"} < set(links)


def test_several_runs_have_their_curves_in_one_chart(browser: Browser, tmp_path: Path):
    runs = [records_of(tmp_path / name, ANSWERS[k:], weights_hash=name) for k, name in enumerate("ab")]
    file = tmp_path / "compare.html"
    write_comparison(compare(runs), file)
    browser.open(file, "#robust")
    browser.finish()
    browser.run("document.querySelector('#robust').scrollIntoView()")
    browser.keep("robust-compared")
    assert browser.run("return document.querySelectorAll('[data-chart^=security] svg.marks').length") == 1
    assert browser.errors() == []
