"""The witnesses of all runs: ranks, and what takes the place of what."""

import torch

from clearance.attacks.known import KnownWitnesses, split, stack
from clearance.attacks.result import Witnesses

X = torch.zeros(2, 3)


def run_at(*lengths: float) -> Witnesses:
    """Witnesses at these distances along the first coordinate; none at 0."""
    found = Witnesses(X, 2.0)
    points = torch.zeros(2, 3)
    points[:, 0] = torch.tensor(lengths)
    found.offer(points, points[:, 0] > 0)
    return found


def test_ranks_are_by_input():
    known = KnownWitnesses(X, 2.0)
    for run in (run_at(3, 1), run_at(2, 0), run_at(1, 5)):
        known.add(run)
    found = [known.nearest(rank) for rank in range(4)]
    assert [one.distance.tolist() for one in found] == [[1, 1], [2, 5], [3, torch.inf], [torch.inf] * 2]
    assert [one.adversarial[0, 0].item() for one in found] == [1, 2, 3, 0]


def test_what_is_dropped_makes_room():
    known = KnownWitnesses(X, 2.0)
    for run in (run_at(3, 1), run_at(2, 4)):
        known.add(run)
    known.drop_nearest(1)
    known.add(run_at(2.5, 2.5))
    assert known.nearest(0).distance.tolist() == [2.5, 2.5] and known.nearest(1).distance.tolist() == [3, 4]


def test_nothing_is_known_at_first():
    assert not KnownWitnesses(X, 2.0).nearest().success.any()


def test_rows_come_apart_as_they_were_put_together():
    runs = [run_at(3, 1), run_at(2, 0)]
    rows = stack(runs)
    assert rows.distance.tolist() == [3, 1, 2, torch.inf]
    assert [part.distance.tolist() for part in split(rows, X)] == [run.distance.tolist() for run in runs]
