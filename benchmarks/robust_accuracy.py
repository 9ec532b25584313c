"""Robust accuracy at one radius for the passes it takes: Clearance beside AutoAttack's standard ensemble.

     python benchmarks/robust_accuracy.py                    200 inputs of each network
    python benchmarks/robust_accuracy.py --inputs 50 --network mnist-kw-0.1 --norm 1
    python benchmarks/robust_accuracy.py --inputs 500 --network mnist-adversarial --budgets thorough --device cuda

Passes are counted at the network itself, for both alike, per input of the whole set. AutoAttack is its authors' package
(`autoattack`, https://github.com/fra31/auto-attack); where it cannot be imported the line says so. Every adversarial
input of either is clipped to the bounds, held against the radius and predicted again, alone. Needs `CLEARANCE_DATA`.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from public import DATA, load_network
from torch import Tensor

from attacks import Counted
from clearance.attacks import attack
from clearance.data import datasets
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.robustness import clopper_pearson
from clearance.zoo.specs import load_model
from clearance.zoo.table import BUNDLED

CASES = (
    ("mnist-adversarial", math.inf, 0.3),
    ("mnist-lirpa-a-adv", math.inf, 0.3),
    ("mnist-kw-0.1", math.inf, 0.1),
    ("cifar10-resnet32-delta", math.inf, 8 / 255),
    ("mnist-lirpa-a-adv", 2.0, 1.2),
    ("mnist-lirpa-a-adv", 1.0, 8.0),
    ("mnist-kw-0.1", 1.0, 3.0),
)
"""Network, norm and radius: the first four are adversarially trained for their radius, or certified."""
BUDGETS = ("quick", "standard", 4000)
"""Ours: the last one is as many passes for each input as keep the mean below half of AutoAttack's."""
NAMES = {1.0: "L1", 2.0: "L2", math.inf: "Linf"}
"""AutoAttack's names of the norms."""
ROUNDED = 1e-4
"""Share by which a peer's witness may lie outside the radius: it is projected in float32."""


@dataclass(frozen=True)
class Case:
    """A network, inputs, and a radius."""

    name: str
    network: Counted
    x: Tensor
    labels: Tensor
    norm: float
    radius: float

    def survivors(self, adversarial: Tensor) -> Tensor:
        """Which inputs are correct and stay so at these points, `(batch,)`."""
        points = adversarial.clamp(0, 1)
        inside = vector_norm(points - self.x, self.norm) <= self.radius * (1 + ROUNDED)
        with torch.no_grad():
            clean = torch.cat([self.network(row).argmax(1) for row in self.x.split(1)]) == self.labels
            moved = torch.cat([self.network(row).argmax(1) for row in points.split(1)]) != self.labels
        return clean & ~(moved & inside)


def load_case(name: str, norm: float, radius: float, inputs: int, device: str) -> Case:
    """The first inputs of the test set, right or wrong."""
    os.environ.setdefault("CLEARANCE_DATA", str(DATA))
    if name.startswith("mnist"):
        data = datasets.load("mnist", count=inputs)
        network = load_model(name).network.requires_grad_(False) if name in BUNDLED else load_network(name)
        return Case(name, Counted(network).to(device), data.images.to(device), data.labels.to(device), norm, radius)
    sys.path.insert(0, str(DATA))
    from load_data import cifar10  # pyright: ignore

    images, labels = cifar10()
    x = torch.tensor(images[:inputs]).float().permute(0, 3, 1, 2).contiguous() / 255
    y = torch.tensor(labels[:inputs]).to(device)
    return Case(name, Counted(load_network(name)).to(device), x.to(device), y, norm, radius)


def by_clearance(case: Case, budget: str | int) -> Tensor:
    """The witnesses of one budget, the inputs themselves where there is none."""
    model = Classifier(case.network, (0, 1))
    results = attack(model, case.x, case.labels, norm=case.norm, radius=case.radius, budget=budget)
    return torch.stack([x if r.adversarial is None else r.adversarial for x, r in zip(case.x, results, strict=True)])


def by_autoattack(case: Case) -> Tensor:
    """The points of AutoAttack's standard ensemble."""
    from autoattack import AutoAttack  # pyright: ignore

    tool = AutoAttack(
        case.network,
        norm=NAMES[case.norm],
        eps=case.radius,
        seed=0,
        device=case.x.device,
        version="standard",
        verbose=False,
    )
    return tool.run_standard_evaluation(case.x, case.labels, bs=len(case.x))


def report(case: Case, tool: str, adversarial: Tensor, seconds: float) -> tuple[int, float]:
    """Print one line; the count of survivors and the passes per input."""
    forward, backward = case.network.forwards / len(case.x), case.network.backwards / len(case.x)
    count = int(case.survivors(adversarial).sum())
    low, high = clopper_pearson(count, len(case.x))
    print(
        f"{case.name:24}{f'l{case.norm:g}':>6}{case.radius:9.4g}  {tool:22}{count:5} of {len(case.x)}"
        f"  {count / len(case.x):6.1%} ({low:.1%} to {high:.1%}){forward:9.0f}{backward:9.0f}{seconds:9.1f}",
        flush=True,
    )
    return count, forward + backward


def measure(case: Case, budgets: Sequence[str | int]) -> None:
    """Every tool on one case."""
    tools = {f"Clearance {budget}": lambda budget=budget: by_clearance(case, budget) for budget in budgets}
    found: dict[str, tuple[int, float]] = {}
    for tool, run in {**tools, "AutoAttack standard": lambda: by_autoattack(case)}.items():
        case.network.reset()
        start = time.perf_counter()
        try:
            adversarial = run()
        except ImportError as error:
            print(f"{tool}: left out, {error}")
            return
        found[tool] = report(case, tool, adversarial, time.perf_counter() - start)
    count, passes = found.pop("AutoAttack standard")
    for tool, (own, cost) in found.items():
        print(f"    {tool}: {own - count:+d} not broken, at {cost / passes:.2f} of AutoAttack's passes")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200)
    parser.add_argument("--network", help="only the cases of this network")
    parser.add_argument("--norm", type=float, help="only the cases of this norm")
    parser.add_argument("--budgets", nargs="*", default=BUDGETS, help="ours")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    budgets = [int(budget) if str(budget).isdigit() else budget for budget in options.budgets]
    print(f"{'network':24}{'norm':>6}{'radius':>9}  {'tool':22}{'not broken':>12}{'share (95 % interval)':>28}", end="")
    print(f"{'forward':>9}{'backward':>9}{'seconds':>9}")
    for name, norm, radius in CASES:
        if options.network in (None, name) and options.norm in (None, norm):
            measure(load_case(name, norm, radius, options.inputs, options.device), budgets)


if __name__ == "__main__":
    main()
