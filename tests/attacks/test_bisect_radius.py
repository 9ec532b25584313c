"""`bisect_radius`: the threshold of an attack that succeeds from a known radius on."""

import pytest
import torch
from torch import Tensor

from clearance.attacks import Witnesses, bisect_radius
from clearance.errors import InputError

THRESHOLDS = torch.tensor([0.03, 0.3, 1.0, 7.0], dtype=torch.float64)
ORIGIN = torch.zeros(4, 1, dtype=torch.float64)


class Known:
    """Finds a witness at distance epsilon wherever that is beyond a threshold; remembers what it was asked."""

    def __init__(self, thresholds: Tensor = THRESHOLDS) -> None:
        self.thresholds = thresholds
        self.asked: list[Tensor] = []
        self.starts: list[Tensor] = []

    def __call__(self, epsilon: Tensor, start: Tensor) -> Witnesses:
        self.asked.append(epsilon)
        self.starts.append(start)
        found = Witnesses(ORIGIN, 2.0)
        found.offer(epsilon[:, None], epsilon > self.thresholds)
        return found


def test_it_finds_the_threshold():
    """After the first success a round halves the interval or asks for 2 % less: 1 + 6 + 14 rounds leave 2 %."""
    found = bisect_radius(Known(), ORIGIN, norm=2.0, first=0.25, rounds=21)
    assert (found.distance > THRESHOLDS).all() and (found.distance <= THRESHOLDS / 0.98 + 1e-3).all()


def test_it_doubles_until_the_first_success_then_meets_in_the_middle():
    known = Known(torch.tensor([3.0] * 4, dtype=torch.float64))
    bisect_radius(known, ORIGIN, norm=2.0, first=1.0, rounds=5)
    assert [float(radius[0]) for radius in known.asked] == [1.0, 2.0, 4.0, 3.0, 3.5]


def test_a_nearer_witness_sets_the_next_radius():
    """A witness far inside the ball: the next radius is half of its distance, not of the ball's."""
    asked: list[float] = []

    def attack(epsilon: Tensor, _: Tensor) -> Witnesses:
        asked.append(float(epsilon[0]))
        found = Witnesses(ORIGIN[:1], 2.0)
        found.offer(torch.full_like(ORIGIN[:1], 0.5), epsilon >= 0.5)
        return found

    found = bisect_radius(attack, ORIGIN[:1], norm=2.0, first=8.0, rounds=3)
    assert asked == [8.0, 0.25, 0.375] and float(found.distance) == 0.5


def test_rounds_start_at_the_best_witness_and_stay_within_the_widest():
    known = Known(torch.tensor([50.0] * 4, dtype=torch.float64))
    found = bisect_radius(known, ORIGIN, norm=2.0, first=1.0, rounds=6, widest=5.0)
    assert [float(radius[0]) for radius in known.asked] == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert not found.success.any() and all(torch.equal(start, ORIGIN) for start in known.starts)
    known = Known()
    bisect_radius(known, ORIGIN, norm=2.0, first=8.0, rounds=2)
    assert torch.equal(known.starts[1], torch.full_like(ORIGIN, 8.0))


@pytest.mark.parametrize("given", [{"first": float("inf")}, {"first": -1.0}, {"first": 1.0, "rounds": 0}])
def test_misuse_is_one_clear_line(given):
    with pytest.raises(InputError, match="expected"):
        bisect_radius(Known(), ORIGIN, norm=2, **given)
