"""Lecture 10, section 2.1: what adversarial training costs, and what free and fast adversarial training save.

Adversarial training with `k` ascent steps takes `k + 1` forward and backward passes for each training input and epoch
where standard training takes one ("a roughly 10× slowdown" with about 10 steps). Free adversarial training (Shafahi et
al. 2019) with `m` replays takes `m`, in `1 / m` as many epochs; fast (Wong, Rice and Kolter 2020) takes 2. Passes are
counted by hooks; time is the shortest of several rounds of one epoch each, taken in turns within one run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from clearance.bracket.robust_accuracy import robust_accuracy as bracketed_accuracy
from clearance.experiments.outcome import Finding, PaperTable, Reproduction
from clearance.experiments.session import Session
from clearance.experiments.trained import JUDGING_STEPS, Recipe, trained
from clearance.model.classifier import Classifier
from clearance.training import (
    Adversarial,
    Fast,
    Free,
    PerturbationSet,
    Standard,
    TrainingSettings,
    accuracy,
    robust_accuracy,
    train,
)
from clearance.training.defenses.defense import Defense
from clearance.zoo.networks import digits_cnn, strided_cnn

STEPS = 10
"""Of the ascent in adversarial training: the lecture's "say 10 or so"."""
RADIUS_RAMP = 0.3
"""Share of training over which the radius grows: without it, adversarial training of the small network on MNIST ends in
a constant answer."""
REPLAYS = 8
"""Of free adversarial training: the paper's choice for CIFAR-10."""
KEPT_ROBUSTNESS = 0.8
"""Share of the robust accuracy of adversarial training that a cheaper method has to keep to count as a substitute."""


@dataclass(frozen=True)
class CostCounts:
    """How much is measured.

    Attributes:
        data: The data set.
        eps: Radius in `l_inf`.
        trained: Training inputs.
        epochs: Of standard, adversarial and fast training; free training has fewer, as its own paper has it.
        free_epochs: Of free training.
        tested: Test inputs for accuracy and robust accuracy.
        attacked: Test inputs for this project's attacks.
        budget: Of them.
        timed: Training inputs of a timed epoch.
        rounds: Timed epochs of each method.
    """

    data: str
    eps: float
    trained: int
    epochs: int
    free_epochs: int
    tested: int
    attacked: int
    budget: str | int
    timed: int
    rounds: int


COST_SCALES = {
    "tiny": CostCounts("digits", 0.15, 1437, 8, 2, 200, 8, 200, 200, 1),
    "small": CostCounts("mnist", 0.2, 10_000, 10, 3, 2000, 100, "standard", 2000, 3),
    "paper": CostCounts("mnist", 0.3, 60_000, 40, 10, 10_000, 1000, "thorough", 10_000, 5),
}
"""Counts for each scale; the lecture gives the ratio only."""


def defences(eps: float) -> dict[str, Defense]:
    """Every way to train, by name, the standard one first."""
    worst = PerturbationSet(math.inf, eps)
    return {
        "standard": Standard(),
        f"adversarial, {STEPS} steps": Adversarial(worst, steps=STEPS, ramp=RADIUS_RAMP),
        f"free, {REPLAYS} replays": Free(worst, replays=REPLAYS),
        "fast": Fast(worst, ramp=RADIUS_RAMP),
    }


STANDARD, ADVERSARIAL, FREE, FAST = defences(1.0)
"""Their names."""
EXPECTED_PASSES = {STANDARD: 1, ADVERSARIAL: STEPS + 1, FREE: REPLAYS, FAST: 2}
"""Forward passes for each input and epoch, and as many backward passes."""


@dataclass
class Passes:
    """Forward and backward passes through a network, in inputs.

    Attributes:
        forward: Forward passes.
        backward: Backward passes.
    """

    forward: int = 0
    backward: int = 0


def counted_passes(network: nn.Module, work: Callable[[], object]) -> Passes:
    """The passes that a piece of work makes through a network.

    Args:
        network: The network.
        work: What is done with it.

    Returns:
        The passes, one for each input of a batch.

    >>> import torch
    >>> layer = nn.Linear(2, 1)
    >>> counted_passes(layer, lambda: layer(torch.zeros(3, 2)).sum().backward())
    Passes(forward=3, backward=3)
    """
    found = Passes()

    def backward(gradient: Tensor) -> None:
        found.backward += len(gradient)

    def forward(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> None:
        found.forward += len(output)
        if output.requires_grad:
            output.register_hook(backward)

    hook = network.register_forward_hook(forward)
    try:
        work()
    finally:
        hook.remove()
    return found


@dataclass(frozen=True)
class CostRow:
    """One way to train.

    Attributes:
        name: Of `defences`.
        epochs: Of the whole training.
        forward: Forward passes for each input and epoch.
        backward: Backward passes for each input and epoch.
        seconds: Of the fastest timed epoch.
        clean: Accuracy.
        robust: Robust accuracy under projected gradient ascent.
        attacked: Share of fewer inputs that this project's attacks do not break.
    """

    name: str
    epochs: int
    forward: float
    backward: float
    seconds: float
    clean: float
    robust: float
    attacked: float

    @property
    def passes(self) -> float:
        """Forward passes for each input in the whole training."""
        return self.forward * self.epochs


def training_cost(session: Session) -> Reproduction:
    """Passes, time and robust accuracy of standard, adversarial, free and fast training.

    Args:
        session: Scale, seed, data and journal.

    Returns:
        The table, and what is found.
    """
    counts = COST_SCALES[session.scale.value]
    seconds = session.journal.measured(("seconds",), lambda: _seconds(session, counts))
    rows = [_row(session, counts, name, seconds[name]) for name in defences(counts.eps)]
    said = (
        f"{counts.data}, linf, eps = {counts.eps:g}: {counts.trained} training inputs; robust accuracy under "
        f"{JUDGING_STEPS} steps of projected gradient ascent on {counts.tested} test inputs, and under this project's "
        f"attacks on {counts.attacked}. Time: the fastest of {counts.rounds} epochs on {counts.timed} inputs, in turns."
    )
    return Reproduction((_table(rows),), findings=_findings(rows), settings=(said,))


def _network(session: Session, counts: CostCounts) -> nn.Module:
    if counts.data == "digits":
        return digits_cnn(seed=session.seed)
    channels, height, width = session.data(counts.data, count=1).images.shape[1:]
    return strided_cnn((channels, height, width), 10, seed=session.seed)


def _epoch(
    session: Session, counts: CostCounts, defense: Defense, inputs: int
) -> tuple[nn.Module, Callable[[], object]]:
    """A fresh network, and one epoch of its training on some inputs."""
    network, data = _network(session, counts), session.data(counts.data, train=True, count=inputs)
    settings = TrainingSettings(epochs=1, batch_size=128, seed=session.seed)
    return network, lambda: train(network, data.images, data.labels, settings=settings, defense=defense)


def _seconds(session: Session, counts: CostCounts) -> dict[str, float]:
    """The fastest timed epoch of each way to train, the ways taken in turns."""
    fastest: dict[str, float] = {}
    for turn in range(counts.rounds + 1):
        session.say(f"timing, round {turn} of {counts.rounds}" if turn else "timing: warming up")
        for name, defense in defences(counts.eps).items():
            _, work = _epoch(session, counts, defense, counts.timed)
            started = time.perf_counter()
            work()
            passed = time.perf_counter() - started
            fastest[name] = min(fastest[name], passed) if turn > 1 else passed  # the warm-up does not count
    return fastest


def _row(session: Session, counts: CostCounts, name: str, seconds: float) -> CostRow:
    """One way to train, from start to end, and what comes of it."""
    defense = defences(counts.eps)[name]
    epochs = counts.free_epochs if name == FREE else counts.epochs

    def compute() -> list[float]:
        network, work = _epoch(session, counts, defense, counts.timed)
        passes = counted_passes(network, work)
        data, test = session.data(counts.data, train=True, count=counts.trained), session.data(counts.data)
        recipe = Recipe(f"{counts.data}-cost-{name.split(',', maxsplit=1)[0]}-{counts.eps:g}", epochs, 64, 2e-3)
        network = trained(session, _network(session, counts), data.images, data.labels, recipe, defense)
        x, labels = test.images[: counts.tested], test.labels[: counts.tested]
        worst = PerturbationSet(math.inf, counts.eps)
        robust = robust_accuracy(network, x, labels, perturbations=worst, steps=JUDGING_STEPS, seed=session.seed)
        session.say(f"attacking {name}")
        some, model = slice(counts.attacked), Classifier(network, bounds=(0, 1))
        left = bracketed_accuracy(
            model, x[some], labels[some], counts.eps, math.inf, budget=counts.budget, certificate="none"
        )
        each = [passes.forward / counts.timed, passes.backward / counts.timed]
        return [*each, accuracy(network, x, labels), robust, left.not_broken.share]

    forward, backward, clean, robust, attacked = session.journal.measured((name,), compute)
    return CostRow(name, epochs, forward, backward, seconds, clean, robust, attacked)


def _table(rows: list[CostRow]) -> PaperTable:
    base = rows[0]
    columns = (
        "training", "epochs", "passes for each input and epoch: by definition", "counted",
        "time of an epoch over standard's", "passes in all over standard's", "accuracy", "robust: gradient ascent",
        "not broken by the attacks",
    )  # fmt: skip
    cells = tuple(
        (
            row.name, str(row.epochs), EXPECTED_PASSES[row.name], row.forward, row.seconds / base.seconds,
            row.passes / base.passes, row.clean, row.robust, row.attacked,
        )
        for row in rows
    )  # fmt: skip
    note = (
        "The lecture counts 10 times as many forward and backward passes, the ascent alone. Time differs from passes: "
        "a pass of the ascent needs no gradients of the weights, and an epoch has other work as well."
    )
    return PaperTable("Section 2.1: the cost of adversarial training", columns, cells, note)


def _findings(rows: list[CostRow]) -> tuple[Finding, ...]:
    of = {row.name: row for row in rows}
    standard, adversarial = of[STANDARD], of[ADVERSARIAL]
    cheaper = [of[FREE], of[FAST]]
    return (
        Finding(
            f"Adversarial training with {STEPS} steps takes {STEPS + 1} times the passes of standard training",
            all(row.forward == row.backward == EXPECTED_PASSES[row.name] for row in rows),
            ", ".join(f"{row.name}: {row.forward:g}" for row in rows)
            + f"; time {adversarial.seconds / standard.seconds:.1f} times that of standard training",
        ),
        Finding(
            "It buys robust accuracy",
            adversarial.robust > standard.robust and adversarial.attacked >= standard.attacked,
            f"{adversarial.robust:.3f} against {standard.robust:.3f}, at an accuracy of {adversarial.clean:.3f} "
            f"against {standard.clean:.3f}",
        ),
        Finding(
            "Free and fast adversarial training cost a fraction of it",
            all(row.passes < adversarial.passes / 2 for row in cheaper),
            ", ".join(f"{row.name}: {row.passes / adversarial.passes:.0%} of its passes" for row in cheaper),
        ),
        Finding(
            f"They keep at least {KEPT_ROBUSTNESS:.0%} of its robust accuracy",
            all(row.robust >= KEPT_ROBUSTNESS * adversarial.robust for row in cheaper),
            ", ".join(f"{row.name} {row.robust:.3f}" for row in cheaper) + f"; adversarial {adversarial.robust:.3f}",
        ),
    )
