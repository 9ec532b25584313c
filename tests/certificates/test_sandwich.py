"""The sandwich: what is certified is never more than the exact distance, on ten thousand random problems.

Linear classifiers against closed forms and linear programs; one hidden ReLU layer against the tests' own integer
program; one hidden softplus layer in two dimensions against brute force; deeper ReLU networks against the exact solver.
Norms, targets, bounds, sizes and methods are mixed by the seed. All of them run by
`python -m pytest tests/certificates/test_sandwich.py -m slow`.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from clearance import Classifier, certify
from closed_forms import (
    as_module,
    exact_linear,
    exact_relu,
    nearest_on_rays,
    random_inputs,
    random_linear,
    random_network,
    random_relu,
)

INPUTS = 5  # problems of one network
BOUNDS = (0.0, 1.0)
ROUNDING = 1e-9
SOLVER = 2e-6  # relative error of the integer programs that stand for the exact distance here


def target_of(seed: int) -> str:
    return ("untargeted", "runner-up", "least-likely")[seed // 7 % 3]


def linear(seed: int) -> list[float]:
    """Certified less exact, relative, for each input."""
    classes, size = 3 + seed % 3, 2 + seed % 7
    line, x = random_linear(seed, classes=classes, size=size), random_inputs(seed, INPUTS, size)
    norm, bounded, target = (1.0, 2.0, math.inf, 1.5)[seed % 4], seed // 4 % 2 == 1, target_of(seed)
    if bounded and norm in (1.5, 2.0):
        norm = 1.0 if norm == 2 else math.inf
    proofs = certify(Classifier(as_module(line), BOUNDS if bounded else None), x, norm=norm, target=target)
    excess = []
    for row, proof in zip(x, proofs, strict=True):
        others = [k for k in range(classes) if k != proof.predicted]
        targets = others if target == "untargeted" else [proof.target]
        if bounded:
            exact = exact_linear(line, row, norm, targets, *BOUNDS)
        else:
            logits = line(row[None])[0]
            dual = 1.0 if math.isinf(norm) else math.inf if norm == 1 else norm / (norm - 1)
            lengths = torch.linalg.vector_norm(line.weight[proof.predicted] - line.weight, dual, dim=1)
            exact = min(float((logits[proof.predicted] - logits[t]) / lengths[t]) for t in targets)
        if target == "untargeted":  # then it is exact, not only below
            assert proof.radius == pytest.approx(exact, rel=1e-6)
        excess.append(relative(proof.radius, exact))
    return excess


def one_hidden(seed: int) -> list[float]:
    size = 2 + seed % 4
    model, x = random_relu(seed, size=size, hidden=4 + seed % 6), random_inputs(seed, INPUTS, size)
    norm, target = (1.0, math.inf)[seed % 2], target_of(seed)
    method = ("best", "crown", "one-hidden", "operator-norms", "exact")[seed // 2 % 5]
    proofs = certify(Classifier(as_module(model), BOUNDS), x, norm=norm, target=target, method=method)
    excess = []
    for row, proof in zip(x, proofs, strict=True):
        others = [k for k in range(3) if k != proof.predicted]
        targets = others if target == "untargeted" else [proof.target]
        exact = exact_relu(model, row, norm, targets, *BOUNDS)
        excess.append(relative(proof.radius, exact) - SOLVER)
    return excess


def softplus(seed: int) -> list[float]:
    network, x = random_network(seed, (2, 4 + seed % 9, 3), nn.Softplus), random_inputs(seed, INPUTS, 2)
    norm, target = (1.0, 2.0, math.inf, 3.0)[seed % 4], target_of(seed)
    bounds = BOUNDS if seed // 4 % 2 else None
    method = ("best", "one-hidden")[seed // 8 % 2]
    proofs = certify(Classifier(network, bounds), x, norm=norm, target=target, method=method)
    excess = []
    for row, proof in zip(x, proofs, strict=True):
        aim = None if target == "untargeted" else proof.target
        farthest = 1.0 if math.isinf(proof.radius) else 1.5 * proof.radius
        found = nearest_on_rays(network, row, norm, farthest, target=aim, bounds=bounds, rays=180, steps=60)
        excess.append(relative(proof.radius, found))
    return excess


def deeper(seed: int) -> list[float]:
    size = 2 + seed % 3
    network = random_network(seed, (size, 4 + seed % 3, 4, 3), nn.ReLU)
    x = random_inputs(seed, INPUTS, size)
    norm, target = (1.0, 2.0, 2.0, math.inf)[seed % 4], target_of(seed)
    model = Classifier(network, BOUNDS if seed // 4 % 2 else None)
    proofs = certify(model, x, norm=norm, target=target)
    solved = certify(model, x, norm=norm, target=target, method="exact")
    assert all(solution.status == "certified" for solution in solved)
    exact = [s.radius + s.gap if math.isfinite(s.gap) else math.inf for s in solved]  # a point was confirmed there
    return [relative(proof.radius, distance) for proof, distance in zip(proofs, exact, strict=True)]


def relative(certified: float, exact: float) -> float:
    """How much larger the certified radius is, as a share; negative where it is smaller."""
    assert certified >= 0
    if math.isinf(exact):
        return -1.0
    return certified / max(exact, 1e-12) - 1 if certified > 1e-9 else -1.0


KINDS: dict[str, Callable[[int], list[float]]] = {
    "linear": linear,
    "one hidden": one_hidden,
    "softplus": softplus,
    "deeper": deeper,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.thinned(4)
def test_certified_is_at_most_exact(kind: str):
    excess = [value for seed in range(50) for value in KINDS[kind](seed)]
    assert len(excess) == 250
    assert max(excess) <= ROUNDING


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_certified_is_at_most_exact_on_ten_thousand_problems(kind: str):
    excess = [value for seed in range(500) for value in KINDS[kind](1000 + seed)]
    assert len(excess) == 2500
    assert max(excess) <= ROUNDING
