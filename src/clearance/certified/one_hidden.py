"""One hidden layer: the largest gradient in a ball, in closed form (Hein and Andriushchenko 2017, section 2.2).

For `f = V s(W x + a) + b` and the margin row `v` of two classes, `grad g(y) = sum_r v_r s'(w_r y + a_r) w_r`. In the
ball of radius R the pre-activation moves by at most `R ||w_r||_q`, and `s'` never decreases, so `s'` stays between
`l_r` and `h_r`. Then

    p = 2        ||grad g||_2^2 <= sum_rs max(v_r v_s <w_r, w_s> s'_r s'_s)
                                 = h^T max(M, 0) h + l^T min(M, 0) l,    M_rs = v_r v_s <w_r, w_s>
    any p        |grad g|_i <= max(|sum_r lowest term|, |sum_r highest term|), and the dual norm of that

The radius is the largest R with `R L_t(R) <= g_t` for every target; L grows with R, so bisection finds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.certified.activations import Activation
from clearance.certified.bisection import largest_proven
from clearance.certified.crown import Relaxation, linear_guess
from clearance.certified.operations import NotSupportedError
from clearance.certified.problem import Problem, Proof, make_proof
from clearance.certified.region import Region
from clearance.norms import dual_order

NARROW_ENOUGH = 1e-6
LARGEST_HIDDEN = 4096


@dataclass(frozen=True)
class OneHidden:
    """`V s(W x + a) + b` as matrices.

    Attributes:
        weight: `W`, `(hidden, entries)`.
        last: `V`, `(classes, hidden)`.
        activation: `s`.
        before: `W x + a` at each input, `(batch, hidden)`.
    """

    weight: Tensor
    last: Tensor
    activation: Activation
    before: Tensor


def one_hidden(problem: Problem) -> list[Proof]:
    """Certify a network with one hidden layer.

    Args:
        problem: What to prove.

    Returns:
        One proof per input.
    """
    network, rows, gaps = as_one_hidden(problem), problem.rows, problem.gaps()
    reach = torch.linalg.vector_norm(network.weight, dual_order(problem.order), dim=1)
    start, slack = linear_guess(problem), problem.slack()
    found = []
    for i in range(len(gaps)):
        values = rows[i] @ network.last

        def lowest(radius: Tensor, i: int = i, values: Tensor = values) -> Tensor:
            moved = radius * reach
            low = network.activation.derivative(network.before[i] - moved)
            high = network.activation.derivative(network.before[i] + moved)
            return (gaps[i] - radius * gradient_bound(network.weight, values, low, high, problem.order))[None] - slack[
                i
            ]

        unlimited = torch.full_like(start[:1], torch.inf)
        found.append(largest_proven(lowest, start[i : i + 1], unlimited, tolerance=NARROW_ENOUGH, late=problem.late))
    limiting = [int(problem.targets[i, int(bracket.limiting)]) for i, bracket in enumerate(found)]
    return [make_proof(float(b.proven), t, late=b.late) for b, t in zip(found, limiting, strict=True)]


def gradient_bound(weight: Tensor, values: Tensor, low: Tensor, high: Tensor, order: float) -> Tensor:
    """Upper bounds of `||sum_r v_r s_r w_r||_q` over all `low <= s <= high`.

    Args:
        weight: `(hidden, entries)`.
        values: `v`, `(rows, hidden)`.
        low: Smallest derivatives, nonnegative, `(hidden,)`.
        high: Largest derivatives, `(hidden,)`.
        order: `p`, the dual of `q`.

    Returns:
        `(rows,)`.
    """
    middle, half = (low + high) / 2, (high - low) / 2
    largest = ((values * middle) @ weight).abs() + (values.abs() * half) @ weight.abs()
    bound = torch.linalg.vector_norm(largest, dual_order(order), dim=1)
    if order != 2:
        return bound
    gram = weight @ weight.T
    pairwise = []
    for row in values:
        products = gram * row[:, None] * row
        pairwise.append(high @ products.clamp_min(0.0) @ high + low @ products.clamp_max(0.0) @ low)
    return torch.minimum(bound, torch.stack(pairwise).clamp_min(0.0).sqrt())


def as_one_hidden(problem: Problem) -> OneHidden:
    """The network as two matrices and an activation.

    Raises:
        NotSupportedError: If it has not exactly one layer of activations with a derivative that never decreases, or
            the layer is too wide.
    """
    graph = problem.graph
    hidden = graph.activation(graph.bent[0]) if len(graph.bent) == 1 else None
    if hidden is None or not hidden.convex:
        found = ", ".join(graph.kinds) or "none"
        raise NotSupportedError(
            f"one-hidden: expected one layer of ReLU or softplus, found {found} ({len(graph.bent)})"
        )
    place = graph.bent[0]
    if any(i < place for node in graph.nodes[place + 1 :] for i in node.inputs):
        raise NotSupportedError("one-hidden: expected no connection around the hidden layer")
    source, width = graph.nodes[place].inputs[0], math.prod(graph.nodes[place].shape)
    if width > LARGEST_HIDDEN:
        raise NotSupportedError(f"one-hidden: expected at most {LARGEST_HIDDEN} hidden units, got {width}")
    at_input = Region(problem.x, torch.zeros_like(problem.x.flatten(1)[:, 0]), problem.order, None)
    relaxed = Relaxation(graph, at_input)
    one = torch.eye(width, dtype=problem.x.dtype, device=problem.x.device)
    weight, offset = relaxed.pull(source, one.reshape(1, width, *graph.nodes[source].shape))
    last = torch.eye(graph.shape[0], dtype=one.dtype, device=one.device)[None]
    after = relaxed.pull(len(graph.nodes) - 1, last, stop=place)[0]
    matrix = weight[0].flatten(1)
    return OneHidden(matrix, after[0].flatten(1), hidden, problem.x.flatten(1) @ matrix.T + offset)
