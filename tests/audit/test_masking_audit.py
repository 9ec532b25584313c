"""The audit against both sets of networks: every masked classifier is flagged, no honest one is, on 5 inputs each."""

import pytest

import clearance as cl
import masking
from clearance.audit import Severity


@pytest.mark.parametrize("name", masking.MASKED)
def test_a_masked_classifier_is_flagged_on_every_input(name: str):
    entry = masking.MASKED[name]()
    audits = cl.audit(entry.model, entry.inputs, entry.labels)
    assert len(audits) == 5 and all(found.masked for found in audits)
    assert all(flag.evidence for found in audits for flag in found.flags)


@pytest.mark.parametrize("name", masking.HONEST)
def test_an_honest_classifier_is_not(name: str):
    entry = masking.HONEST[name]()
    audits = cl.audit(entry.model, entry.inputs, entry.labels)
    raised = {
        flag.code: dict(flag.evidence) for found in audits for flag in found.flags if flag.severity != Severity.INFO
    }
    assert len(audits) == 5 and not raised
