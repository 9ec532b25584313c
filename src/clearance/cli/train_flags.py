"""Values of the flags of `clearance train`, each under its name and with its type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrainFlags:
    """What to train, how, and where to.

    Attributes:
        data: The training data, as given.
        network: The architecture's name.
        network_args: Its arguments, as names and values.
        defense: How to train.
        out: The checkpoint.
        start: A checkpoint to begin with.
        unlabelled: More inputs, whose labels are guessed.
        labeller: The model that guesses them.
        norm: Norm of the perturbations.
        radius: Their radius; `None`: no threat model.
        steps: Ascent steps.
        step_size: Their length.
        ramp: Share of training over which the radius grows.
        replays: Of each batch.
        beta: Weight of robustness.
        temperature: Of the softmax.
        deviation: Of the noise.
        kappa: Weight of the ordinary loss.
        crown: Share of CROWN at the start.
        epochs: Passes over the inputs.
        batch_size: Inputs in a step.
        learning_rate: At the start.
        optimiser: Its name.
        weight_decay: Factor.
        augmentation: Of pictures.
        holdout: Training inputs kept apart; `None`: 1000, at most a fifth.
        patience: Epochs without a better one.
        count: Training inputs, or `"all"`.
        resize: Size that pictures are resized to.
        crop: Size of the centre of pictures that is kept.
        label: Column of labels.
        seed: The user's seed.
        device: Where to train.
        half: Store 16-bit values.
        force: Replace what is there.
        given: Names of the flags that the user spelled out.
    """

    data: str
    network: str
    network_args: tuple[tuple[str, Any], ...]
    defense: str
    out: str
    start: str | None
    unlabelled: str | None
    labeller: str | None
    norm: str
    radius: float | None
    steps: int | None
    step_size: float | None
    ramp: float | None
    replays: int | None
    beta: float | None
    temperature: float | None
    deviation: float | None
    kappa: float | None
    crown: float | None
    epochs: int
    batch_size: int
    learning_rate: float
    optimiser: str
    weight_decay: float
    augmentation: str
    holdout: int | None
    patience: int | None
    count: int | str
    resize: int | tuple[int, int] | None
    crop: int | tuple[int, int] | None
    label: str | None
    seed: int
    device: str
    half: bool
    force: bool
    given: frozenset[str]
