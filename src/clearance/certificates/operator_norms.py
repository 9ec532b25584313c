"""The product of the layers' operator norms, a Lipschitz constant of the network (Szegedy et al. 2013, section 4.3).

A distance grows from layer to layer by at most each layer's norm, and where paths meet (residual additions) by their
sum. The last step counts by the rows of each margin only: `|g_t(x) - g_t(y)| <= ||J^T (e_c - e_t)||_q K ||x - y||_p`
with `K` the constant up to the last layer. The radius is `g_t / L_t`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.certificates.graph import Graph
from clearance.certificates.operations import Affine
from clearance.certificates.problem import Proof, VerificationProblem, as_proofs
from clearance.geometry.norms import dual_norm, last_norm


def operator_norms(problem: VerificationProblem) -> list[Proof]:
    """Certify by one Lipschitz constant for every margin, the same for all inputs.

    Args:
        problem: What to prove.

    Returns:
        One proof per input.
    """
    constants = stretches(problem.graph, problem.norm)
    return [proof for part in problem.parts() for proof in _closed_form(part, constants)]


def _closed_form(problem: VerificationProblem, constants: list[float]) -> list[Proof]:
    """`g_t / L_t`, from the nodes' Lipschitz constants."""
    rows = problem.rows.flatten(0, 1).split(problem.graph.fitting())
    growth = torch.cat([_growth(problem.graph, part, constants, dual_norm(problem.norm)) for part in rows])
    lipschitz, gaps = growth.reshape(problem.targets.shape), problem.gaps()
    return as_proofs(torch.where(lipschitz > 0, gaps / lipschitz, torch.where(gaps > 0, torch.inf, 0.0)), problem)


def _growth(graph: Graph, rows: Tensor, constants: list[float], dual: float) -> Tensor:
    """How much each row of the logits can change with the input, `(rows,)`."""
    last = graph.nodes[-1]
    if not isinstance(last.operation, Affine):
        return last_norm(rows, dual) * constants[-1]
    growth = rows.new_zeros(len(rows))
    for part, source in zip(last.operation.backward(rows), last.inputs, strict=True):
        growth = growth + last_norm(part.flatten(1), dual) * constants[source]
    return growth


def stretches(graph: Graph, norm: float) -> list[float]:
    """For each node an upper bound of its Lipschitz constant from `l_p` to `l_p`; not for a last affine one."""
    constants = [1.0]
    for place, node in enumerate(graph.nodes[1:], start=1):
        if node.operation is None or (place == len(graph.nodes) - 1 and isinstance(node.operation, Affine)):
            continue
        norms = node.operation.lipschitz(norm)
        constants.append(sum(norm * constants[i] for norm, i in zip(norms, node.inputs, strict=True)))
    return constants
