"""The model card of a checkpoint: what it is, how it was made and how good it is, as text by name and as a page.

Source of the form: Mitchell et al. (2019), model cards for model reporting, reduced to what decides about robustness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clearance.training.accuracies import accuracy, mode, robust_accuracy
from clearance.training.intervals import proved_share
from clearance.training.perturbations import PerturbationSet
from clearance.training.settings import History

CARD_STEPS, CARD_COUNT = 50, 1000
"""Ascent steps and test inputs of the card's robust accuracy: enough to tell a robust network from one that is not."""


@dataclass(frozen=True)
class Measured:
    """How good a network is on test inputs.

    Attributes:
        clean: Accuracy on all of them.
        count: How many there are.
        robust: Robust accuracy under projected gradient ascent on the first of them; `None` without a threat model.
        attacked: How many those are.
        bounded: The share of those that interval bounds keep right; `None` where that was not asked for.
    """

    clean: float
    count: int
    robust: float | None = None
    attacked: int = 0
    bounded: float | None = None


def measure(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    perturbations: PerturbationSet | None,
    *,
    seed: int,
    by_intervals: bool = False,
) -> Measured:
    """Clean and robust accuracy for the card.

    Args:
        network: The network.
        images: `(count, *input)`, test inputs.
        labels: `(count,)`.
        perturbations: The threat model; `None` where there is none.
        seed: Fixes the attack's random starts.
        by_intervals: Also the share that interval bounds keep right.
    """
    clean = accuracy(network, images, labels)
    if perturbations is None:
        return Measured(clean, len(images))
    x, y = images[:CARD_COUNT], labels[:CARD_COUNT]
    robust = robust_accuracy(network, x, y, perturbations=perturbations, steps=CARD_STEPS, seed=seed)
    bounded = None
    if by_intervals:
        with mode(network, training=False):
            bounded = proved_share(network, *perturbations.box(x), y)
    return Measured(clean, len(images), robust, len(x), bounded)


def card_header(
    *,
    data: str,
    defense: str,
    perturbations: PerturbationSet | None,
    measured: Measured,
    history: History,
    settings: str,
    command: str,
) -> dict[str, str]:
    """What a checkpoint's header says of how it was made, beside its architecture.

    Args:
        data: The training data.
        defense: How it was trained, in one line.
        perturbations: The threat model; `None` where there is none.
        measured: How good it is.
        history: How training went.
        settings: Epochs, batches and so on, in one line.
        command: What makes it again.
    """
    held = "none" if perturbations is None else perturbations.in_words()
    header = {
        "data": data,
        "defense": defense,
        "threat_model": held,
        "settings": settings,
        "training": f"{history.status}; weights of epoch {history.best + 1} of {len(history.epochs)}",
        "clean_accuracy": f"{measured.clean:.4f} on {measured.count} test inputs",
    }
    if measured.robust is not None:
        header["robust_accuracy"] = (
            f"{measured.robust:.4f} on the first {measured.attacked} test inputs, under {CARD_STEPS} steps of "
            "projected gradient ascent: an upper bound"
        )
    if measured.bounded is not None:
        header["interval_bounds"] = f"{measured.bounded:.4f} of those stay right as far as interval bounds tell"
    return {**header, "command": command, "torch": torch.__version__}


def card_page(name: str, header: Mapping[str, str]) -> str:
    """The card as Markdown.

    Args:
        name: What the checkpoint is called.
        header: The header of its file.

    >>> print(card_page("net", {"data": "digits"}))
    # net
    <BLANKLINE>
    | | |
    |---|---|
    | data | digits |
    <BLANKLINE>
    """
    rows = [f"| {key.replace('_', ' ')} | {value.replace('|', '/')} |" for key, value in header.items()]
    return "\n".join([f"# {name}", "", "| | |", "|---|---|", *rows, ""])
