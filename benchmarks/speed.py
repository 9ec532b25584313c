"""Gradients per second: Clearance's profile and uniform sampler, ART's `clever_t`, and the bare loop, in one run.

    python benchmarks/speed.py                              the MNIST CNN, with ART
    python benchmarks/speed.py --network mnist-eran-6x100   another network; ART where it is installed

One test image, l2: the default estimate (`clever(model, x)`: a profile, untargeted, `standard`; and `quick`), and the
uniform sampler at R = 5, runner-up. The bare
loop does nothing but the forward pass and the backward pass to the input, on samples drawn beforehand, at each batch
size; its best is what the machine can do.

They take turns in an order that is drawn anew for each round, after a first round that does not count. Every rate is
divided by that of the bare loop in the same round, at the batch size whose median rate is the best, and the medians
of these ratios are compared: a machine that other work slows for some seconds shifts a few ratios, not their median.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from public import correct_images, load_network
from torch import Tensor, nn

from clearance.estimates.clever import clever
from clearance.model.classifier import Classifier


def bare_loop(network: nn.Module, x: Tensor, best: int, target: int, batch: int, count: int) -> Callable[[], int]:
    """Forward, margin, backward to the input; nothing kept."""
    samples = x + 0.1 * torch.randn(count, *x.shape[1:])

    def run() -> int:
        for start in range(0, count, batch):
            part = samples[start : start + batch].requires_grad_(True)
            logits = network(part)
            torch.autograd.grad((logits[:, best] - logits[:, target]).sum(), part)
            samples.requires_grad_(False)
        return count

    return run


def ours(network: nn.Module, x: Tensor, target: int, blocks: int) -> Callable[[], int]:
    """`clever` with uniform samples at R = 5: sampling, gradients, norms, evidence, fit."""
    model = Classifier(network, (0, 1))

    def run() -> int:
        settings = {"bound": "ball", "sampler": "uniform", "radius": 5.0, "blocks": blocks, "block_size": 1024}
        return clever(model, x, target=target, norm=2, **settings)[0].cost.backward

    return run


def profile(network: nn.Module, x: Tensor, budget: str) -> Callable[[], int]:
    """`clever` as it is by default: a deep start, the search of all levels, the readings with their intervals."""
    model = Classifier(network, (0, 1))

    def run() -> int:
        return clever(model, x, norm=2, budget=budget)[0].cost.backward

    return run


def art(network: nn.Module, x: Tensor, target: int, blocks: int) -> Callable[[], int]:
    """ART's `clever_t` on as many blocks: two class gradients for each of `pool_factor x batch_size` points."""
    from art.estimators.classification import PyTorchClassifier
    from art.metrics import clever_t

    estimator = PyTorchClassifier(
        network, loss=nn.CrossEntropyLoss(), input_shape=tuple(x.shape[1:]), nb_classes=10, clip_values=(0, 1)
    )

    def run() -> int:
        np.random.seed(0)  # noqa: NPY002 - ART draws from the global generator
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clever_t(
                estimator, x[0].numpy(), target, nb_batches=blocks, batch_size=1024, radius=5, norm=2, pool_factor=3
            )
        return 3 * 1024  # margin gradients: its pool, which all blocks are drawn from again and again

    return run


def rate(run: Callable[[], int]) -> float:
    """Margin gradients per second of one call."""
    start = time.perf_counter()
    return run() / (time.perf_counter() - start)


def take_turns(contestants: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """The rate of each in each round, in an order drawn for every round; the first round only warms up."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    order = random.Random(0)
    for turn in range(rounds + 1):
        for name in order.sample(list(contestants), len(contestants)):
            found = rate(contestants[name])
            if turn:
                rates[name].append(found)
    return rates


def paired(rates: dict[str, list[float]], one: str, other: str) -> list[float]:
    """How much faster one was than the other, round by round."""
    return [a / b for a, b in zip(rates[one], rates[other], strict=True)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--network", default="mnist-fmn")
    chosen = parser.parse_args()
    rounds, network = chosen.rounds, load_network(chosen.network)
    x, _ = correct_images(network, 1, chosen.network)
    order = network(x)[0].argsort(descending=True)
    best, target = int(order[0]), int(order[1])
    contestants = {
        f"bare loop, batch {b}": bare_loop(network, x, best, target, b, 2048) for b in (16, 32, 64, 128, 256)
    }
    for budget in ("standard", "quick"):
        contestants[f"Clearance, profile, {budget}"] = profile(network, x, budget)
    contestants["Clearance, uniform"] = ours(network, x, target, 8)
    with_art = find_spec("art") is not None
    if with_art:
        contestants["ART 1.20.1 clever_t"] = art(network, x, target, 2)
    rates = take_turns(contestants, rounds)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    fastest = max((name for name in medians if name.startswith("bare")), key=medians.__getitem__)
    print("| what | margin gradients a second | of the best bare loop | middle half of the rounds |")
    print("|---|---|---|---|")
    for name, value in medians.items():
        low, middle, high = statistics.quantiles(paired(rates, name, fastest), n=4, method="inclusive")
        print(f"| {name} | {value:.0f} | {middle:.3f} | {low:.3f} to {high:.3f} |")
    if with_art:
        ratio = statistics.median(paired(rates, "Clearance, uniform", "ART 1.20.1 clever_t"))
        print(f"Clearance, uniform / ART: {ratio:.1f}")


if __name__ == "__main__":
    main()
