"""Every way to train, as a table: what `clearance train --defense` takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clearance.records import Choice


@dataclass(frozen=True)
class DefenseKind(Choice):
    """One way to train; `where` is its class.

    Attributes:
        options: Fields of the class that the command line sets.
        has_threat: Whether it defends against a set of perturbations, its field `perturbations`.
        needs_teacher: Whether it learns from a network that was trained before, its field `teacher`.
        is_clipped: Whether it keeps its noise in the valid range of inputs, its field `bounds`.
        network_arguments: What the network is made with unless the user says otherwise.
    """

    options: tuple[str, ...] = ()
    has_threat: bool = False
    needs_teacher: bool = False
    is_clipped: bool = False
    network_arguments: Mapping[str, str] = field(default_factory=dict[str, str])


PLACE = "clearance.training.defenses"
"""Where the classes lie."""

DEFENSES = {
    "standard": DefenseKind("the loss at the inputs themselves", f"{PLACE}.standard:Standard", ("temperature",)),
    "adversarial": DefenseKind(
        "the loss where projected gradient ascent ends (Madry et al. 2018)",
        f"{PLACE}.adversarial:Adversarial",
        ("steps", "step_size", "ramp"),
        has_threat=True,
    ),
    "free": DefenseKind(
        "adversarial training that replays each batch and wastes no backward pass (Shafahi et al. 2019)",
        f"{PLACE}.free:Free",
        ("replays",),
        has_threat=True,
    ),
    "fast": DefenseKind(
        "one ascent step from a random start, watched for catastrophic overfitting (Wong et al. 2020)",
        f"{PLACE}.fast:Fast",
        ("ramp",),
        has_threat=True,
    ),
    "trades": DefenseKind(
        "the loss plus beta times the change of the answer nearby (Zhang et al. 2019)",
        f"{PLACE}.trades:Trades",
        ("steps", "step_size", "beta", "ramp"),
        has_threat=True,
    ),
    "distillation": DefenseKind(
        "defensive distillation: a student of a teacher's soft answers (Papernot et al. 2016)",
        f"{PLACE}.distillation:Distillation",
        ("temperature",),
        needs_teacher=True,
    ),
    "bounded-relu": DefenseKind(
        "bounded activations and Gaussian noise on the inputs (Zantedeschi et al. 2017)",
        f"{PLACE}.noise_augmentation:NoiseAugmentation",
        ("deviation",),
        is_clipped=True,
        network_arguments={"activation": "bounded-relu"},
    ),
    "interval-bounds": DefenseKind(
        "certified training by interval bounds, started by CROWN (Gowal et al. 2018; Zhang et al. 2020)",
        f"{PLACE}.interval_bounds:IntervalBounds",
        ("ramp", "kappa", "crown"),
        has_threat=True,
    ),
}
"""Ways to train: what `--defense` takes -> what that is."""
