"""The largest radius that a test proves."""

import math

import pytest
import torch

from clearance.certificates.bisection import largest_proven


def test_only_inputs_whose_bracket_is_still_wide_are_timed_out():
    """The first proves everything at once, the second nothing ever, the third is 1 and needs bisection."""
    start, limit = torch.ones(3), torch.tensor([1.0, math.inf, math.inf])
    truth = torch.tensor([5.0, 0.0, 1.2])
    found = largest_proven(lambda radius: (truth - radius)[:, None], start, limit, tolerance=1e-3, stop=lambda: True)
    assert found.timed_out.tolist() == [False, True, True]
    assert found.proven.tolist() == [math.inf, 0.0, 1.0]
    found = largest_proven(lambda radius: (truth - radius)[:, None], start, limit, tolerance=1e-3)
    assert found.timed_out.tolist() == [False, False, False]


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-9])
def test_the_bracket_is_as_narrow_as_asked_for(tolerance: float):
    truth = torch.tensor([1e-6, 0.3, 1.0, 7.0, 1e5], dtype=torch.float64)
    start = torch.full_like(truth, 2.0)
    found = largest_proven(
        lambda radius: (truth - radius)[:, None], start, torch.full_like(truth, math.inf), tolerance=tolerance
    )
    assert (found.proven <= truth).all() and (truth <= found.proven * (1 + tolerance)).all()
    assert not found.timed_out.any()


def test_the_lowest_row_limits_the_radius():
    ends = torch.tensor([[3.0, 2.0, 5.0], [4.0, 6.0, 1.0]])
    start = torch.ones(2)
    found = largest_proven(lambda radius: ends - radius[:, None], start, torch.full((2,), math.inf), tolerance=1e-3)
    assert found.limiting.tolist() == [1, 2]
    assert found.proven.tolist() == pytest.approx([2.0, 1.0], rel=1e-3)


def test_no_radius_beyond_the_limit_is_tried():
    tried: list[float] = []

    def lowest(radius: torch.Tensor) -> torch.Tensor:
        tried.extend(radius.tolist())
        return torch.ones(len(radius), 1)

    found = largest_proven(lowest, torch.tensor([1.0]), torch.tensor([6.0]), tolerance=1e-3)
    assert found.proven.isinf().all() and max(tried) == 6.0
