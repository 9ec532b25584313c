"""The product of the layers' operator norms, a Lipschitz constant of the network (Szegedy et al. 2013, section 4.3).

A distance grows from step to step by at most each step's norm, and where paths meet (residual additions) by their sum.
The last step counts by the rows of each margin only: `|g_t(x) - g_t(y)| <= ||J^T (e_c - e_t)||_q K ||x - y||_p` with
`K` the constant up to the last step (Hölder's inequality). The radius is `g_t / L_t`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.certificates.graph import Graph
from clearance.certificates.operations import Affine
from clearance.certificates.problem import Proof, VerificationProblem, as_proofs
from clearance.geometry.norms import dual_norm, last_norm


def operator_norms(problem: VerificationProblem) -> list[Proof]:
    """Certify by one Lipschitz constant for every margin, the same for all inputs: `min_t g_t / L_t`.

    Source: Szegedy et al. (2013), section 4.3.

    Args:
        problem: What to prove, with inputs `(batch, *input)`.

    Returns:
        One proof per input.
    """
    constants = lipschitz_constants(problem.graph, problem.norm)
    return [proof for part in problem.parts() for proof in _closed_form(part, constants)]


def _closed_form(problem: VerificationProblem, constants: list[float]) -> list[Proof]:
    """`g_t / L_t`, from the values' Lipschitz constants."""
    rows = problem.rows.flatten(0, 1).split(problem.graph.fitting())
    each = torch.cat([_of_rows(problem.graph, part, constants, dual_norm(problem.norm)) for part in rows])
    lipschitz, gaps = each.reshape(problem.targets.shape), problem.gaps()
    return as_proofs(torch.where(lipschitz > 0, gaps / lipschitz, torch.where(gaps > 0, torch.inf, 0.0)), problem)


def _of_rows(graph: Graph, rows: Tensor, constants: list[float], dual: float) -> Tensor:
    """Lipschitz constant of each row of the logits, `(rows, classes)` to `(rows,)`."""
    if not graph.steps or not isinstance(graph.steps[-1].operation, Affine):
        return last_norm(rows, dual) * constants[-1]
    last = graph.steps[-1].operation
    total = rows.new_zeros(len(rows))
    for part, source in zip(last.backward(rows), graph.steps[-1].inputs, strict=True):
        total = total + last_norm(part.flatten(1), dual) * constants[source]
    return total


def lipschitz_constants(graph: Graph, norm: float) -> list[float]:
    """For each value an upper bound of its Lipschitz constant as a function of the input, from `l_p` to `l_p`.

    `K_j = sum_i ||J_ji|| K_i` over the values `i` that step `j` takes (Szegedy et al. 2013, section 4.3, for chains).

    Args:
        graph: The network.
        norm: `p`.

    Returns:
        One for each value from the input (1) on; without the last one where its step is affine.
    """
    constants = [1.0]
    for place, step in enumerate(graph.steps, start=1):
        if place == graph.last and isinstance(step.operation, Affine):
            continue
        norms = step.operation.lipschitz(norm)
        constants.append(sum(own * constants[i] for own, i in zip(norms, step.inputs, strict=True)))
    return constants
