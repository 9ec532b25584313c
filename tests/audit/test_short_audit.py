"""The short audit of a bracket of 2,000 passes: every masked classifier is flagged, no honest one is.

`make test` looks at a few of them, `make slow` at all, in two norms.
"""

import math

import pytest

import clearance as cl
import masking

PASSES = 2000
OVERRUN = 1.3
"""A bracket may cost that much more: path integrals that disagree are refined."""
FAST = [*list(masking.MASKED)[::6], *list(masking.HONEST)[::6]]
EVERY = [
    pytest.param(name, norm, marks=() if name in FAST and norm == 2.0 else pytest.mark.slow)
    for name in (*masking.MASKED, *masking.HONEST)
    for norm in (2.0, math.inf)
]


@pytest.mark.parametrize(("name", "norm"), EVERY)
@pytest.mark.thinned(16)
def test_a_bracket_of_few_passes_tells_masked_from_honest(name: str, norm: float):
    masked = name in masking.MASKED
    entry = (masking.MASKED if masked else masking.HONEST)[name]()
    options = {"norm": norm, "budget": PASSES, "certificate": "none", "references": entry.references}
    for found in cl.bracket(entry.model, entry.inputs[:2], entry.labels[:2], **options):
        assert found.audit.masked is masked, found.audit.flags
        assert (found.radius is None) is masked
        if not masked:
            assert found.cost.forward + found.cost.backward <= OVERRUN * PASSES
