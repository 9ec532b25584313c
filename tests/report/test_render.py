"""What all pages share: their figures, their scripts, and templates that refuse what they do not know."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from clearance.report.auditor_page import render_auditor
from clearance.report.charts import names_across
from clearance.report.figures.figure import Section
from clearance.report.page import render_report
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from clearance.report.render import SCRIPTS, page_figures, read_asset, render, vega_bundle, write_page
from report_runs import make_plan, make_result, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecords:
    return read_records(write_run(tmp_path_factory.mktemp("render") / "run", make_plan(3)))


def test_charts_have_addresses_of_their_own_and_the_width_of_their_place(run: RunRecords):
    panels = [panel for one in page_figures([run, run], Section.DISTRIBUTIONS) for panel in one.panels]
    assert len({panel.id for panel in panels}) == len(panels) >= 6
    assert all(panel.spec["width"] == "container" for panel in panels)
    assert page_figures([run], Section.BRACKETS) == page_figures([run], Section.DIFFERENCES) == []


def test_a_figure_without_numbers_is_left_out_and_so_is_an_empty_section(tmp_path: Path):
    nothing = read_records(
        write_run(tmp_path / "run", make_plan(1), lambda task: make_result(task, status="misclassified"))
    )
    assert page_figures([nothing], Section.DISTRIBUTIONS) == []
    page = render_report(nothing).split('id="data"')[0]
    assert 'id="distributions"' not in page and "#distributions" not in page and "Nothing to show" not in page
    assert "For researchers" not in page


def test_code_in_a_sentence_is_code(tmp_path: Path):
    masked = read_records(write_run(tmp_path / "run", make_plan(1), lambda task: make_result(task, status="masked")))
    told = "the gradients are in doubt: <code>clearance docs FLAG</code> says why"
    assert told in render_auditor(masked) and "`" not in render_auditor(masked)


def test_one_group_has_no_name_under_its_chart():
    rows = [{"target": "untargeted"}, {"target": "runner-up"}]
    one, two = (names_across("target", some).to_dict()["axis"] for some in (rows[:1], rows))
    assert one is None and two["labelAngle"] == 0


def test_a_template_that_is_given_too_little_is_refused(run: RunRecords):
    with pytest.raises(jinja2.UndefinedError, match="notices"):
        render("report.html", [run], run=run)


def test_no_script_ends_its_element():
    texts = [vega_bundle(), *map(read_asset, SCRIPTS)]
    assert all(text and "</script" not in text.lower() and "<!--" not in text for text in texts)


def test_every_script_of_the_folder_is_on_the_page():
    from importlib.resources import files

    names = {path.name for path in (files("clearance.report") / "assets").iterdir()}
    assert names == {*SCRIPTS, "page.css", "auditor.css"}


def test_a_page_is_written_whole_and_replaces_an_older_one(tmp_path: Path):
    page = tmp_path / "page.html"
    for text in ("<p>first</p>", "<p>é\u2028</p>"):
        write_page(text, page)
        assert page.read_text(encoding="utf-8") == text and [path.name for path in tmp_path.iterdir()] == ["page.html"]
