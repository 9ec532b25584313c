"""`cl.compare`: results in memory, runs and folders side by side, by the comparison of the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import clearance as cl
from clearance.errors import InputError
from command_line import run_command
from result_cases import LABELS, Named, X


@pytest.fixture(scope="module")
def others() -> cl.Results[cl.Bracket]:
    return cl.bracket(cl.Classifier(Named()), X, LABELS, budget=1500, certificate="linear", time_limit=2)


def test_results_side_by_side(brackets: cl.Results[cl.Bracket], others: cl.Results[cl.Bracket], here: Path):
    found = cl.compare({"first": brackets, "second": others})
    assert repr(found) == "ComparedRuns(first, second on 4 shared inputs)"
    assert str(found) == found.summary() and found.summary().startswith("l2, untargeted: ")
    assert "first" in found.summary() and "second" in found.summary()
    frame = found.to_dataframe()
    assert frame["run"].tolist() == ["first"] * 4 + ["second"] * 4 and frame["input"].tolist() == [0, 1, 2, 3] * 2
    assert frame["attacked.distance"].notna().sum() == 6
    page = found.report("compare.html").read_text()
    assert page == found.html() and "first" in page and "second" in page
    shown = found._repr_html_()
    assert "data:image/svg+xml;base64," in shown and "<table>" in shown and "http" not in shown


@pytest.mark.slow
def test_a_run_its_folder_and_results_may_be_mixed(brackets: cl.Results[cl.Bracket], here: Path):
    choices = {"budget": 1500, "certificate": "linear", "time_limit": 2, "progress": False}
    saved = cl.run(cl.Classifier(Named()), (X, LABELS), out="run", **choices)
    found = cl.compare({"memory": brackets, "run": saved, "folder": "run"})
    assert [run.name for run in found.comparison.runs] == ["memory", "run", "folder"]
    assert [len(contest.inputs) for contest in found.comparison.contests] == [4]
    again = cl.run(cl.Classifier(Named()), (X, LABELS), out="again", **choices)
    said = json.loads(run_command("compare", "run", "again", "--json").stdout)
    assert cl.compare({"run": saved, "again": again}).as_record() == said


def test_what_cannot_be_compared_is_one_line(brackets: cl.Results[cl.Bracket]):
    certificates = cl.certify(cl.Classifier(Named()), X, method="linear")
    for runs, said in (
        ({"one": brackets}, "expected at least two runs"),
        ({"one": brackets, "two": certificates}, r"expected at least one of cl\.bracket, got those of certify"),
        ({"one": brackets, "two": 3}, "expected results, a run or its folder for 'two', got int"),
        ([brackets, brackets], "runs: expected a mapping of names to results, got list"),
    ):
        with pytest.raises(InputError, match=said):
            cl.compare(runs)  # pyright: ignore[reportArgumentType]


def test_hostile_names_are_text(brackets: cl.Results[cl.Bracket], others: cl.Results[cl.Bracket]):
    found = cl.compare({"<script>alert(1)</script>": brackets, "b": others})
    assert "<script" not in found._repr_html_()
