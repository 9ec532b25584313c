"""The record of one certified radius: its statuses and its form for JSON."""

import json
import math

import pytest

from clearance.certificates import Certificate, CertificateStatus
from clearance.model.cost import Cost


def record(radius: float, status: CertificateStatus) -> Certificate:
    return Certificate(radius, "crown", status, "", 3, 1, math.inf, math.nan, Cost(2, 1, 0, 0.5))


@pytest.mark.parametrize("status", CertificateStatus)
def test_only_two_statuses_have_a_radius(status: CertificateStatus):
    assert status.has_radius == (status.value in ("certified", "time_limit")) and status.meaning


@pytest.mark.parametrize(("radius", "written"), [(0.5, 0.5), (math.inf, "inf"), (math.nan, None)])
def test_the_record_is_strict_json(radius: float, written: object):
    found = json.loads(json.dumps(record(radius, CertificateStatus.CERTIFIED).as_record(), allow_nan=False))
    assert found["radius"] == written and found["norm"] == "inf" and found["gap"] is None
    assert found["status"] == "certified" and found["cost"]["forward"] == 2 and len(found) == 9
