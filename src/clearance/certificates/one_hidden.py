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

from clearance.certificates.activations import Activation
from clearance.certificates.bisection import largest_proven
from clearance.certificates.crown import Relaxation, linear_guess
from clearance.certificates.graph import Graph
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.problem import Proof, VerificationProblem, make_proof
from clearance.certificates.region import Region
from clearance.geometry.norms import dual_norm, last_norm

NARROW_ENOUGH = 1e-6
LARGEST_HIDDEN, LARGEST_WEIGHT = 4096, 2**27
"""Hidden units, and numbers in their weights on the input (1 GiB), at most."""
TARGETS = 64
"""Targets between two looks at the clock."""
ROUNDING = 1e-12
"""Share of the terms of a squared norm that is added to it: they may cancel."""


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
    """Certify a network with one hidden layer.

    Args:
        problem: What to prove.

    Returns:
        One proof per input.

    Raises:
        NotSupportedError: See `check_one_hidden`.
    """
    network = as_one_hidden(problem.graph, problem.x)
    return [_one(network, problem.part(slice(i, i + 1))) for i in range(len(problem.x))]


def _one(network: OneHidden, problem: VerificationProblem) -> Proof:
    """One input."""
    values, margin = problem.rows[0] @ network.last, (problem.gaps() - problem.slack())[0]
    before = network.weight @ problem.x.flatten() + network.offset
    reach = last_norm(network.weight, dual_norm(problem.norm))

    def lowest(radius: Tensor) -> Tensor:
        low, high = (network.activation.derivative(before + side * radius * reach) for side in (-1, 1))
        steepest = torch.full_like(margin, torch.inf)
        for rows in torch.arange(len(margin), device=margin.device).split(TARGETS):
            if int(rows[0]) > 0 and problem.late():
                break
            steepest[rows] = gradient_bound(network, values[rows], low, high, problem.norm)
        return (margin - radius * steepest)[None]

    start = linear_guess(problem)
    found = largest_proven(lowest, start, torch.full_like(start, torch.inf), tolerance=NARROW_ENOUGH, late=problem.late)
    return make_proof(float(found.proven), int(problem.targets[0, int(found.limiting)]), late=bool(found.late))


def gradient_bound(network: OneHidden, values: Tensor, low: Tensor, high: Tensor, norm: float) -> Tensor:
    """Upper bounds of `||sum_r v_r s_r w_r||_q` over all `low <= s <= high`.

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
    largest = ((values * middle) @ network.weight).abs() + (values.abs() * half) @ network.size
    bound = last_norm(largest, dual_norm(norm))
    if norm != 2:
        return bound
    positive, negative = network.products
    added, taken = _sum(values * high, positive, negative), _sum(values * low, negative, positive)
    square = (added - taken).clamp_min(0.0) + ROUNDING * (added + taken)
    return torch.minimum(bound, square.sqrt())


def _sum(u: Tensor, same: Tensor, other: Tensor) -> Tensor:
    """`sum_rs |u_r u_s| M_rs`, `M` from `same` where `u_r` and `u_s` have the same sign and from `other` elsewhere."""
    plus, minus = u.clamp_min(0.0), (-u).clamp_min(0.0)
    return ((plus @ same + 2 * (minus @ other)) * plus + (minus @ same) * minus).sum(1)


def check_one_hidden(graph: Graph) -> None:
    """See whether a network is two matrices and an activation.

    Raises:
        NotSupportedError: If it has not exactly one layer of activations with a derivative that never decreases, or
            the layer is too wide.
    """
    hidden = graph.activation(graph.bent[0]) if len(graph.bent) == 1 else None
    if hidden is None or not hidden.convex:
        found = ", ".join(graph.kinds) or "none"
        raise NotSupportedError(
            f"one-hidden: expected one layer of ReLU or softplus, found {found} ({len(graph.bent)})"
        )
    place = graph.bent[0]
    if any(i < place for node in graph.nodes[place + 1 :] for i in node.inputs):
        raise NotSupportedError("one-hidden: expected no connection around the hidden layer")
    width, entries = math.prod(graph.nodes[place].shape), math.prod(graph.nodes[0].shape)
    if width > LARGEST_HIDDEN:
        raise NotSupportedError(f"one-hidden: expected at most {LARGEST_HIDDEN} hidden units, got {width}")
    if width * entries > LARGEST_WEIGHT:
        raise NotSupportedError(f"one-hidden: expected at most {LARGEST_WEIGHT} weights, got {width * entries}")


def as_one_hidden(graph: Graph, x: Tensor) -> OneHidden:
    """The network as two matrices and an activation.

    Args:
        graph: The network.
        x: Inputs, at least one.

    Returns:
        The matrices.

    Raises:
        NotSupportedError: See `check_one_hidden`.
    """
    check_one_hidden(graph)
    place = graph.bent[0]
    at_input = Region(x[:1], torch.zeros_like(x[:1].flatten()[:1]), 2.0, None)
    relaxed = Relaxation(graph, at_input, late=lambda: True)  # only its affine parts are of use
    weight, offset = relaxed.matrix(graph.nodes[place].inputs[0])
    last, _ = relaxed.matrix(len(graph.nodes) - 1, stop=place)
    activation = graph.activation(place)
    assert activation is not None
    return OneHidden(weight, offset, last, activation)
