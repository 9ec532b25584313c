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


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_axis_of_ranks_has_whole_numbers_once(tmp_path: Path, count: int):
    folder = write_run(tmp_path / "run", make_plan(count))
    figures.write_figure([read_records(folder)], "brackets", tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    assert re.findall(r">(\d+)</text>", text) == [str(rank) for rank in range(1, count + 1)]
    assert ">rank of the input, by attack distance</text>" in text


@pytest.mark.parametrize("count", [*range(1, 60), 99, 100, 101, 1000, 2999])
def test_an_axis_names_few_ranks(count: int):
    ticks = charts.rank_ticks(count)
    assert 1 <= len(ticks) <= 10 and ticks[-1] <= count
    assert len(set(np.diff([0, *ticks]))) == 1


def test_texts_beside_a_mark_are_rounded_the_safe_way(tmp_path: Path):
    plan = make_plan(1)
    folder = write_run(tmp_path / "run", plan, lambda task: make_result(task, certified=0.23096, attacked=0.8602))
    entries = read_records(folder).entries
    assert figures.bracket_rows(entries)[0]["tips"] == {"certified": "0.230", "estimated": "0.500", "attacked": "0.861"}
    averages = [row["text"] for _, row in figures._average_rows(entries)]
    assert averages == ["0.230", "0.500", "0.861"]


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
