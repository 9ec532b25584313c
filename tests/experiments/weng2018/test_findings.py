"""Findings of made-up measurements: each can hold, fail, and be untold."""

import math

import pytest

from clearance.experiments.weng2018 import findings
from clearance.experiments.weng2018.groups import group
from clearance.experiments.weng2018.scores import FittedScore, Measurement

FIT = FittedScore(1.0, 2.0, (1.0, 1.5), 2.0, 0.5, 3.0, 0.1, 0.9, "ok")


def made(network: str = "MNIST-CNN", *, target: str = "random", **values: object) -> Measurement:
    numbers = {"cw": 2.0, "ifgsm": 3.0, "clever": 1.0, "slope": 4.0, "estimate": 1.5, "witness": 1.9, "proof": 0.5}
    return Measurement(network, 0, target, 2.0, **{**numbers, "fit": FIT, **values})  # pyright: ignore


@pytest.mark.parametrize(("clever", "holds"), [(1.9, True), (2.1, False)])
def test_the_score_is_held_against_the_nearer_attack(clever: float, holds: bool):
    found = findings.below_the_attack(group([made(clever=clever), made("MNIST-DD")]))
    assert found.holds is holds and ("MNIST-CNN, random, l2" in found.evidence) is not holds
    assert findings.below_the_attack(group([made(cw=math.inf, ifgsm=math.inf)])).holds is None


def test_the_papers_own_exceptions_are_named():
    records = [made("MNIST-MLP", target=target) for target in ("random", "runner-up", "untargeted")]
    evidence = findings.below_the_attack(group(records)).evidence
    assert "own table 3 in 1 of 2, not: MNIST-MLP, runner-up, l2." in evidence  # 1.383 above 1.128
    assert "own table" not in findings.below_the_attack(group([made("MNIST-CNN")])).evidence


@pytest.mark.parametrize(("slope", "holds"), [(2.1, True), (1.9, False), (None, None)])
def test_slope_is_held_against_the_nearer_attack(slope: float | None, holds: bool | None):
    assert findings.slope_above_the_attack(group([made(slope=slope)])).holds is holds


@pytest.mark.parametrize(("rejected", "holds"), [(1, True), (2, False)])
def test_five_per_cent_of_fits_may_be_rejected(rejected: int, holds: bool):
    poor = FittedScore(1.0, 2.0, (1.0, 1.5), 2.0, 0.5, 3.0, 0.1, 0.01, "ok")
    records = [made(fit=poor)] * rejected + [made()] * (20 - rejected)
    assert findings.fits_are_kept(group(records)).holds is holds
    assert findings.fits_are_kept(group([made(fit=poor)])).holds is None
    assert ("below that: MNIST-CNN 18 of 20" in findings.fits_are_kept(group(records)).evidence) is not holds


def test_a_defence_is_held_against_the_papers_direction():
    def verdict(network: str, clever: float) -> tuple[str, bool | None]:
        kind = network.rpartition("-")[2]
        plain = f"{network.partition('-')[0]}-CNN"
        records = [made(plain), made(network, clever=clever, witness=0.95)]
        (found,) = findings.defended(group(records), kind, "It")
        assert "the nearest witness 0.500" in found.evidence
        return found.sentence, found.holds

    assert verdict("MNIST-DD", 1.1) == ("It raises the CLEVER score on MNIST", True)
    assert verdict("MNIST-BReLU", 0.9) == ("It raises the CLEVER score on MNIST", False)
    assert verdict("CIFAR-BReLU", 0.9) == ("It lowers the CLEVER score on CIFAR", True)  # as in the paper's table 3
    assert verdict("Digits-DD", 1.1) == ("It changes the CLEVER score on Digits", None)
    assert findings.defended(group([made("MNIST-CNN")]), "DD", "It") == []


def test_scores_above_witnesses_are_counted():
    found = findings.refuted(group([made(clever=2.0), made(), made(estimate=None)]))
    assert found.holds is False and "1 of 3 CLEVER scores and 0 of 2 profile" in found.evidence
    assert findings.refuted(group([made()])).holds is True


def test_a_proof_above_a_witness_is_seen():
    assert findings.in_order(group([made()])).holds is True
    assert findings.in_order(group([made(proof=2.0)])).holds is False
