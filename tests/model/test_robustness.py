"""What an input counts as at a radius, shares from both ends, and the exact interval of a share."""

import math
from dataclasses import replace

import pytest
from scipy.stats import binom, binomtest

from clearance.errors import InputError
from clearance.model.robustness import (
    Proportion,
    Robustness,
    RobustShares,
    check_level,
    clopper_pearson,
    standing,
)

PROVED, NOT_BROKEN, BROKEN, WRONG, UNKNOWN = Robustness


@pytest.mark.parametrize(
    ("witness", "proved", "radius", "expected"),
    [
        (0.5, 0.3, 0.3, PROVED),  # a proof up to the radius holds at the radius
        (0.5, 0.3, math.nextafter(0.3, 1), NOT_BROKEN),
        (0.5, 0.3, math.nextafter(0.5, 0), NOT_BROKEN),
        (0.5, 0.3, 0.5, BROKEN),  # a witness at the radius lies within it
        (0.5, 0.5, 0.5, BROKEN),  # the witness counts before the proof
        (math.inf, math.inf, 1e300, PROVED),
        (math.inf, None, 0.0, NOT_BROKEN),
        (math.nan, 0.3, 0.0, WRONG),
    ],
)
def test_a_witness_breaks_at_its_distance_and_a_proof_holds_up_to_its_radius(witness, proved, radius, expected):
    assert standing(radius, witness=witness, proved=proved) is expected


def test_what_is_not_measured_is_neither_proved_nor_broken():
    found = RobustShares(0.1, 2.0, (PROVED, NOT_BROKEN, BROKEN, WRONG, UNKNOWN), True, 0.95)
    shares = (found.proved, found.not_broken, found.broken, found.correct, found.not_measured)
    assert [share.count for share in shares] == [1, 3, 1, 3, 1] and {share.of for share in shares} == {5}
    record = found.as_record()
    assert record["not_measured"] == 1 and record["interval"] == list(found.interval)
    assert repr(found) == "RobustShares(1 proved, 3 not broken of 5 at 0.1)"


def test_the_interval_covers_the_robust_accuracy_in_as_many_samples_as_it_claims():
    """A set of which a share .3 is proved, .5 robust and .6 not broken: all samples of 12, by their probabilities."""
    of, proved, robust, not_broken = 12, 0.3, 0.5, 0.6
    missed = 0.0
    for count in range(of + 1):  # how many are not broken; of these each is proved with probability proved / not_broken
        for lower in range(count + 1):
            statuses = (PROVED,) * lower + (NOT_BROKEN,) * (count - lower) + (BROKEN,) * (of - count)
            low, high = RobustShares(0.1, 2.0, statuses, True, 0.95).interval
            weight = binom.pmf(count, of, not_broken) * binom.pmf(lower, count, proved / not_broken)
            missed += weight * (not low <= robust <= high)
    assert missed <= 0.05


def test_without_certificates_the_interval_begins_at_zero():
    found = RobustShares(0.1, 2.0, (NOT_BROKEN,) * 4, False, 0.95)
    assert found.interval == (0.0, 1.0) and found.as_record()["proved"] is None and "proved" not in repr(found)


@pytest.mark.parametrize("of", [1, 7, 50])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_clopper_pearson_as_scipy_has_it(of: int, level: float):
    for count in range(of + 1):
        exact = binomtest(count, of).proportion_ci(level, method="exact")
        assert clopper_pearson(count, of, level) == pytest.approx((exact.low, exact.high), abs=1e-12)


@pytest.mark.parametrize("of", [1, 10, 200])
def test_with_no_success_and_with_nothing_else_the_interval_is_a_power(of: int):
    """`(1 - high)^n = a / 2` for none of n, and its mirror image for all of them."""
    high = 1 - 0.025 ** (1 / of)
    assert clopper_pearson(0, of) == pytest.approx((0.0, high), abs=1e-12)
    assert clopper_pearson(of, of) == pytest.approx((1 - high, 1.0), abs=1e-12)


def test_a_proportion_says_what_it_is_of():
    assert Proportion(3, 4).share == 0.75
    assert Proportion(3, 4, 0.9).interval == clopper_pearson(3, 4, 0.9)
    assert repr(Proportion(3, 4)) == "Proportion(3 of 4, 75.0 %, 95 % interval 19.4 to 99.4 %)"
    assert repr(Proportion(0, 0)) == "Proportion(0 of 0)"


def test_batches_join_where_the_same_was_asked():
    first, last = (RobustShares(0.1, 2.0, statuses, True, 0.95) for statuses in ((PROVED,) * 2, (BROKEN, NOT_BROKEN)))
    assert first + last == sum([first, last]) == RobustShares(0.1, 2.0, first.statuses + last.statuses, True, 0.95)
    for other in (replace(last, radius=0.2), replace(last, norm=math.inf), replace(last, with_certificates=False)):
        with pytest.raises(InputError, match="robust accuracy: expected the same"):
            first + other
    doubted = replace(first, doubted=2)
    assert (doubted + last).doubted == 2 and "the audit doubts the attacks on 2" in repr(doubted + last)
    assert "doubt" not in repr(first) and doubted.as_record()["doubted"] == 2
    with pytest.raises(TypeError):
        _ = first + [BROKEN]  # noqa: RUF005


@pytest.mark.parametrize("level", [0, 1, 95, True, "0.95"])
def test_a_level_lies_between_0_and_1(level):
    with pytest.raises(InputError, match="level: expected"):
        check_level(level)
