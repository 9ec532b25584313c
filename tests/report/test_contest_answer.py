"""The sentence of a comparison: counts and medians of the shared inputs, and no more than they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance.report.contest_answer import contest_answers
from made_runs import MASKED, WRONG, Answer, comparison_of, far


@pytest.mark.parametrize(
    ("first", "other", "text"),
    [
        (
            [far(1.0 + k / 10) for k in range(7)] + [WRONG],
            [far(1.5 + k / 10) for k in range(8)],
            "b stands farther out than a on 7 of 7 inputs that both classify correctly: its nearest witness is farther "
            "by 0.500 in the median (95 % interval 0.500 to 0.500).",
        ),
        (
            [far(2.0)] * 7 + [far(0.5)],
            [far(1.0)] * 8,
            "a stands farther out than b on 7 of 8 inputs that both classify correctly: its nearest witness is farther "
            "by 1.00 in the median (95 % interval 1.00 to 1.00).",
        ),
        (
            [far(1.0)] * 3,
            [far(2.0)] * 3,
            "b stands farther out than a on 3 of 3 inputs that both classify correctly: its nearest witness is farther "
            "by 1.00 in the median (too few inputs for an interval: it needs 6).",
        ),
        (
            [far(1.5)] * 8,
            [far(1.0), far(2.0)] * 4,
            "Neither b nor a stands clearly farther out: the one does on 4 and the other on 4 of 8 inputs that both "
            "classify correctly, and the interval of the median difference (-0.500 to 0.500) holds 0.",
        ),
        (
            [far(1.0)] * 8,
            [MASKED] * 8,
            "b and a cannot be compared: attack distances may be read in both on 0 of 8 inputs that both classify "
            "correctly.",
        ),
    ],
)
def test_two_runs_have_one_sentence(tmp_path: Path, first: list[Answer], other: list[Answer], text: str):
    (found,) = contest_answers(comparison_of(tmp_path, first, other))
    assert (found.about, found.text) == ("l2, untargeted", text)


@pytest.mark.parametrize(
    ("first", "other", "short"),
    [
        ([far(1.0)] * 7, [far(1.5)] * 7, "b stands farther out on 7 of 7, by 0.500 in the median"),
        ([far(2.0)] * 7, [far(1.0)] * 7, "a stands farther out on 7 of 7, by 1.00 in the median"),
        (
            [far(2.0)] * 2,
            [far(1.0)] * 2,
            "a stands farther out on 2 of 2, by 1.00 in the median (too few inputs for an interval)",
        ),
        ([far(1.5)] * 8, [far(1.0), far(2.0)] * 4, "undecided: b is farther out on 4, a on 4 of 8 inputs"),
        ([far(1.0)] * 8, [MASKED] * 8, "Attack distances may be read in both on 0 of 8 inputs only"),
    ],
)
def test_a_list_has_a_line_for_each(tmp_path: Path, first: list[Answer], other: list[Answer], short: str):
    (found,) = contest_answers(comparison_of(tmp_path, first, other))
    assert found.short == short


def test_several_runs_are_ranked_and_a_run_without_a_rank_is_in_doubt(tmp_path: Path):
    comparison = comparison_of(tmp_path, [far(1.0)] * 8, [far(2.0)] * 8, [MASKED] * 8)
    (found,) = contest_answers(comparison)
    assert found.text.startswith("By the median distance of the nearest witness the order is b (2.00), a (1.00).")
    assert "b stands farther out than a on 8 of 8" in found.text and "c and a cannot be compared" in found.text
    assert found.doubt == "no rank: c"


def test_an_order_in_which_inputs_count_as_0_says_so(tmp_path: Path):
    comparison = comparison_of(tmp_path, [far(1.0)] * 9, [far(2.0)] * 8 + [WRONG], [far(3.0)] * 9)
    (found,) = contest_answers(comparison)
    assert "misclassified, in doubt or without one counts as 0, the order is" in found.text


def test_one_ranked_run_is_no_order(tmp_path: Path):
    (found,) = contest_answers(comparison_of(tmp_path, [far(1.0)] * 8, [MASKED] * 8, [MASKED] * 8))
    assert found.text.startswith("Only a (1.00) has a rank") and found.doubt == "no rank: b, c"
