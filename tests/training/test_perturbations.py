"""The inner maximisation where the maximiser is known: linear networks."""

import math

import pytest
import torch

from clearance.errors import InputError
from clearance.training.perturbations import PerturbationSet, ascend, loss_gradient
from training_cases import linear


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_ascent_reaches_the_exact_corner_for_a_linear_network(bounds):
    # For a linear margin the maximiser in the box is x - radius * sign(w), clipped to the bounds.
    x, y = torch.tensor([[0.5, 0.95], [0.4, 0.02]]), torch.tensor([1, 0])
    ball = PerturbationSet(math.inf, 0.1, bounds)
    found = ascend(linear(), x, y, ball, steps=10, step_size=0.05, generator=generator())
    corner = x + 0.1 * torch.tensor([[-1.0, 1.0], [1.0, -1.0]])
    torch.testing.assert_close(found, corner if bounds is None else corner.clamp(*bounds))


def test_ascent_reaches_the_exact_point_of_the_l2_ball_for_a_linear_network():
    x, y = torch.tensor([[0.5, 0.5]]), torch.tensor([1])
    found = ascend(linear(), x, y, PerturbationSet(2.0, 0.2), steps=40, step_size=0.2, generator=generator())
    torch.testing.assert_close(found, x - 0.2 * torch.tensor([[3.0, -1.0]]) / math.sqrt(10), atol=1e-3, rtol=0)


@pytest.mark.parametrize("norm", [2.0, math.inf])
@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_every_point_lies_in_its_set(norm: float, bounds):
    x = torch.rand(200, 7, generator=generator())
    ball = PerturbationSet(norm, 0.3, bounds)
    for found in (
        ball.draw(x, generator()),
        ball.restrict(x + torch.randn(200, 7, generator=generator()), x),
        ascend(torch.nn.Linear(7, 2), x, torch.zeros(200, dtype=torch.int64), ball, steps=3, generator=generator()),
    ):
        assert torch.linalg.vector_norm(found - x, norm, dim=1).max() <= 0.3 * (1 + 1e-5)
        assert bounds is None or (found.min() >= 0 and found.max() <= 1)


def test_random_points_fill_the_box():
    x = torch.tensor([[0.05, 0.5]]).repeat(20_000, 1)
    found = PerturbationSet(math.inf, 0.1).draw(x, generator())
    assert found.mean(0).tolist() == pytest.approx([0.075, 0.5], abs=2e-3)  # [0, .15] and [.4, .6]
    assert found.amin(0).tolist() == pytest.approx([0.0, 0.4], abs=1e-3)


def test_the_smallest_box_is_clipped():
    low, high = PerturbationSet(2.0, 0.3).box(torch.tensor([[0.1, 0.9]]))
    assert low.tolist()[0] == pytest.approx([0.0, 0.6])
    assert high.tolist()[0] == pytest.approx([0.4, 1.0])


def test_another_loss_can_be_climbed():
    x, y = torch.tensor([[0.5, 0.5]]), torch.tensor([1])
    gradient = loss_gradient(linear(), x, y, lambda logits, labels: logits[:, 1].sum() * labels.sum())
    torch.testing.assert_close(gradient, torch.tensor([[3.0, -1.0]]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm": 1.0}, "norm: training knows 2 and inf, got 1"),
        ({"radius": 0.0}, "radius: expected a positive number"),
        ({"radius": math.nan}, "radius"),
        ({"radius": math.inf}, "radius"),
        ({"bounds": (1.0, 0.0)}, "bounds: expected low < high"),
    ],
)
def test_values_are_checked(change, message):
    with pytest.raises(InputError, match=message):
        PerturbationSet(**{"norm": math.inf, "radius": 0.1, **change})
