"""CROWN by auto_LiRPA, where the user has installed it: an independent implementation, and one with more layers.

For finite `p` it ignores the bounds, which is sound and looser. Like our own bounds, those it gives are sound up to the
rounding of float64. Only its lower bounds are used; the bisection is ours.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor

from clearance.certificates.bisection import largest_proven
from clearance.certificates.crown import CROWN_TOLERANCE
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.problem import Proof, VerificationProblem, make_proof
from clearance.certificates.region import Region
from clearance.certificates.translate import Whole
from clearance.errors import InputError


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
        whole = copy.deepcopy(Whole(problem.model)).to(problem.x.device, torch.float64).eval()
        bounded = package.BoundedModule(whole, problem.x, device=str(problem.x.device))
        found = [_one(one, bounded, package) for one in problem.each()]
    except (RuntimeError, NotImplementedError, AttributeError, TypeError, KeyError, AssertionError) as error:
        said = str(error).split("\n", maxsplit=1)[0]
        raise NotSupportedError(f"auto_LiRPA: {type(error).__name__}: {said}") from error
    return found


def _one(problem: VerificationProblem, bounded: Any, package: Any) -> Proof:
    slack = problem.slack()

    def lowest(radius: Tensor) -> Tensor:
        region = Region(problem.x, radius, problem.norm, problem.bounds)
        low, high = region.box() if math.isinf(problem.norm) else (None, None)
        ball = package.PerturbationLpNorm(norm=problem.norm, eps=float(radius), x_L=low, x_U=high)
        given = package.BoundedTensor(problem.x, ball)
        with torch.no_grad():
            below, _ = bounded.compute_bounds(x=(given,), C=problem.rows, method="CROWN")
        return below - slack

    start = torch.ones_like(slack[:, 0])
    limit = Region(problem.x, start, problem.norm, problem.bounds).covered()
    found = largest_proven(lowest, start, limit, tolerance=CROWN_TOLERANCE, stop=problem.time_is_up)
    target = int(problem.targets[0, int(found.limiting)])
    return make_proof(float(found.proven), target, timed_out=bool(found.timed_out))
