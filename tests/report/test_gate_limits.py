"""Limits of the gate on readable estimates, on robust accuracy, and on the worst class."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from clearance.errors import InputError
from clearance.model.robustness import clopper_pearson
from clearance.report.demands import Limits
from clearance.report.gate import judge
from clearance.report.outcome import GateCheck, GateOutcome
from clearance.report.records import RunRecords
from made_runs import CONTRADICTION, MASKED, WRONG, Answer, bracket, make_plan, only, records_of, spoiled
from made_runs import write_run as write

REFUTED = bracket(status="refuted", flags=[("refuted", "error")])


def outcome(folder: Path, answers: list[Answer], limits: Limits, **changes: Any) -> GateOutcome:
    return judge(records_of(folder / "run", answers, **changes), limits)


def test_the_share_that_may_be_read_counts_failed_tasks_as_without(tmp_path: Path):
    answers: list[Answer] = [*spoiled(1, REFUTED, of=4), "out of memory", WRONG]
    check = only(outcome(tmp_path / "a", answers, Limits(min_readable=0.6, max_failed=1)), "min-readable")
    assert check.passed and check.value == 0.6 and check.inputs == 5
    short = only(outcome(tmp_path / "b", answers, Limits(min_readable=0.61, max_failed=1)), "min-readable")
    assert not short.passed and short.got == "0.6 (3 of 5)"
    assert short.reason == "the share of inputs with an estimate that may be read is 0.6 (3 of 5), below 0.61: refuted"
    nothing = only(outcome(tmp_path / "c", [WRONG] * 2, Limits(min_readable=0.0)), "min-readable")
    assert not nothing.passed and nothing.reason.startswith("every input is misclassified")


KINDS: list[Answer] = [
    bracket(0.5, 0.6, 1.0),  # proved up to 0.5, broken from 1.0
    bracket(0.2, 0.6, None),
    bracket("inf", 0.6, None),
    WRONG,
    MASKED,  # a witness at 50 that the audit doubts; proved up to 0.1
    "out of memory",
]


@pytest.mark.parametrize(
    ("radius", "proved", "not_broken"), [(0.1, 4, 4), (0.3, 2, 3), (0.9, 1, 3), (1.0, 1, 2), (60.0, 1, 2)]
)
def test_robust_accuracy_is_a_count_over_all_inputs_of_what_may_be_read(
    tmp_path: Path, radius: float, proved: int, not_broken: int
):
    limits = Limits(min_proved=proved / 6, min_not_broken=not_broken / 6, at=(radius,), max_failed=1)
    found = outcome(tmp_path / "a", KINDS, limits)
    assert found.passed
    for flag, number in (("min-proved", proved), ("min-not-broken", not_broken)):
        check = only(found, flag)
        assert check.value == number / 6 and check.inputs == 6 and check.interval == clopper_pearson(number, 6)
        assert f"({number} of 6 inputs; 95 %: " in check.got
    above = Limits(min_proved=(proved + 1) / 6, min_not_broken=(not_broken + 1) / 6, at=(radius,), max_failed=1)
    assert [check.flag for check in outcome(tmp_path / "b", KINDS, above).failed] == ["min-proved", "min-not-broken"]


def test_what_does_not_count_as_not_broken_is_said(tmp_path: Path):
    check = only(outcome(tmp_path, KINDS, Limits(min_not_broken=0.9, at=(0.3,), max_failed=1)), "min-not-broken")
    assert check.reason == (
        "3 of 6 inputs are counted as not broken, a share below 0.9; of 1 more the audit doubts the attacks; 1 is not "
        "measured"
    )


def test_a_masked_network_has_no_robust_accuracy_to_show(tmp_path: Path):
    answers: list[Answer] = [bracket(0.0, None, None, status="masked", flags=[("zero_gradient", "error")])] * 10
    check = only(outcome(tmp_path, answers, Limits(min_not_broken=0.1, at=(0.5,))), "min-not-broken")
    assert not check.passed and check.value == 0.0 and "of 10 more the audit doubts the attacks" in check.reason


def test_a_contradicted_proof_proves_nothing(tmp_path: Path):
    answers: list[Answer] = [bracket(2.0, 1.0, 1.0, status="refuted", flags=[CONTRADICTION])]
    assert only(outcome(tmp_path, answers, Limits(min_proved=0.1, at=(0.5,))), "min-proved").value == 0.0


def test_each_norm_is_judged_at_each_radius(tmp_path: Path):
    plan = make_plan(6, norms=(2.0, math.inf), targets=("untargeted", "runner-up"))
    run = read(tmp_path / "run", plan, lambda task: bracket(0.1, 0.5, 1.0 if task.norm == 2.0 else 0.05))
    limits = Limits(min_not_broken=1.0, at=(8 / 255, 0.5))
    found = [(check.about, check.passed) for check in judge(run, limits).checks if check.flag == "min-not-broken"]
    assert found == [("l2 at 8/255", True), ("l2 at 0.5", True), ("linf at 8/255", True), ("linf at 0.5", False)]
    assert judge(run, limits, norms=[2.0]).passed


def read(folder: Path, plan: Any, answer: Any) -> RunRecords:
    from clearance.report.read import read_records

    return read_records(write(folder, plan, answer), pictures=False)


def test_without_certificates_or_brackets_there_is_nothing_to_judge(tmp_path: Path):
    limits = Limits(min_proved=0.0, min_class_proved=0.0, at=(0.5,), allow_unfinished=True)
    none = outcome(tmp_path / "a", [bracket(None)] * 6, limits, certificate="none")
    assert [check.reason for check in none.failed] == ["the run has no certificates"] * 2
    empty = outcome(tmp_path / "b", [None] * 6, limits)
    assert [(check.reason, check.value) for check in empty.failed] == [("there is no bracket", None)] * 2


@pytest.mark.parametrize(
    ("limits", "changes", "message"),
    [
        (Limits(min_proved=0.5), {}, "--min-proved: expected --at EPS with it, got none"),
        (Limits(at=(0.5,)), {}, "--at: expected a limit on robust accuracy with it, got none"),
        (
            Limits(min_not_broken=0.5, at=(0.5,)),
            {"targets": ("runner-up", "random", 1)},
            "--min-not-broken: expected a run with robust accuracy. This run moves inputs to chosen classes only",
        ),
    ],
)
def test_limits_that_cannot_be_judged(tmp_path: Path, limits: Limits, changes: dict[str, Any], message: str):
    def logits(task: Any) -> Answer:
        return bracket() | {"logits": [1.0, 0.0, 0.0], "witness_logits": [0.0, 1.0, 0.0]}

    run = read(tmp_path / "run", make_plan(3, **changes), logits)
    with pytest.raises(InputError) as caught:
        judge(run, limits)
    assert message in str(caught.value)


def classes(folder: Path, answers: list[list[Answer]], limits: Limits, **changes: Any) -> GateOutcome:
    """The outcome for a run with these answers for each class."""
    labels = tuple(label for label, members in enumerate(answers) for _ in members)
    flat = [answer for members in answers for answer in members]
    return judge(records_of(folder / "run", flat, labels=labels, **changes), limits)


def far(distance: float, **changes: Any) -> dict[str, Any]:
    return bracket(0.1 * distance, 0.5 * distance, distance, **changes)


def the(outcome: GateOutcome) -> GateCheck:
    return outcome.checks[2]


def test_the_worst_class_is_named_with_the_inputs_it_rests_on(tmp_path: Path):
    answers = [[far(3.0)] * 5, [far(1.0)] * 6 + [REFUTED], [far(2.0)] * 5]
    for flag, kind in (("min_class_attacked", 1.0), ("min_class_median", 0.5), ("min_class_certified", 0.1)):
        check = the(classes(tmp_path / flag, answers, Limits(**{flag: kind})))
        assert check.passed and check.worst_class == "1" and check.value == pytest.approx(kind), check
    short = the(classes(tmp_path / "a", answers, Limits(min_class_median=0.6)))
    assert short.got == "0.5 in class 1 (6 of 7 inputs)" and short.inputs == 6
    assert short.criterion == "median estimated radius, worst class"
    assert short.reason == "the median estimated radius of class 1 is 0.5, below 0.6"
    assert json.loads(json.dumps(short.as_record()))["class"] == "1"


def test_a_class_that_must_not_be_read_is_the_worst(tmp_path: Path):
    found = the(classes(tmp_path, [[far(0.1)] * 5, [far(9.0)] * 2 + [REFUTED] * 4], Limits(min_class_median=0.0)))
    assert not found.passed and found.worst_class == "1"
    assert found.reason.startswith("class 1: only 2 of 6 correctly classified inputs have an estimated radius that may")


def test_a_class_with_too_few_inputs_is_said_and_falls_short(tmp_path: Path):
    answers = [[far(3.0)] * 5, [far(9.0)] * 2, [far(2.0)] * 4 + [WRONG] * 9]
    limits = Limits(min_class_attacked=1.0)
    found = the(classes(tmp_path / "a", answers, limits))
    assert not found.passed and found.reason == (
        "classes 1 (2), 2 (4) have fewer than 5 correctly classified inputs, too few to judge a class by "
        "(--class-inputs)"
    )
    assert found.got == "2 in class 2 (4 of 4 inputs)"
    assert the(classes(tmp_path / "b", answers, Limits(min_class_attacked=1.0, class_inputs=2))).passed
    one = the(classes(tmp_path / "c", answers[:2], limits)).reason
    assert one.startswith("class 1 (2) has fewer than 5")
    wrong = the(classes(tmp_path / "d", [[far(1.0)] * 5, [WRONG] * 5], Limits(min_class_attacked=0.0, class_inputs=1)))
    assert not wrong.passed and wrong.worst_class == "1" and "1 (0) has fewer than 1" in wrong.reason


def test_failed_tasks_belong_to_their_class(tmp_path: Path):
    answers: list[list[Answer]] = [[far(3.0)] * 5, [far(9.0)] * 2 + ["out of memory"] * 3]
    found = the(classes(tmp_path, answers, Limits(min_class_attacked=1.0, max_failed=3)))
    assert not found.passed and found.worst_class == "1" and "only 2 of 5" in found.reason


def test_the_robust_accuracy_of_the_worst_class_counts_its_misclassified_inputs(tmp_path: Path):
    answers: list[list[Answer]] = [[far(3.0)] * 5, [far(3.0)] * 3 + [WRONG] * 2, [far(3.0)] * 4 + [far(0.5)]]
    limits = Limits(min_class_not_broken=0.6, min_class_proved=0.6, at=(0.25,))
    found = classes(tmp_path / "a", answers, limits)
    assert found.passed and [check.worst_class for check in found.checks[2:]] == ["1", "1"]
    above = classes(tmp_path / "b", answers, Limits(min_class_not_broken=0.61, at=(1.0,), class_inputs=6))
    assert above.failed[0].reason.startswith("classes 0 (5), 1 (5), 2 (5) have fewer than 6 inputs")
    lowest = the(classes(tmp_path / "c", answers, Limits(min_class_not_broken=0.61, at=(1.0,))))
    assert lowest.reason == "3 of 5 inputs in class 1 are counted as not broken, a share below 0.61"
    assert lowest.got == "0.6 in class 1 (3 of 5 inputs; 95 %: 0.1466 to 0.9473)"


def test_classes_without_an_input_are_a_note(tmp_path: Path):
    names = ("cat", "dog", "eel", "fox")

    def judged(limits: Limits, folder: str) -> GateOutcome:
        plan = make_plan(5, labels=(0,) * 5)
        plan = plan.model_copy(update={"data": plan.data.model_copy(update={"class_names": names})})
        return judge(read(tmp_path / folder, plan, lambda _: far(3.0)), limits)

    found = judged(Limits(min_class_attacked=1.0), "a")
    assert found.passed and the(found).worst_class == "cat"
    assert found.notes == (
        "the run has no input of 3 of 4 classes (dog, eel, fox): the worst class is that of the others",
    )
    assert judged(Limits(min_attacked=1.0), "b").notes == ()


def test_the_target_is_no_class_to_judge(tmp_path: Path):
    plan = make_plan(10, targets=(1,), labels=(0,) * 5 + (1,) * 5)
    reached = bracket() | {"status": "target_is_predicted", "predicted": 1}
    run = read(tmp_path / "run", plan, lambda task: reached if task.label == 1 else far(3.0))
    assert the(judge(run, Limits(min_class_attacked=1.0))).worst_class == "0"
    assert judge(run, Limits(min_class_attacked=1.0)).passed


def test_classes_of_one_name_are_judged_apart(tmp_path: Path):
    plan = make_plan(10, labels=(0,) * 5 + (1,) * 5)
    plan = plan.model_copy(update={"data": plan.data.model_copy(update={"class_names": ("same", "same")})})
    run = read(tmp_path / "run", plan, lambda task: far(1.0 if task.label == 0 else 3.0))
    check = the(judge(run, Limits(min_class_attacked=2.0)))
    assert not check.passed and check.value == 1.0 and check.inputs == 5
