"""Uniform samples in an `l_p` ball, for every `p >= 1`, from an explicit generator."""

import math

import torch
from torch import Tensor

from clearance.errors import InputError, ShapeError
from clearance.geometry.exponents import as_norm
from clearance.geometry.norms import expand, vector_norm

POINTS_AT_ONCE = 2**24
"""Numbers drawn at once: larger samples are drawn in parts. 64 MiB in single precision, of which the general sampler
holds some five arrays."""


def parts(count: int, size: int) -> list[int]:
    """How many points to draw at a time, so that no part holds more than `POINTS_AT_ONCE` numbers.

    `floor(POINTS_AT_ONCE / size)` in each part but the last, or 1 where a point has more numbers. Source: this project.

    Args:
        count: Points in all.
        size: Numbers in a point.

    Returns:
        Numbers of points, each at least 1, that add up to `count`.

    >>> parts(5, POINTS_AT_ONCE // 2)
    [2, 2, 1]
    """
    most = max(1, POINTS_AT_ONCE // size)
    return [min(most, count - start) for start in range(0, count, most)]


def sample_ball(
    count: int,
    shape: tuple[int, ...],
    *,
    norm: float,
    radius: float,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw points uniformly (by volume) from `{z : ||z||_p <= R}`.

    `p = inf` is a box and `p = 2` a Gaussian direction times `U^(1/d)` (Muller 1959), `U` uniform in [0, 1] and `d` the
    number of coordinates. Any other `p`: with `g_i` independent of density proportional to `exp(-|t|^p)` and `Z`
    standard exponential, `z = R g / (||g||_p^p + Z)^(1/p)` is uniform in the ball (Barthe, Guédon, Mendelson and Naor
    2005, theorem 1).

    Args:
        count: How many points.
        shape: Shape of one point.
        norm: `p`, from 1 to `math.inf`.
        radius: `R > 0`, in input units.
        generator: Where the randomness comes from; its device is the samples' device.
        dtype: A floating dtype.

    Returns:
        `(count, *shape)`.

    Raises:
        InputError: If `norm < 1` or `radius` is not positive and finite.
        ShapeError: If `count` is negative or the shape holds no number.

    >>> z = sample_ball(1000, (2,), norm=2, radius=3.0, generator=torch.Generator().manual_seed(0))
    >>> bool((z.norm(dim=1) <= 3.0).all())
    True
    """
    norm = as_norm(norm)
    if not (0 < radius < math.inf):
        raise InputError(f"radius: expected a positive finite number, got {radius!r}")
    if count < 0 or math.prod(shape) < 1:
        raise ShapeError(f"expected count >= 0 and a shape that holds numbers, got {count} and {shape}")
    return _draw(count, shape, norm, radius, generator, dtype)


def _draw(
    count: int, shape: tuple[int, ...], norm: float, radius: float, generator: torch.Generator, dtype: torch.dtype
) -> Tensor:
    """The points, from arguments that are known to be right."""
    dimension = math.prod(shape)
    if math.isinf(norm):
        unit = torch.empty(count, dimension, device=generator.device, dtype=dtype).uniform_(-1, 1, generator=generator)
    elif norm == 2:
        unit = _unit_euclidean(count, dimension, generator, dtype)
    else:
        unit = _unit_general(count, dimension, norm, generator, dtype)
    return (unit * radius).reshape(count, *shape)


def sample_shifts(like: Tensor, count: int, *, norm: float, radius: float, generator: torch.Generator) -> Tensor:
    """Uniform points of the ball `{z : ||z||_p <= R}`, with the shape and the dtype of an input.

    As `sample_ball` draws them (Barthe, Guédon, Mendelson and Naor 2005, theorem 1).

    Args:
        like: The input, `(*input)`.
        count: How many.
        norm: `p`, from 1 to `math.inf`.
        radius: `R > 0`, in input units.
        generator: Where the randomness comes from.

    Returns:
        `(count, *input)`.

    Raises:
        InputError: If `norm < 1`.
    """
    return _draw(count, tuple(like.shape), as_norm(norm), radius, generator, like.dtype)


def sample_directions(like: Tensor, count: int, *, norm: float, generator: torch.Generator) -> Tensor:
    """Random directions of length 1 in the `l_p` norm: `z / ||z||_p` for uniform points `z` of the ball.

    They follow the cone measure of the sphere, which is uniform on its surface for `p` = 1, 2 and infinity (Naor and
    Romik 2003).

    Args:
        like: The input, `(*input)`.
        count: How many.
        norm: `p`, from 1 to `math.inf`.
        generator: Where the randomness comes from.

    Returns:
        `(count, *input)`.

    >>> z = sample_directions(torch.zeros(3), 5, norm=1.0, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(z.abs().sum(1), torch.ones(5))
    True
    """
    shift = sample_shifts(like, count, norm=norm, radius=1.0, generator=generator)
    return shift / expand(vector_norm(shift, norm), shift)


def _unit_euclidean(count: int, dimension: int, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    direction = torch.randn(count, dimension, generator=generator, device=generator.device, dtype=dtype)
    uniform = torch.rand(count, 1, generator=generator, device=generator.device, dtype=dtype)
    length = torch.linalg.vector_norm(direction, 2, dim=1, keepdim=True)
    return direction * (uniform ** (1 / dimension) / length.clamp_min(torch.finfo(dtype).tiny))


def _unit_general(count: int, dimension: int, norm: float, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    """Barthe et al.'s construction; `|g_i| = G^(1/p) U`, `G ~ Gamma(1 + 1/p)`, does not underflow for large p."""
    device = generator.device
    shape = torch.full((count, dimension), 1 + 1 / norm, device=device, dtype=dtype)
    gamma = torch._standard_gamma(shape, generator=generator)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    uniform = torch.rand(count, dimension, generator=generator, device=device, dtype=dtype)
    sign = torch.randint(0, 2, (count, dimension), generator=generator, device=device).to(dtype) * 2 - 1
    spread = torch.empty(count, 1, device=device, dtype=dtype).exponential_(generator=generator)
    magnitude = gamma ** (1 / norm) * uniform
    return sign * magnitude / (magnitude.pow(norm).sum(1, keepdim=True) + spread) ** (1 / norm)
