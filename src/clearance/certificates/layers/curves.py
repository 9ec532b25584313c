"""Smooth activations that change the sign of their second derivative or fall somewhere: GELU, SiLU, Mish and others.

Each is a list of pieces for `smooth`. Where `f''` has a zero without a closed form, the docstring shows why there is
exactly one on each side of 0, and a test holds the constant against 40 digits.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional

from clearance.certificates.layers.smooth import Map, Piece, Smooth, tabulated
from clearance.certificates.operations import NotSupportedError, refuse

GELU_TANH_INFLECTION = 1.418504008790828
"""Where the tanh form of GELU has `f'' = 0`."""
SILU_INFLECTION = 2.3993572805154677
"""Where SiLU has `f'' = 0`: `x tanh(x / 2) = 2`."""
MISH_INFLECTIONS = (-2.25637639636079312, 1.49057117948542846)
"""Where Mish has `f'' = 0`."""
TAIL = 40.0
"""Beyond it the derivatives of these functions are constant up to rounding."""


def gelu(approximate: str = "none") -> Smooth:
    """GELU, `f(x) = x Phi(x)` with the normal distribution's `Phi`, or its form with tanh.

    `f'' = phi(x) (2 - x^2)`: inflection points `-sqrt 2` and `sqrt 2`.

    Args:
        approximate: `"none"` or `"tanh"`, as torch calls them.

    Returns:
        The function.

    Raises:
        NotSupportedError: For any other form.
    """
    if approximate not in {"none", "tanh"}:
        raise NotSupportedError(f"expected approximate 'none' or 'tanh', got {approximate!r}")
    return _gelu() if approximate == "none" else _gelu_tanh()


@functools.cache
def _gelu() -> Smooth:
    def derivative(x: Tensor) -> Tensor:
        density = (-x.square() / 2).exp() / math.sqrt(2 * math.pi)
        return torch.special.ndtr(x) + x * density

    return _sides("GELU", functional.gelu, derivative, (-math.sqrt(2), math.sqrt(2)))


@functools.cache
def _gelu_tanh() -> Smooth:
    """`f = x (1 + tanh u) / 2`, `u = k (x + c x^3)`, `k = sqrt(2 / pi)`, `c = 0.044715`.

    `f'' = (1 - tanh^2 u) (k (1 + 6 c x^2) - x tanh(u) k^2 (1 + 3 c x^2)^2)`, so `f'' = 0` where
    `k x tanh(u) (1 + 9 c^2 x^4 / (1 + 6 c x^2)) = 1`. The left side is even and grows from 0 without end for `x > 0`.
    """
    k, c = math.sqrt(2 / math.pi), 0.044715

    def derivative(x: Tensor) -> Tensor:
        u, rate = k * (x + c * x**3), k * (1 + 3 * c * x.square())
        return (1 + u.tanh()) / 2 + x / u.cosh().square() * rate / 2

    ends = (-GELU_TANH_INFLECTION, GELU_TANH_INFLECTION)
    return _sides("GELU", lambda x: functional.gelu(x, approximate="tanh"), derivative, ends)


@functools.cache
def silu() -> Smooth:
    """SiLU, `f(x) = x sigmoid(x)`.

    `f'' = sigmoid'(x) (2 - x tanh(x / 2))`, and `x tanh(x / 2)` is even and grows from 0 without end for `x > 0`.
    """

    def derivative(x: Tensor) -> Tensor:
        return x.sigmoid() * (1 + x * (-x).sigmoid())

    return _sides("SiLU", functional.silu, derivative, (-SILU_INFLECTION, SILU_INFLECTION))


@functools.cache
def mish() -> Smooth:
    """Mish, `f(x) = x tanh(log(1 + exp x))`.

    With `T = tanh(log(1 + exp x))` and `S = sigmoid(x)`, `f'' = (1 - T^2) S (2 + x q)`, `q = 1 - S - 2 T S`. `q` falls
    from 1 to -2, and `q(0) < 0`. Where `x` and `q` have different signs, `x q` falls with the distance from where it
    is 0, without end on both sides; elsewhere it is not negative. So there is one zero on each side.
    """

    def derivative(x: Tensor) -> Tensor:
        s = functional.softplus(x, threshold=50.0)
        return s.tanh() + x / s.cosh().square() * x.sigmoid()

    return _sides("Mish", functional.mish, derivative, MISH_INFLECTIONS)


def _sides(name: str, function: Map, derivative: Map, inflections: tuple[float, float]) -> Smooth:
    """A function that is concave, convex between two inflection points, and concave again."""
    left, right = inflections
    largest = float(derivative(torch.tensor(right, dtype=torch.float64))) * (1 + 1e-12)  # f' is largest there
    ends = ((-math.inf, left, -1), (left, right, 1), (right, math.inf, -1))
    pieces = [
        Piece(low, high, function, derivative, curvature, tabulated(derivative, max(low, -TAIL), min(high, TAIL)))
        for low, high, curvature in ends
    ]
    return Smooth(name, function, derivative, pieces, largest)


def elu(alpha: float = 1.0) -> Smooth:
    """ELU, `f(x) = x` right of 0 and `alpha (exp(x) - 1)` left of it; a kink at 0 unless `alpha = 1`."""
    return _exponential_unit("ELU", lambda x: functional.elu(x, alpha), alpha, 1.0, 1.0)


def selu() -> Smooth:
    """SELU, `scale` times ELU with the two constants of Klambauer et al. (2017)."""
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return _exponential_unit("SELU", functional.selu, alpha * scale, 1.0, scale)


def celu(alpha: float = 1.0) -> Smooth:
    """CELU, `f(x) = x` right of 0 and `alpha (exp(x / alpha) - 1)` left of it; `alpha > 0`.

    Raises:
        NotSupportedError: If `alpha` is not positive.
    """
    if not alpha > 0:
        raise NotSupportedError(f"expected alpha > 0, got {alpha:g}")
    return _exponential_unit("CELU", lambda x: functional.celu(x, alpha), alpha, alpha, 1.0)


def _exponential_unit(name: str, function: Map, alpha: float, width: float, slope: float) -> Smooth:
    """`slope x` right of 0, `alpha (exp(x / width) - 1)` left of it."""
    if not (math.isfinite(alpha) and math.isfinite(width)):
        refuse(f"expected a finite alpha, got {alpha:g}")
    rate = alpha / width
    left = Piece(
        -math.inf,
        0.0,
        lambda x: alpha * (x / width).expm1(),
        lambda x: rate * (x / width).exp(),
        (alpha > 0) - (alpha < 0),
        lambda s: width * (s / (rate or 1.0)).clamp_min(0.0).log(),
    )
    right = Piece(0.0, math.inf, lambda x: slope * x, lambda x: torch.full_like(x, slope))

    def derivative(x: Tensor) -> Tensor:
        return torch.where(x > 0, slope, rate * (x.clamp_max(0.0) / width).exp())

    return Smooth(name, function, derivative, (left, right), max(slope, abs(rate)))


def softsign() -> Smooth:
    """Softsign, `f(x) = x / (1 + |x|)`: convex left of 0, concave right of it; `f' = 1 / (1 + |x|)^2`."""

    def derivative(x: Tensor) -> Tensor:
        return 1 / (1 + x.abs()).square()

    def distance(s: Tensor) -> Tensor:
        return s.clamp_min(0.0).rsqrt() - 1

    left = Piece(-math.inf, 0.0, functional.softsign, derivative, 1, lambda s: -distance(s))
    right = Piece(0.0, math.inf, functional.softsign, derivative, -1, distance)
    return Smooth("Softsign", functional.softsign, derivative, (left, right), 1.0, (-1.0, 1.0))


def log_sigmoid() -> Smooth:
    """The logarithm of the logistic function, `f(x) = -log(1 + exp(-x))`: concave; `f'(x) = sigmoid(-x)`."""

    def derivative(x: Tensor) -> Tensor:
        return (-x).sigmoid()

    whole = Piece(
        -math.inf,
        math.inf,
        functional.logsigmoid,
        derivative,
        -1,
        lambda s: -s.clamp(0.0, 1.0).logit().clamp(-TAIL, TAIL),
    )
    return Smooth("LogSigmoid", functional.logsigmoid, derivative, (whole,), 1.0, (-math.inf, 0.0))


def tanhshrink() -> Smooth:
    """`f(x) = x - tanh x`: concave left of 0, convex right of it; `f' = tanh^2 x`."""

    def derivative(x: Tensor) -> Tensor:
        return x.tanh().square()

    def distance(s: Tensor) -> Tensor:
        return s.clamp(0.0, 1.0).sqrt().atanh().clamp_max(TAIL)

    left = Piece(-math.inf, 0.0, functional.tanhshrink, derivative, -1, lambda s: -distance(s))
    right = Piece(0.0, math.inf, functional.tanhshrink, derivative, 1, distance)
    return Smooth("Tanhshrink", functional.tanhshrink, derivative, (left, right), 1.0)


def erf() -> Smooth:
    """The error function: convex left of 0, concave right of it; `f'(x) = 2 exp(-x^2) / sqrt(pi)`."""
    top = 2 / math.sqrt(math.pi)

    def derivative(x: Tensor) -> Tensor:
        return top * (-x.square()).exp()

    def distance(s: Tensor) -> Tensor:
        return (-(s / top).clamp(0.0, 1.0).log()).sqrt().clamp_max(TAIL)

    left = Piece(-math.inf, 0.0, torch.erf, derivative, 1, lambda s: -distance(s))
    right = Piece(0.0, math.inf, torch.erf, derivative, -1, distance)
    return Smooth("erf", torch.erf, derivative, (left, right), top * (1 + 1e-12), (-1.0, 1.0))
