"""The outcome of the gate as Markdown: it reads as it is, and no name in it is markup."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.report.demands import Limits
from clearance.report.gate import judge
from clearance.report.outcome import GateCheck, GateOutcome, as_junit, as_text
from clearance.report.outcome_markdown import LONGEST_CELL, as_markdown
from made_runs import HOSTILE, bracket, records_of

markdown_it = pytest.importorskip("markdown_it")


def render(text: str) -> str:
    """As GitHub shows it, but for addresses that become links by themselves."""
    return markdown_it.MarkdownIt("gfm-like", {"linkify": False}).render(text)


def outcome(name: str, reason: str = "why") -> GateOutcome:
    check = GateCheck("min-median", "median", name, "at least 1", "0.5", False, reason, 0.5, 1.0)
    return GateOutcome("run", "net", name, None, (check,), (name,))


def test_what_has_no_markup_is_written_as_it_is(tmp_path: Path):
    run = records_of(tmp_path / "my-run", [bracket()] * 6, model="digits-robust", data="digits_test (1.2)")
    text = as_markdown(judge(run, Limits(min_median=0.5, min_attacked=3.0, min_not_broken=0.9, at=(8 / 255,))))
    assert text == (
        "## Clearance gate failed: 1 of 5 criteria\n\n"
        "run my-run, model digits-robust, data digits_test (1.2)\n\n"
        "|  | criterion | for | wanted | got |\n| --- | --- | --- | --- | --- |\n"
        "| ✅ passed | unfinished tasks | whole run | none | 0 of 6 |\n"
        "| ✅ passed | failed tasks | whole run | at most 0 | 0 |\n"
        "| ✅ passed | median estimated radius | l2, untargeted | at least 0.5 | 0.5 (6 of 6 inputs) |\n"
        "| ❌ failed | median attack distance | l2, untargeted | at least 3 | 1 (6 of 6 inputs) |\n"
        "| ✅ passed | robust accuracy, not broken | l2 at 8/255 | at least 0.9 | "
        "1 (6 of 6 inputs; 95 %: 0.5407 to 1) |\n\n"
        "**It falls short:**\n\n- l2, untargeted: the median attack distance is 1, below 3\n\n"
        "An estimated radius is an estimate, not a bound; only a certified radius is proved.\n"
    )


def test_hostile_names_are_shown_and_nothing_of_them_is_markup(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket()] * 3, model=HOSTILE, data="a|b\nc", targets=(HOSTILE,))
    text = as_markdown(judge(run, Limits(min_median=9.0)))
    lines = text.splitlines()
    assert lines[0] == "## Clearance gate failed: 1 of 3 criteria" and "data a\\|b?c" in lines[2]
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 5 and {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {6}
    assert "https:\\//a.example www\\.a.example" in text and "@<!-- -->user" in text and "&#" not in text
    found = render(text)
    assert found.count("<tr>") == 4 and "<script" not in found and "<a" not in found and "<code" not in found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;|`x`" in found


PIECES = st.sampled_from(
    [
        *"`*_[]()<>~|$\\&;#!-+=.:/@\"'{}^ ax1é",
        *(
            "&amp;",
            "&#58;",
            "**",
            "__",
            "~~",
            "``",
            "<b>",
            "<!--",
            "-->",
            "1. ",
            "10) ",
            "- ",
            "# ",
            "> ",
            "---",
            "~~~",
        ),
        *(
            "![x](y)",
            "[x](y)",
            "[^1]",
            "https://a.example",
            "www.a.example",
            "a@b.example",
            "<https://x.example>",
            "```",
        ),
        *("\\|", "\\\\", "a_b_c", "_a_", "$x$", "#12", "@org/team", "| a |", "\n", "\t", "\u2028", "\u202e", "| --- |"),
    ]
)
"""What names may be made of: all of Markdown's signs, and what becomes of some of them together."""


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=8).map("".join))
def test_any_name_is_shown_as_it_is(name: str):
    shown = " ".join(as_text(name, LONGEST_CELL).split(" ")).strip()
    text = as_markdown(outcome(name))
    found = render(text).replace("<!-- -->", "")
    parts = re.search(
        r"<p>run run, model net, data(.*?)</p>.*<td>median</td>\s*<td>(.*?)</td>\s*<td>at least 1</td>"
        r".*<li>(.*?): why</li>.*<li>(.*?)</li>",
        found,
        re.DOTALL,
    )
    assert parts is not None, found
    about = shown if name else "whole run"
    assert [html.unescape(part).strip() for part in parts.groups()] == [shown, about, about, shown]
    assert not any("<" in part for part in parts.groups())
    assert not re.search(r"(?<!<)@\w|https?://|www\.a|#[0-9]", text.replace("\\", " "))


def test_a_long_name_is_cut_in_markdown_only():
    long = outcome("r" * 1000)
    assert "r" * (LONGEST_CELL - 1) + "…" in as_markdown(long) and "r" * LONGEST_CELL not in as_markdown(long)
    assert "r" * 1000 in as_junit(long).decode()
