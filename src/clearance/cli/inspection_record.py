"""What `clearance inspect` finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from clearance import __version__
from clearance.certificates.applicability import Applicability
from clearance.model.second_derivative import SecondDerivative
from clearance.model.speed import Speed

THREADS = 1
"""Threads that the speed is measured on: as many as a task of a run computes with."""


@dataclass(frozen=True)
class BracketCost:
    """What a bracket of one input costs.

    Attributes:
        budget: The budget's name.
        passes: Forward and backward passes together, certificate apart.
        seconds: About how long they take at the measured speed; `None` where the network has no gradients.
        certificate_seconds: How long the certificate may take at most.
    """

    budget: str
    passes: int
    seconds: float | None
    certificate_seconds: float


@dataclass(frozen=True)
class Inspection:
    """What `inspect` finds.

    Attributes:
        model: Name, kind, weights, parameters, layers, class names, notes.
        input: Shape, bounds, preprocessing, device, precision, and where they come from.
        output: Classes, and whether the outputs look like probabilities.
        data: The inputs and the accuracy; `None` without DATA.
        speed: Passes per second in micro-batches.
        second_order: Whether there is a second derivative to measure.
        certificates: Which methods take the network.
        export: Why the network cannot be written as ONNX (and VNN-LIB); empty where it can.
        brackets: What a bracket costs at each budget.
    """

    model: dict[str, Any]
    input: dict[str, Any]
    output: dict[str, Any]
    data: dict[str, Any] | None
    speed: Speed
    second_order: tuple[SecondDerivative, str]
    certificates: Applicability
    export: str
    brackets: tuple[BracketCost, ...]

    def as_document(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        kind, said = self.second_order
        return {
            "clearance": __version__,
            "model": self.model,
            "input": self.input,
            "output": self.output,
            "data": self.data,
            "speed": {"threads": THREADS, **asdict(self.speed)},
            "second_order": {"hessian": kind.value, "meaning": kind.meaning, "refusal": said},
            "certificates": asdict(self.certificates),
            "exports": {"onnx": {"refusal": self.export}, "vnnlib": {"refusal": self.export}},
            "brackets": [asdict(cost) for cost in self.brackets],
        }
