"""Numbers of several runs paired by input: what may be read, and intervals at their rate."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearance.report.paired import (
    QUANTITIES,
    RESAMPLES,
    bootstrap_interval,
    by_input,
    distance_doubted,
    readable,
    relabelled,
    setup_differences,
    shared_inputs,
    subtract,
    threat_differences,
)
from clearance.report.records import Entry, RunRecords
from clearance.runs.summary import middle
from clearance.runs.threat import Feature
from made_runs import CONTRADICTION, MASKED, MASKING, REFUTED, WRONG, bracket, records_of


@pytest.mark.slow
def test_the_interval_covers_the_median_at_its_rate():
    # 300 samples of a skewed distribution whose median is known; at a rate of .95 fewer than 270 has probability 2e-4.
    def eighth(values: np.ndarray) -> float:
        """The median of 15 values, faster than `middle`."""
        return float(np.partition(values, 7)[7])

    generator = np.random.default_rng(11)
    covered = 0
    for seed in range(300):
        values = generator.exponential(size=15)
        assert eighth(values) == middle(values)
        interval = bootstrap_interval(eighth, values, seed=seed)
        assert interval is not None
        covered += interval[0] <= math.log(2) <= interval[1]
    assert 270 <= covered <= 299


def test_the_interval_is_fixed_by_its_seed_and_has_no_steps_between_values():
    values = np.random.default_rng(0).normal(size=21)
    first, again, other = (bootstrap_interval(middle, values, seed=seed) for seed in (1, 1, 2))
    assert first == again and first is not None and other is not None and set(first) | set(other) <= set(values)
    assert bootstrap_interval(middle, values[:5]) is None and RESAMPLES >= 1000
    assert list(subtract([math.inf, math.inf, 1.0], [math.inf, 1.0, 3.0])) == [0.0, math.inf, -2.0]


def entry(folder: Path, answer: dict[str, Any]) -> Entry:
    (found,) = records_of(folder / "run", [answer]).entries
    return found


@pytest.mark.parametrize(
    ("answer", "attacked", "estimated", "certified"),
    [
        (bracket(0.1, 0.5, 1.0), 1.0, 0.5, 0.1),
        (bracket(0.1, 0.5, 1.0, flags=[("poor_fit", "info")]), 1.0, 0.5, 0.1),
        (bracket(0.1, 0.5, 1.0, flags=[("blind_wins", "warning")]), None, 0.5, 0.1),
        (bracket(0.1, 0.5, 1.0, status="refuted", flags=[REFUTED]), 1.0, None, 0.1),
        (bracket(0.1, 0.5, 1.0, status="refuted", flags=[CONTRADICTION]), 1.0, None, None),
        (bracket(0.1, 0.5, 1.0, status="masked", flags=[MASKING]), None, None, 0.1),
        (bracket(0.1, 0.5, 1.0, status="no_gradient"), None, None, 0.1),
        (bracket(0.1, 0.5, None), None, 0.5, 0.1),
        (bracket("inf", 0.5, None), math.inf, 0.5, math.inf),
        (bracket(None, 0.5, 1.0), 1.0, 0.5, None),
        (WRONG, None, None, None),
    ],
)
def test_what_may_be_read(tmp_path: Path, answer: dict[str, Any], attacked: Any, estimated: Any, certified: Any):
    found = entry(tmp_path, answer)
    assert [readable(found, quantity) for quantity in QUANTITIES] == [attacked, estimated, certified]


def test_a_witness_that_refutes_is_not_in_doubt(tmp_path: Path):
    refuted = bracket(status="refuted", flags=[REFUTED, CONTRADICTION])
    assert not distance_doubted(entry(tmp_path / "a", refuted)) and distance_doubted(entry(tmp_path / "b", MASKED))


def test_an_interval_is_of_pairs_that_stay_together():
    """Columns that differ by 1 everywhere: whatever rows are drawn, so do their medians."""
    values = np.random.default_rng(4).normal(size=30)
    ends = bootstrap_interval(lambda one, other: middle(other) - middle(one), values, values + 1)
    assert ends == pytest.approx((1.0, 1.0))


def test_a_higher_level_gives_a_wider_interval():
    values = np.random.default_rng(2).normal(size=40)
    narrow, wide = (bootstrap_interval(middle, values, level=level) for level in (0.5, 0.99))
    assert narrow is not None and wide is not None and wide[0] < narrow[0] < narrow[1] < wide[1]


def test_inputs_are_shared_where_content_and_label_are_the_same(tmp_path: Path):
    first = records_of(tmp_path / "a", [bracket()] * 4, labels=(0, 0, 1, 0))  # key0 to key3
    other = records_of(tmp_path / "b", [bracket()] * 4, first=1)  # key1 to key4, all of label 0
    assert shared_inputs([first, other]) == [("key1", 0), ("key3", 0)] and relabelled(first, other) == 1
    assert list(by_input(first.entries)) == [("key0", 0), ("key1", 0), ("key2", 1), ("key3", 0)]


def test_what_forbids_a_comparison_and_what_only_explains_a_difference(tmp_path: Path):
    first, same = (records_of(tmp_path / name, [bracket()]) for name in "ab")
    assert threat_differences(first, same) == setup_differences(first, same) == []
    other = records_of(tmp_path / "c", [bracket()], budget="thorough", bounds=None, seed=3, certificate="crown")
    assert threat_differences(first, other) == [
        "bounds: 0 to 1 in a, none in c",
        "budget: quick in a, thorough in c",
    ]
    assert setup_differences(first, other) == ["c has another seed (3, not 0)", "c was certified by crown, not best"]


AGE = Feature(name="age", unit=0.1, low=18.0, high=99.0, moves=True)


def in_space(folder: Path, dtype: str, **threat: object) -> RunRecords:
    """A run in which features have bounds and a scale of their own, computed in a precision."""
    records = records_of(folder, [bracket()])
    space = records.plan.threat.model_copy(update=threat)
    model = records.plan.model.model_copy(update={"dtype": dtype})
    return replace(records, plan=records.plan.model_copy(update={"threat": space, "model": model}))


def test_runs_of_two_precisions_are_compared_by_what_both_can_hold(tmp_path: Path):
    single = in_space(tmp_path / "a", "float32", space="ab", features=(AGE.model_copy(update={"unit": 0.1 + 1e-9}),))
    double = in_space(tmp_path / "b", "float64", space="cd", rounded="ab", bounds=(0.0, 1.0 + 1e-12))
    assert threat_differences(single, double) == threat_differences(double, single) == []
    older = in_space(tmp_path / "c", "float64", space="cd", features=(AGE,))  # told by its features alone
    assert threat_differences(single, older) == threat_differences(double, older) == []
    other = in_space(
        tmp_path / "d", "float64", space="ef", rounded="ef", features=(AGE.model_copy(update={"high": 9.0}),)
    )
    told = "bounds, scale or fixed coordinates of features: one (float32) in a, another (float64) in d"
    assert threat_differences(single, other) == [told]


def test_where_no_method_of_proof_applies_that_is_said(tmp_path: Path):
    unknown = bracket(0.0)
    unknown["certified"] |= {"status": "unsupported", "reason": "round: not a known step"}
    first = records_of(tmp_path / "a", [bracket()])
    other = records_of(tmp_path / "b", [unknown, WRONG])
    said = "no method of proof applies to b (round: not a known step): that nothing is proved of it says nothing of it"
    assert setup_differences(first, other) == setup_differences(other, first) == [said]
    assert setup_differences(first, records_of(tmp_path / "c", [unknown, bracket()])) == []
