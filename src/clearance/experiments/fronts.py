"""A network behind a transform ("front"): its plain scores, its scores with BPDA, and what the audit says of it."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from clearance.attacks import attack
from clearance.audit import audit
from clearance.certificates import certify
from clearance.estimates.clever import clever
from clearance.estimates.settings import PAPER, BallOptions
from clearance.geometry.balls import sample_ball
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.gradients import margin_gradients
from clearance.model.margins import Target
from clearance.model.seeds import make_generator
from clearance.model.transforms import bpda

STAIR_ROUNDING = 1e-4
"""Share of a stair that a rounded staircase in float32 may be off: `255 x` has an error of at most 2e-5."""
PROBES = 2000
"""Uniform points of a ball at which gradients are looked for: a share of 50 % is known to within 2 % (95 %)."""


@dataclass(frozen=True)
class Front:
    """A transform in front of a network.

    Attributes:
        name: What it is called.
        transform: The transform.
        dtype: What to compute in.
    """

    name: str
    transform: nn.Module
    dtype: torch.dtype = torch.float32


@dataclass(frozen=True)
class Subject:
    """A network, inputs that it classifies correctly, and how their scores are made.

    Attributes:
        network: Maps `(batch, *input)` to logits.
        images: `(count, *input)`, in [0, 1].
        options: Of `clever`: those of the paper, with other counts.
        seed: Fixes every random number.
    """

    network: nn.Module
    images: Tensor
    options: BallOptions
    seed: int

    def within(self, radius: float) -> Subject:
        """The same with scores in a ball of another radius."""
        return replace(self, options={**self.options, "radius": radius})

    @property
    def radius(self) -> float:
        """Of the ball in which scores are sampled."""
        return float(self.options.get("radius", math.nan))

    def classifier(self, front: Front, *, shown: bool = False, back: nn.Module | None = None) -> Classifier:
        """The network behind a front.

        Args:
            front: The front.
            shown: Put `bpda` around the front.
            back: What comes after the logits.

        Returns:
            The classifier, in the front's precision.
        """
        first = bpda(front.transform) if shown else front.transform
        parts = [first, self.network, *([] if back is None else [back])]
        return Classifier(nn.Sequential(*parts).eval(), bounds=(0, 1), dtype=front.dtype)

    def scores(self, model: Classifier) -> list[float]:
        """CLEVER scores as the paper has them, against the runner-up."""
        options: BallOptions = {**self.options, "seed": self.seed}
        return [score.radius for score in clever(model, self.images.to(model.dtype), target="runner-up", **options)]

    def flags(self, model: Classifier, count: int) -> dict[str, int]:
        """What the audit says at severity `warning` or above.

        Args:
            model: The classifier.
            count: How many inputs are audited.

        Returns:
            Code of the flag -> of how many inputs.
        """
        audits = audit(model, self.images[:count].to(model.dtype), seed=self.seed)
        return dict(Counter(flag.code for one in audits for flag in one.flags if flag.severity != "info").most_common())

    def zero_share(self, model: Classifier) -> float:
        """The share of uniform points of the first input's ball whose margin has no gradient at all."""
        x = self.images[0].to(model.dtype)
        generator = make_generator("cpu", self.seed, "zero-share")
        near = x + sample_ball(PROBES, x.shape, norm=2.0, radius=self.radius, generator=generator).to(model.dtype)
        best, second = model.logits(x[None])[0].topk(2).indices.tolist()
        return float((vector_norm(margin_gradients(model, near, best, second)[1], 2.0) == 0).double().mean())


class OneAgainstRest(nn.Module):
    """`sigmoid(scale (f_k - max_{j != k} f_j))`: how sure a network says it is of each class.

    Args:
        scale: Of the margins.

    >>> OneAgainstRest(1e4)(torch.tensor([[2.0, 1.0, 0.0]]))
    tensor([[1., 0., 0.]])
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, logits: Tensor) -> Tensor:
        """Logits to confidences, both `(batch, classes)`."""
        best, second = logits.topk(2, dim=1).values.split(1, dim=1)
        return ((logits - torch.where(logits == best, second, best)) * self.scale).sigmoid()


def first_correct(network: nn.Module, images: Tensor, labels: Tensor, count: int) -> Tensor:
    """The places of the first inputs that a network classifies correctly, `(count,)`."""
    with torch.no_grad():
        return (network(images).argmax(1) == labels).nonzero().flatten()[:count]


def paper_options(radius: float, blocks: int, block_size: int) -> BallOptions:
    """The choices of Weng et al. (2018) with another ball and other counts."""
    return {**PAPER, "radius": radius, "blocks": blocks, "block_size": block_size}


@dataclass(frozen=True)
class KnownDistances:
    """What is known of one input's distance to one target, in `l_2`.

    Attributes:
        profile: The estimate by the Lipschitz profile; NaN where it has no number.
        witness: The distance of the nearest witness.
        proved: The certified radius; 0 where nothing is proved.
    """

    profile: float
    witness: float
    proved: float


def known(
    model: Classifier, x: Tensor, target: Target, *, budget: str | int, time_limit: float, seed: int
) -> list[KnownDistances]:
    """Profile, witness and proof of each input.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        target: As `clever` takes it.
        budget: Of the profile and of the attack.
        time_limit: Seconds for each certificate; 0 asks for none.
        seed: Fixes every random number.

    Returns:
        One record for each input.
    """
    profiles = clever(model, x, target=target, budget=budget, seed=seed)
    found = attack(model, x, target=target, budget=budget, seed=seed)
    proved = proofs(model, x, target, time_limit=time_limit, seed=seed)
    return [
        KnownDistances(profile.radius if profile.status.has_number else math.nan, one.distance, radius)
        for profile, one, radius in zip(profiles, found, proved, strict=True)
    ]


def proofs(model: Classifier, x: Tensor, target: Target, *, time_limit: float, seed: int) -> list[float]:
    """The certified radius of each input in `l_2`, 0 where nothing is proved; all 0 without a time limit."""
    if not time_limit:
        return [0.0] * len(x)
    found = certify(model, x, target=target, time_limit=time_limit, seed=seed)
    return [proof.radius if proof.status.has_radius else 0.0 for proof in found]


def known_behind_stairs(
    subject: Subject, front: Front, stairs: int, *, budget: str, time_limit: float
) -> list[KnownDistances]:
    """Profile, witness and proof of a network behind a front that rounds up to one of `c` stairs in a unit.

    The witnesses are found with `bpda`, and are witnesses of the network behind the front itself, whose logits are the
    same. The profile is that of the network without the front at `h(x0)`: the front has no gradients that integrate to
    it. The proof: `0 <= h(x)_i - x_i <= 1 / c` for each of `d` coordinates, so that
    `‖h(x) - h(x0)‖_2 <= ‖x - x0‖_2 + sqrt(d) / c` (triangle inequality). A certified radius `r` of the network at
    `h(x0)` therefore proves `r - sqrt(d) / c` at `x0`. Source: this project.

    Args:
        subject: The network and its inputs.
        front: A staircase or its ramps.
        stairs: `c`.
        budget: Of the profile and of the attack.
        time_limit: Seconds for each certificate.

    Returns:
        One record for each input, against the runner-up.
    """
    x, seed = subject.images.to(front.dtype), subject.seed
    found = attack(subject.classifier(front, shown=True), x, target="runner-up", budget=budget, seed=seed)
    with torch.no_grad():
        raised = front.transform(x)
    bare = subject.classifier(Front("none", nn.Identity(), front.dtype))
    of_bare = known(bare, raised, "runner-up", budget=budget, time_limit=time_limit, seed=seed)
    lost = math.sqrt(x[0].numel()) / stairs * (1 + STAIR_ROUNDING)
    return [
        KnownDistances(own.profile, one.distance, max(0.0, own.proved - lost))
        for own, one in zip(of_bare, found, strict=True)
    ]


def spread(values: Sequence[float]) -> str:
    """Median and range.

    >>> spread([3.0, 1.0, 2.0])
    '2 [1, 3]'
    """
    return f"{statistics.median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def counted(flags: dict[str, Any], count: int) -> str:
    """Flags with the number of inputs they were raised at.

    >>> counted({"flat": 2}, 3)
    'flat 2/3'
    """
    return ", ".join(f"{code} {times}/{count}" for code, times in flags.items()) or "none"
