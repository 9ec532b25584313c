"""The audit against both sets of networks: every masked classifier is flagged, no honest one is, on 5 inputs each.

An audit's dearest parts are the attack and the estimate that it makes where it is given none. `make test` leaves them
to the audit for the first input, and gives it quick ones for the other four; `make slow` leaves them to it for all.
"""

import pytest

import clearance as cl
import masking
from clearance.audit import Audit, Severity

as_a_user = pytest.mark.parametrize("quick", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["quick", "own"])


def audits(entry: masking.Entry, *, quick: bool) -> list[Audit]:
    """One audit for each input."""
    model, x, labels = entry.model, entry.inputs, entry.labels
    if not quick:
        return list(cl.audit(model, x, labels))
    (first,) = cl.audit(model, x[:1], labels[:1])
    rest, known = model.check_inputs(x[1:]), labels[1:]
    attacks = scores = None
    if not first.has("no_gradient"):
        attacks = cl.attack(model, rest, known, budget="quick")
        second = model.logits(rest).argsort(1)[:, -2].tolist()
        towards = [one.predicted if one.success else other for one, other in zip(attacks, second, strict=True)]
        scores = cl.clever(model, rest, known, target=towards, radius=0.5, blocks=4)
    return [first, *cl.audit(model, rest, known, attacks=attacks, scores=scores)]


@as_a_user
@pytest.mark.parametrize("name", masking.MASKED)
def test_a_masked_classifier_is_flagged_on_every_input(name: str, quick: bool):
    found = audits(masking.MASKED[name](), quick=quick)
    assert len(found) == 5 and all(one.masked for one in found)
    assert all(flag.evidence for one in found for flag in one.flags)


@as_a_user
@pytest.mark.parametrize("name", masking.HONEST)
def test_an_honest_classifier_is_not(name: str, quick: bool):
    found = audits(masking.HONEST[name](), quick=quick)
    raised = {flag.code: dict(flag.evidence) for one in found for flag in one.flags if flag.severity != Severity.INFO}
    assert len(found) == 5 and not raised
