"""Attack passes a second where inputs share batches, over those where they follow one another, with the same results.

    python benchmarks/together.py                                        16 inputs of the MNIST CNN
    python benchmarks/together.py --networks cifar10-resnet20 --count 8

Untargeted. Both take turns in one process, after a first call that does not count; the median of the ratios of the
rounds. "The same" counts the inputs with the same distance, to the last bit, alone and together.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time

from public import correct_images, load_network
from torch import Tensor

from clearance.attacks import AttackResult, attack
from clearance.model.classifier import Classifier


def timed(
    model: Classifier, parts: list[tuple[Tensor, Tensor]], norm: float, budget: str
) -> tuple[list[AttackResult], float]:
    """What is found, call by call, and passes a second."""
    before, start = model.meter.read(), time.perf_counter()
    found = [result for x, labels in parts for result in attack(model, x, labels, norm=norm, budget=budget)]
    seconds, cost = time.perf_counter() - start, model.meter.since(before)
    return found, (cost.forward + cost.backward) / seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["mnist-fmn"])
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print("| network | norm | budget | alone, passes a second | together | ratio | the same |")
    print("|---|---|---|---|---|---|---|")
    for name in chosen.networks:
        model = Classifier(load_network(name), bounds=(0, 1))
        x, labels = correct_images(model.network, chosen.count, name)
        single, whole = list(zip(x.split(1), labels.split(1), strict=True)), [(x, labels)]
        timed(model, single[:1], 2.0, "quick")
        for norm in (1.0, 2.0, math.inf):
            for budget in ("quick", "standard"):
                rounds = [
                    [timed(model, parts, norm, budget) for parts in (single, whole)] for _ in range(chosen.rounds)
                ]
                same = sum(a.distance == b.distance for a, b in zip(*(found for found, _ in rounds[0]), strict=True))
                alone, together = (statistics.median(turn[place][1] for turn in rounds) for place in (0, 1))
                ratio = statistics.median(turn[1][1] / turn[0][1] for turn in rounds)
                cells = f"{alone:.0f} | {together:.0f} | {ratio:.1f} | {same} of {len(x)}"
                print(f"| {name} | l{norm:g} | `{budget}` | {cells} |", flush=True)


if __name__ == "__main__":
    main()
