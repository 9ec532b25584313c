"""One hidden layer: the largest gradient in a ball, in closed form (Hein and Andriushchenko 2017, section 2.2).

For `f = V s(W x + a) + b` and the margin row `v` of two classes, `grad g(y) = sum_r v_r s'(w_r y + a_r) w_r`. In the
ball of radius R the pre-activation moves by at most `R ||w_r||_q`, and `s'` never decreases, so `s'` stays between
`l_r` and `h_r`. Then

    p = 2        ||grad g||_2^2 <= sum_rs max(v_r v_s <w_r, w_s> s'_r s'_s)
                                 = h^T max(M, 0) h + l^T min(M, 0) l,    M_rs = v_r v_s <w_r, w_s>
                 where M's sign is that of <w_r, w_s> for units whose v has the same sign, and opposite for the others
    any p        |grad g|_i <= max(|sum_r lowest term|, |sum_r highest term|), and the dual norm of that

The radius is the largest R with `R L_t(R) <= g_t` for every target; L grows with R, so bisection finds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from clearance.certificates.bisection import largest_proven
from clearance.certificates.crown import linear_guess
from clearance.certificates.graph import Graph
from clearance.certificates.layers.activations import Activation
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.problem import Proof, VerificationProblem, make_proof
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.geometry.norms import dual_norm, last_norm

ONE_HIDDEN_TOLERANCE = 1e-6
"""Relative width of the bisection's last bracket: a trial is cheap, and nothing else is lost in the closed form."""
LARGEST_HIDDEN = 4096
"""Hidden units at most: their Gram matrix has the square of it, 128 MiB."""
LARGEST_WEIGHT = 2**27
"""Numbers in the hidden units' weights on the input at most, 1 GiB."""
TARGETS_AT_A_TIME = 64
"""Targets between two looks at the clock."""
SQUARE_ROUNDING = 1e-12
"""Share of the terms of a squared norm that is added to it: they may cancel, and each is rounded."""


@dataclass(frozen=True)
class OneHidden:
    """`V s(W x + a) + b` as matrices.

    Attributes:
        weight: `W`, `(hidden, entries)`.
        offset: `a`, `(hidden,)`.
        last: `V`, `(classes, hidden)`.
        activation: `s`.
    """

    weight: Tensor
    offset: Tensor
    last: Tensor
    activation: Activation

    @cached_property
    def size(self) -> Tensor:
        """`|W|`."""
        return self.weight.abs()

    @cached_property
    def products(self) -> tuple[Tensor, Tensor]:
        """The positive and the negative part of `W W^T`, both as nonnegative numbers."""
        gram = self.weight @ self.weight.T
        return gram.clamp_min(0.0), (-gram).clamp_min(0.0)


def one_hidden(problem: VerificationProblem) -> list[Proof]:
    """Certify a network with one hidden layer: the largest `R` with `R max ||grad g_t||_q <= g_t` for every target.

    Source: Hein and Andriushchenko (2017), section 2.2; the maximum is over the ball of radius `R`.

    Args:
        problem: What to prove, with inputs `(batch, *input)`.

    Returns:
        One proof per input.

    Raises:
        NotSupportedError: See `check_one_hidden`.
    """
    network = as_one_hidden(problem.graph, problem.x)
    return [_one(network, one) for one in problem.each()]


def _one(network: OneHidden, problem: VerificationProblem) -> Proof:
    """One input."""
    values, margin = problem.rows[0] @ network.last, (problem.gaps() - problem.slack())[0]
    before = network.weight @ problem.x.flatten() + network.offset
    reach = last_norm(network.weight, dual_norm(problem.norm))

    def lowest(radius: Tensor) -> Tensor:
        low, high = (network.activation.derivative(before + side * radius * reach) for side in (-1, 1))
        largest = torch.full_like(margin, torch.inf)
        for rows in torch.arange(len(margin), device=margin.device).split(TARGETS_AT_A_TIME):
            if int(rows[0]) > 0 and problem.time_is_up():
                break
            largest[rows] = gradient_bound(network, values[rows], low, high, problem.norm)
        return (margin - radius * largest)[None]

    start = linear_guess(problem)
    limit = torch.full_like(start, torch.inf)
    least = margin.min()[None]
    found = largest_proven(
        lowest, start, limit, at_proven=least, tolerance=ONE_HIDDEN_TOLERANCE, stop=problem.time_is_up
    )
    target = int(problem.targets[0, int(found.limiting)])
    return make_proof(float(found.proven), target, timed_out=bool(found.timed_out))


def gradient_bound(network: OneHidden, values: Tensor, low: Tensor, high: Tensor, norm: float) -> Tensor:
    """Upper bounds of `||sum_r v_r s_r w_r||_q` over all `low <= s <= high`.

    Any `p`: each entry by interval arithmetic, then the dual norm. `p = 2`: also the sum over all pairs of units in the
    module's docstring (Hein and Andriushchenko 2017, section 2.2), and the smaller of the two.

    Args:
        network: Whose `w` they are.
        values: `v`, `(rows, hidden)`.
        low: Smallest derivatives, nonnegative, `(hidden,)`.
        high: Largest derivatives, `(hidden,)`.
        norm: `p`, the dual of `q`.

    Returns:
        `(rows,)`.
    """
    middle, half = (low + high) / 2, (high - low) / 2
    entries = ((values * middle) @ network.weight).abs() + (values.abs() * half) @ network.size
    bound = last_norm(entries, dual_norm(norm))
    if norm != 2:
        return bound
    positive, negative = network.products
    added, taken = _sum(values * high, positive, negative), _sum(values * low, negative, positive)
    square = (added - taken).clamp_min(0.0) + SQUARE_ROUNDING * (added + taken)
    return torch.minimum(bound, square.sqrt())


def _sum(u: Tensor, same: Tensor, other: Tensor) -> Tensor:
    """`sum_rs |u_r u_s| M_rs`, `M` from `same` where `u_r` and `u_s` have the same sign and from `other` elsewhere."""
    plus, minus = u.clamp_min(0.0), (-u).clamp_min(0.0)
    return ((plus @ same + 2 * (minus @ other)) * plus + (minus @ same) * minus).sum(1)


def check_one_hidden(graph: Graph) -> tuple[int, Activation]:
    """See whether a network is two matrices and an activation.

    Args:
        graph: The network.

    Returns:
        Number of the step that is the activation, and the activation.

    Raises:
        NotSupportedError: If it has not exactly one layer of activations with a derivative that never decreases, or
            the layer is too wide.
    """
    place, hidden = next(iter(graph.nonlinear.items()), (0, None))
    if len(graph.nonlinear) != 1 or not isinstance(hidden, Activation) or not hidden.convex:
        found = ", ".join(graph.nonlinear_names) or "none"
        raise NotSupportedError(
            f"one-hidden: expected one layer of ReLU or softplus, found {found} ({len(graph.nonlinear)})"
        )
    if any(i < place for step in graph.steps[place:] for i in step.inputs):
        raise NotSupportedError("one-hidden: expected no connection around the hidden layer")
    width, entries = math.prod(graph.shapes[place]), math.prod(graph.input_shape)
    if width > LARGEST_HIDDEN:
        raise NotSupportedError(f"one-hidden: expected at most {LARGEST_HIDDEN} hidden units, got {width}")
    if width * entries > LARGEST_WEIGHT:
        raise NotSupportedError(f"one-hidden: expected at most {LARGEST_WEIGHT} weights, got {width * entries}")
    return place, hidden


def as_one_hidden(graph: Graph, x: Tensor) -> OneHidden:
    """The network as two matrices and an activation.

    Args:
        graph: The network.
        x: Inputs, at least one, `(batch, *input)`.

    Returns:
        The matrices, of one input's `entries`.
    """
    place, activation = check_one_hidden(graph)
    at_input = Region(x[:1], torch.zeros_like(x[:1].flatten()[:1]), 2.0, None)
    relaxed = relax(graph, at_input, stop=lambda: True)  # only its affine parts are of use
    (source,) = graph.step(place).inputs
    weight, offset = relaxed.matrix(source)
    last, _ = relaxed.matrix(graph.last, stop=place)
    return OneHidden(weight, offset, last, activation)
