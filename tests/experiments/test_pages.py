"""What an experiment writes: tables, one page that loads nothing, figures."""

import re
from pathlib import Path

import pytest

from clearance.experiments.outcome import Finding, PaperFigure, PaperTable, Reproduction
from clearance.experiments.pages import Heading, as_markdown, write_pages
from clearance.experiments.table import EXPERIMENTS, Experiment
from clearance.report.charts import Panel, data_of, for_file

TABLE = PaperTable(
    "Table 1. Scores",
    ("network", "target", "paper", "here", "inputs"),
    (("MLP", "random", 0.819, 0.80049, 10), ("CNN", "top-2", None, float("nan"), 7)),
    "Fewer samples.",
)


@pytest.fixture
def heading(monkeypatch: pytest.MonkeyPatch) -> Heading:
    monkeypatch.setitem(EXPERIMENTS, "trial", Experiment("squares <i>", "a:b", "Nobody & Co 1900"))
    return Heading("trial", "clearance reproduce trial --scale tiny")


def made() -> Reproduction:
    import altair as alt

    chart = alt.Chart(data_of([{"n": 1, "square": 1}])).mark_bar().encode(x="n:O", y="square:Q")
    figure = PaperFigure("figure-1", "Figure 1", for_file([Panel("squares", chart)]), "Read it.")
    findings = (Finding("Scores fall", False, "1 < 2"), Finding("Scores rise", None, "one input"))
    return Reproduction((TABLE,), (figure,), findings, ("Ten inputs.",))


def test_numbers_of_paper_and_measurement_stand_side_by_side():
    table = TABLE.as_table()
    assert table.rows == (("MLP", "random", "0.819", "0.800", "10"), ("CNN", "top-2", "–", "–", "7"))
    assert table.numeric == 2
    assert PaperTable("empty", ("a", "b"), ()).as_table().numeric == 2


def test_markdown_holds_everything(heading: Heading):
    text = as_markdown(heading, made())
    order = ["Nobody & Co 1900", "clearance reproduce trial", "Ten inputs.", "Table 1", "| MLP |", "Fewer samples."]
    order += ["Scores fall: **does not hold**. 1 < 2", "cannot be told", "Figure 1"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_files_are_written_and_the_page_loads_nothing(tmp_path: Path, heading: Heading):
    for _ in range(2):  # older ones are replaced
        names = [file.name for file in write_pages(tmp_path, heading, made())]
    assert names == ["tables.md", "page.html", "figure-1.svg"]
    page = (tmp_path / "page.html").read_text()
    assert "squares &lt;i&gt;" in page.lower() and "Nobody &amp; Co 1900" in page and "<script" not in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    addresses = re.findall(r"(?:src|href)=\"([^\"]*)", page)
    assert len(addresses) == 3 and all(one.startswith(("data:", "#")) for one in addresses)
    assert (tmp_path / "figure-1.svg").read_text().startswith("<svg")
