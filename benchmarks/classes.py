"""What a bracket of very many classes costs, over that of twenty on the same body.

    python benchmarks/classes.py                        20 and 21,841 classes
    python benchmarks/classes.py --classes 1000

Random networks: an image body, and a linear layer to the classes. `one pass` is the network alone, forward and backward
in a batch of 64: with so many classes its last layer may be larger than its body. The other columns are brackets at
`quick` without and with the proof: passes, and CPU seconds. All are ratios, many classes over twenty; medians of the
rounds, one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

import clearance as cl

FEW, BATCH = 20, 64
BODIES = {"small": (3, 32, 16), "larger": (3, 64, 32)}
"""Channels, side and width of the bodies' images."""


def make(body: str, classes: int) -> tuple[nn.Module, Tensor]:
    """A network of three convolutions, and one input."""
    torch.manual_seed(0)
    channels, side, width = BODIES[body]
    layers = list[nn.Module]()
    for size in (width, 2 * width, 4 * width):
        layers += [nn.Conv2d(channels, size, 3, 2, 1), nn.ReLU()]
        channels = size
    layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, 64), nn.ReLU(), nn.Linear(64, classes)]
    return nn.Sequential(*layers).eval(), torch.rand(1, 3, side, side)


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def one_pass(network: nn.Module, x: Tensor) -> None:
    """Forward and backward to the input, in a batch."""
    batch = x.repeat(BATCH, 1, 1, 1).requires_grad_()
    torch.autograd.grad(network(batch)[:, 0].sum(), batch)


def costs(body: str, classes: int, target: str) -> tuple[float, float, float, float]:
    """Of one pass, and of brackets: passes, CPU seconds without a proof, and with one."""
    network, x = make(body, classes)
    model, found = cl.Classifier(network, bounds=(0, 1)), list[cl.Bracket]()

    def bracket(certificate: str) -> None:
        found.extend(cl.bracket(model, x, target=target, budget="quick", certificate=certificate))

    alone = min(seconds(lambda: one_pass(network, x)) for _ in range(5))
    plain, proved = (seconds(lambda name=name: bracket(name)) for name in ("none", "best"))
    return alone, found[0].cost.forward + found[0].cost.backward, plain, proved


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=21841)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    costs("small", FEW, "runner-up")  # what is loaded once
    print(f"| body | target | one pass | passes | CPU seconds, no proof | with the proof |  {chosen.classes:,} classes")
    print("|---|---|---|---|---|---|")
    for body in BODIES:
        for target in ("runner-up", "untargeted"):
            rounds = [[costs(body, count, target) for count in (FEW, chosen.classes)] for _ in range(chosen.rounds)]
            ratios = [statistics.median(turn[1][place] / turn[0][place] for turn in rounds) for place in range(4)]
            print(f"| {body} | {target} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |", flush=True)


if __name__ == "__main__":
    main()
