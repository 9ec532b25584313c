"""How often `attack` finds the exact minimum distance: 100 tiny ReLU networks whose exact distances are known.

    python benchmarks/tiny_networks.py                          one input of each network; l1, l2, linf; quick, standard
    python benchmarks/tiny_networks.py --inputs 3 --norms 1     three inputs of each network, l1 only

Networks with one hidden layer of 8 ReLU units, 4 to 6 inputs in [0, 1], 3 classes, Gaussian weights, all from a seed.
Exact distances do not come from Clearance: l1 and linf from a mixed-integer program over the whole box (Tjeng, Xiao and
Tedrake 2019), l2 from the nearest point of every activation pattern, a quadratic program each (least distance
programming: Lawson and Hanson 1974, chapter 23). Where no point of the box has another class there is no witness, and
none may be found. Below the table: every input that is more than `--share` off, with what each method found.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import optimize

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from torch import Tensor

from clearance.attacks import AttackResult, attack
from clearance.model.classifier import Classifier
from closed_forms import OneHidden, exact_relu, random_inputs, random_relu

SIZES = 4, 5, 6
CLASSES = 3
BELOW = 1e-6  # the tolerance of the program that l1 and linf come from


@dataclass(frozen=True)
class Row:
    """One input: its network, its exact distance, and what `attack` found."""

    seed: int
    row: int
    exact: float
    found: AttackResult

    @property
    def ratio(self) -> float:
        """Distance over exact distance; infinite without a witness."""
        return self.found.distance / self.exact


def exact_distance(network: OneHidden, x: Tensor, order: float) -> float:
    """The smallest distance in [0, 1] at which the class of `x`, `(inputs,)`, is no longer ahead."""
    targets = [k for k in range(CLASSES) if k != int(network(x[None]).argmax())]
    if order == 2:
        return nearest_pattern(network, x, targets)
    return exact_relu(network, x, order, targets, 0.0, 1.0)


def nearest_pattern(network: OneHidden, x: Tensor, targets: list[int]) -> float:
    """The exact l2 distance: the nearest point over all activation patterns and targets."""
    weight, offset, last, bias = (t.numpy() for t in (network.weight, network.offset, network.last, network.bias))
    point, one, source = x.numpy(), np.eye(len(x)), int(network(x[None]).argmax())
    before = weight @ point + offset
    nearest = math.inf
    for active in itertools.product((False, True), repeat=len(offset)):
        on = np.array(active)
        sign = np.where(on, 1.0, -1.0)
        for target in targets:
            ahead = (last[target] - last[source]) * on
            normals = np.vstack([sign[:, None] * weight, one, -one, ahead @ weight])
            level = bias[target] - bias[source] + ahead @ before
            offsets = np.concatenate([-sign * before, -point, point - 1, [-level]])
            nearest = min(nearest, least_distance(normals, offsets))
    return nearest


def least_distance(normals: np.ndarray, offsets: np.ndarray) -> float:
    """`min ||d||_2` with `normals d >= offsets`, by nonnegative least squares; infinite where there is no such `d`."""
    ends = np.append(np.zeros(normals.shape[1]), 1.0)
    matrix = np.vstack([normals.T, offsets])
    weights, length = optimize.nnls(matrix, ends)
    if length < 1e-9:
        return math.inf
    rest = matrix @ weights - ends
    return float(np.linalg.norm(rest[:-1] / rest[-1]))


def measure(inputs: Inputs, order: float, budget: str, dtype: torch.dtype) -> list[Row]:
    """`attack` on every input."""
    rows: list[Row] = []
    for seed, (network, x, exact) in inputs.items():
        results = attack(Classifier(network, (0, 1), dtype=dtype), x, norm=order, budget=budget)
        for row, (found, least) in enumerate(zip(results, exact[order], strict=True)):
            rows.append(Row(seed, row, least, found))
    return rows


Inputs = dict[int, tuple[OneHidden, Tensor, dict[float, list[float]]]]
"""By seed: the network, its inputs `(count, size)`, and their exact distances for each norm."""


def make_inputs(networks: int, count: int, norms: list[float]) -> Inputs:
    """The networks with their exact distances."""
    inputs: Inputs = {}
    for seed in range(networks):
        size = SIZES[seed % len(SIZES)]
        network, x = random_relu(seed, classes=CLASSES, size=size), random_inputs(seed, count, size)
        inputs[seed] = network, x, {p: [exact_distance(network, own, p) for own in x] for p in norms}
    return inputs


def report(order: float, budget: str, rows: list[Row], share: float, seconds: float) -> list[str]:
    """Print a line of the table; a line for each input that is off."""
    there = [row for row in rows if math.isfinite(row.exact)]
    near = sum(row.ratio <= 1 + share for row in there)
    missed = sum(not row.found.success for row in there)
    below = sum(row.found.distance < row.exact - BELOW for row in rows)
    passes = sum(row.found.cost.forward + row.found.cost.backward for row in rows) / len(rows)
    print(
        f"{f'l{order:g}':6}{budget:10}{len(rows):>7}{len(there):>14}{near / len(there):>12.1%}{missed:>9}"
        f"{below:>13}{max(row.ratio for row in there if row.found.success):>9.3f}{passes:>8.0f}{seconds:>9.1f}",
        flush=True,
    )
    return [describe(order, budget, row) for row in there if row.ratio > 1 + share]


def describe(order: float, budget: str, row: Row) -> str:
    """One input that is off: the ratio of each method."""
    each = ", ".join(f"{name} {distance / row.exact:.3f}" for name, distance in row.found.distances.items())
    return (
        f"l{order:g} {budget}, seed {row.seed}, input {row.row}: exact {row.exact:.5g}, ratio {row.ratio:.4f} ({each})"
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--inputs", type=int, default=1, help="inputs of each network")
    parser.add_argument("--norms", type=float, nargs="+", default=[1.0, 2.0, math.inf])
    parser.add_argument("--budgets", nargs="+", default=["quick", "standard"])
    parser.add_argument("--share", type=float, default=0.01, help="how far above the exact distance still counts")
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64", help="what attacks compute in")
    options = parser.parse_args()
    started = time.perf_counter()
    inputs = make_inputs(options.networks, options.inputs, options.norms)
    print(f"{options.networks} networks, {options.inputs} inputs each; exact distances in ", end="")
    print(f"{time.perf_counter() - started:.0f} s; passes are per input")
    titles = f"within {options.share:.0%}", "missed", "below exact", "largest", "passes", "seconds"
    print(f"{'norm':6}{'budget':10}{'inputs':>7}{'with witness':>14}", end="")
    print("{:>12}{:>9}{:>13}{:>9}{:>8}{:>9}".format(*titles))
    off: list[str] = []
    for order, budget in itertools.product(options.norms, options.budgets):
        started = time.perf_counter()
        rows = measure(inputs, order, budget, getattr(torch, options.dtype))
        off += report(order, budget, rows, options.share, time.perf_counter() - started)
    print("\n".join(["", *off]))


if __name__ == "__main__":
    main()
