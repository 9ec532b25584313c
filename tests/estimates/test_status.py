"""Statuses: which have a number."""

from clearance.estimates.status import Status


def test_statuses_without_a_number_say_so():
    assert not any(s.has_number for s in (Status.MASKED, Status.REFUTED, Status.NON_FINITE, Status.MISCLASSIFIED))
    assert all(s.has_number for s in (Status.OK, Status.NO_ENDPOINT, Status.AT_RADIUS, Status.PROBABILITIES))


def test_every_status_has_a_meaning_and_a_rank_of_its_own():
    assert len({status.severity for status in Status}) == len(Status)
    assert all(status.meaning and status.value == status for status in Status)


def test_whatever_takes_away_more_than_a_refutation_leaves_no_number():
    ranked = sorted(Status, key=lambda status: status.severity)
    assert [status.has_number for status in ranked] == sorted((s.has_number for s in ranked), reverse=True)
    assert ranked[0] is Status.OK and not Status.REFUTED.has_number
