"""The table of figures: the command line's help is in step with it, and a new figure is a file and an entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance.cli.options import commands
from clearance.report.answer import gradients
from clearance.report.charts import Panel
from clearance.report.figures import FIGURES, write_figure
from clearance.report.figures.averages import average_chart, average_rows
from clearance.report.figures.figure import Figure, Section, by_norm
from clearance.report.figures.table import figures_of
from clearance.report.records import RunRecords
from clearance.report.render import page_figures, render


def test_the_help_of_the_command_names_every_figure_of_one_run():
    import clearance.cli  # noqa: F401 (registers the commands)

    *first, last = figures_of(1)
    help_text = " ".join((commands.commands["figure"].help or "").split())
    assert f"NAME is {', '.join(first)} or {last}" in help_text


def test_figures_stand_on_the_page_in_the_order_of_the_table(run: RunRecords):
    found = [one.name for section in Section for one in page_figures([run, run], section)]
    drawn = [section for section in Section if section is not Section.BRACKETS]  # the page's script draws these
    shown = [name for name, figure in FIGURES.items() if figure.panels([run, run])]  # an empty one is left out
    assert found == [name for section in drawn for name in shown if FIGURES[name].section is section]
    assert "pairs" in found and "pairs" not in [one.name for one in page_figures([run], Section.DIFFERENCES)]


def test_a_new_figure_is_a_maker_and_an_entry(run: RunRecords, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """From that alone it can be written by its name, and stands on the page with its text."""
    maker = by_norm(average_chart, average_rows)
    monkeypatch.setitem(FIGURES, "again", Figure("Averages once more", "A note of its own.", maker))
    write_figure([run], "again", tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text().startswith("<svg")
    context = {"run": run, "notices": [], "answers": [], "doubts": [], "remarks": [], "checklist": {}, "steps": []}
    context |= {"accuracy": "", "gradients": gradients([run]), "cautions": [], "auditor": ""}
    page = render("report.html", [run], **context)
    assert "Averages once more" in page and "A note of its own." in page and 'data-chart="again-0"' in page


def test_panels_are_of_one_norm_and_name_the_order_only_where_there_are_several(run: RunRecords):
    found: list[Panel] = FIGURES["gaps"].panels([run])
    assert [panel.title for panel in found] == ["l2", "linf"]
