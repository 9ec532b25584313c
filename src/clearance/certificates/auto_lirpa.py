"""CROWN by auto_LiRPA, where the user has installed it: an independent implementation, and one with more layers.

For finite `p` it ignores the bounds, which is sound and looser. Like our own bounds, those it gives are sound up to the
rounding of float64. Only its lower bounds are used; the bisection is ours.

Its interval step knows an `l_p` ball of finite `p` only where a linear layer takes the input itself: behind any other
step, such as `(x - mean) / std`, the ball is lost and the interval has width zero; a convolution takes the `l_2` norm
of its kernels for every finite `p`, too little for `p > 2` (release of May 2026). So the network that it is given
begins with a linear layer on the flat input: the identity, or `Normalize` as a diagonal matrix. Source: this project.

It also reads the network in its own way: of average pooling it knows no `count_include_pad=False`. So its bounds are
looked at where they must hold a known value, at single points of the ball.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from clearance.certificates.ball_points import CutBall, random_points
from clearance.certificates.bisection import largest_proven
from clearance.certificates.crown import CROWN_TOLERANCE
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.problem import MARGIN_SLACK, Proof, VerificationProblem, make_proof
from clearance.certificates.region import Region
from clearance.certificates.translate import Whole
from clearance.errors import InputError
from clearance.model.memory import is_out_of_memory
from clearance.model.preprocessing import Normalize

POINT_ROOM = 1e-9
"""Share of the two logits (at least 1) by which a margin may lie outside its bounds at a point: rounding of float64."""
POINTS_APART = 6
"""Of the random points of the ball, every how manyth is looked at: eight in all."""
POINTS_SEED = 0
"""Seed of these points: a constant, as they only test what the package has read."""
LARGEST_FIRST_LAYER = 4096
"""Entries of an input at most where the network is given a linear layer first: a square matrix, 128 MiB."""


def import_auto_lirpa() -> Any:
    """The package.

    Returns:
        The module `auto_LiRPA`.

    Raises:
        InputError: If it cannot be imported here.
    """
    try:
        import auto_LiRPA  # pyright: ignore[reportMissingImports]
    except (
        Exception
    ) as error:  # its releases name old versions of torch and NumPy, and fail in many ways beside new ones
        said = f"{type(error).__name__}: {error}"
        raise InputError(f"method: expected auto_LiRPA to be installed for 'auto-lirpa', got {said}") from error
    return auto_LiRPA


def auto_lirpa(problem: VerificationProblem) -> list[Proof]:
    """Certify by auto_LiRPA's backward CROWN bounds of the margins (Zhang et al. 2018; Xu et al. 2020).

    The radius is the largest one, by bisection, at which its lower bound of every margin is positive.

    Args:
        problem: What to prove, with inputs `(batch, *input)`; its graph is used for the margins only.

    Returns:
        One proof per input.

    Raises:
        NotSupportedError: If it cannot handle the network.
    """
    package = import_auto_lirpa()
    try:
        network, x = flat_network(problem)
        bounded = package.BoundedModule(network, x[:1], device=str(x.device))
        found = [_one(one, row[None], bounded, package) for one, row in zip(problem.each(), x, strict=True)]
    except NotSupportedError:
        raise
    except Exception as error:  # what another package raises on a layer or an option is of every class
        if is_out_of_memory(error):
            raise
        said = str(error).split("\n", maxsplit=1)[0]
        raise NotSupportedError(f"auto_LiRPA: {type(error).__name__}: {said}") from error
    return found


def flat_network(problem: VerificationProblem) -> tuple[nn.Module, Tensor]:
    """The network with a linear layer first, and the inputs as it takes them.

    `x -> network(D x + d)` on flat inputs, with `D x + d` the preprocessing where that is `Normalize`, else the
    identity. For `p = inf` without `Normalize` the network is left as it is.

    Args:
        problem: The network and its inputs, `(batch, *input)`.

    Returns:
        A module in float64, and the inputs, `(batch, entries)` or `(batch, *input)`.

    Raises:
        NotSupportedError: If the layer would be too large.
    """
    x, shape = problem.x, problem.x.shape[1:]
    whole = copy.deepcopy(Whole(problem.model)).to(x.device, torch.float64).eval()
    scales = type(whole.preprocessing) is Normalize
    if math.isinf(problem.norm) and not scales:
        return whole, x
    entries = x[0].numel()
    if entries > LARGEST_FIRST_LAYER:
        raise NotSupportedError(
            f"auto_LiRPA: expected at most {LARGEST_FIRST_LAYER} entries of an input, got {entries}"
        )
    first = nn.utils.skip_init(nn.Linear, entries, entries, dtype=torch.float64, device=x.device)
    scale, shift = torch.ones_like(x[:1]), torch.zeros_like(x[:1])
    if scales and whole.preprocessing is not None:
        scale, shift = whole.preprocessing(scale) - whole.preprocessing(shift), whole.preprocessing(shift)
        whole.preprocessing = None
    first.weight.data, first.bias.data = scale.flatten().diag(), shift.flatten()
    return nn.Sequential(first, nn.Unflatten(1, shape), whole).eval(), x.flatten(1)


def _one(problem: VerificationProblem, x: Tensor, bounded: Any, package: Any) -> Proof:
    slack = problem.slack()

    def margins_within(region: Region) -> tuple[Tensor, Tensor]:
        """The package's bounds of the margins on a region, `(1, targets)` each."""
        center = region.center.reshape(x.shape)
        low, high = (end.reshape(x.shape) if math.isinf(problem.norm) else None for end in region.box())
        ball = package.PerturbationLpNorm(norm=problem.norm, eps=float(region.radius), x_L=low, x_U=high)
        given = package.BoundedTensor(center, ball)
        with torch.no_grad():
            below, above = bounded.compute_bounds(x=(given,), C=problem.rows, method="CROWN")
        return below, above

    def lowest(radius: Tensor) -> Tensor:
        return margins_within(Region(problem.x, radius, problem.norm, problem.bounds))[0] - slack

    start = torch.ones_like(slack[:, 0])
    limit = Region(problem.x, start, problem.norm, problem.bounds).covered()
    at_zero = (problem.gaps() - slack).amin(1)
    found = largest_proven(lowest, start, limit, at_proven=at_zero, tolerance=CROWN_TOLERANCE, stop=problem.time_is_up)
    if float(found.proven) > 0:
        _check_points(problem, min(float(found.proven), float(limit)), margins_within)
    target = int(problem.targets[0, int(found.limiting)])
    return make_proof(float(found.proven), target, timed_out=bool(found.timed_out))


def _check_points(
    problem: VerificationProblem, radius: float, margins_within: Callable[[Region], tuple[Tensor, Tensor]]
) -> None:
    """See that the bounds of single points of the ball hold the margins there: the package reads the network itself.

    Raises:
        NotSupportedError: If they do not: then it has read another function.
    """
    points = problem.x
    if math.isfinite(radius):
        ball, draw = (
            CutBall(problem.x, radius, problem.norm, problem.bounds),
            torch.Generator().manual_seed(POINTS_SEED),
        )
        points = torch.cat([points, random_points(ball, draw)[::POINTS_APART]])
    for point in points.split(1):
        at_point = replace(problem, x=point)
        below, above = margins_within(Region(point, torch.zeros_like(point.flatten()[:1]), problem.norm, None))
        margin, room = at_point.gaps(), POINT_ROOM * (1 + at_point.slack() / MARGIN_SLACK)
        if not bool(((below <= margin + room) & (above >= margin - room)).all()):
            raise NotSupportedError("auto_LiRPA: its bounds at a point do not hold the network's margin there")
