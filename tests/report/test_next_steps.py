"""What to do next: the most urgent first, each with its reason."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearance.audit import CHECKS
from clearance.report.auditor_page import render_auditor
from clearance.report.next_steps import MOST_STEPS, next_steps, steps_of_comparison
from clearance.report.page import render_report
from clearance.runs.origin import Origin
from clearance.runs.threat import Feature, ThreatModel
from made_runs import GOOD, MASKED, WRONG, Answer, bracket, comparison_of, far, records_of


@pytest.mark.parametrize(
    ("given", "changes", "first", "command"),
    [
        ([bracket(), None], {}, "Finish the run", "clearance bracket … --out run --resume"),
        ([bracket(), "broken"], {}, "Mend what made tasks fail", "clearance bracket … --resume --retry-failed"),
        ([MASKED, bracket()], {}, "Look", "clearance docs flags/zero_gradient"),
        ([bracket(status="wide")] * 9, {}, "Ask for a larger budget", "clearance bracket … --budget standard"),
        ([bracket(None)] * 9, {"certificate": "none"}, "Ask for proofs", "clearance bracket … --certificate best"),
        ([bracket(0.0)] * 9, {}, "Give proofs more time", "clearance bracket … --time-limit 120"),
        ([bracket()] * 2, {}, "Take more inputs", "clearance bracket … --count 10"),
        (
            [bracket()] * 40,
            {"targets": (1,)},
            "Let any other class count",
            "clearance bracket … --target untargeted",
        ),
        ([bracket()] * 40, {}, "Hold it against another model", "clearance compare run …"),
        ([WRONG] * 40, {}, None, ""),
    ],
)
def test_the_most_urgent_step_comes_first(
    tmp_path: Path, given: list[Answer], changes: dict, first: str | None, command: str
):
    steps = next_steps(records_of(tmp_path / "run", given, **changes))
    assert len(steps) <= MOST_STEPS and all(step.why for step in steps)
    if first is None:
        assert steps == []
    else:
        assert steps[0].text.startswith(first) and steps[0].command == command


def test_the_largest_budget_has_no_larger_one(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket(status="wide")] * 40, budget="thorough")
    assert not any("budget" in step.text for step in next_steps(run))


def test_a_proof_above_the_estimate_is_the_one_to_quote(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket(flags=[("below_certificate", "info")])] * 40, norms=(2.0, math.inf))
    assert next_steps(run)[0].text.startswith("Quote the certified radius")


def test_a_comparison_that_is_not_settled_asks_for_inputs_and_a_doubted_run_for_its_remedy(tmp_path: Path):
    few = steps_of_comparison(comparison_of(tmp_path / "few", [far(1.0)] * 3, [far(2.0)] * 3))
    assert few[0].text == "Take more inputs in each run" and few[0].command == "clearance bracket … --count 15"
    mixed = [far(1.0 + (k % 2)) for k in range(10)]
    even = steps_of_comparison(comparison_of(tmp_path / "even", [far(1.5)] * 10, mixed))
    assert "holds 0" in even[0].why
    masked = steps_of_comparison(comparison_of(tmp_path / "masked", GOOD, [MASKED] * 10))
    assert masked[0].text == "Look" and masked[0].why == "zero_gradient, in 10 brackets of b"
    settled = steps_of_comparison(comparison_of(tmp_path / "settled", [far(1.0)] * 10, [far(2.0)] * 10))
    assert [step.text for step in settled] == ["Read the report of each run", "Keep it so in CI"]


def flagged(*remedies: tuple[str, str]) -> dict[str, Any]:
    found = bracket(estimated=None, status="masked", flags=[(code, "error") for code, _ in remedies])
    for flag, (_, remedy) in zip(found["audit"]["flags"], remedies, strict=True):
        flag["remedy"] = remedy
    return found


def test_flags_that_ask_for_a_stand_in_are_one_step(tmp_path: Path):
    codes = ("zero_gradient", "path_integral", "locally_constant", "blind_wins")
    asked = flagged(*((code, CHECKS[code].remedy) for code in codes))
    (step, *others) = next_steps(records_of(tmp_path / "run", [asked] * 8))
    assert "clearance.bpda(transform)" in step.text and all(code in step.why for code in codes)
    assert step.why.endswith("in 8 brackets") and not any("bpda" in other.text for other in others)


def test_nobody_is_told_to_put_a_stand_in_where_one_is(tmp_path: Path):
    codes = ("path_integral", "locally_constant")
    asked = flagged(*((code, CHECKS[code].beside_stand_in) for code in codes))
    (step, *others) = next_steps(records_of(tmp_path / "run", [asked] * 8))
    assert step.text.startswith("A stand-in is in place")
    assert step.why == "locally_constant, path_integral, in 8 brackets"
    assert not any("stand-in" in other.text for other in others)


def test_more_time_is_not_asked_for_where_no_method_of_proof_applies(tmp_path: Path):
    unknown = bracket(0.0)
    unknown["certified"] |= {"status": "unsupported", "reason": "round: not a known step"}
    steps = next_steps(records_of(tmp_path / "run", [unknown] * 8))
    (step,) = [step for step in steps if "round: not a known step" in step.why]
    assert not step.command and not any("time" in other.text for other in steps)


@pytest.mark.parametrize(
    ("certified", "certificate", "told"), [(0.1, "best", True), (0.3, "best", False), (0.1, "crown", False)]
)
def test_a_gap_of_a_table_is_closed_by_branch_and_bound(tmp_path: Path, certified: float, certificate: str, told: bool):
    age = Feature(name="age", unit=1.0, low=0.0, high=1.0, moves=True)
    threat = ThreatModel(norms=(2.0,), targets=("untargeted",), bounds=(0.0, 1.0), features=(age,) * 4)
    steps = next_steps(
        records_of(tmp_path / "run", [bracket(certified, 0.3, 0.3)] * 40, threat=threat, certificate=certificate)
    )
    assert any("branch-and-bound" in step.command for step in steps) == told


def test_inputs_named_one_by_one_are_not_asked_for_by_their_count(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket()] * 2)
    plan = run.plan.model_copy(update={"data": run.plan.data.model_copy(update={"indices": (3, 40)})})
    (step, *_) = next_steps(replace(run, plan=plan))
    assert step.text == "Take more inputs: name them in --indices, beside those of the run" and not step.command


def test_of_each_class_more_are_asked_for_by_their_number(tmp_path: Path):
    origin = Origin(started="2026", flags=("--per-class", "2", "--scale", "std"), total=100)
    run = records_of(tmp_path / "run", [bracket()] * 4, origin=origin)
    plan = run.plan.model_copy(update={"data": run.plan.data.model_copy(update={"indices": (0, 1, 40, 41)})})
    assert next_steps(replace(run, plan=plan))[0].command == "clearance bracket … --per-class 10"


@pytest.mark.parametrize(
    ("total", "offset", "count"),
    [
        (7, 0, 7),
        (50, 0, 10),
        (8, 5, 3),
    ],
)
def test_no_more_inputs_are_asked_for_than_there_are(tmp_path: Path, total: int, offset: int, count: int):
    run = records_of(tmp_path / "run", [bracket()] * 2, offset=offset, origin=Origin(started="2026", total=total))
    assert next_steps(run)[0].command == f"clearance bracket … --count {count}"


def test_where_a_run_has_the_whole_set_a_larger_one_is_asked_for(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket()] * 2, origin=Origin(started="2026", total=2))
    step = next_steps(run)[0]
    assert step.text == "Take a larger set of inputs" and not step.command
    assert step.why.endswith("; this run has all 2 of the set")
    compared = comparison_of(tmp_path / "few", [far(1.0)] * 3, [far(2.0)] * 3)
    small = [
        replace(run, plan=run.plan.model_copy(update={"origin": Origin(started="2026", total=4)}))
        for run in compared.runs
    ]
    assert steps_of_comparison(replace(compared, runs=tuple(small)))[0].command == "clearance bracket … --count 4"


QUICK_FLAG = ("reference_wins", CHECKS["reference_wins"].remedy)
"""A flag that a short search raises on an ordinary network too."""


def test_a_larger_budget_comes_before_a_stand_in_where_the_flag_may_be_one_of_haste(tmp_path: Path):
    hasty = records_of(tmp_path / "run", [flagged(QUICK_FLAG)] * 8, budget="quick")
    (first, *others) = next_steps(hasty)
    assert first.text.startswith("Run again with a larger budget") and first.command.endswith("--budget standard")
    assert not any("bpda" in other.text for other in others)
    page = render_report(hasty)
    assert page.index("--budget</span> standard") < page.index("clearance.bpda(transform)")
    told = 'Try: first a larger budget (<code><span class="unbroken">--budget</span> standard</code>)'
    assert render_auditor(hasty).count(told) == 1


def test_a_stand_in_comes_first_where_more_passes_change_nothing(tmp_path: Path):
    unknown = flagged(QUICK_FLAG)
    unknown["certified"] |= {"status": "unsupported", "reason": "round: not a known step"}
    direct = flagged(QUICK_FLAG, ("zero_gradient", CHECKS["zero_gradient"].remedy))
    cases = (unknown, "quick"), (direct, "quick"), (flagged(QUICK_FLAG), "standard")
    for place, (answer, budget) in enumerate(cases):
        (step, *_) = next_steps(records_of(tmp_path / str(place), [answer] * 8, budget=budget))
        assert "clearance.bpda(transform)" in step.text and step.command == "clearance docs guides/masked-models"
