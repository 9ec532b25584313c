"""Averages, shares and refits of made-up measurements."""

import math

import pytest

from clearance.experiments.weng2018 import groups as by
from clearance.experiments.weng2018.groups import group, pick
from clearance.experiments.weng2018.scores import FittedScore, Measurement


def made(network: str = "MNIST-CNN", *, target: str = "random", norm: float = 2.0, **values: object) -> Measurement:
    numbers = {"cw": 2.0, "ifgsm": 3.0, "clever": 1.0, "slope": 4.0, "estimate": 1.5, "witness": 1.9, "proof": 0.5}
    fit = FittedScore(1.0, 2.0, (1.0, 1.5, 1.8, 1.2, 1.9, 1.7), 2.0, 0.5, 3.0, 0.1, 0.9, "ok")
    return Measurement(network, 0, target, norm, **{**numbers, "fit": fit, **values})  # pyright: ignore


def test_averages_leave_out_what_is_not_there():
    (found,) = group([made(cw=1.0), made(cw=math.inf), made(cw=2.0, estimate=None)])
    assert found.mean(by.cw) == 1.5 and len(found.known(by.estimate)) == 2 and len(found.members) == 3
    assert group([made(estimate=None)])[0].mean(by.estimate) is None


def test_averages_of_two_numbers_are_over_the_same_inputs():
    (found,) = group([made(cw=1.0, clever=0.5), made(cw=math.inf, clever=9.0), made(cw=2.0, clever=1.5)])
    assert found.means(by.clever_score, by.cw) == (1.0, 1.5)
    assert group([made(cw=math.inf)])[0].means(by.clever_score, by.cw) is None


def test_groups_are_by_network_target_and_norm():
    records = [made(), made(norm=math.inf), made("MNIST-DD"), made(target="runner-up"), made()]
    found = group(records)
    assert [len(one.members) for one in found] == [2, 1, 1, 1]
    assert len(pick(found, norm=math.inf)) == 1 and len(pick(found, target="random", norm=2.0)) == 2


def test_shares():
    poor = FittedScore(1.0, 2.0, (1.0,), 2.0, 0.5, 3.0, 0.1, 0.04, "ok")
    (found,) = group([made(), made(fit=poor), made(clever=2.5), made(fit=None, cw=0.5)])
    assert found.fit_share == pytest.approx(2 / 3)
    assert found.share_above(by.cw) == 0.5 and found.share_above(by.ifgsm) == 0.0


def test_a_refit_with_all_blocks_is_the_score():
    maxima = (1.0, 1.5, 1.8, 1.2, 1.9, 1.7, 1.4, 1.6)
    from clearance.estimates.extremes.reverse_weibull import fit_reverse_weibull

    end = float(fit_reverse_weibull(maxima).location)
    fit = FittedScore(2.0 / end, 2.0, maxima, end, 0.5, 3.0, 0.1, 0.9, "ok")
    (found,) = group([made(fit=fit)])
    assert found.refitted(8) == pytest.approx(fit.radius) and found.refitted(9) is None
    far = FittedScore(5.0, 100.0, maxima, end, 0.5, 3.0, 0.1, 0.9, "ok")
    assert group([made(fit=far)])[0].refitted(8) == 5.0  # cut to the ball
