"""Answers then and now: what is the same network, and what is another."""

import math
from typing import Any

import numpy as np
import pytest

from clearance.runs.agreement import ROUNDING_UNITS, STANDARD_ERRORS, changed_answer
from clearance.runs.differences import differences
from clearance.runs.plan import Answers, ModelSpec, Plan
from run_tasks import make_plan

EPS = float(np.finfo(np.float32).eps)


def answers(*rows: tuple[float, ...], **changes: Any) -> Answers:
    keys = tuple(f"key{place}" for place in range(len(rows)))
    return Answers(**{"keys": keys, "logits": rows, "calls": 2, "spread": 0.0, **changes})


def planned(*rows: tuple[float, ...], **changes: Any) -> Plan:
    return make_plan(model=ModelSpec(name="net", weights_hash="ab12", answers=answers(*rows, **changes)))


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_rounding_is_no_change_and_more_is(share: float):
    then = answers((1.0, -2.0), (4.0, 3.0))
    for moved in ((4.0 + share * 4 * ROUNDING_UNITS * EPS, 3.0), (4.0, 3.0 - share * 4 * ROUNDING_UNITS * EPS)):
        assert bool(changed_answer(then, answers((1.0, -2.0), moved), "float32")) == (share > 1)


def test_a_masked_class_gives_the_others_no_room():
    then, now = answers((1.0, 0.5, -1e9)), answers((1.0, 0.49, -1e9))
    assert "a logit was 0.5 and is 0.49 (answer 1 of 1)" in changed_answer(then, now, "float32")
    assert not changed_answer(then, answers((1.0, 0.5, -1e9 - 64)), "float32")


def test_the_precision_sets_the_room():
    then, now = answers((1.0, 2.0)), answers((1.0, 2.00001))
    assert not changed_answer(then, now, "float32") and changed_answer(then, now, "float64")


def test_only_inputs_that_both_were_asked_are_compared():
    then, now = answers((1.0, 2.0), (3.0, 4.0)), answers((9.0, 9.0), (3.0, 4.0), keys=("other", "key1"))
    assert not changed_answer(then, now, "float32")


def test_another_number_of_classes_is_a_change():
    assert "gave 2 logits and gives 3" in changed_answer(answers((1.0, 2.0)), answers((1.0, 2.0, 3.0)), "float32")


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_random_answers_may_differ_by_their_standard_error(share: float):
    then = answers((1.0, 2.0), calls=16, spread=0.25)
    room = STANDARD_ERRORS * 0.5 * math.sqrt(2 / 16)
    now = answers((1.0, 2.0 + share * room), calls=16, spread=0.5)
    assert bool(changed_answer(then, now, "float32")) == (share > 1)


def test_a_network_that_became_random_is_another():
    then, now = answers((1.0, 2.0)), answers((1.0, 2.0), calls=16, spread=0.1)
    assert "answered the same each time, and answers at random" in changed_answer(then, now, "float32")
    assert "answered at random, and answers the same each time" in changed_answer(now, then, "float32")


def test_plans_differ_by_their_answers_up_to_the_tolerance():
    plan = planned((1.0, 2.0))
    assert differences(plan, planned((1.0, 2.0 + EPS))) == []
    (line,) = differences(plan, planned((1.0, 2.5)))
    assert line.startswith("model.answers: the network is another one: a logit was 2 and is 2.5")
    assert differences(plan, make_plan(model=ModelSpec(name="net", weights_hash="ab12"))) == []


def test_answers_are_in_the_plan_and_not_in_the_keys_of_its_tasks():
    one, other, none = (
        planned((1.0, 2.0)),
        planned((1.0, 2.0 + EPS)),
        make_plan(model=ModelSpec(name="net", weights_hash="ab12")),
    )
    assert one.id != other.id != none.id
    assert [task.key for task in one.tasks()] == [task.key for task in other.tasks()]
    assert [task.key for task in one.tasks()] == [task.key for task in none.tasks()]
