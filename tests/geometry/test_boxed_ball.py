"""`project_boxed`: by the dual of the projection, without a box, and nearer than any other point of the set."""

import math

import pytest
import torch
from scipy.optimize import brentq

from clearance.geometry.boxed_ball import project_boxed
from clearance.geometry.norms import project


def case(seed: int, size: int = 7) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    delta = 2 * torch.randn(5, size, generator=draw, dtype=torch.float64)
    fall, rise = (torch.rand(5, size, generator=draw, dtype=torch.float64) for _ in range(2))
    return delta, fall * (fall > 0.2), rise * (rise > 0.2)  # some coordinates are at a bound


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("radius", [0.05, 0.7, 2.0])
def test_against_the_root_of_the_length(seed: int, radius: float):
    delta, fall, rise = case(seed)
    found = project_boxed(delta, fall, rise, torch.full((5,), radius, dtype=torch.float64))
    for row in range(5):
        room = torch.where(delta[row] > 0, rise[row], fall[row])

        def at(shrink: float, row: int = row, room: torch.Tensor = room) -> torch.Tensor:
            return torch.minimum((delta[row].abs() - shrink).clamp_min(0), room)

        inside = float(at(0.0).sum()) <= radius
        root = 0.0 if inside else brentq(lambda t, at=at: float(at(t).sum()) - radius, 0, 20, xtol=1e-14)
        assert torch.allclose(found[row], delta[row].sign() * at(root), atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_it_lies_in_the_set_and_no_other_point_of_the_set_is_nearer(seed: int):
    delta, fall, rise = case(seed)
    radius = torch.full((5,), 0.8, dtype=torch.float64)
    found = project_boxed(delta, fall, rise, radius)
    assert (found.abs().sum(1) <= radius * (1 + 1e-12)).all()
    assert (found >= -fall).all() and (found <= rise).all()
    draw = torch.Generator().manual_seed(seed)
    for _ in range(200):
        other = project(torch.randn(5, 7, generator=draw, dtype=torch.float64), 1.0, radius)
        other = torch.maximum(torch.minimum(other, rise), -fall)
        assert ((found - delta).norm(dim=1) <= (other - delta).norm(dim=1) + 1e-12).all()


def test_without_a_box_it_is_the_projection_onto_the_ball():
    delta = case(0)[0]
    free, radius = torch.full_like(delta, math.inf), torch.full((5,), 1.5, dtype=torch.float64)
    assert torch.allclose(project_boxed(delta, free, free, radius), project(delta, 1.0, radius), atol=1e-12)


def test_what_is_inside_is_left_alone():
    delta, fall, rise = case(1)
    small = torch.maximum(torch.minimum(delta, rise), -fall)
    assert torch.equal(project_boxed(small, fall, rise, torch.full((5,), 100.0, dtype=torch.float64)), small)
    nothing = project_boxed(delta, fall, rise, torch.zeros(5, dtype=torch.float64))
    assert torch.allclose(nothing, torch.zeros_like(delta), atol=1e-15)
