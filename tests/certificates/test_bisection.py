"""The largest radius that a test proves."""

import math

import pytest
import torch

from clearance.certificates.bisection import largest_proven


def test_only_inputs_whose_bracket_is_still_wide_are_timed_out():
    """The first proves everything at once, the second nothing ever, the third is 1 and needs bisection."""
    start, limit = torch.ones(3), torch.tensor([1.0, math.inf, math.inf])
    truth = torch.tensor([5.0, 0.0, 1.2])

    def lowest(radius: torch.Tensor) -> torch.Tensor:
        return (truth - radius)[:, None]

    found = largest_proven(lowest, start, limit, at_proven=truth, tolerance=1e-3, stop=lambda: True)
    assert found.timed_out.tolist() == [False, True, True]
    assert found.proven.tolist() == [math.inf, 0.0, 1.0]
    found = largest_proven(lowest, start, limit, at_proven=truth, tolerance=1e-3)
    assert found.timed_out.tolist() == [False, False, False]


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-9])
def test_the_bracket_is_as_narrow_as_asked_for(tolerance: float):
    truth = torch.tensor([1e-6, 0.3, 1.0, 7.0, 1e5], dtype=torch.float64)
    start = torch.full_like(truth, 2.0)
    never, tried = torch.full_like(truth, math.inf), list[int]()

    def lowest(radius: torch.Tensor) -> torch.Tensor:
        tried.append(1)
        return (truth - radius)[:, None]

    found = largest_proven(lowest, start, never, at_proven=truth, tolerance=tolerance)
    assert len(tried) <= 20  # the farthest one lies five powers of ten away; halving would take 17 from there to 1e-5
    assert (found.proven <= truth).all() and (truth <= found.proven * (1 + tolerance)).all()
    assert not found.timed_out.any()


def test_the_lowest_row_limits_the_radius():
    ends = torch.tensor([[3.0, 2.0, 5.0], [4.0, 6.0, 1.0]])
    start, never = torch.ones(2), torch.full((2,), math.inf)
    found = largest_proven(lambda radius: ends - radius[:, None], start, never, at_proven=ends.amin(1), tolerance=1e-3)
    assert found.limiting.tolist() == [1, 2]
    assert found.proven.tolist() == pytest.approx([2.0, 1.0], rel=1e-3)


def test_no_radius_beyond_the_limit_is_tried():
    tried: list[float] = []

    def lowest(radius: torch.Tensor) -> torch.Tensor:
        tried.extend(radius.tolist())
        return torch.ones(len(radius), 1)

    one = torch.ones(1)
    found = largest_proven(lowest, one, 6 * one, at_proven=one, tolerance=1e-3)
    assert found.proven.isinf().all() and max(tried) == 6.0


@pytest.mark.parametrize("power", [0.5, 1, 2, 3, 8])
def test_curved_bounds_need_few_trials(power: float):
    """`1 - r^a` is zero at 1 and falls the more abruptly the larger `a` is; halving takes a dozen trials for 1e-3."""
    tried: list[float] = []

    def lowest(radius: torch.Tensor) -> torch.Tensor:
        tried.append(float(radius))
        return 1 - radius[:, None] ** power

    one = torch.ones(1, dtype=torch.float64)
    found = largest_proven(lowest, 0.3 * one, 100 * one, at_proven=one, tolerance=1e-3)
    assert 1 - 1e-3 <= float(found.proven) <= 1 and len(tried) <= 10


def test_what_is_proved_already_is_not_lost():
    """A test that proves nothing leaves the radius that was known; one that proves more enlarges it."""
    one = torch.ones(2)
    ends = torch.tensor([-1.0, 3.0])
    found = largest_proven(
        lambda radius: (ends - radius)[:, None], 2 * one, 9 * one, proven=one, at_proven=one, tolerance=1e-3
    )
    assert found.proven.tolist() == pytest.approx([1.0, 3.0], rel=1e-3)
