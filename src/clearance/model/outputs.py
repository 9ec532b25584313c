"""What a network answers, and one line that says what is wrong with it: an error, no logits, logits without numbers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clearance.errors import ClearanceError, NetworkError
from clearance.model.bounds import name_inputs
from clearance.model.memory import is_out_of_memory


def answer(name: str, part: Callable[[Tensor], Tensor], x: Tensor) -> object:
    """What the network or the preprocessing returns.

    Args:
        name: Which of them it is.
        part: Maps a batch to a tensor.
        x: `(batch, *input)`.

    Returns:
        Whatever it is.

    Raises:
        NetworkError: If it fails; the message says which of the two did, on what and how.
        RuntimeError: If memory runs out.
    """
    try:
        return part(x)
    except Exception as error:  # whatever a stranger's code raises: the message says what, its traceback is the cause
        if is_out_of_memory(error) or isinstance(error, ClearanceError):
            raise
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        where = f"its forward pass failed on inputs of shape {tuple(x.shape[1:])}"
        raise NetworkError(f"{name}: {where}: expected a tensor, got {said}") from error


def check_logits(logits: object, count: int) -> Tensor:
    """Check that an answer is a batch of logits.

    Args:
        logits: What the network returned.
        count: For how many inputs.

    Returns:
        The same, `(count, classes)`.

    Raises:
        NetworkError: If it is no floating tensor of that shape with at least 2 classes.
    """
    if not isinstance(logits, Tensor):
        raise NetworkError(f"network: expected a tensor of logits, got {type(logits).__name__}")
    if logits.ndim != 2 or logits.shape[0] != count or logits.shape[1] < 2:
        expected = f"({count}, classes) with at least 2 classes"
        raise NetworkError(f"network: expected logits of shape {expected}, got {tuple(logits.shape)}")
    if not logits.dtype.is_floating_point:
        raise NetworkError(f"network: expected floating logits, got {logits.dtype}")
    return logits


def check_finite(logits: Tensor, first: int = 0) -> Tensor:
    """Check that logits are finite.

    Args:
        logits: `(batch, classes)`.
        first: Which input the first row belongs to.

    Returns:
        The same.

    Raises:
        NetworkError: If a logit is NaN or infinite; the message names the inputs.
    """
    broken = ~logits.isfinite().all(1)
    if bool(broken.any()):
        names = name_inputs(torch.nn.functional.pad(broken, (first, 0)))
        raise NetworkError(f"network: expected finite logits, got NaN or infinity for {names}")
    return logits
