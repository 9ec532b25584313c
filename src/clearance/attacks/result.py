"""What attacks return: the nearest witness of each input of a batch, and the public record of one input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from clearance.geometry.norms import expand, vector_norm
from clearance.model.cost import Cost
from clearance.records import PublicRecord, plain, write_number


@dataclass(frozen=True, eq=False, repr=False)
class AttackResult(PublicRecord):
    """The nearest witness found for one input: an upper bound of its minimum adversarial distortion.

    Source: the distance of any adversarial example bounds the smallest one from above, by definition.

    Attributes:
        adversarial: The witness, `(*input)`; `None` where none was found.
        distance: `||adversarial - x||_p` in input units (for norm 0 the number of coordinates that differ); infinite
            where none was found, NaN for a misclassified input.
        success: Whether a witness was found and confirmed by a fresh forward pass.
        predicted: Class that the network predicts for the witness; without one, for the input itself.
        method: The attack that found it, with `deep_` before its name for a start far beyond the boundary; `"none"`, or
            `"misclassified"` for an input whose prediction is not its label.
        cost: Passes spent on this input, and its share of the seconds.
        distances: The smallest confirmed distance of each method, starts beyond the boundary apart; infinite where it
            found nothing.
        zero_gradient: Whether the margin's gradient at the input is zero or not finite: then what follows gradients had
            nothing to follow, the distance may be far too large, and a missing witness says nothing (`cl.audit`).
    """

    adversarial: Tensor | None
    distance: float
    success: bool
    predicted: int
    method: str
    cost: Cost
    distances: Mapping[str, float] = field(default_factory=dict[str, float])
    zero_gradient: bool = False

    def in_short(self) -> str:
        """The distance, the class of the witness and the method.

        >>> AttackResult(None, math.inf, False, 3, "none", Cost())
        AttackResult(no witness, predicted 3)
        """
        if self.success:
            return (
                f"distance {write_number(self.distance, 'attacked')}, witness of class {self.predicted}, {self.method}"
            )
        return f"{'no witness' if self.method == 'none' else self.method}, predicted {self.predicted}"

    def with_nearer(self, method: str, witness: Tensor, distance: float, logits: Tensor) -> AttackResult:
        """The same with a nearer witness that something else met: what was spent and what the input is like stay.

        Args:
            method: What met it.
            witness: The witness, `(*input)`.
            distance: Its distance.
            logits: The network's, `(1, classes)`.

        Returns:
            The result.
        """
        return replace(
            self,
            adversarial=witness,
            distance=distance,
            success=True,
            predicted=int(logits.argmax()),
            method=method,
            distances={**self.distances, method: distance},
        )

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON, without the witness itself: distances that are not finite become `None`."""
        return {
            "distance": plain(self.distance),
            "success": self.success,
            "predicted": self.predicted,
            "method": self.method,
            "distances": {name: plain(distance) for name, distance in self.distances.items()},
            "cost": asdict(self.cost),
            "zero_gradient": self.zero_gradient,
        }


def misclassified(predicted: int) -> AttackResult:
    """The record of an input that is not attacked, since its prediction is not its label.

    Source: this project.
    """
    return AttackResult(None, math.nan, False, predicted, "misclassified", Cost(forward=1))


class Witnesses:
    """The nearest witness of each input of a batch so far.

    Source: this project.

    Args:
        x: The inputs, `(batch, *input)`.
        norm: The norm `p` of distances; or 0, for the number of coordinates that differ.

    Attributes:
        adversarial: `(batch, *input)`; the input itself where there is no witness yet.
        distance: `||adversarial - x||_p`, `(batch,)`; infinite where there is no witness yet.

    >>> found = Witnesses(torch.zeros(2, 3), 2.0)
    >>> found.offer(torch.ones(2, 3), torch.tensor([True, False]))
    >>> found.distance
    tensor([1.7321,    inf])
    """

    def __init__(self, x: Tensor, norm: float) -> None:
        self.x, self.norm = x, norm
        self.adversarial = x.clone()
        self.distance = torch.full((len(x),), torch.inf, dtype=x.dtype, device=x.device)

    @property
    def success(self) -> Tensor:
        """Whether each input has a witness, `(batch,)`."""
        return self.distance.isfinite()

    def offer(self, points: Tensor, reached: Tensor) -> None:
        """Keep each point that reaches its goal nearer to the input than any before.

        Args:
            points: `(batch, *input)`.
            reached: Whether each of them reaches its goal, `(batch,)`.
        """
        distance = vector_norm(points - self.x, self.norm)
        better = reached & (distance < self.distance)
        self.distance = torch.where(better, distance, self.distance)
        self.adversarial = torch.where(expand(better, points), points, self.adversarial)

    def rows(self, places: Tensor) -> Witnesses:
        """Those of some of the inputs, `(rows,)` of their places."""
        some = Witnesses(self.x[places], self.norm)
        some.adversarial, some.distance = self.adversarial[places], self.distance[places]
        return some

    def put(self, places: Tensor, other: Witnesses) -> None:
        """Take over the witnesses of some of the inputs, `(rows,)` of their places."""
        self.adversarial = self.adversarial.index_copy(0, places, other.adversarial)
        self.distance = self.distance.index_copy(0, places, other.distance)

    def absorb(self, other: Witnesses) -> None:
        """Keep whatever another run on the same inputs found nearer."""
        self.offer(other.adversarial, other.success)
