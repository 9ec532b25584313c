"""Is a margin twice differentiable where it matters? Asked of what its Hessian does, never of a list of layers.

If it is, its gradient changes over a segment by the integral of the Hessian along it:

    ∇g(y) - ∇g(x) = ∫ H(x + s (y - x)) (y - x) ds.

ReLU and max pooling break this: their Hessian is zero almost everywhere, and the gradient jumps. So does a path that
hides its derivative. A network that is smooth but sharp (softplus with a large beta) only seems to break it as long as
the points of the integral are too far apart; so a segment that does not agree is halved, and the worse half again,
until it does. A jump never does: at the end all of the change happens on a ten-thousandth of the segment, and none of
it shows in the Hessian.

The segments lead to the surface of the ball and, so that the answer is about the network rather than about one of the
regions where it happens to be linear, as far again as the input is from zero.

Source: this project; it rests on the fundamental theorem of calculus. Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018
("On Extensions of CLEVER", section 3.3) assume a twice differentiable network.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from clearance.estimates.evidence import MarginProblem
from clearance.geometry.balls import sample_shifts
from clearance.geometry.norms import expand, steepest, vector_norm
from clearance.model.curvature import margin_hessian_vectors
from clearance.model.gradients import margin_gradients
from clearance.model.seeds import make_generator

RANDOM_ENDS = 3
"""Segments to uniform points of a ball, besides the one along the steepest descent: so that a kink that one direction
runs along is crossed by another."""
OUTER_FACTOR = 4.0
"""The outer segments are at least this many times longer than the inner ones, and so leave a region that is linear."""
GAUSS_NODES = 4
"""Gauss-Legendre points for each half of a segment: exact for polynomials of degree 7."""
MOST_HALVINGS = 13
"""Halvings after which what still does not agree is a jump: by then the segment is an 8,192nd of its length."""
UNEXPLAINED_SHARE = 0.05
"""Part of the change of a gradient that its Hessian may leave unexplained: a jump leaves all of it."""
GRADIENT_NOISE = 128.0
"""Units of rounding of the gradient that no change of it is read into: a network's backward pass adds up many."""
SMOOTHNESS_STREAM = "smoothness"
"""Names the random stream of the segments. The word is hashed into its seed: changing it changes results."""


def is_twice_differentiable(problem: MarginProblem, radius: float | None = None) -> bool:
    """Whether the Hessian of the nearest margin accounts for the change of its gradient, on segments from the input.

    `||∇g(y) - ∇g(x) - ∫ H(x + s (y - x)) (y - x) ds||_2 <= UNEXPLAINED_SHARE × ||∇g(y) - ∇g(x)||_2`, up to rounding, on
    each segment or, where it fails there, on the worse half of it, and so on. Source: this project.

    Args:
        problem: The input and its targets, with `taylor`.
        radius: Radius of the ball; `None`: as far as the margin would last without curvature, `g / b`.

    Returns:
        False where, on some segment, more than `UNEXPLAINED_SHARE` of the change stays unexplained down to the smallest
        piece. What is not finite is left to others to judge.
    """
    assert problem.taylor is not None, "asked at second order only"
    straight = problem.margins / problem.taylor.gradient_norms
    index = int(straight.nan_to_num(torch.inf, torch.inf).argmin())
    classes = (problem.predicted, int(problem.targets[index]))
    far = max(1e-3, float(vector_norm(problem.x0[None], problem.norm)))
    near = float(straight[index]) if radius is None else radius
    near = near if math.isfinite(near) else far
    inner = _directions(problem, index)
    ends = problem.admit(problem.x0 + torch.cat([near * inner, max(OUTER_FACTOR * near, far) * inner]))
    starts = problem.x0.expand_as(ends)
    at_start, at_end = (_gradients(problem, points, classes) for points in (starts, ends))
    noise = GRADIENT_NOISE * torch.finfo(ends.dtype).eps * torch.maximum(_lengths(at_start), _lengths(at_end))
    for _ in range(MOST_HALVINGS):
        middle = 0.5 * (starts + ends)
        at_middle = _gradients(problem, middle, classes)
        left, right = (
            _unexplained(problem, classes, *half)
            for half in ((starts, middle, at_start, at_middle), (middle, ends, at_middle, at_end))
        )
        changes = _lengths(at_middle - at_start) + _lengths(at_end - at_middle)
        jumps = left + right > UNEXPLAINED_SHARE * changes + noise
        if not bool(jumps.any()):
            return True
        worse = left >= right
        starts, ends, at_start, at_end = (
            torch.where(expand(worse, middle), mine, other)
            for mine, other in ((starts, middle), (middle, ends), (at_start, at_middle), (at_middle, at_end))
        )
        starts, ends, at_start, at_end, noise = (t[jumps] for t in (starts, ends, at_start, at_end, noise))
    return False


def _directions(problem: MarginProblem, index: int) -> Tensor:
    """Where the segments lead: down the margin, and to uniform points of the unit ball."""
    assert problem.taylor is not None, "asked at second order only"
    downhill = -steepest(problem.taylor.gradients[index : index + 1], problem.norm)
    generator = make_generator(problem.x0.device, problem.seed, SMOOTHNESS_STREAM, problem.key)
    shift = sample_shifts(problem.x0, RANDOM_ENDS, norm=problem.norm, radius=1.0, generator=generator)
    return torch.cat([downhill, shift])


def _gradients(problem: MarginProblem, points: Tensor, classes: tuple[int, int]) -> Tensor:
    """Gradients, NaN where the margin is not finite."""
    values, gradients = margin_gradients(problem.model, points, *classes)
    return torch.where(expand(values.isfinite(), points), gradients, torch.nan)


def _unexplained(
    problem: MarginProblem, classes: tuple[int, int], starts: Tensor, ends: Tensor, at_start: Tensor, at_end: Tensor
) -> Tensor:
    """`||∇g(y) - ∇g(x) - ∫ H (y - x)||` of each segment, `(batch,)`."""
    nodes, weights = np.polynomial.legendre.leggauss(GAUSS_NODES)
    step, change = ends - starts, at_end - at_start
    points = torch.cat([starts + float(0.5 + 0.5 * node) * step for node in nodes])
    steps = step.repeat(GAUSS_NODES, *[1] * (step.ndim - 1))
    _, _, images = margin_hessian_vectors(problem.model, points, *classes, steps)
    for weight, image in zip(weights, images.split(len(starts)), strict=True):
        change = change - 0.5 * float(weight) * image
    return _lengths(change)


def _lengths(x: Tensor) -> Tensor:
    return x.flatten(1).norm(dim=1)
