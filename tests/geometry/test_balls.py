"""Samples are uniform by volume: radial law, direction moments, signs (issue 2, item 2)."""

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from clearance.errors import InputError, ShapeError
from clearance.geometry.balls import sample_ball, sample_shifts
from clearance.geometry.norms import vector_norm

NORMS = (1.0, 1.5, 2.0, 3.0, math.inf)
DIMENSIONS = (2, 17, 784)
COUNT = 4000


def draw(norm: float, dimension: int, seed: int = 0, count: int = COUNT) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return sample_ball(count, (dimension,), norm=norm, radius=2.0, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_radius_to_the_power_d_is_uniform(norm: float, dimension: int):
    share = (vector_norm(draw(norm, dimension), norm) / 2.0).numpy() ** dimension
    assert share.max() <= 1 + 1e-9
    assert stats.kstest(share, "uniform").pvalue > 1e-3


def second_moment(norm: float, dimension: int) -> float:
    """`E z_1^2` of a uniform point of the unit ball: `|z_1|^p ~ Beta(1/p, (d - 1)/p + 1)`."""
    if math.isinf(norm):
        return 1 / 3
    terms = (3 / norm, dimension / norm + 1, 1 / norm, (dimension + 2) / norm + 1)
    return float(np.exp(special.gammaln(terms) @ [1, 1, -1, -1]))


def test_second_moment_agrees_with_known_cases():
    assert second_moment(2.0, 7) == pytest.approx(1 / 9)
    assert second_moment(1.0, 784) == pytest.approx(2 / (785 * 786))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_moments_of_the_coordinates(norm: float, dimension: int):
    points = draw(norm, dimension).numpy() / 2.0
    expected = second_moment(norm, dimension)
    squares = points**2
    error = squares.mean(1).std() / math.sqrt(COUNT)
    assert abs(squares.mean() - expected) < 5 * error
    first = squares[:, 0]
    assert abs(first.mean() - expected) < 5 * first.std() / math.sqrt(COUNT)
    assert abs(points.mean()) < 5 * points.std() / math.sqrt(points.size)
    correlation = (points[:, 0] * points[:, 1]).mean() / expected
    assert abs(correlation) < 5 / math.sqrt(COUNT)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_signs_are_fair_coins(norm: float, dimension: int):
    points = draw(norm, dimension)
    heads = (points > 0).sum(0).numpy()
    assert stats.binomtest(int(heads[0]), COUNT).pvalue > 1e-3
    assert abs(heads.sum() - COUNT * dimension / 2) < 5 * math.sqrt(COUNT * dimension) / 2
    together = int(((points[:, 0] > 0) == (points[:, 1] > 0)).sum())
    assert stats.binomtest(together, COUNT).pvalue > 1e-3


@pytest.mark.parametrize("norm", NORMS)
def test_uniform_against_rejection_from_a_box(norm: float):
    box = torch.rand(200000, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 2 - 1
    accepted = box[vector_norm(box, norm) <= 1][:COUNT].numpy()
    ours = draw(norm, 2).numpy() / 2.0
    for angle in np.linspace(0, math.pi, 7):
        direction = np.array([math.cos(angle), math.sin(angle)])
        assert stats.ks_2samp(accepted @ direction, ours @ direction).pvalue > 1e-3


@pytest.mark.parametrize("norm", [1.5, 2.0, 50.0])
def test_a_seed_fixes_the_samples_and_large_norms_do_not_underflow(norm: float):
    first, second = draw(norm, 5, seed=3, count=50), draw(norm, 5, seed=3, count=50)
    assert torch.equal(first, second)
    assert bool(first.isfinite().all())
    assert not torch.equal(first, draw(norm, 5, seed=4, count=50))


def test_misuse():
    generator = torch.Generator()
    with pytest.raises(InputError, match="radius: expected a positive finite number, got 0"):
        sample_ball(1, (2,), norm=2, radius=0, generator=generator)
    with pytest.raises(InputError, match="norm: expected p >= 1"):
        sample_ball(1, (2,), norm=0.5, radius=1.0, generator=generator)
    with pytest.raises(InputError, match="norm: expected p >= 1"):
        sample_shifts(torch.zeros(2), 1, norm=0.0, radius=1.0, generator=generator)
    with pytest.raises(ShapeError, match="expected count >= 0"):
        sample_ball(-1, (2,), norm=2, radius=1.0, generator=generator)
