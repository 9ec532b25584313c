"""Security curves against a count by the definition, and what each kind of input and task is worth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearance.model.robustness import Robustness
from clearance.report.read import read_records
from clearance.report.security import SecurityCurve, has_robust_accuracy, missing_curve, security_curves
from made_runs import CONTRADICTION, MASKED, WRONG, Answer, bracket, make_plan, records_of, write_run

INF = math.inf


def curve_of(folder: Path, answers: list[Answer], **changes: Any) -> SecurityCurve:
    (curve,) = security_curves(records_of(folder, answers, **changes))
    return curve


def counts(curve: SecurityCurve, radius: float) -> tuple[int, int]:
    found = curve.at(radius)
    return found.proved.count, found.not_broken.count


@pytest.mark.parametrize("seed", range(8))
def test_both_curves_are_the_count_at_every_radius(tmp_path: Path, seed: int):
    """Every kind of input at random; at each step, beside each step and between them."""
    generator = np.random.default_rng(seed)
    answers: list[Answer] = []
    truth: list[tuple[float, float]] = []  # certified radius and witness distance; -1 for neither proved nor unbroken
    for _ in range(25):
        kind = generator.integers(6)
        proof, witness = np.sort(generator.integers(0, 12, 2) / 8).tolist()
        witness += 1 / 16
        kinds = [
            bracket(proof, 1.0, witness),
            bracket(proof, 1.0, None),
            bracket("inf", 1.0, None),
            WRONG,
            None,
            "X: y",
        ]
        values = [(proof, witness), (proof, INF), (INF, INF), (-1.0, -1.0), (-1.0, INF), (-1.0, INF)]
        answers.append(kinds[kind])
        truth.append(values[kind])
    curve = curve_of(tmp_path / "run", answers)
    steps = {0.0, *(value for pair in truth for value in pair if 0 <= value < INF)}
    beside = {math.nextafter(step, side) for step in steps for side in (0.0, INF)}
    for radius in steps | beside | {0.03, 0.7, 5.0}:
        proved, unbroken = sum(r >= radius for r, _ in truth), sum(d > radius for _, d in truth)
        assert counts(curve, radius) == (proved, unbroken), radius
    assert set(curve.breakpoints) <= steps and {0.0, *curve.distances} <= set(curve.breakpoints)
    assert len(curve.at(0.1)) == 25 and curve.not_measured == sum(a is None or isinstance(a, str) for a in answers)
    assert curve.failed == sum(isinstance(answer, str) for answer in answers)
    for count in range(26):  # the inverse functions, by the definition, on every radius at which something changes
        reached = [r for r in sorted(steps) if counts(curve, r)[0] >= count]
        everywhere = sum(r == INF for r, _ in truth) >= count
        expected = INF if everywhere else max(reached, default=None)
        assert count == 0 or curve.proved_for(count) == expected
        below = [r for r in sorted(steps) if counts(curve, r)[1] < count]
        assert curve.broken_from(count) == min(below, default=None)


def test_the_lower_curve_is_never_above_the_upper_one(tmp_path: Path):
    """A proof within rounding of a witness ends below it; one that the witness contradicts proves nothing."""
    within, beyond = 0.5 * (1 + 1e-7), 0.5 * (1 + 1e-5)
    answers = [bracket(0.5, 0.5, 0.5), bracket(within, 0.5, 0.5), bracket(beyond, 0.5, 0.5, flags=[CONTRADICTION])]
    curve = curve_of(tmp_path / "run", [*answers, bracket("inf", 0.5, 0.5, flags=[CONTRADICTION])])
    assert counts(curve, 0.0) == (4, 4) and counts(curve, 1e-9) == (2, 4)
    assert counts(curve, math.nextafter(0.5, 0)) == (2, 4) and counts(curve, 0.5) == (0, 0)


def test_an_input_without_a_witness_is_never_broken_and_its_doubts_are_counted(tmp_path: Path):
    lost = bracket(0.0, None, None, status="masked", flags=[("zero_gradient", "error")])
    curve = curve_of(tmp_path / "run", [lost, MASKED, bracket(0.2, 0.3, 0.4), bracket(0.2, 0.3, None)])
    assert counts(curve, 1e9) == (0, 2) and counts(curve, 40.0)[1] == 3
    assert [curve.doubted_at(radius) for radius in (0.3, 49.0, 50.0)] == [2, 2, 1]
    assert [curve.at(radius).doubted for radius in (0.3, 49.0, 50.0)] == [2, 2, 1]


def test_what_is_misclassified_counts_as_not_robust_at_zero(tmp_path: Path):
    curve = curve_of(tmp_path / "run", [WRONG, WRONG, bracket(0.2, 0.3, 0.4)])
    assert counts(curve, 0.0) == (1, 1) and curve.at(0.0).correct.count == 1 and curve.misclassified == 2


def test_without_certificates_there_is_an_upper_curve_only(tmp_path: Path):
    curve = curve_of(tmp_path / "run", [bracket(None, 0.3, 0.4)] * 2, certificate="none")
    assert not curve.with_certificates and curve.proved_radii == ()
    assert curve.as_record([0.1])["at"][0]["proved"] is None and curve.as_record()["proved_radii"] is None


def test_equal_inputs_count_as_often_as_they_are_there(tmp_path: Path):
    plan = make_plan(3)
    plan = plan.model_copy(update={"data": plan.data.model_copy(update={"input_keys": ("a", "a", "b")})})
    (curve,) = security_curves(read_records(write_run(tmp_path / "run", plan, lambda task: bracket(0.1, 0.2, 0.3))))
    assert counts(curve, 0.2) == (0, 3) and counts(curve, 0.05) == (3, 3)


def tasks_run(folder: Path, classes: int, targets: tuple[str | int, ...], answer: Any, **changes: Any):
    """One run of three inputs of label 0, whose answer for a target is what `answer` says, with so many classes."""

    def with_logits(task: Any) -> Any:
        found, logits = answer(task), [1.0] + [0.0] * (classes - 1)
        if not isinstance(found, dict):
            return found
        return {**found, "logits": logits, "witness_logits": logits[::-1] if found["witness_logits"] else []}

    return read_records(write_run(folder, make_plan(3, targets=targets, **changes), with_logits), pictures=False)


@pytest.mark.parametrize(
    ("classes", "targets", "has"),
    [
        (3, ("untargeted",), True),
        (3, ("runner-up", "untargeted"), True),
        (3, ("runner-up",), False),
        (3, ("random", "least-likely", 1), False),
        (3, (0, 1, 2), True),
        (3, (1, 2), False),
        (2, ("runner-up",), True),
        (2, (1,), False),
    ],
)
def test_only_targets_that_leave_no_class_out_give_robust_accuracy(
    tmp_path: Path, classes: int, targets: Any, has: bool
):
    run = tasks_run(tmp_path / "run", classes, targets, lambda task: bracket())
    assert has_robust_accuracy(run) == has == bool(security_curves(run))
    assert (missing_curve(run) == "") == has
    assert has or (", ".join(map(str, targets)) in missing_curve(run) and "\n" not in missing_curve(run))


def test_every_class_together_is_the_least_proof_and_the_nearest_witness(tmp_path: Path):
    values = {1: (0.3, 0.9), 2: (0.2, None), 3: (0.4, 0.5)}

    def answer(task: Any) -> Any:
        if task.target == 0:
            return bracket(None, None, None, status="target_is_predicted")
        missing = {1: task.target == 2, 2: task.target == 3}.get(task.index, False)
        return None if missing else bracket(values[task.target][0], 0.45, values[task.target][1])

    (curve,) = security_curves(tasks_run(tmp_path / "run", 4, (0, 1, 2, 3), answer))
    whole, without_two, without_three = curve.inputs
    assert (whole.proved, whole.witness, whole.measured) == (0.2, 0.5, True)
    assert (without_two.proved, without_two.witness, without_two.measured) == (None, 0.5, False)
    assert without_two.at(0.4) is Robustness.NOT_MEASURED and without_two.at(0.5) is Robustness.BROKEN
    assert (without_three.proved, without_three.witness) == (None, 0.9)


def test_a_witness_of_any_target_breaks_and_a_proof_against_one_class_does_not_count(tmp_path: Path):
    def answer(task: Any) -> Any:
        return bracket(0.1, 0.2, 0.5) if task.target == "untargeted" else bracket(0.3, 0.3, 0.4)

    run = tasks_run(tmp_path / "run", 3, ("untargeted", "runner-up"), answer)
    (curve,) = security_curves(run)
    assert {(one.proved, one.witness) for one in curve.inputs} == {(0.1, 0.4)}


def test_each_norm_has_a_curve_and_its_own_tasks(tmp_path: Path):
    def answer(task: Any) -> Any:
        if task.norm == INF and task.index == 1:
            return "MemoryError: no room"
        return bracket(0.1, 0.2, 0.3) if task.norm == 2 else bracket(0.01, 0.02, 0.03)

    run = tasks_run(tmp_path / "run", 3, ("untargeted",), answer, norms=(2.0, INF))
    two, every = security_curves(run)
    assert (two.norm, two.not_measured, every.norm, every.not_measured, every.failed) == (2.0, 0, INF, 1, 1)
    assert counts(two, 0.1) == (3, 3) and counts(every, 0.1) == (0, 1)


def test_the_record_is_strict_json_and_gives_every_radius(tmp_path: Path):
    import json

    curve = curve_of(tmp_path / "run", [bracket("inf", 1.0, None), bracket(0.1, 0.2, 0.3), WRONG, None])
    record = json.loads(json.dumps(curve.as_record([0.2]), allow_nan=False))
    assert record["proved_radii"] == [0.1, "inf"] and record["witness_distances"] == [0.3]
    assert (record["misclassified"], record["not_measured"], record["inputs"]) == (1, 1, 4)
    assert record["at"][0]["proved"]["count"] == 1 and record["at"][0]["not_broken"]["count"] == 3


def test_nothing_to_show_is_said(tmp_path: Path):
    run = records_of(tmp_path / "run", ["X: y"] * 2)
    assert security_curves(run) == [] and missing_curve(run).startswith("No task has succeeded")
