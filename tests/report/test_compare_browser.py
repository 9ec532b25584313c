"""The page of several runs in headless Chromium: nothing but the file is loaded, and a masked run does not lead."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from browser import Browser, needs_chromium
from clearance.report.compare import compare
from clearance.report.compare_page import write_comparison
from made_runs import MASKED, WRONG, bracket, records_of

pytestmark = needs_chromium
HOSTILE = "<script>document.title = 'run'</script>|\"'\u202e" + "x" * 300


@pytest.fixture
def page(tmp_path: Path) -> Path:
    honest = [bracket(0.1, 0.5 + k / 9, 1.0 + k / 9) for k in range(8)]
    better = [bracket(0.2, 0.6 + k / 9, 1.2 + k / 9) for k in range(7)]
    runs = [
        records_of(tmp_path / "honest", honest, model=HOSTILE),
        records_of(tmp_path / "better", [*better, WRONG], weights_hash="b", seed=3),
        records_of(tmp_path / "masked", [MASKED] * 8, weights_hash="c"),
    ]
    write_comparison(compare(runs), tmp_path / "compare.html")
    return tmp_path / "compare.html"


def test_the_page_of_several_runs(browser: Browser, page: Path):
    browser.open(page)
    browser.finish()
    browser.keep("compare")
    assert browser.errors() == [] and browser.requests() == []
    assert browser.run("return document.title") == "honest, better, masked: Clearance"
    rows = "[...document.querySelectorAll('table[aria-labelledby=leaderboard] tbody tr')]"
    board = browser.run(f"return {rows}.map((row) => [...row.cells].slice(0, 3).map((cell) => cell.innerText))")
    assert board == [["1", "better", "net"], ["2", "honest", HOSTILE], ["–", "masked", "net"]]
    assert browser.run("return document.querySelectorAll('#rows tbody tr').length") == 24
    choose = "const run = document.querySelector('#filters [name=run]'); run.value = '2'"
    browser.run(f"{choose}; run.dispatchEvent(new Event('change'))")
    assert set(browser.column("run")) == {"masked"}
    browser.run("document.querySelector('#rows tbody a').click()")
    browser.wait("dialog.open")
    assert "Run masked" in browser.find("#input").text and browser.errors() == []


@pytest.fixture
def usual(tmp_path: Path) -> Path:
    """Three runs with names and models as they are called, in two norms, with numbers that are over a part of them."""
    kinds = {"my-run": "digits-robust", "runner-up": "digits-standard", "digits-robust": "digits-robust"}
    answers = [WRONG, *(bracket(0.0123, 0.5 + k / 9, None if k == 6 else 1.0 + k / 9) for k in range(9))]
    asked = {"norms": (2.0, math.inf), "targets": ("runner-up",)}
    runs = [
        records_of(tmp_path / name, answers, model=model, weights_hash=name, **asked) for name, model in kinds.items()
    ]
    write_comparison(compare(runs), tmp_path / "compare.html")
    return tmp_path / "compare.html"


def test_nothing_is_cut_or_broken_on_a_desk(browser: Browser, usual: Path):
    browser.open(usual)
    browser.finish()
    cut = "[...document.querySelectorAll('main .scroll')].filter((one) => one.scrollWidth > one.clientWidth)"
    assert browser.run(f"return {cut}.map((one) => one.getAttribute('aria-labelledby') ?? one.ariaLabel)") == []
    names = "[...document.querySelectorAll('main td bdi')].filter((one) => one.textContent.includes('-'))"
    lines = browser.run(f"return {names}.map((one) => one.getClientRects().length)")  # 0: not shown
    assert sum(lines) > 20 and max(lines) == 1
    attacked = "table[aria-labelledby=leaderboard] td:nth-last-child(2)"
    assert browser.run(f"return document.querySelector('{attacked}').innerText").endswith("(8 of 9)")


def test_a_narrow_screen_shows_every_column(browser: Browser, usual: Path):
    browser.open(usual, width=500)
    browser.finish()
    browser.find("#leaderboard").location_once_scrolled_into_view  # noqa: B018
    browser.keep("compare-narrow")
    cells = "[...document.querySelectorAll('table[aria-labelledby=leaderboard] td')]"
    boxes = browser.run(
        f"return {cells}.map((one) => one.getBoundingClientRect()).map((box) => [box.width, box.right])"
    )
    assert boxes and all(width > 20 and right <= 500 for width, right in boxes)
    labels = browser.run(f"return {cells}.map((one) => getComputedStyle(one, '::before').content)")
    assert {'"certified"', '"estimated"', '"attacked"', '"ranking distance"'} <= set(labels)


def test_a_phone_has_nothing_to_scroll_sideways(browser: Browser, page: Path):
    browser.open(page, width=390)
    browser.finish()
    browser.keep("compare-phone")
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
