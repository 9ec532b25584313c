"""Second-order CLEVER: its radius, what it knows at the input itself, and its score.

With `b = ||∇g(x0)||_q` and `a` the largest `||H(x)||_{p→q}` in the ball, Taylor's theorem gives
`g(x0 + δ) >= g(x0) - b ||δ||_p - ½ a ||δ||_p²`, so that no adversarial example is nearer than the root of the right
side (Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, "On Extensions of CLEVER", theorem 3.1). `a` is estimated, like
the Lipschitz constant at first order, from block maxima (`estimates.samplers.curvature_search`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from clearance.estimates.scores import Score
from clearance.model.curvature import Kind


@dataclass(frozen=True)
class Taylor:
    """What second order knows of the margins at the input itself.

    The first two terms of Taylor's formula, Weng et al. 2018, "On Extensions of CLEVER", equation 4.

    Attributes:
        kind: Which curvature: `"norm"`, `||H||_{p→q}`, or `"one-sided"`, `max(0, -λ_min(H))`.
        gradients: `∇g(x0)` for each target, `(k, *input)`.
        gradient_norms: `b = ||∇g(x0)||_q` for each target, `(k,)`.
    """

    kind: Kind
    gradients: Tensor
    gradient_norms: Tensor


def second_order_radius(margin: float, gradient_norm: float, curvature: float) -> float:
    """`2 g / (b + sqrt(b² + 2 a g))`: where `g - b r - ½ a r²` is zero.

    The root of Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018 ("On Extensions of CLEVER", equation 5) in the form
    that divides nothing by `a`: at `a = 0` it is `g / b`, and no digits are lost on the way there.

    Args:
        margin: `g(x0)`, positive.
        gradient_norm: `b = ||∇g(x0)||_q`, the dual norm.
        curvature: `a`, at least 0; may be infinite.

    Returns:
        The radius; infinite where both `a` and `b` are 0.

    >>> second_order_radius(1.0, 2.0, 0.0), second_order_radius(1.0, 0.0, 2.0)
    (0.5, 1.0)
    """
    below = gradient_norm + math.hypot(gradient_norm, math.sqrt(2 * curvature) * math.sqrt(margin))
    return 2 * margin / below if below > 0 else math.inf


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SecondOrderScore(Score):
    """The second-order score: `radius = min(2 margin / (b + sqrt(b² + 2 a margin)), ball_radius)`.

    Here `b = gradient_norm` and `a = curvature`. The interval's ends follow from the same formula, the upper one with
    `a = largest_curvature`. Block maxima that agree to within the error they were computed with are set to the largest.

    Source: Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, "On Extensions of CLEVER", theorem 3.1 (equation 5).

    Attributes:
        curvature_kind: Which curvature the numbers are of: `"norm"`, `||H||_{p→q}`, or `"one-sided"`,
            `max(0, -λ_min(H))`: of the two that `curvature="one-sided"` computes, the one with the larger radius.
        gradient_norm: `b = ||∇g(x0)||_q`, computed at the input itself.
        curvature: `a`, the estimated maximum of the curvature over the ball: the fitted endpoint, or
            `largest_curvature` where that is larger.
        largest_curvature: Largest curvature met anywhere in the ball.
        largest_secant_curvature: Largest `2 |g(x) - g(x0) - <∇g(x0), x - x0>| / ||x - x0||_p²` met (one-sided: of falls
            only), less its rounding error: by Taylor's theorem no largest curvature can be below it.
    """

    curvature_kind: Kind
    gradient_norm: float
    curvature: float
    largest_curvature: float
    largest_secant_curvature: float

    order: ClassVar[int] = 2
