"""The page of several runs as text: its parts, its figures, and names that are text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clearance.report.compare_page import render_comparison
from made_runs import HOSTILE, MASKED, MASKING, WRONG, bracket, comparison_of, far


def data_of(page: str) -> dict:
    return json.loads(page.split('id="data">')[1].split("</script>", maxsplit=1)[0])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    return render_comparison(comparison_of(folder, [far(1.0 + k) for k in range(4)], [far(2.0)] * 4, [MASKED] * 4))


def test_sections_come_in_the_order_of_the_links(page: str):
    names = ["next", "leaderboard", "differences", "doubts", "robust", "brackets", "tables", "distributions", "asked"]
    places = [page.index(f'<h2 id="{name}">') for name in names]
    links = [page.index(f'<a href="#{name}">') for name in ("answer", *names)]
    assert places == sorted(places) and links == sorted(links) and links[-1] < places[0]


def test_pairs_are_drawn_where_both_may_be_read(page: str):
    data = data_of(page)
    assert [name for name in data["specs"] if name.startswith("pairs")] == ["pairs-0"]  # nothing of the masked run
    assert "l2, untargeted: b against a" in page and 'data-chart="pairs-0"' in page
    drawn = data["specs"]["pairs-0"]["layer"][1]["data"]["values"]
    assert [(row["input"], row["first"], row["other"]) for row in drawn] == [(k, 1.0 + k, 2.0) for k in range(4)]


def test_flags_are_of_their_run_and_a_run_without_any_says_so(page: str):
    calm, doubted = page.index("The audit raised no warning and no error."), page.index(f"<code>{MASKING[0]}</code>")
    assert page.index('<h2 id="doubts">') < calm < doubted < page.index('<h2 id="robust">')
    assert page.count("The audit raised no warning and no error.") == 2
    assert "c has no rank. More than half of its inputs count as 0" in page


def test_notes_end_with_a_full_stop_and_names_are_text(tmp_path: Path):
    answers = [WRONG, bracket(flags=[("a<b>", "warning")])]
    text = render_comparison(comparison_of(tmp_path, answers, [*answers, "broken"]))
    assert '<p class="notice">b has 1 input more that not all runs have.</p>' in text
    assert "<b>" not in text.split('id="data">')[0] and "a&lt;b&gt;" in text
    assert HOSTILE not in text


def test_runs_without_a_correct_input_have_nothing_audited(tmp_path: Path):
    text = render_comparison(comparison_of(tmp_path, [WRONG], [WRONG]))
    assert text.count("Every input is misclassified: nothing was audited.") == 2
    assert "Nothing to show" not in text and "Input by input" not in text  # an empty section is left out
