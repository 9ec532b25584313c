"""How fast a network is: passes per second, forward alone and forward with backward."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.errors import InputError
from clearance.model.classifier import Classifier
from clearance.model.memory import is_out_of_memory


@dataclass(frozen=True)
class Speed:
    """Measured speed, in inputs per second.

    Attributes:
        batch: Inputs per pass.
        forward: Forward passes per second.
        gradients: Forward passes with their backward pass per second; `None` where the network has none.
        refusal: Why it has none.
    """

    batch: int
    forward: float
    gradients: float | None
    refusal: str = ""

    def seconds(self, passes: int) -> float | None:
        """How long so many passes take, forward and backward together, half of each.

        >>> Speed(1, 100.0, 50.0).seconds(200)
        2.0
        """
        return None if self.gradients is None else passes / 2 / self.gradients


def measure_speed(model: Classifier, x: Tensor, *, batch: int | None = None, seconds: float = 1.0) -> Speed:
    """Measure passes per second for about this long, after one pass that is not counted.

    A forward pass is one of `Classifier.logits`; a gradient is that of one logit with respect to the input.

    Source: this project.

    Args:
        model: The classifier.
        x: Inputs to choose from, `(any, *input)`.
        batch: Inputs per pass; `None`: the classifier's micro-batch.
        seconds: Seconds for both measurements together.

    Returns:
        The speeds.

    Raises:
        InputError: If the seconds are not positive.
        NetworkError: If the network fails, or its logits are not finite.
        RuntimeError: If memory runs out.
    """
    if not seconds > 0:
        raise InputError(f"seconds: expected a positive number, got {seconds!r}")
    x = model.check_inputs(x)
    size = min(batch or model.micro_batch(x), model.micro_batch(x))
    rows = x[torch.arange(size, device=x.device) % len(x)]
    compiles = model.execution.compiled
    forward = _rate(lambda: model.logits(rows), size, seconds / 2, compiles)
    size, rows = model.micro_batch(x), rows[: model.micro_batch(x)]  # smaller now where the network takes one input
    try:
        gradients, refusal = _rate(lambda: _gradients(model, rows), len(rows), seconds / 2, compiles), ""
    except RuntimeError as error:  # a network's own error, or an operator of torch that has no derivative
        if is_out_of_memory(error):
            raise
        gradients, refusal = None, str(error)
    return Speed(len(rows), forward, gradients, refusal)


def _gradients(model: Classifier, rows: Tensor) -> Tensor:
    """The gradients of the first logit, as every search takes gradients."""

    def part(points: Tensor) -> tuple[Tensor]:
        return (model.vjp(points, lambda logits: logits[:, :1])[2](0),)

    return model.in_micro_batches(part, rows)[0]


def _rate(work: Callable[[], Tensor], rows: int, seconds: float, compiles: bool) -> float:
    """Rows per second; where a call takes longer than the time there is, the first one is the measurement.

    Where the first call is spent on compiling, it does not count.
    """
    if compiles:
        work()
    first = _timed(work)
    if first >= seconds:
        return rows / first
    calls, spent = 0, 0.0
    while spent < seconds:
        spent += _timed(work)
        calls += 1
    return calls * rows / spent


def _timed(work: Callable[[], Tensor]) -> float:
    """Seconds of one call; a number of its result is read, so that an accelerator has finished."""
    started = time.perf_counter()
    work().flatten()[0].item()
    return max(time.perf_counter() - started, 1e-9)
