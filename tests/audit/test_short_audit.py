"""The short audit, in a bracket of 2,000 passes and alone: every masked classifier is flagged, no honest one is.

`make test` looks at a few of them, `make slow` at all, in two norms.
"""

import math

import pytest
import torch

import clearance as cl
import masking
from clearance import Classifier
from clearance.model.budgets import audit_passes
from clearance.model.transforms import bpda

PASSES = 2000
OVERRUN = 1.3
"""A bracket may cost that much more: path integrals that disagree are refined."""
FAST = [*list(masking.MASKED)[::6], *list(masking.HONEST)[::6]]
EVERY = [
    pytest.param(name, norm, marks=() if name in FAST and norm == 2.0 else pytest.mark.slow)
    for name in (*masking.MASKED, *masking.HONEST)
    for norm in (2.0, math.inf)
]


def _fresh(name: str) -> tuple[bool, masking.Entry]:
    """An entry whose draws begin anew: of an input that a later draw misclassifies nothing is audited."""
    masked = name in masking.MASKED
    entry = (masking.MASKED if masked else masking.HONEST)[name]()
    torch.manual_seed(0)
    for module in (part for root in (entry.model.network, entry.model.preprocessing) for part in _modules(root)):
        if callable(restart := getattr(module, "restart", None)):
            restart()
    return masked, entry


def _modules(root: object) -> list[torch.nn.Module]:
    return list(root.modules()) if isinstance(root, torch.nn.Module) else []


@pytest.mark.parametrize(("name", "norm"), EVERY)
@pytest.mark.thinned(16)
def test_a_bracket_of_few_passes_tells_masked_from_honest(name: str, norm: float):
    masked, entry = _fresh(name)
    options = {"norm": norm, "budget": PASSES, "certificate": "none", "references": entry.references}
    for found in cl.bracket(entry.model, entry.inputs[:2], entry.labels[:2], **options):
        assert found.audit.masked is masked, found.audit.flags
        assert (found.radius is None) is masked
        if not masked:
            assert found.cost.forward + found.cost.backward <= OVERRUN * PASSES


@pytest.mark.parametrize(("name", "norm"), EVERY)
@pytest.mark.parametrize("budget", [PASSES, "quick"])
@pytest.mark.thinned(16)
def test_an_audit_of_few_passes_tells_masked_from_honest(name: str, norm: float, budget: int | str):
    masked, entry = _fresh(name)
    options = {"norm": norm, "budget": budget, "references": entry.references}
    for found in cl.audit(entry.model, entry.inputs[:2], entry.labels[:2], **options):
        assert found.masked is masked, found.flags
        if not masked:
            assert found.cost.forward + found.cost.backward <= OVERRUN * audit_passes(budget)
            assert found.worst in (None, cl.Severity.INFO)


@pytest.mark.parametrize("budget", [1999, "enormous", 0, True])
def test_a_budget_that_no_audit_can_have_is_refused(budget: object):
    entry = masking.HONEST[next(iter(masking.HONEST))]()
    with pytest.raises(cl.InputError, match="budget: expected"):
        cl.audit(entry.model, entry.inputs[:1], budget=budget)  # type: ignore[arg-type]


class Declared(torch.nn.Module):
    """A preprocessing that declares a stand-in, for a part that does nothing."""

    def __init__(self, others: object) -> None:
        super().__init__()
        self.nothing, self.others = bpda(torch.nn.Identity()), others

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.nothing(x)
        return self.others(x) if callable(self.others) else x


@pytest.mark.parametrize(("name", "norm"), [case for case in EVERY if case.values[0] in masking.MASKED])
@pytest.mark.thinned(8)
def test_a_stand_in_that_is_declared_somewhere_hides_no_mask(name: str, norm: float):
    """What a declared stand-in may miss is little enough: every network that is masked by another part still is."""
    _, entry = _fresh(name)
    model = Classifier(
        entry.model.network,
        bounds=entry.model.bounds,
        preprocessing=Declared(entry.model.preprocessing),
        dtype=entry.model.dtype,
    )
    options = {"norm": norm, "budget": "quick", "references": entry.references}
    for found in cl.audit(model, entry.inputs[:2], entry.labels[:2], **options):
        assert found.masked, found.flags
