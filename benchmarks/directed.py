"""Estimates against independent attacks on four public MNIST networks: `python benchmarks/directed.py --help`.

For each network and norm, runner-up target: how often an estimate exceeds the distance of Foolbox's targeted DDN or FMN
attack (500 steps), the median ratio of estimate to attack for the directed and the uniform sampler, gradient
evaluations, the share of fits that pass K-S or say that they do not, and, on the first inputs, the largest gradient
norm found as a share of what searches with 100 times the budget find in the same ball.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from pathlib import Path

import foolbox
import torch
from public import NETWORKS, correct_images, load_network
from torch import Tensor, nn

from clearance.estimates.clever import clever
from clearance.estimates.evidence import MarginProblem
from clearance.estimates.samplers.gradient_search import search_blocks
from clearance.estimates.scores import CleverScore
from clearance.estimates.status import Status
from clearance.geometry.feasible import feasible_directions
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.seeds import content_key


def attack_distances(network: nn.Module, x: Tensor, targets: Tensor, norm: float) -> Tensor:
    """Smallest distance that Foolbox's targeted attacks reach for each input, 500 steps each; infinite if none."""
    wrapped = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    criterion = foolbox.criteria.TargetedMisclassification(targets)
    kinds = [foolbox.attacks.LInfFMNAttack(steps=500)]
    if norm == 2:
        kinds = [foolbox.attacks.DDNAttack(steps=500), foolbox.attacks.L2FMNAttack(steps=500)]
    best = torch.full((len(x),), math.inf)
    for kind in kinds:
        _, found, _ = kind(wrapped, x, criterion, epsilons=None)
        reached = network(found).argmax(1) == targets
        best = torch.where(reached, torch.minimum(best, vector_norm(found - x, norm)), best)
    return best


def share_found(model: Classifier, x0: Tensor, score: CleverScore, factor: int) -> float:
    """The largest norm of the estimate over the largest that searches with `factor` times its budget find."""
    logits = model.logits(x0[None])[0]
    problem = MarginProblem(
        model=model,
        x0=x0,
        key=content_key(x0),
        predicted=score.predicted,
        targets=torch.tensor([score.target]),
        margins=(logits[score.predicted] - logits[score.target])[None],
        scale=logits[[score.predicted, score.target]].abs().max()[None],
        norm=score.norm,
        dual=dual_norm(score.norm),
        directions=feasible_directions(x0, None, score.norm),
        clip=False,
        seed=1,
    )
    budget, best = score.cost.backward * factor, score.largest_seen
    for size in (512, 4096):
        for start in range(0, max(1, budget // 2 // size), 64):
            blocks = range(start, min(start + 64, max(1, budget // 2 // size)))
            found, _ = search_blocks(
                problem, radius=score.ball_radius, blocks=blocks, block_size=size, purpose=f"more {size}"
            )
            best = max(best, float(found.max()))
    return score.largest_seen / best


def measure(name: str, norm: float, options: argparse.Namespace) -> dict[str, object]:
    """One row of the table."""
    network = load_network(name)
    model = Classifier(network, (0, 1))
    x, labels = correct_images(network, options.count, name)
    started = time.perf_counter()
    choices = {"target": "runner-up", "norm": norm, "bound": "ball", "clip": None, "feasible": False}
    directed = clever(model, x, labels=labels, **choices)
    seconds = time.perf_counter() - started
    few = min(options.uniform, options.count)
    uniform = clever(model, x[:few], labels=labels[:few], sampler="uniform", **choices) if few else []
    distances = attack_distances(network, x, torch.tensor([s.target for s in directed]), norm).tolist()
    ratios = [s.radius / d for s, d in zip(directed, distances, strict=True)]
    uniform_ratios = [s.radius / d for s, d in zip(uniform, distances, strict=False)]
    deep = [share_found(model, x[i], directed[i], options.factor) for i in range(min(options.deep, options.count))]
    said = (Status.POOR_FIT, Status.NO_ENDPOINT)
    honest = [s.fit is not None and (s.fit.p_value >= 0.05 or s.status in said) for s in directed]
    passed = [s.fit is not None and s.fit.p_value >= 0.05 for s in directed]
    return {
        "network": name,
        "norm": "inf" if math.isinf(norm) else f"{norm:g}",
        "inputs": options.count,
        "above_attack": sum(r > 1 for r in ratios),
        "ratio_median": statistics.median(ratios),
        "ratio_max": max(ratios),
        "uniform_inputs": few,
        "uniform_ratio_median": statistics.median(uniform_ratios) if few else None,
        "uniform_ratio_max": max(uniform_ratios) if few else None,
        "uniform_above_attack": sum(r > 1 for r in uniform_ratios),
        "gradients_max": max(s.cost.backward for s in directed),
        "gradients_median": statistics.median(s.cost.backward for s in directed),
        "ks_passed": sum(passed),
        "ks_passed_or_said": sum(honest),
        "statuses": {str(k): sum(s.status is k for s in directed) for k in {s.status for s in directed}},
        "deep_inputs": len(deep),
        "share_found": deep,
        "seconds": seconds,
    }


def main() -> None:
    """Print a row per network and norm, and write them all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--count", type=int, default=50, help="inputs per network")
    parser.add_argument("--uniform", type=int, default=10, help="of these, inputs scored with the uniform sampler too")
    parser.add_argument("--deep", type=int, default=0, help="of these, inputs searched with FACTOR times the budget")
    parser.add_argument("--factor", type=int, default=100)
    parser.add_argument("--out", type=Path, default=None, help="JSON file for the rows")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    for name in options.networks:
        for norm in (2.0, math.inf):
            rows.append(measure(name, norm, options))
            print(json.dumps(rows[-1]), flush=True)
            if options.out:
                options.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
