"""The gate: every criterion both ways, what may not count, baselines, and files that hold hostile names."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from clearance.errors import InputError
from clearance.report.demands import Limits
from clearance.report.drop import relative_drop
from clearance.report.gate import judge
from clearance.report.outcome import GateOutcome, as_junit, as_markdown
from clearance.report.paired import RESAMPLES, bootstrap_interval, subtract
from clearance.runs.summary import middle
from conftest import ROOT
from made_runs import CONTRADICTION, MASKED, MASKING, REFUTED, WRONG, Answer, bracket, make_plan, records_of, run_of
from made_runs import write_run as write

GOOD = [bracket(0.1 * k, 0.2 * k, 0.3 * k) for k in range(1, 11)]  # medians 0.55, 1.1, 1.65
HOSTILE = "<script>alert(1)</script>|`x`\"'&\u202e\u05e9\u05dc\x1b[31m@user https://a.example www.a.example" + "x" * 300


def outcome(folder: Path, answers: list[Answer], limits: Limits, **options: Any) -> GateOutcome:
    return judge(records_of(folder / "run", answers), limits, **options)


def only(found: GateOutcome, flag: str) -> Any:
    (check,) = [check for check in found.checks if check.flag == flag]
    return check


def spoiled(count: int, by: dict[str, Any], *, of: int = 10) -> list[Answer]:
    return [by] * count + [bracket()] * (of - count)


@pytest.mark.parametrize(
    ("limits", "flag", "value", "passed"),
    [
        (Limits(min_median=1.1), "min-median", 1.1, True),
        (Limits(min_median=1.11), "min-median", 1.1, False),
        (Limits(min_certified=0.55), "min-certified", 0.55, True),
        (Limits(min_certified=0.56), "min-certified", 0.55, False),
        (Limits(min_attacked=1.65), "min-attacked", 1.65, True),
        (Limits(min_attacked=1.66), "min-attacked", 1.65, False),
        (Limits(max_flagged=0.0), "max-flagged", 0.0, True),
        (Limits(max_misclassified=0.0), "max-misclassified", 0.0, True),
    ],
)
def test_a_number_at_its_limit_passes(tmp_path: Path, limits: Limits, flag: str, value: float, passed: bool):
    found = outcome(tmp_path, GOOD, limits)
    check = only(found, flag)
    assert check.value == pytest.approx(value, abs=1e-12) and check.passed is passed and found.passed is passed
    assert [check.flag for check in found.checks] == ["finished", "max-failed", flag]


@pytest.mark.parametrize("status", ["refuted", "masked", "no_gradient", "non_finite", "not_twice_differentiable"])
def test_every_estimate_that_must_not_be_read_is_flagged(tmp_path: Path, status: str):
    answers = spoiled(3, bracket(estimated=None, status=status, flags=[MASKING]))
    assert only(outcome(tmp_path / "a", answers, Limits(max_flagged=0.3)), "max-flagged").passed
    check = only(outcome(tmp_path / "b", answers, Limits(max_flagged=0.29)), "max-flagged")
    assert not check.passed and check.value == 0.3 and check.reason.endswith("(3 of 10), above 0.29: zero_gradient")


def test_misclassified_inputs_are_a_share_of_all_and_of_nothing_else(tmp_path: Path):
    answers = [*spoiled(2, MASKED, of=8), WRONG, WRONG]
    limits = Limits(max_misclassified=0.2, max_flagged=0.25, min_median=0.5)
    assert outcome(tmp_path, answers, limits).passed
    tight = judge(records_of(tmp_path / "b", answers), Limits(max_misclassified=0.19, max_flagged=0.24))
    assert [check.value for check in tight.failed] == [0.25, 0.2]


def test_failed_tasks(tmp_path: Path):
    answers: list[Answer] = [*GOOD, "out of memory", "out of memory"]
    found = outcome(tmp_path, answers, Limits())
    assert [check.flag for check in found.failed] == ["max-failed"]
    assert found.failed[0].reason == "2 tasks failed, 0 may"
    assert judge(records_of(tmp_path / "b", answers), Limits(max_failed=2)).passed
    assert not judge(records_of(tmp_path / "c", answers), Limits(max_failed=1)).passed


def test_failed_tasks_stay_in_the_count(tmp_path: Path):
    few: list[Answer] = [*GOOD[:6], *["out of memory"] * 8]
    baseline = records_of(tmp_path / "base", [bracket()] * 14)
    limits = Limits(max_failed=14, max_flagged=1.0, max_misclassified=1.0, max_drop=0.9)
    found = judge(records_of(tmp_path / "a", few), limits, baseline=baseline)
    assert [check.flag for check in found.failed] == ["max-flagged", "max-misclassified", "max-drop"]
    assert only(found, "max-flagged").reason == "only 6 of 14 tasks succeeded; at least half must"
    assert only(found, "max-drop").got.endswith("6 of 14 inputs)")
    more = judge(records_of(tmp_path / "b", [*GOOD, *few[6:10]]), limits, baseline=baseline)
    assert [check.flag for check in more.failed] == []


def test_unfinished_runs_fall_short_unless_allowed(tmp_path: Path):
    answers: list[Answer] = [*GOOD, None]
    found = outcome(tmp_path, answers, Limits(min_median=1.0))
    assert [check.reason for check in found.failed] == ["1 task of 11 are not finished"]
    assert judge(records_of(tmp_path / "b", answers), Limits(min_median=1.0, allow_unfinished=True)).passed


def test_an_estimate_that_must_not_be_read_counts_for_nothing(tmp_path: Path):
    high = bracket(estimated=100.0)
    refuted = bracket(status="refuted", flags=[REFUTED])
    half = only(outcome(tmp_path / "a", [high] * 5 + [refuted] * 5, Limits(min_median=1.0)), "min-median")
    assert half.passed and half.value == 100.0
    most = only(outcome(tmp_path / "b", [high] * 4 + [refuted] * 5, Limits(min_median=1.0)), "min-median")
    assert not most.passed and most.reason == (
        "only 4 of 9 correctly classified inputs have an estimated radius that may be read; at least half must"
    )
    none = only(outcome(tmp_path / "c", [refuted] * 3, Limits(min_median=0.0)), "min-median")
    assert not none.passed and none.value is None and none.got == "nothing (0 of 3 inputs)"


def test_failed_tasks_are_not_readable_either(tmp_path: Path):
    answers: list[Answer] = [bracket()] * 4 + ["broken"] * 5
    check = only(outcome(tmp_path, answers, Limits(min_median=0.1, max_failed=9)), "min-median")
    assert not check.passed and check.got == "0.5 (4 of 9 inputs)"


def test_a_masked_attack_distance_counts_for_nothing(tmp_path: Path):
    check = only(outcome(tmp_path / "a", [MASKED] * 6 + [bracket()] * 4, Limits(min_attacked=0.1)), "min-attacked")
    assert not check.passed and check.value == 1.0 and check.got == "1 (4 of 10 inputs)"
    # A refuted estimate says nothing against the witness that refutes it.
    refuted = [bracket(attacked=0.3, status="refuted", flags=[REFUTED])] * 3
    assert only(outcome(tmp_path / "b", refuted, Limits(min_attacked=0.3)), "min-attacked").passed


def test_no_witness_is_no_distance_unless_it_is_proved_that_there_is_none(tmp_path: Path):
    lost = only(outcome(tmp_path / "a", [bracket(attacked=None)] * 3, Limits(min_attacked=0.1)), "min-attacked")
    assert not lost.passed and lost.value is None
    proved = [bracket("inf", 5.0, None)] * 3
    assert only(outcome(tmp_path / "b", proved, Limits(min_attacked=9.0)), "min-attacked").value == math.inf


def test_infinite_certificates(tmp_path: Path):
    answers = [bracket("inf", 5.0, None)] * 2 + [bracket(0.1)] * 2
    check = only(outcome(tmp_path / "a", answers, Limits(min_certified=0.2)), "min-certified")
    assert not check.passed and check.value == 0.1  # half of the inputs lie below 0.2
    more = [*answers, answers[0]]
    found = outcome(tmp_path / "b", more, Limits(min_certified=0.2))
    assert found.passed and json.loads(json.dumps(found.as_record(), allow_nan=False))["criteria"][2]["value"] == "inf"


def test_certificates_that_are_absent_or_contradicted(tmp_path: Path):
    absent = only(outcome(tmp_path / "a", [bracket(None)] * 3, Limits(min_certified=0.0)), "min-certified")
    assert not absent.passed and absent.reason == "the run has no certificates"
    broken = [bracket(2.0, status="refuted", flags=[CONTRADICTION])] * 2 + [bracket()]
    check = only(outcome(tmp_path / "b", broken, Limits(min_certified=0.1)), "min-certified")
    assert not check.passed and "only 1 of 3" in check.reason


@pytest.mark.parametrize("answers", [[WRONG] * 4, [None] * 4])
def test_nothing_to_measure_falls_short_of_everything(tmp_path: Path, answers: list[Answer]):
    limits = Limits(min_median=0.0, min_certified=0.0, min_attacked=0.0, max_flagged=1.0, allow_unfinished=True)
    found = outcome(tmp_path, answers, limits)
    assert [check.flag for check in found.failed] == ["min-median", "min-certified", "min-attacked", "max-flagged"]
    assert len({check.reason for check in found.failed}) == 1


def test_every_norm_and_target_is_judged_on_its_own(tmp_path: Path):
    plan = make_plan(4, norms=(2.0, math.inf), targets=("runner-up", 3))
    radius = {(2.0, "runner-up"): 1.0, (2.0, 3): 2.0, (math.inf, "runner-up"): 0.1, (math.inf, 3): 0.2}
    from clearance.report.read import read_records

    run = read_records(write(tmp_path / "run", plan, lambda t: bracket(estimated=radius[t.norm, t.target])))
    found = judge(run, Limits(min_median=1.0))
    assert [check.about for check in found.failed] == ["l∞, runner-up", "l∞, 3"]
    assert judge(run, Limits(min_median=1.0), norms=[2.0]).passed
    chosen = judge(run, Limits(min_median=0.2), norms=[math.inf], targets=["3"])
    assert chosen.passed and len(chosen.checks) == 3 and chosen.checks[0].got == "0 of 4"
    for options, message in (({"norms": [1.0]}, "--norm: expected one of 2, inf"), ({"targets": ["x"]}, "--target")):
        with pytest.raises(InputError, match=message):
            judge(run, Limits(min_median=1.0), **options)


def scaled(factor: float) -> list[Answer]:
    return [bracket(0.1 * factor * k, 0.2 * factor * k, 0.3 * factor * k) for k in range(1, 11)]


@pytest.mark.parametrize("name", ["attacked", "estimated", "certified"])
def test_a_drop_is_measured_in_pairs(tmp_path: Path, name: str):
    baseline = records_of(tmp_path / "old", GOOD, weights_hash="other")
    run = records_of(tmp_path / "run", scaled(0.9))
    check = only(judge(run, Limits(max_drop=0.11, drop_of=(name,)), baseline=baseline), "max-drop")
    # The same share of every input: whatever is resampled, the drop is 10 %.
    assert check.passed and check.value == pytest.approx(0.1) and check.interval == pytest.approx((0.1, 0.1))
    tight = only(judge(run, Limits(max_drop=0.09, drop_of=(name,)), baseline=baseline), "max-drop")
    assert not tight.passed and "by more than 0.09 is not excluded" in tight.reason
    assert judge(baseline, Limits(max_drop=0.0, drop_of=(name,)), baseline=run).passed  # a rise is no drop


def test_a_drop_that_is_not_excluded_falls_short(tmp_path: Path):
    generator = np.random.default_rng(3)
    old = generator.uniform(1, 2, size=40)
    new = old * generator.uniform(0.6, 1.4, size=40)
    runs = [records_of(tmp_path / name, [bracket(0.1, 0.2, float(v)) for v in values])
            for name, values in (("old", old), ("new", new))]  # fmt: skip
    check = only(judge(runs[1], Limits(max_drop=0.2), baseline=runs[0]), "max-drop")
    low, high = check.interval
    assert low < check.value < high
    for limit, passed in ((high, True), ((check.value + high) / 2, False)):
        assert only(judge(runs[1], Limits(max_drop=limit), baseline=runs[0]), "max-drop").passed is passed


def test_a_masked_release_does_not_hide_a_drop(tmp_path: Path):
    baseline = records_of(tmp_path / "old", [bracket()] * 20)
    mostly = records_of(tmp_path / "new", [MASKED] * 11 + [bracket()] * 9)
    check = only(judge(mostly, Limits(max_drop=0.5), baseline=baseline), "max-drop")
    assert not check.passed and "only 9 of 20 inputs have a number that may be read in both runs" in check.reason


def test_newly_misclassified_inputs_count_as_zero(tmp_path: Path):
    baseline = records_of(tmp_path / "old", [*GOOD, WRONG])
    run = records_of(tmp_path / "new", [WRONG] * 6 + [*GOOD[6:], bracket()])
    check = only(judge(run, Limits(max_drop=0.5), baseline=baseline), "max-drop")
    assert not check.passed and check.value == 1.0 and "of 10 inputs" in check.got


def test_inputs_are_paired_by_content_whatever_their_place(tmp_path: Path):
    baseline = records_of(tmp_path / "old", GOOD)  # key0 to key9
    run = records_of(tmp_path / "new", [*GOOD[2:], bracket(9, 9, 9)], first=2, offset=50)  # key2 to key10
    found = judge(run, Limits(max_drop=0.0), baseline=baseline)
    assert found.passed and only(found, "max-drop").interval == (0.0, 0.0)
    assert found.notes[0] == "the drop is over the 8 inputs that both runs have (9 here, 10 there)"


def test_too_few_pairs_exclude_nothing(tmp_path: Path):
    baseline, run = (records_of(tmp_path / name, GOOD[:5]) for name in ("old", "new"))
    check = only(judge(run, Limits(max_drop=1.0), baseline=baseline), "max-drop")
    assert not check.passed and check.reason == "only 5 inputs can be compared; an interval needs 6"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bounds": (0.0, 255.0)}, "bounds: 0 to 1 in run, 0 to 255 in old"),
        ({"bounds": None}, "bounds: 0 to 1 in run, none in old"),
        ({"budget": "thorough"}, "budget: quick in run, thorough in old"),
        ({"norms": (1.0,)}, "l2, untargeted: not in old"),
        ({"orders": (2,)}, "l2, untargeted: not in old"),
        ({"first": 100}, "inputs: none in common"),
        ({"labels": (1,) * 10}, "inputs: none in common, 10 have other labels"),
    ],
)
def test_a_baseline_that_cannot_be_compared_is_refused(tmp_path: Path, changes: dict[str, Any], message: str):
    run, baseline = records_of(tmp_path / "run", GOOD), records_of(tmp_path / "old", GOOD, **changes)
    with pytest.raises(InputError, match=re.escape(message)):
        judge(run, Limits(max_drop=0.1), baseline=baseline)


def test_what_else_differs_is_said(tmp_path: Path):
    changes: dict[str, Any] = {"seed": 7, "certificate": "crown", "versions": {"clearance": "0.1.0", "code": "beef"}}
    run = records_of(tmp_path / "run", GOOD)
    baseline = records_of(tmp_path / "old", [*GOOD[:9], None], labels=(0,) * 8 + (1, 0), **changes)
    assert judge(run, Limits(max_drop=0.1), baseline=baseline).notes == (
        "old was computed with other versions of code",
        "old has another seed (7, not 0)",
        "old was certified by crown, not best",
        "the drop is over the 9 inputs that both runs have (10 here, 10 there)",
        "1 input of both runs are left out: their labels differ",
        "old is not finished: 9 of 10 tasks",
        "old has the same weights",
    )


def test_a_drop_needs_a_baseline_and_a_baseline_a_drop(tmp_path: Path):
    run = records_of(tmp_path / "run", GOOD)
    with pytest.raises(InputError, match="--max-drop: expected --baseline with it"):
        judge(run, Limits(max_drop=0.1))
    with pytest.raises(InputError, match="--baseline: expected --max-drop with it"):
        judge(run, Limits(), baseline=run)


def test_drops_where_a_median_is_zero_or_infinite():
    assert relative_drop([0, 0], [1, 1]) == 1 and relative_drop([1], [0]) == 0
    assert relative_drop([math.inf], [math.inf]) == 0 and relative_drop([1], [math.inf]) == 1
    assert relative_drop([math.inf], [1]) == -math.inf


def test_the_interval_covers_the_median_at_its_rate():
    # 300 samples of a skewed distribution whose median is known; at a rate of .95 fewer than 270 has probability 2e-4.
    generator = np.random.default_rng(11)
    covered = 0
    for seed in range(300):
        interval = bootstrap_interval(middle, generator.exponential(size=15), seed=seed)
        assert interval is not None
        covered += interval[0] <= math.log(2) <= interval[1]
    assert 270 <= covered <= 299


def test_the_interval_is_fixed_by_its_seed_and_has_no_steps_between_values():
    values = np.random.default_rng(0).normal(size=21)
    first, again, other = (bootstrap_interval(middle, values, seed=seed) for seed in (1, 1, 2))
    assert first == again and first is not None and other is not None and set(first) | set(other) <= set(values)
    assert bootstrap_interval(middle, values[:5]) is None and RESAMPLES >= 1000
    assert list(subtract([math.inf, math.inf, 1.0], [math.inf, 1.0, 3.0])) == [0.0, math.inf, -2.0]


def test_junit_is_what_ci_servers_read_and_holds_names_as_text(tmp_path: Path):
    answers = spoiled(3, bracket(status="refuted", flags=[REFUTED]))
    run = records_of(tmp_path / "run", answers, model=HOSTILE, targets=(HOSTILE,))
    found = judge(run, Limits(min_median=0.1, max_flagged=0.1))
    root = Xml.fromstring(as_junit(found))
    assert root.tag == "testsuites" and [suite.tag for suite in root] == ["testsuite"]
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "0")
    cases = suite.findall("testcase")
    assert len(cases) == 4 and all(case.get("name") and case.get("classname") for case in cases)
    (failure,) = suite.findall("testcase/failure")
    assert failure.get("type") == "max-flagged" and "0.3 (3 of 10), above 0.1: refuted" in (
        failure.get("message") or ""
    )
    shown = HOSTILE.replace("\u202e", "?").replace("\x1b", "?")
    assert [p.get("value") for p in suite.findall("properties/property")] == [shown, "digits-test", "none"]
    assert cases[2].get("classname") == f"clearance.gate.l2, {shown}"


def test_markdown_shows_names_and_nothing_of_them_is_markup(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket()] * 3, model=HOSTILE, data="a|b\nc", targets=(HOSTILE,))
    text = as_markdown(judge(run, Limits(min_median=9.0)))
    lines = text.splitlines()
    assert lines[0] == "## Clearance gate failed&#58; 1 of 3 criteria"
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 5 and {line.count("|") for line in table} == {6}
    names = text.replace("<!-- -->", "")
    assert not set("<>`\u202e\x1b") & set(names) and "https:" not in names and "www." not in names
    assert "@" not in names and "alert&#40;1&#41;" not in names and "alert(1)" in names
    html = pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"linkify": False}).render(text)
    assert html.count("<tr>") == 4 and "<script" not in html and "&lt;script&gt;alert(1)&lt;/script&gt;|`x`" in html


def gate(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from clearance.cli import main; main()", "gate", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "80"}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=folder, env=environment, timeout=120
    )


def test_the_command(tmp_path: Path):
    run_of(tmp_path / "run", GOOD, model=HOSTILE)
    run_of(tmp_path / "old", GOOD)
    (tmp_path / "summary.md").write_text("")
    asked = ("--min-median", "1", "--max-drop", "0.05", "--baseline", "old", "--drop-of", "estimated")
    passed = gate("run", *asked, "--junit", "junit.xml", "--markdown", "summary.md", folder=tmp_path)
    assert passed.returncode == 0 and "The gate passed: 4 criteria." in passed.stdout, passed.stderr
    assert max(map(len, passed.stdout.splitlines())) <= 80 and "\x1b" not in passed.stdout
    assert len(Xml.parse(tmp_path / "junit.xml").findall(".//testcase")) == 4
    assert (tmp_path / "summary.md").read_text().startswith("## Clearance gate passed")
    short = gate("run", "--min-median", "2", "--json", "--junit", "junit.xml", folder=tmp_path)
    document = json.loads(short.stdout)
    assert short.returncode == 1 and document["passed"] is False and document["criteria"][2]["limit"] == 2.0
    assert Xml.parse(tmp_path / "junit.xml").findall(".//failure")
    assert {path.name for path in tmp_path.iterdir()} == {"run", "old", "summary.md", "junit.xml"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "gate: expected at least one of --min-median"),
        (("--min-median", "-1"), "--min-median: expected a finite number, 0 or more, got -1.0"),
        (("--min-median", "nan"), "--min-median: expected a finite number"),
        (("--max-flagged", "5"), "--max-flagged: expected a share from 0 to 1, got 5.0"),
        (("--max-failed", "-1"), "--max-failed"),
        (("--max-drop", "0.1"), "--max-drop: expected --baseline with it"),
        (("--min-median", "1", "--baseline", "run"), "--baseline: expected --max-drop with it"),
        (("--min-median", "1", "--drop-of", "certified"), "--drop-of: expected --max-drop with it"),
        (("--min-median", "1", "--norm", "two"), "--norm: expected norms with commas"),
        (("--min-median", "1", "--norm", "3"), "--norm: expected one of 2, as the run has, got 3"),
        (("--min-median", "1", "--target", "a,,b"), "--target: expected names with commas"),
        (("--min-median", "1", "--junit", "no/junit.xml"), "--junit: expected a folder that exists, got no"),
        (("--min-median", "1", "--norm", "2,2.0"), "--norm: expected each norm once, got '2,2.0'"),
        (("--min-median", "1", "--junit", "run"), "--junit: expected a file, got run, which is a folder"),
        (("--min-median", "1", "--junit", "g", "--markdown", "run"), "--markdown: expected a file, got run, which is"),
        (("--min-median", "1", "--junit", "g", "--markdown", "g"), "--markdown: expected another file than --junit"),
        (("--min-median", "1", "--junit", "run/plan.json"), "--junit: expected another file"),
        (("--max-drop", "0.1", "--baseline", "absent"), "absent: expected the folder of a run"),
    ],
)
def test_bad_usage_is_one_line_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: Any, message: str
):
    from clearance.cli import run

    run_of(tmp_path / "run", GOOD)
    monkeypatch.chdir(tmp_path)
    assert run(["gate", "run", *arguments, *([] if "--junit" in arguments else ["--junit", "junit.xml"])]) == 2
    out, err = capfd.readouterr()
    assert out == "" and message in err and err.count("\n") == 1 and [p.name for p in tmp_path.iterdir()] == ["run"]


def test_the_gate_needs_no_torch(tmp_path: Path):
    run_of(tmp_path / "run", GOOD)
    code = "import sys; from clearance.cli import run; run(['gate', 'run', '--max-failed', '0']); print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    modules = done.stdout.splitlines()[-1].split()
    assert "clearance.report.gate" in modules and "torch" not in modules


def test_the_worked_example_uses_flags_that_exist():
    from clearance.cli.options import commands

    text = (ROOT / "docs" / "examples" / "github-actions.yml").read_text()
    calls = re.findall(r"clearance (bracket|gate|report) ([^\n]*)", text.replace("\n          ", " "))
    assert [name for name, _ in calls if name != "bracket"] == ["gate", "report"] and len(calls) >= 3
    for name, rest in calls:
        known = {option for parameter in commands.commands[name].params for option in (*parameter.opts, "--help")}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known
