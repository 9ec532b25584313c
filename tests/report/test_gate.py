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

import pytest

from clearance.errors import InputError
from clearance.report.demands import Limits
from clearance.report.gate import judge
from clearance.report.outcome import GateOutcome
from command_line import run_command
from conftest import ROOT
from made_runs import (
    CONTRADICTION,
    GOOD,
    HOSTILE,
    MASKED,
    MASKING,
    REFUTED,
    WRONG,
    Answer,
    bracket,
    make_plan,
    only,
    records_of,
    run_of,
    spoiled,
)
from made_runs import write_run as write


def outcome(folder: Path, answers: list[Answer], limits: Limits, **options: Any) -> GateOutcome:
    return judge(records_of(folder / "run", answers), limits, **options)


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
    assert [check.about for check in found.failed] == ["linf, runner-up", "linf, 3"]
    assert judge(run, Limits(min_median=1.0), norms=[2.0]).passed
    chosen = judge(run, Limits(min_median=0.2), norms=[math.inf], targets=["3"])
    assert chosen.passed and len(chosen.checks) == 3 and chosen.checks[0].got == "0 of 4"
    for options, message in (({"norms": [1.0]}, "--norm: expected one of 2, inf"), ({"targets": ["x"]}, "--target")):
        with pytest.raises(InputError, match=message):
            judge(run, Limits(min_median=1.0), **options)


def test_a_drop_needs_a_baseline_and_a_baseline_a_drop(tmp_path: Path):
    run = records_of(tmp_path / "run", GOOD)
    with pytest.raises(InputError, match="--max-drop: expected --baseline with it"):
        judge(run, Limits(max_drop=0.1))
    with pytest.raises(InputError, match="--baseline: expected --max-drop with it"):
        judge(run, Limits(), baseline=run)


def test_the_command(tmp_path: Path):
    run_of(tmp_path / "run", GOOD, model=HOSTILE)
    run_of(tmp_path / "old", GOOD)
    (tmp_path / "summary.md").write_text("")
    asked = ("--min-median", "1", "--max-drop", "0.05", "--baseline", "old", "--drop-of", "estimated")
    passed = run_command("gate", "run", *asked, "--junit", "junit.xml", "--markdown", "summary.md", folder=tmp_path)
    assert passed.returncode == 0 and "The gate passed: 4 criteria." in passed.stdout, passed.stderr
    assert max(map(len, passed.stdout.splitlines())) <= 80 and "\x1b" not in passed.stdout
    assert len(Xml.parse(tmp_path / "junit.xml").findall(".//testcase")) == 4
    assert (tmp_path / "summary.md").read_text().startswith("## Clearance gate passed")
    short = run_command("gate", "run", "--min-median", "2", "--json", "--junit", "junit.xml", folder=tmp_path)
    document = json.loads(short.stdout)
    assert short.returncode == 1 and document["passed"] is False and document["criteria"][2]["limit"] == 2.0
    assert Xml.parse(tmp_path / "junit.xml").findall(".//failure")
    assert {path.name for path in tmp_path.iterdir()} == {"run", "old", "summary.md", "junit.xml"}
    for norm in ("2", "l2", "L2", "2.0"):
        assert run_command("gate", "run", *asked, "--norm", norm, folder=tmp_path).returncode == 0
    robust = run_command(
        "gate", "run", "--min-not-broken", ".95", "--at", "8/255,.4", "--min-class-proved", "0.5", folder=tmp_path
    )
    assert robust.returncode == 1 and "l2 at 0.4: 9 of 10 inputs" in robust.stdout and "8/255" in robust.stdout
    assert max(map(len, robust.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "gate: expected at least one of --min-median"),
        (("--min-median", "-1"), "'--min-median': expected a number >= 0 or a fraction such as 8/255, got '-1'"),
        (("--min-median", "nan"), "'--min-median': expected a number >= 0"),
        (("--max-flagged", "5"), "--max-flagged: expected a share from 0 to 1, got 5.0"),
        (("--max-failed", "-1"), "--max-failed"),
        (("--min-proved", "1.5", "--at", "0.1"), "--min-proved: expected a share from 0 to 1, got 1.5"),
        (("--min-proved", "0.5"), "--min-proved: expected --at EPS with it, got none"),
        (("--min-class-not-broken", "0.5"), "--min-class-not-broken: expected --at EPS with it, got none"),
        (("--min-median", "1", "--at", "0.1"), "--at: expected a limit on robust accuracy with it, got none"),
        (("--min-proved", "0.5", "--at", "8/0"), "--at"),
        (("--min-proved", "0.5", "--at", "0"), "--at"),
        (("--min-median", "1", "--class-inputs", "3"), "--class-inputs: expected a limit on the worst class with it"),
        (("--min-class-median", "1", "--class-inputs", "0"), "--class-inputs"),
        (("--max-drop", "0.1"), "--max-drop: expected --baseline with it"),
        (("--min-median", "1", "--baseline", "run"), "--baseline: expected --max-drop with it"),
        (("--min-median", "1", "--drop-of", "certified"), "--drop-of: expected --max-drop with it"),
        (("--min-median", "1", "--norm", "two"), "norm: expected a number >= 1 or inf, such as 2, l2"),
        (("--min-median", "1", "--norm", "3"), "--norm: expected one of 2, as the run has, got 3"),
        (("--min-median", "1", "--target", "a,,b"), "--target: expected names with commas"),
        (("--min-median", "1", "--junit", "no/junit.xml"), "--junit: expected a folder that exists, got no"),
        (
            ("--min-median", "1", "--norm", "2,2.0"),
            "--norm: expected names with commas between them, each once",
        ),
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


def test_a_run_of_correct_inputs_alone_is_not_judged_by_its_wrong_ones(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket()] * 2, passed_over=1)
    with pytest.raises(InputError, match=r"--max-misclassified: .* got one with --skip-misclassified"):
        judge(run, Limits(max_misclassified=0.0))


def test_a_median_that_misclassified_inputs_are_left_out_of_is_told(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket(), bracket(), WRONG])
    said = "1 input of 3 is misclassified, and in no median"
    assert judge(run, Limits(min_attacked=0.1)).notes[0].startswith(said)
    for counted in ({"max_misclassified": 0.5}, {"min_not_broken": 0.1, "at": (0.1,)}):
        assert not judge(run, Limits(min_attacked=0.1, **counted)).notes
    assert not judge(run, Limits(max_flagged=0.5)).notes
    assert not judge(records_of(tmp_path / "right", [bracket()]), Limits(min_attacked=0.1)).notes
