"""Every page as a person meets it: wide and narrow, light and dark, and on paper. Pictures of each are kept."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

import pytest

from browser import Browser, needs_chromium
from clearance.report.compare import compare
from clearance.report.compare_page import write_comparison
from clearance.report.page import auditor_file, write_report
from made_runs import MASKED, WRONG, Answer, bracket, records_of, run_of

pytestmark = needs_chromium

ANSWERS: list[Answer] = [*(bracket(0.02 * k, 0.05 * k, 0.06 * k) for k in range(3, 15)), WRONG]
BETTER: list[Answer] = [*(bracket(0.03 * k, 0.06 * k, 0.08 * k) for k in range(3, 15)), WRONG]
PAPER = 672
"""Width of the text on A4 in pixels."""

OVERLAPS = """
const slanted = (one) => /rotate\\((-40|320)/.test(one.getAttribute('transform') ?? '');
const texts = (svg) => [...svg.querySelectorAll('text')].filter((one) => one.textContent.trim() && !slanted(one));
const box = (one) => one.getBoundingClientRect();
const beyond = (a, b) => a.left >= b.right - 2 || a.top >= b.bottom - 2;
const meet = (a, b) => !beyond(a, b) && !beyond(b, a);
const found = [];
for (const svg of document.querySelectorAll('main svg.marks')) {
  const all = texts(svg), edge = box(svg);
  all.forEach((one, k) => {
    if (box(one).right > edge.right + 1 || box(one).left < edge.left - 1) found.push(['cut', one.textContent]);
    const met = all.slice(k + 1).filter((other) => meet(box(one), box(other)));
    found.push(...met.map((other) => [one.textContent, other.textContent]));
  });
}
for (const cell of document.querySelectorAll('main td, main th')) {
  if (cell.scrollWidth > cell.clientWidth + 1) found.push(['cell', cell.innerText]);
}
return found;
"""
"""Texts of charts that lie on each other or beyond their chart, and cells whose text leaves them."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    two = {"norms": (2.0, math.inf), "targets": ("untargeted", 1)}
    report = write_report(run_of(folder / "digits-standard", ANSWERS, model="digits-standard", **two))
    runs = [
        records_of(folder / f"{name}-of-two", answers, model=name, weights_hash=name, **two)
        for name, answers in (("digits-standard", ANSWERS), ("digits-robust", BETTER))
    ]
    masked = write_report(run_of(folder / "masked", [MASKED] * 3 + ANSWERS[:3]))
    write_comparison(compare(runs), folder / "compare.html")
    found = {"report": report, "auditor": auditor_file(report), "compare": folder / "compare.html"}
    return {**found, "report-masked": masked, "auditor-masked": auditor_file(masked)}


NAMES = ("report", "auditor", "compare", "report-masked", "auditor-masked")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.thinned(10)
def test_a_page_is_whole_at_every_width_and_in_both_themes(
    browser: Browser, pages: dict[str, Path], name: str, width: int, dark: bool
):
    browser.open(pages[name], width=width, height=900 if width > 600 else 844, dark=dark)
    browser.finish()
    kind = f"{name}-{width}-{'dark' if dark else 'light'}"
    browser.keep(kind)
    browser.keep(f"{kind}-whole", whole=True)
    assert browser.errors() == [] and browser.requests() == []
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.run(OVERLAPS) == []
    assert browser.serious() == []


def test_an_overlap_would_be_seen(browser: Browser, tmp_path: Path):
    page = tmp_path / "page.html"
    text = "<text x='{}' y='20'>some words</text>"
    cell = (
        "<table style='table-layout:fixed;width:30px'><tr><td><nobr>a long cell that stays on one line</nobr></table>"
    )
    page.write_text(f"<main><svg class=marks width=90 height=40>{text.format(9)}{text.format(25)}</svg>{cell}</main>")
    browser.open(page)
    assert {one[0] for one in browser.run(OVERLAPS)} >= {"some words", "cut", "cell"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.thinned(3)
def test_a_page_is_printed_whole(browser: Browser, pages: dict[str, Path], name: str):
    browser.open(pages[name], width=1400)
    browser.finish()
    printed = browser.print_to(name)
    count = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))
    assert printed.startswith(b"%PDF") and 3 <= count <= 25
    browser.open(pages[name], width=PAPER)
    browser.finish()
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    browser.run("dispatchEvent(new Event('beforeprint'))")
    seen = browser.run("return [document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]")
    widest = browser.run("return Math.max(...[...document.querySelectorAll('main svg')].map((s) => s.clientWidth))")
    cut = [one for one in browser.run(OVERLAPS) if one[0] in ("cut", "cell")]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert seen[0] <= PAPER and seen[1] == "rgb(255, 255, 255)" and widest <= PAPER and cut == []


def test_charts_are_as_wide_as_paper_while_it_is_printed(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["report"], width=1400)
    browser.finish()
    width = "return document.querySelector('[data-chart=brackets] svg').getAttribute('width')"
    before = float(browser.run(width))
    browser.run("dispatchEvent(new Event('beforeprint'))")
    during = float(browser.run(width))
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert during <= PAPER < before and float(browser.run(width)) == pytest.approx(before, abs=2)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", NAMES)
def test_no_heading_is_doubled_and_each_is_said_once(browser: Browser, pages: dict[str, Path], name: str):
    browser.open(pages[name])
    heads = browser.run("return [...document.querySelectorAll('h1, h2, h3')].map((one) => one.innerText.trim())")
    assert heads and all(one != other for one, other in pairwise(heads))
    sections = browser.run("return [...document.querySelectorAll('h2')].map((one) => one.innerText.trim())")
    assert len(sections) == len(set(sections))


def test_the_first_screen_is_the_answer(browser: Browser, pages: dict[str, Path]):
    for name, sentence in (("report", "classifies 12 of 13 inputs"), ("compare", "stands farther out on 12 of 12")):
        browser.open(pages[name], width=1400, height=900)
        browser.finish()
        inside = "(one) => { const box = one.getBoundingClientRect(); return box.top >= 0 && box.top < innerHeight; }"
        assert sentence in browser.find("#answer").text
        assert browser.run(f"return [...document.querySelectorAll('#answer svg.marks')].some({inside})")
        last = browser.run("return document.querySelector('main section:last-of-type').textContent")
        assert "plan " in last and "plan " not in browser.find("#answer").text


def test_the_report_leads_to_the_auditors_page_and_back(browser: Browser, pages: dict[str, Path]):
    browser.open(pages["report"])
    browser.find("#answer a[href='auditor.html']").click()
    browser.wait("document.title.startsWith('Robustness assessment')")
    browser.find("header a[href='report.html']").click()
    browser.wait("document.getElementById('answer')")
    assert browser.errors() == []


@pytest.mark.parametrize("width", [1400, 390])
def test_a_scatter_is_square_and_its_diagonal_rises_by_45_degrees(browser: Browser, pages: dict[str, Path], width: int):
    browser.open(pages["compare"], width=width)
    browser.finish()
    line = "const line = document.querySelector('[data-chart=pairs-0] .mark-line path').getBBox()"
    found = browser.run(f"{line}; return [line.width, line.height]")
    assert found[0] > 200 and found[0] == pytest.approx(found[1], abs=0.5)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["report", "compare"])
@pytest.mark.thinned(2)
def test_the_bars_of_intervals_stand_out_from_the_page(browser: Browser, pages: dict[str, Path], name: str, dark: bool):
    """At least 3 to 1, what WCAG 2.1 asks of graphics, and not thinner than a pixel."""
    browser.open(pages[name], dark=dark)
    browser.finish()
    rules = "[...document.querySelector('#answer svg.marks').querySelectorAll('.mark-rule.role-mark line')]"
    style = (
        "(one) => { const s = getComputedStyle(one); return [s.stroke, s.strokeWidth, s.opacity * s.strokeOpacity]; }"
    )
    bars = [bar for bar in browser.run(f"return {rules}.map({style})") if float(bar[1].rstrip("px")) > 1.5]
    page = luminance(browser.run("return getComputedStyle(document.body).backgroundColor"))
    assert len(bars) >= 12
    for colour, _, opacity in bars:
        bright, dim = sorted((luminance(colour), page), reverse=True)
        assert opacity == 1 and (bright + 0.05) / (dim + 0.05) >= 3


def test_the_winner_of_the_logits_is_seen(browser: Browser, tmp_path: Path):
    near = {**bracket(), "logits": [5.12341, 5.12338], "witness_logits": [2.0000001, 2.0000004]}
    page = write_report(run_of(tmp_path / "run", [near, bracket()]))
    browser.open(page, "#input-0-2-untargeted-order1")
    browser.wait("dialog.open")
    rows = "[...dialog.querySelector('table[aria-label^=\"Largest logits\"]').tBodies[0].rows]"
    cells = browser.run(f"return {rows}.map((row) => [...row.cells].map((cell) => [cell.innerText, cell.className]))")
    assert [[text for text, _ in row[1:]] for row in cells] == [["5.12341", "2.0000001"], ["5.12338", "2.0000004"]]
    assert ["largest" in name for _, name in cells[0]] == [False, True, False]
    assert ["largest" in name for _, name in cells[1]] == [False, False, True]


def test_a_radius_of_the_profile_is_written_once(browser: Browser, tmp_path: Path):
    profile = {"values": [1.0, 2.0], "radius": 0.432, "interval": [0.401, 0.432]}
    found = bracket(estimated=0.432)
    found["estimated"] |= {"levels": [0.5, 1.0], "by_norm": profile, "rise": 2.0}
    found["estimated"] |= {"by_radial": {**profile, "radius": 0.625, "interval": [0.6, 0.625]}}
    browser.open(write_report(run_of(tmp_path / "run", [found, bracket()])), "#input-0-2-untargeted-order1")
    browser.wait("dialog.open && dialog.querySelector('[data-chart=profile] svg')")
    text = browser.run("return [...dialog.querySelectorAll('p, td')].map((one) => one.innerText).join(' ')")
    assert (
        len(re.findall(r"\b0\.432 \(", text)) == 1
        and "0.432 " not in text.replace("0.432 (", "")
        and "0.625 (0.600 to 0.625). All of these are estimates, and no bounds." in text
    )
    assert "By the largest gradient norm: at the estimated radius of the bracket." in text
