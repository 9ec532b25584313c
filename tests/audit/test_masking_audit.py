"""The audit against both sets of networks: every masked classifier is flagged, no honest one is, on 5 inputs each.

An audit's dearest parts are the attack and the estimate that it makes where it is given none. `make slow` leaves them
to it for all inputs; `make test` for the first input of a few networks, and gives it quick ones for 2 inputs of each.
"""

import pytest
import torch
from torch import Tensor

import clearance as cl
import masking
from clearance.audit import Audit, Severity

as_a_user = pytest.mark.parametrize("quick", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["quick", "own"])


OWN = ("coarse-staircase", "detached-branch", "linear")
"""Networks of which `make test` leaves one input to the audit itself."""


def audits(entry: masking.Entry, *, quick: bool) -> list[Audit]:
    """One audit for each input."""
    model, x, labels, references = entry.model, entry.inputs, entry.labels, entry.references
    if not quick:
        return list(cl.audit(model, x, labels, references=references))
    alone = 1 if entry.name in OWN else 0
    first = cl.audit(model, x[:alone], labels[:alone], references=references) if alone else []
    rest, known = model.check_inputs(x[alone:2]), labels[alone:2]
    attacks = cl.attack(model, rest, known, budget="quick")
    second = model.logits(rest).argsort(1)[:, -2].tolist()
    towards = [one.predicted if one.success else other for one, other in zip(attacks, second, strict=True)]
    scores = cl.clever(model, rest, known, target=towards, budget=1500)
    return [*first, *cl.audit(model, rest, known, attacks=attacks, scores=scores, references=references)]


@as_a_user
@pytest.mark.parametrize("name", masking.MASKED)
@pytest.mark.thinned(48)
def test_a_masked_classifier_is_flagged_on_every_input(name: str, quick: bool):
    found = audits(masking.MASKED[name](), quick=quick)
    assert len(found) >= 2
    if name.startswith("random"):  # one in twenty of whose answers is wrong: such an input is not audited
        found = [one for one in found if one.measured]
    assert found and all(one.masked for one in found)
    assert all(flag.evidence for one in found for flag in one.flags)


@as_a_user
@pytest.mark.parametrize("name", masking.HONEST)
@pytest.mark.thinned(36)
def test_an_honest_classifier_is_not(name: str, quick: bool):
    found = audits(masking.HONEST[name](), quick=quick)
    raised = {flag.code: dict(flag.evidence) for one in found for flag in one.flags if flag.severity != Severity.INFO}
    assert len(found) >= 2 and not raised


@pytest.mark.parametrize("norm", [2.0, float("inf")])
@pytest.mark.parametrize(
    "name", [*masking.PUBLIC[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in masking.PUBLIC[2:])]
)
@pytest.mark.thinned(4)
def test_a_public_network_is_not(name: str, norm: float):
    entry = masking.public(name)
    rest, known = entry.inputs[:2], entry.labels[:2]
    attacks = cl.attack(entry.model, rest, known, norm=norm, budget="quick")
    scores = cl.clever(entry.model, rest, known, norm=norm, target=[one.predicted for one in attacks], budget="quick")
    for one in cl.audit(
        entry.model, rest, known, norm=norm, attacks=attacks, scores=scores, references=entry.references
    ):
        assert {flag.code for flag in one.flags if flag.severity is not Severity.INFO} == set()


def useless(x: Tensor) -> Tensor:
    """Descent from the origin ends in a valley along the first coordinate; the other class lies along the second.

    Every gradient is the function's own, as on naturally masked networks: success along gradients hardly rises with the
    radius, and a search without gradients does better.
    """
    valley = 0.3 + 0.7 / (1 + x[:, 0].clamp(min=0)) - 0.7 * x[:, 0].clamp(max=0)
    ridge = torch.minimum(1.2 + 1.5 * x[:, 1], 5 * (0.7 - x[:, 1]))
    margin = torch.minimum(valley, ridge)
    return torch.stack([margin, torch.zeros_like(margin)], 1)


@pytest.mark.parametrize("references", [torch.tensor([[0.0, 1.0]]), None], ids=["references", "none"])
def test_gradients_that_are_honest_and_useless_mislead_nobody(references: Tensor | None):
    """Either a flag says so, or the attacks get there all the same: the nearest point of the other class is (0, .7)."""
    model, x = cl.Classifier(useless, bounds=(-1, 1)), torch.zeros(1, 2)
    (found,) = cl.audit(model, x, references=references)
    assert found.masked or found.nearest == pytest.approx(0.7, rel=1e-3)
