"""Figures as files: every kind, every figure, and misuse in one clear line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clearance.errors import FileError, InputError
from clearance.report.charts import for_file
from clearance.report.figures import FIGURES, write_figure
from clearance.report.figures.files import render_figure
from clearance.report.figures.table import figures_of
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from report_runs import make_plan, make_result, write_run


@pytest.mark.parametrize("name", figures_of(1))
def test_every_figure_is_written_as_svg(whole: RunRecords, tmp_path: Path, name: str):
    file = tmp_path / "figure.svg"
    write_figure([whole], name, file)
    text = file.read_text()
    assert text.startswith("<svg") and "NaN" not in text and "http" not in text.replace("http://www.w3.org", "")
    assert len(re.findall("<path", text)) > 10
    with pytest.raises(FileError, match="is there already"):
        write_figure([whole], name, file)


@pytest.mark.parametrize(("kind", "start"), [("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_other_kinds_of_files(run: RunRecords, tmp_path: Path, kind: str, start: bytes):
    file = tmp_path / f"figure.{kind}"
    write_figure([run], "fits", file)
    assert file.read_bytes().startswith(start)


@pytest.mark.parametrize("name", FIGURES)
def test_several_runs_share_a_figure(whole: RunRecords, name: str):
    panels = FIGURES[name].panels([whole, whole])
    assert panels and render_figure(for_file(panels), "svg").startswith(b"<svg")


def test_misuse_is_one_clear_line(run: RunRecords, tmp_path: Path):
    with pytest.raises(InputError, match="one of brackets, security, averages, gaps, maxima, fits, blocks, got graph"):
        write_figure([run], "graph", tmp_path / "x.svg")
    with pytest.raises(InputError, match=r"a name that ends in \.svg, \.pdf, \.png, got x\.gif"):
        write_figure([run], "gaps", tmp_path / "x.gif")


def test_a_figure_of_several_runs_is_none_of_one(run: RunRecords, tmp_path: Path):
    with pytest.raises(InputError, match="fits, blocks, got pairs"):
        write_figure([run], "pairs", tmp_path / "x.svg")
    write_figure([run, run], "pairs", tmp_path / "x.svg")
    assert (tmp_path / "x.svg").read_text().startswith("<svg")


def test_a_run_without_robust_accuracy_has_no_security_curve_and_is_told_why(run: RunRecords, tmp_path: Path):
    with pytest.raises(InputError, match=r"something to show.*chosen classes only .target runner-up, 3.") as caught:
        write_figure([run], "security", tmp_path / "x.svg")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", figures_of(1))
def test_nothing_to_show_is_said(tmp_path: Path, name: str):
    folder = write_run(tmp_path / "run", make_plan(2), lambda task: make_result(task, status="misclassified"))
    with pytest.raises(InputError, match="expected a run with something to show"):
        write_figure([read_records(folder)], name, tmp_path / "x.svg")
    assert not (tmp_path / "x.svg").exists()
