"""Several runs side by side: pairs, the leaderboard that masking cannot climb, differences, what is left out."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearance.errors import InputError
from clearance.report.compare import compare
from clearance.report.contest import Comparison, Difference, Standing
from clearance.report.contest_tables import unranked
from clearance.report.paired import shown_distance
from clearance.report.read import read_records
from command_line import run_command
from made_runs import (
    CONTRADICTION,
    HOSTILE,
    MASKED,
    MASKING,
    REFUTED,
    WRONG,
    Answer,
    bracket,
    comparison_of,
    far,
    make_plan,
    records_of,
    run_of,
)
from made_runs import write_run as write


def standing(found: Comparison, run: str) -> Standing:
    (one,) = [one for one in found.contests[0].standings if one.run == run]
    return one


def difference(found: Comparison, quantity: str = "attacked", run: str = "b") -> Difference:
    (one,) = [d for d in found.contests[0].differences if d.quantity == quantity and d.run == run]
    return one


def test_the_leaderboard_is_ordered_by_median_distance_and_ties_share_a_rank(tmp_path: Path):
    found = comparison_of(tmp_path, [far(1.0)] * 3, [far(3.0)] * 3, [far(2.0)] * 3, [far(2.0)] * 3)
    assert [(one.run, one.rank, one.shown) for one in found.contests[0].standings] == [
        ("b", 1, 3.0),
        ("c", 2, 2.0),
        ("d", 2, 2.0),
        ("a", 4, 1.0),
    ]
    assert standing(found, "b").ahead == 1.0 and standing(found, "c").ahead == 0.0


def test_a_masked_run_has_no_rank_and_shows_no_distance(tmp_path: Path):
    found = comparison_of(tmp_path, [far(0.1)] * 10, [MASKED] * 6 + [far(9.0)] * 4)
    one = standing(found, "b")
    assert one.rank is None and one.shown == 0 and standing(found, "a").rank == 1
    assert one.medians["attacked"].value is None and one.medians["attacked"].inputs == 4
    assert one.flagged == one.doubted == 0.6 and one.ahead == 0.4
    assert difference(found).value is None and difference(found).verdict == "unreadable"
    assert unranked(found.contests[0]) == [
        "l2, untargeted: b has no rank. More than half of its inputs count as 0: the audit doubts the attacks on 60 %."
    ]


@pytest.mark.parametrize(
    "worse",
    [MASKED, WRONG, far(None), far(50.0, status="non_finite"), far(50.0, flags=[("blind_wins", "warning")])],
    ids=["masked", "wrong", "no witness", "non-finite", "warned"],
)
def test_nothing_that_is_not_shown_can_raise_a_rank(tmp_path: Path, worse: dict[str, Any]):
    """Whatever inputs are replaced by ones that show nothing, the shown distance never rises."""
    generator = np.random.default_rng(5)
    distances = generator.uniform(0.5, 2.0, size=11)
    honest: list[Answer] = [far(float(value)) for value in distances]
    last = math.inf
    for count in (0, 3, 6, 11):
        spoiled = [worse if place < count else answer for place, answer in enumerate(honest)]
        folder = tmp_path / f"{count}"
        now = standing(comparison_of(folder, honest, spoiled), "b").shown
        assert now <= last
        last = now
    assert last == 0


def test_a_refuted_estimate_does_not_take_the_witness_away(tmp_path: Path):
    refuted = far(0.3, status="refuted", flags=[REFUTED])
    found = comparison_of(tmp_path, [far(0.2)] * 8, [refuted] * 8)
    one = standing(found, "b")
    assert one.rank == 1 and one.shown == 0.3 and one.flagged == 1.0 and one.doubted == 0.0
    assert difference(found).value == pytest.approx(0.1) and difference(found).verdict == "ahead"
    assert difference(found, "estimated").value is None


def test_what_an_input_counts_for(tmp_path: Path):
    answers = [
        far(2.0),
        WRONG,
        MASKED,
        far(None),
        bracket("inf", 5.0, None),
        far(2.0, status="masked", flags=[MASKING]),
        bracket("inf", None, None, status="masked", flags=[MASKING]),  # a proof does not depend on gradients
    ]
    run = records_of(tmp_path / "run", answers)
    assert [shown_distance(entry) for entry in run.entries] == [2.0, 0.0, 0.0, 0.0, math.inf, 0.0, math.inf]


def test_differences_are_paired(tmp_path: Path):
    base = np.arange(1.0, 21.0)
    steps = np.where(np.arange(20) < 15, 0.5, -0.25)
    first = [bracket(float(v), float(2 * v), float(3 * v)) for v in base]
    second = [
        bracket(float(v + s), float(2 * v + 2 * s), float(3 * v + 3 * s)) for v, s in zip(base, steps, strict=True)
    ]
    found = comparison_of(tmp_path, first, second)
    for quantity, factor in (("certified", 1), ("estimated", 2), ("attacked", 3)):
        one = difference(found, quantity)
        assert one.value == pytest.approx(0.5 * factor) and one.interval == pytest.approx((0.5 * factor, 0.5 * factor))
        assert (one.ahead, one.behind, one.inputs, one.asked) == (0.75, 0.25, 20, 20) and one.verdict == "ahead"


def test_a_difference_whose_interval_holds_zero_is_not_told_apart(tmp_path: Path):
    generator = np.random.default_rng(8)
    columns = [[far(float(value)) for value in generator.uniform(1, 2, size=12)] for _ in range(2)]
    one = difference(comparison_of(tmp_path, *columns))
    assert one.interval is not None and one.interval[0] <= 0 <= one.interval[1] and one.verdict == "undecided"
    few = difference(comparison_of(tmp_path / "few", columns[0][:5], columns[1][:5]))
    assert few.value is not None and few.interval is None and few.verdict == "too few"


def test_only_inputs_that_both_classify_correctly_are_paired(tmp_path: Path):
    first = [WRONG, far(1.0), far(1.0), far(1.0), MASKED, bracket(9.0, flags=[CONTRADICTION], status="refuted")]
    second = [far(5.0), WRONG, far(2.0), far(2.0), far(5.0), bracket(0.1)]
    found = comparison_of(tmp_path, first, second)
    assert (difference(found).inputs, difference(found).asked) == (3, 4)
    assert difference(found, "certified").inputs == 3  # not the contradicted certificate
    assert difference(found, "certified").value == 0.0


def test_infinite_certificates(tmp_path: Path):
    none = bracket("inf", 5.0, None)
    found = comparison_of(tmp_path, [far(1.0)] * 3 + [none] * 6, [none] * 9)
    one = difference(found, "certified")
    assert one.value == 0.0 and one.ahead == pytest.approx(1 / 3) and one.interval is not None
    assert standing(found, "b").shown == math.inf and standing(found, "b").rank == 1
    document = json.dumps(found.as_record(), allow_nan=False)
    assert json.loads(document)["contests"][0]["leaderboard"][0]["shown"] == "inf"


def test_inputs_are_paired_by_content_and_what_is_left_out_is_named(tmp_path: Path):
    first = records_of(tmp_path / "a", [far(float(k)) for k in range(1, 9)])  # key0 to key7
    plan = make_plan(8, first=2, offset=40, norms=(2.0, 1.0), weights_hash="b", labels=(0,) * 7 + (0,))
    other = read_records(write(tmp_path / "b", plan, lambda task: far(float(task.index - 40 + 3) + 1)))
    found = compare([first, other])
    (contest,) = found.contests
    assert [place for _, place in contest.inputs] == list(range(2, 8))
    assert difference(found).interval == (1.0, 1.0) and standing(found, "b").ahead == 1.0
    assert found.notes == (
        "a has 2 inputs more that not all runs have",
        "not compared, because not all runs have it: l1, untargeted, order 1 of b",
        "b has 2 inputs more that not all runs have",
    )
    assert [entry.index for entry in found.runs[1].entries] == [2, 3, 4, 5, 6, 7]


def test_unfinished_and_failed_tasks_are_left_out_of_all_runs(tmp_path: Path):
    found = comparison_of(tmp_path, [far(1.0)] * 8, [None, "broken", *[far(2.0)] * 6])
    assert len(found.contests[0].inputs) == 6 and all(len(run.entries) == 6 for run in found.runs)
    assert {"b is not finished: 7 of 8 tasks", "1 task of b failed"} <= set(found.notes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first": 50}, "no input with the same content and label is in all of them"),
        ({"labels": (1,) * 4}, "no input with the same content and label"),
        ({"norms": (1.0,)}, "no norm, target and order has results in all of them"),
        ({"bounds": (0.0, 255.0)}, "bounds: 0 to 1 in a, 0 to 255 in b"),
        ({"budget": "thorough"}, "budget: quick in a, thorough in b"),
    ],
)
def test_runs_that_share_nothing_are_refused(tmp_path: Path, changes: dict[str, Any], message: str):
    runs = [records_of(tmp_path / "a", [far(1.0)] * 4), records_of(tmp_path / "b", [far(1.0)] * 4, **changes)]
    with pytest.raises(InputError, match=re.escape(message)):
        compare(runs)
    with pytest.raises(InputError, match="expected at least two runs"):
        compare(runs[:1])


def test_runs_of_which_no_input_has_finished_in_both_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no input has finished in all 2"):
        comparison_of(tmp_path, [far(1.0), None], [None, far(1.0)])


def test_only_misclassified_inputs_give_a_comparison_that_says_so(tmp_path: Path):
    found = comparison_of(tmp_path, [WRONG] * 3, [WRONG] * 3)
    assert all(
        one.rank is None and one.misclassified == 1 and one.flagged is None for one in found.contests[0].standings
    )
    assert "count as 0: 100 % are misclassified" in unranked(found.contests[0])[0]
    assert difference(found).asked == 0


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two runs whose folders have one name, and a third."""
    run_of(tmp_path / "x" / "run", [far(1.0 + k) for k in range(8)])
    run_of(tmp_path / "y" / "run", [far(2.0 + k) for k in range(8)], weights_hash="cd")
    run_of(tmp_path / "masked", [MASKED] * 8, weights_hash="ef", model=HOSTILE)
    return tmp_path


def test_the_document(two: Path):
    done = run_command("compare", "x/run", "y/run", "masked", "--json", folder=two)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["runs"] == ["x/run", "y/run", "masked"]
    (contest,) = document["contests"]
    assert [one["rank"] for one in contest["leaderboard"]] == [1, 2, None]
    assert contest["leaderboard"][2]["run"] == "masked" and contest["norm"] == 2.0
    assert [one["ahead"] for one in contest["inputs"]] == [document["runs"][1]] * 8
    assert contest["differences"][0]["verdict"] == "ahead" and not (two / "compare.html").exists()


def test_runs_are_called_as_they_are_asked_for(two: Path):
    (two / "a=b").symlink_to(two / "masked")
    done = run_command("compare", "june=x/run", "july=y/run", "a=b", "--json", folder=two)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runs"] == ["june", "july", "masked"]


def test_the_screen_and_the_page(two: Path):
    pytest.importorskip("altair")
    pytest.importorskip("jinja2")
    done = run_command("compare", "x/run", "y/run", "masked", folder=two)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    lines = [line.split() for line in done.stdout.splitlines()]
    start = next(place for place, line in enumerate(lines) if line[:2] == ["rank", "run"])
    assert lines[start + 4][0] == "–" and "masked has no rank" in " ".join(done.stdout.split())
    page = (two / "compare.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert 'http-equiv="Content-Security-Policy"' in page and 'id="leaderboard"' in page
    text = page.split('id="data">')[1].split("</script>")[0]
    data = json.loads(text)
    assert len(data["runs"]) == 3 and {"pairs-0", "brackets", "fit"} <= set(data["specs"])
    assert {"leaderboard", "differences", "apart"} <= set(data["copies"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument 'RUNS...'"),
        (("x/run",), "expected at least two runs to compare, got 1"),
        (("x/run", "x/../x/run"), "expected different runs to compare, got one of them twice"),
        (("run=x/run", "run=y/run"), "expected different names of the runs to compare, got 'run' twice"),
        (("june=x/run", "july=absent"), "absent: expected the folder of a run"),
        (("x/run", "june=y/run", "--out", "y/run/plan.json"), "--out: expected another file"),
        (("x/run", "absent"), "absent: expected the folder of a run"),
        (("x/run", "y/run", "--out", "no/page.html"), "--out: expected a folder that exists, got no"),
        (("x/run", "y/run", "--out", "x/run/plan.json"), "--out: expected another file"),
    ],
)
def test_bad_usage_is_one_line(
    two: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
):
    from clearance.cli import run

    monkeypatch.chdir(two)
    assert run(["compare", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == "" and message in err and err.count("\n") == 1 and not (two / "compare.html").exists()
