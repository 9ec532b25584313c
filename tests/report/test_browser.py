"""The page of a real run, and of a hostile and a large one, in headless Chromium: nothing but the file is loaded."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from browser import ARTEFACTS, Browser, needs_chromium
from clearance.report.figures.brackets import dot_size, rank_step
from clearance.report.marks import write_number
from clearance.report.page import write_report
from clearance.report.render import coded
from report_runs import HOSTILE, digits_run, make_flag, make_plan, make_result, write_run

pytestmark = needs_chromium
ENTER, ESCAPE = "\ue007", "\ue00c"
"""Keys, as WebDriver calls them."""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of real brackets: digits, two norms."""
    return write_report(digits_run(tmp_path_factory.mktemp("real") / "run", 4, budget="quick"))


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a made-up run in which everything occurs that is not as it should be, with hostile names."""

    def result(task: Any) -> Any:
        if task.index == 0:
            refuted = make_flag("refuted", radius=0.9, witness_distance=0.8)
            return make_result(task, status="refuted", flags=(refuted,), shape=(3, 8, 8))
        if task.index == 1:
            return make_result(task, status="masked", attacked=None, flags=(make_flag(share=0.9, note=HOSTILE),))
        if task.index == 2:
            return make_result(task, status="misclassified")
        if task.index == 3:
            return f"ValueError: {HOSTILE}"
        return None if task.index == 4 else make_result(task, certified="inf" if task.index == 5 else 0.2)

    names = tuple(HOSTILE if place % 2 else str(place) for place in range(10))
    plan = make_plan(8, name=HOSTILE, class_names=names, targets=("untargeted", 3))
    return write_report(write_run(tmp_path_factory.mktemp("doubtful") / "run", plan, result))


def test_a_real_page_opens_without_an_error_or_a_request(browser: Browser, real: Path):
    browser.open(real)
    browser.finish()
    browser.keep("top")
    browser.find("#brackets").location_once_scrolled_into_view  # noqa: B018 (Selenium scrolls when it is asked)
    browser.keep("brackets")
    browser.find("#distributions").location_once_scrolled_into_view  # noqa: B018
    browser.keep("distributions")
    charts = "[...document.querySelectorAll('main [data-chart]')]"
    assert browser.run(f"return {charts}.length") >= 10
    assert browser.run(f"return {charts}.every((place) => place.querySelector('svg path'))")
    assert browser.errors() == []
    assert browser.requests() == []


def test_a_request_would_be_seen(browser: Browser, tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>throw Error('x')</script>")
    browser.open(page)
    assert browser.requests() == ["http://127.0.0.1:9/x.png"]
    assert browser.errors()


def test_the_table_is_sorted_by_its_headings(browser: Browser, real: Path):
    browser.open(real)
    browser.find("th[data-name=attacked] button").click()
    up = [float(text) for text in browser.column("attacked") if text != "–"]
    assert len(up) >= 3 and up == sorted(up)
    assert browser.find("th[data-name=attacked]").get_attribute("aria-sort") == "ascending"
    browser.find("th[data-name=attacked] button").send_keys(ENTER)  # by keyboard as well
    assert [float(text) for text in browser.column("attacked") if text != "–"] == up[::-1]
    assert browser.find("th[data-name=attacked]").get_attribute("aria-sort") == "descending"
    assert browser.find("th[data-name=index]").get_attribute("aria-sort") is None


def test_the_axis_of_the_brackets_names_the_inputs_of_the_table(browser: Browser, real: Path):
    browser.open(real)
    browser.finish()
    ticks = "[...document.querySelectorAll('[data-chart=brackets] [aria-label^=X-axis] .role-axis-label text')]"
    labels = browser.run(f"return {ticks}.map((text) => text.textContent)")
    pairs = zip(browser.column("index"), browser.column("status"), strict=True)
    assert labels == [index for index, status in pairs if status != "misclassified"]
    wrong = 4 - len(labels)
    assert (
        wrong >= 1
        and f"{wrong} is misclassified: without numbers, and not in the chart." in browser.find("#shown").text
    )
    assert browser.find("#shown").text.endswith("These are of l2; others are chosen above the chart.")


def test_the_script_writes_numbers_as_the_package_does(browser: Browser, real: Path):
    browser.open(real)
    mantissas = (1, 1.0004, 1.2345, 2.304, 8.603, 9.9949, 9.996, 9.99999)
    values = [0.0, *(mantissa * 10.0**power for power in range(-7, 9) for mantissa in mantissas)]
    for kind in ("certified", "estimated", "attacked"):
        written = browser.run("return arguments[0].map((one) => show(one, arguments[1]))", values, kind)
        assert written == [write_number(value, kind) for value in values]


def test_an_input_opened_by_its_address_has_neighbours_whatever_the_table_shows(browser: Browser, real: Path):
    """The page shows one norm at first; an address may name another."""
    shown = "return [...document.querySelectorAll('#input .bar button')].map((one) => [one.textContent, one.disabled])"
    for norm in ("2", "inf"):
        browser.open(real, f"#input-1-{norm}-runner-up-order1")
        assert browser.run(shown) == [["Previous", False], ["Next", False], ["Close", False]]
        browser.run("[...document.querySelectorAll('#input .bar button')][1].click()")
        browser.wait(f"location.hash === '#input-2-{norm}-runner-up-order1'")


def test_a_rise_that_is_not_known_is_no_half_sentence(browser: Browser, real: Path):
    browser.open(real)
    browser.finish()
    said = "return profilePart({profile: [1, [1, 1, 1, [1]], [1, 1, 1, [1]], arguments[0]]}, 0.5).textContent"
    assert "rises 2.50-fold on the way" in browser.run(said, 2.5)
    assert "rises" not in browser.run(said, None) and "–-fold" not in browser.run(said, None)


def test_code_in_a_sentence_is_code(browser: Browser, real: Path):
    browser.open(real)
    browser.finish()
    written = "return make('p', {}, ...coded(arguments[0])).innerHTML"
    for text in ("`clearance audit` says <why>", "a ` alone", "none"):
        assert browser.run(written, text) == str(coded(text))


def test_the_script_says_why_there_is_no_number(browser: Browser, tmp_path: Path):
    def result(task: Any) -> Any:
        flags = (make_flag("below_certificate", "info"),) if task.index == 0 else ()
        none = {"certified": "inf", "attacked": None} if task.index == 1 else {}
        return make_result(task, flags=flags, **none)

    browser.open(write_report(write_run(tmp_path / "run", make_plan(3), result)))
    assert [text.split(" (")[0] for text in browser.column("estimated")] == ["below proof", "0.500", "0.500"]
    assert browser.column("attacked") == ["0.800", "none exists", "0.800"]
    tips = browser.run("return state.shown.map((row) => mark(row, 1).tips)")
    assert [tips[0]["estimated"], tips[1]["attacked"]] == ["below proof", "none exists"]
    marks = browser.run("return state.shown.map((row) => mark(row, 1)).map((one) => [one.estimated, one.unread])")
    assert marks == [[None, None], [0.5, None], [0.5, None]]


def test_the_script_spaces_and_sizes_marks_as_the_package_does(browser: Browser, real: Path):
    browser.open(real)
    counts = [*range(60), 99, 100, 101, 218, 219, 499, 500, 501, 1000, 1500, 1501, 2000, 2001, 2999, 3000, 10**6]
    assert browser.run("return arguments[0].map(rankStep)", counts) == [rank_step(count) for count in counts]
    sizes = browser.run("return arguments[0].map(dotSize)", counts)
    assert sizes == pytest.approx([dot_size(count) for count in counts], rel=1e-15)


def test_a_difference_has_a_factor_only_where_it_is_magnified(browser: Browser, real: Path):
    browser.open(real)
    texts = browser.run("return [38, 1.5, 1, 0.8].map(differenceText)")
    assert texts[:3] == [
        "Difference × 38, grey is no change",
        "Difference × 1.5, grey is no change",
        "Difference, grey is no change",
    ]
    # factor 0.8: black and white, half of the range, stand for 0.5 / 0.8
    assert texts[3] == "Difference, grey is no change, black and white are changes by 0.625 of the range of values"


def test_the_table_is_filtered(browser: Browser, doubtful: Path):
    browser.open(doubtful)
    assert browser.column("target") == ["untargeted"] * 6  # at first, of the first target only
    browser.find("#filters button").click()
    assert len(browser.column("index")) == 12
    browser.find("#filters select[name=status] option[value=masked]").click()
    assert browser.column("status") == ["masked", "masked"]
    browser.find("#filters button").click()
    browser.find("#filters input").send_keys("misclass")
    assert browser.column("status") == ["misclassified"] * 2
    browser.run("document.querySelector('[data-flag=refuted]').scrollIntoView()")  # from below, beside the navigation
    browser.find("[data-flag=refuted]").click()
    assert browser.column("status") == ["refuted", "refuted"]
    assert browser.column("estimated") == ["– refuted"] * 2
    assert browser.find("#shown").text == "2 of 12 brackets with the flag refuted, 2 of them in doubt."
    assert browser.errors() == []


def test_an_input_opens_and_closes(browser: Browser, real: Path):
    browser.open(real)
    browser.finish()
    browser.find("#rows tbody a").click()
    browser.wait("dialog.open && dialog.querySelector('.chart svg')")
    browser.keep("input")
    text = browser.find("#input").text
    assert "Input 0, l2, runner-up" in text and "certified (proof)" in text and "backward" in text
    assert "Hessian-vector" not in text  # a column of zeros says nothing
    assert browser.run("return document.activeElement.textContent") == "Close"
    assert "For researchers: the extreme-value fit" in text and "K-S distance" not in text  # folded
    browser.find("#input .researchers > summary").click()
    browser.wait("dialog.querySelector('[data-chart=fit] svg')")
    families = browser.run("return [...dialog.querySelectorAll('.families tbody tr')].map((row) => row.innerText)")
    assert [row.split("\t")[0] for row in families] == ["Gumbel", "Fréchet", "reverse Weibull"]
    assert all(len(row.split("\t")) == 4 for row in families)
    assert "has a finite right end" in browser.find("#input").text
    pictures = browser.run("return [...dialog.querySelectorAll('img')].map((img) => [img.naturalWidth, img.alt])")
    assert [width for width, _ in pictures] == [8, 8, 8] and all("Input 0" in alt for _, alt in pictures)
    browser.find("#input button:nth-of-type(2)").click()  # next
    browser.wait("dialog.open && !document.getElementById('input-title').textContent.startsWith('Input 0')")
    assert browser.run("return rowAt.get(location.hash.slice(1)) === state.shown[1]")
    browser.find("body").send_keys(ESCAPE)
    browser.wait("!dialog.open && location.hash === '#brackets'")
    assert browser.errors() == [] and browser.requests() == []


def test_an_input_shows_its_profile(browser: Browser, real: Path):
    browser.open(real)
    browser.finish()
    browser.find("#rows tbody a").click()
    browser.wait("dialog.open && dialog.querySelector('[data-chart=profile] svg')")
    browser.find("[data-chart=profile]").location_once_scrolled_into_view  # noqa: B018
    browser.keep("profile")
    levels = browser.run("return data.details[opened].profile[1][3].length")
    steps = "dialog.querySelectorAll('[data-chart=profile] .mark-rule.role-mark line').length"
    assert levels >= 16 and browser.run(f"return {steps}") == 2 * levels + 2  # both step functions, and where they end
    text = browser.find("#input").text
    assert "steepest fall along rays" in text and "farthest distance searched" in text
    assert browser.errors() == []


def test_an_input_has_an_address_of_its_own(browser: Browser, real: Path):
    browser.open(real, "#input-0-inf-runner-up-order1")
    browser.wait("dialog.open")
    assert browser.find("#input-title").text == "Input 0, linf, runner-up"
    browser.open(real, "#input-99-2-runner-up-order1")
    assert not browser.run("return dialog.open")
    browser.open(real, "#%E0%A4%A")
    assert browser.errors() == []


def test_a_click_on_a_mark_opens_its_input(browser: Browser, real: Path):
    browser.open(real)
    browser.finish()
    browser.find("[data-chart=brackets] .mark-symbol path").click()
    browser.wait("dialog.open")


def test_names_are_text(browser: Browser, doubtful: Path):
    browser.open(doubtful)
    browser.finish()
    browser.find("#filters button").click()
    shown = browser.run("return document.body.innerText")
    assert "<script>alert(1)</script>" in shown and "\u05e9\u05dc\u05d0\u05dd" in shown
    assert browser.run("return document.querySelectorAll('main script, main b, dialog script').length") == 0
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert HOSTILE in browser.run("return [...document.querySelectorAll('#rows bdi')].map((b) => b.title)")
    browser.run("location.hash = address([...rowAt.values()].find((row) => columns.status[row] === 'masked'))")
    browser.wait("dialog.open")
    assert "<script>alert(1)</script>" in browser.find("#input").text
    browser.keep("hostile")
    assert browser.errors() == []  # an alert would have raised UnexpectedAlertPresentException before


@pytest.mark.parametrize("form", ["Markdown", "CSV", "LaTeX"])
def test_tables_are_copied(browser: Browser, real: Path, form: str):
    browser.open(real)
    browser.finish()  # a chart that is drawn above moves the button away from the pointer
    permissions = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", permissions)
    button = f"[data-copy=averages][data-form={form}]"
    browser.find(button).click()
    browser.wait(f"document.querySelector('{button}').parentElement.querySelector('[role=status]').textContent")
    written = browser.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert written == browser.run("return data.copies.averages[arguments[0]]", form) and "runner-up" in written


def test_a_table_that_cannot_be_copied_is_shown(browser: Browser, real: Path):
    browser.open(real)
    browser.finish()  # a chart that is drawn above moves the button away from the pointer
    browser.run("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
    browser.find("[data-copy=doubts][data-form=CSV]").click()
    browser.wait("document.querySelector('textarea')")
    assert browser.find("textarea").get_attribute("value") == browser.run("return data.copies.doubts.CSV")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.thinned(2)
def test_no_serious_violation_of_accessibility(browser: Browser, real: Path, doubtful: Path, dark: bool):
    for page, row in ((real, "0-2-runner-up"), (doubtful, "0-2-untargeted")):
        for fragment in ("", f"#input-{row}-order1"):
            browser.open(page, fragment, dark=dark)
            browser.finish()
            assert browser.serious() == []


def test_a_violation_of_accessibility_would_be_seen(browser: Browser, tmp_path: Path):
    pytest.importorskip("axe_core_python", reason="axe-core is not installed")
    page = tmp_path / "page.html"
    page.write_text("<title>x</title><img src='data:,'><button></button>")
    browser.open(page)
    browser.run((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = browser.driver.execute_async_script("axe.run().then((found) => arguments[0](found.violations))")
    assert {"image-alt", "button-name"} <= {one["id"] for one in found if one["impact"] == "critical"}


def test_the_theme_can_be_turned(browser: Browser, real: Path):
    browser.open(real, dark=True)
    browser.finish()
    browser.keep("dark")
    colour = "return getComputedStyle(document.body).backgroundColor"
    dark = browser.run(colour)
    browser.find("#theme").click()
    light = browser.run(colour)
    browser.find("#theme").click()
    assert browser.run(colour) == dark != light
    browser.finish()
    assert browser.errors() == []


SCROLLERS = "[...document.querySelectorAll('main .scroll, dialog[open] .scroll')]"


@pytest.mark.parametrize("fragment", ["", "#input-0-2-runner-up-order1"])
def test_no_table_is_cut_on_a_desk(browser: Browser, real: Path, fragment: str):
    browser.open(real, fragment)
    browser.finish()
    assert browser.run(f"return {SCROLLERS}.filter((one) => one.scrollWidth > one.clientWidth).length") == 0


@pytest.mark.parametrize("width", [390, 500])
def test_a_narrow_screen_shows_the_three_numbers(browser: Browser, real: Path, width: int):
    browser.open(real, width=width)
    browser.find("#filters button").click()  # both norms
    browser.find("#rows").location_once_scrolled_into_view  # noqa: B018
    browser.keep(f"narrow-{width}")
    names = ("certified", "estimated", "attacked")
    place = "[...document.querySelectorAll('#rows th')].findIndex((head) => head.dataset.name === name)"
    edges = f"[...table.rows].map((row) => row.cells[{place}].getBoundingClientRect())"
    ends = browser.run(f"return arguments[0].flatMap((name) => {edges}.map((box) => [box.width, box.right]))", names)
    assert len(ends) == 27 and all(size > 20 and right <= width for size, right in ends)
    caption = browser.run(
        "const box = document.getElementById('rows-caption').getBoundingClientRect(); return box.right"
    )
    assert caption <= width
    below = browser.run("return table.tBodies[0].rows[0].cells[0].innerText")
    assert all(text in below for text in ("Class: ", "Norm: l2", "Status: "))
    browser.open(real)
    assert "Class: " not in browser.run("return table.tBodies[0].rows[0].cells[0].innerText")


def test_a_table_that_scrolls_shows_it_and_can_be_scrolled_by_keyboard(browser: Browser, real: Path):
    browser.open(real, width=390)
    browser.finish()
    browser.run("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
    regions = browser.run(f"return {SCROLLERS}.map((one) => [one.tabIndex, one.getAttribute('role'), one.ariaLabel])")
    assert len(regions) == 4 and all(region[:2] == [0, "region"] for region in regions)
    assert browser.run(f"return {SCROLLERS}.every((one) => !one.querySelector('caption'))")
    pixel = "const one = document.getElementById('table-fits').nextElementSibling; one.scrollIntoView();"
    browser.run(f"{pixel} one.querySelector('table').style.width = '60rem'; window.shadowed = one")
    start, end = browser.edge_of("window.shadowed"), None
    browser.run("window.shadowed.scrollLeft = 9999")
    end = browser.edge_of("window.shadowed")
    assert start < end - 15  # dark where there is more, and the page's own colour at the end


@pytest.mark.parametrize("fragment", ["", "#input-0-2-runner-up-order1"])
def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser, real: Path, fragment: str):
    browser.open(real, fragment, width=390, height=844)
    browser.finish()
    browser.keep("phone-input" if fragment else "phone")
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    assert browser.run("return dialog.scrollWidth") <= 390


def test_paper_shows_everything(browser: Browser, real: Path):
    browser.open(real)
    browser.finish()
    printed = browser.print_to("paper")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    parts = ["nav", "#theme", "#filters", ".copy"]
    display = "getComputedStyle(document.querySelector(css)).display"
    shown = browser.run(f"return arguments[0].map((css) => {display})", parts)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert printed.startswith(b"%PDF") and shown == ["none"] * 4


@pytest.mark.slow
def test_a_thousand_inputs_are_usable(browser: Browser, tmp_path: Path):
    plan = make_plan(1000, targets=("random", "least-likely", "runner-up"))
    page = write_report(write_run(tmp_path / "run", plan, lambda task: make_result(task, shape=(3, 32, 32), blocks=24)))
    start = time.monotonic()
    browser.open(page)
    assert len(browser.column("index")) == 50
    seconds = time.monotonic() - start
    browser.finish()
    (ARTEFACTS / "seconds.txt").write_text(f"1,000 inputs x 3 targets: usable after {seconds:.2f} s")
    assert browser.find("#shown").text.startswith("1000 of 3000 brackets")
    assert browser.errors() == []
