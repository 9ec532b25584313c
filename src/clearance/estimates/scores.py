"""The record of an estimation: what the scores of both orders have, and the first-order CLEVER score."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from torch import Tensor

from clearance.estimates.extremes import ReverseWeibullFit
from clearance.estimates.status import Status
from clearance.model.cost import Cost
from clearance.records import PublicRecord, name_norm, plain, write_number

NOT_PLAIN = ("fit", "cost", "largest_point", "witness")
"""Fields that `Score.as_record` leaves out or writes in its own way: tensors, and records of their own."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Score(PublicRecord):
    """The estimate for one input, of either order. An estimate of a bound is not a bound.

    The scores themselves are `CleverScore` (first order) and `SecondOrderScore`. Of a row without a number, such as
    that of a misclassified input, what was not computed is NaN.

    Source: Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, algorithms 1 and 2, for the radius; the interval, the
    status and the evidence are this project's.

    Attributes:
        radius: The estimated radius in input units, to be read only where `status.has_number`: of a refuted or masked
            score it is what was refuted, evidence and no estimate; NaN where nothing was computed.
        interval: Of the radius, `(low, high)`, both at most `ball_radius`. In one ball, from the upper end of the
            endpoint's profile-likelihood interval (`low` is 0 where that is open, or where something above it was met)
            to the largest gradient norm or curvature that was met: it covers the error of the fit only. By the profile,
            `(low, radius)`, in which a search 25 times as long would end in most cases (`ProfileScore`). Neither is a
            confidence interval for the true distance.
        margin: `g(x0) = f_c(x0) - f_t(x0)`.
        fit: The reverse Weibull fit to the block maxima; `None` where nothing finite was met.
        predicted: Predicted class `c`.
        target: Class `t` that the score is for; untargeted: the one with the smallest radius.
        norm: The norm `p` of distances.
        sampler: Which rule found the block maxima.
        ball_radius: Radius `R` of the ball, given or found.
        status: What the estimate may be trusted for.
        cost: What it cost.
        maxima: The block maxima, of gradient norms or of curvatures.
        witness_distance: Distance of the nearest adversarial example met; infinite if none was.
        clip: `"project"` where samples were clipped into the bounds.
        largest_point: Where the largest gradient norm (or curvature) was met, `(*input)`.
        witness: The nearest adversarial example met, `(*input)`.
        order: 1 or 2: first-order or second-order CLEVER.
    """

    radius: float
    interval: tuple[float, float]
    margin: float
    fit: ReverseWeibullFit | None
    predicted: int
    target: int
    norm: float
    sampler: str
    ball_radius: float
    status: Status
    cost: Cost
    maxima: tuple[float, ...] = ()
    witness_distance: float = math.inf
    clip: str | None = None
    largest_point: Tensor | None = None
    witness: Tensor | None = None

    order: ClassVar[int] = 0

    def in_short(self) -> str:
        """The radius and its interval, where they may be read, and what the estimate is for."""
        moves = f"{name_norm(self.norm)}, {self.predicted} -> {self.target}, {self.status.value}"
        if not self.status.has_number:
            return f"no estimate, {moves}"
        low, high = (write_number(end) for end in self.interval)
        return f"estimated {write_number(self.radius)} in [{low}, {high}], {moves}"

    def as_record(self) -> dict[str, Any]:
        """The score as plain values for JSON: NaN and infinity become `None`, tensors are left out.

        A radius that must not be read (refuted, masked, …) is `None`, and so is its interval.

        Returns:
            The fields of this order's score, and `order`.
        """
        names = [known.name for known in fields(self) if known.name not in NOT_PLAIN]
        record: dict[str, Any] = {name: plain(getattr(self, name)) for name in names}
        if not self.status.has_number:
            record |= {"radius": None, "interval": None}
        record |= {"norm": "inf" if math.isinf(self.norm) else self.norm, "order": self.order}
        parameters = [known.name for known in fields(ReverseWeibullFit)]
        record["fit"] = None if self.fit is None else {name: plain(getattr(self.fit, name)) for name in parameters}
        record["cost"] = asdict(self.cost)
        return record


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CleverScore(Score):
    """The first-order score: `radius = min(margin / lipschitz, ball_radius)`.

    Its interval ends at `margin / largest_seen`.

    Source: Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, corollary 3.2.2 (one target), 3.2.1 (untargeted).

    Attributes:
        lipschitz: Estimated `max ||∇g||_q` over the ball: the fitted endpoint, or `largest_seen` where that is larger.
        largest_seen: Largest `||∇g||_q` met anywhere in the ball.
        largest_slope: Largest `|g(x) - g(x0)| / ||x - x0||_p` met in the ball, less its rounding error: by the mean
            value theorem no Lipschitz constant can be below it.
    """

    lipschitz: float
    largest_seen: float
    largest_slope: float

    order: ClassVar[int] = 1
