"""Figures as files, and the charts' own arithmetic."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from clearance.errors import FileError, InputError
from clearance.report import charts, figures
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from report_runs import make_plan, make_result, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecords:
    plan = make_plan(5, norms=(2.0, math.inf), targets=("runner-up", 3))
    kinds = {1: "refuted", 2: "misclassified"}
    folder = tmp_path_factory.mktemp("figures") / "run"
    return read_records(write_run(folder, plan, lambda task: make_result(task, status=kinds.get(task.index, "ok"))))


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_is_written_as_svg(run: RunRecords, tmp_path: Path, name: str):
    file = tmp_path / "figure.svg"
    figures.write_figure([run], name, file)
    text = file.read_text()
    assert text.startswith("<svg") and "NaN" not in text and "http" not in text.replace("http://www.w3.org", "")
    assert len(re.findall("<path", text)) > 10
    with pytest.raises(FileError, match="is there already"):
        figures.write_figure([run], name, file)


@pytest.mark.parametrize(("kind", "start"), [("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_other_kinds_of_files(run: RunRecords, tmp_path: Path, kind: str, start: bytes):
    file = tmp_path / f"figure.{kind}"
    figures.write_figure([run], "fits", file)
    assert file.read_bytes().startswith(start)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_several_runs_share_a_figure(run: RunRecords, name: str):
    panels = figures.FIGURES[name].panels([run, run])
    assert panels and figures.render(charts.for_file(panels), "svg").startswith(b"<svg")


def test_misuse_is_one_clear_line(run: RunRecords, tmp_path: Path):
    with pytest.raises(InputError, match="expected one of brackets, averages, gaps, maxima, fits, blocks, got graph"):
        figures.write_figure([run], "graph", tmp_path / "x.svg")
    with pytest.raises(InputError, match=r"a name that ends in \.svg, \.pdf, \.png, got x\.gif"):
        figures.write_figure([run], "gaps", tmp_path / "x.gif")


@pytest.mark.parametrize("name", figures.FIGURES)
def test_nothing_to_show_is_said(tmp_path: Path, name: str):
    folder = write_run(tmp_path / "run", make_plan(2), lambda task: make_result(task, status="misclassified"))
    with pytest.raises(InputError, match="expected a run with something to show"):
        figures.write_figure([read_records(folder)], name, tmp_path / "x.svg")
    assert not (tmp_path / "x.svg").exists()


def test_brackets_are_ranked_and_refusals_have_no_estimate(run: RunRecords):
    rows = figures.bracket_rows(run.entries)
    assert [row["rank"] for row in rows] == list(range(1, 17))
    assert {row["unread"] for row in rows if row["status"] == "refuted"} == {0}
    assert all((row["estimated"] is None) == (row["unread"] == 0) for row in rows)


def test_the_histogram_has_area_one(run: RunRecords):
    rows = figures.bin_rows(run.entries[0])
    area = sum((row["end"] - row["start"]) * row["density"] for row in rows)
    assert area == pytest.approx(1)
    assert rows[0]["start"] == run.entries[0].maxima.min()
    assert rows[-1]["end"] == pytest.approx(run.entries[0].maxima.max())


def test_the_fitted_density_is_that_of_the_distribution():
    """The expressions that Vega evaluates, evaluated here: against the derivative of `exp(-((a - y) / b)**c)`."""

    class Datum:
        location, scale, shape = 3.0, 0.5, 2.5

    def evaluate(expression: str) -> np.ndarray:
        return eval(expression, {"datum": Datum, "pow": np.power, "log": np.log, "exp": np.exp})

    Datum.u = np.linspace(0.002, 0.998, 200)
    Datum.value = evaluate(charts._VALUE)
    below = (Datum.location - Datum.value) / Datum.scale
    assert np.exp(-(below**Datum.shape)) == pytest.approx(Datum.u)
    step = 1e-6
    later = np.exp(-(((Datum.location - Datum.value - step) / Datum.scale) ** Datum.shape))
    earlier = np.exp(-(((Datum.location - Datum.value + step) / Datum.scale) ** Datum.shape))
    assert evaluate(charts._DENSITY) == pytest.approx((later - earlier) / (2 * step), rel=1e-4)
