"""What a network answers, and one line that says what is wrong with it: an error, no logits, logits without numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor

from clearance.errors import ClearanceError, NetworkError
from clearance.model.bounds import name_inputs
from clearance.model.memory import is_out_of_memory

CHANNELS = (1, 3, 4)
"""How many channels images have: grey, red-green-blue, and that with transparency."""


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
        raise NetworkError(f"{name}: {where}: expected a tensor, got {said}{_channels_last(x)}") from error


def _channels_last(x: Tensor) -> str:
    """A hint where `(batch, height, width, channels)` may have been given for `(batch, channels, height, width)`."""
    if x.ndim != 4 or x.shape[3] not in CHANNELS or x.shape[1] in CHANNELS:
        return ""
    return f" (are these {x.shape[3]} channels last? networks take them first: x.permute(0, 3, 1, 2))"


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
        raise NetworkError(f"network: expected a tensor of logits, got {_described(logits)}")
    if logits.ndim != 2 or logits.shape[0] != count or logits.shape[1] < 2:
        expected = f"({count}, classes) with at least 2 classes"
        raise NetworkError(f"network: expected logits of shape {expected}, got {tuple(logits.shape)}")
    if not logits.dtype.is_floating_point:
        raise NetworkError(f"network: expected floating logits, got {logits.dtype}")
    return logits


def _described(output: object) -> str:
    """The kind of an output that is no tensor, and where in it a tensor of logits seems to be."""
    kind = type(output).__name__
    if isinstance(getattr(output, "logits", None), Tensor):
        return f"{kind}; its logits are in .logits: wrap the network to return them"
    if isinstance(output, Mapping):
        names = [str(name) for name in cast("Mapping[object, object]", output)]
        return f"{kind} with {', '.join(names[:5]) or 'nothing in it'}; wrap the network to return one of them"
    if isinstance(output, list | tuple) and any(isinstance(part, Tensor) for part in cast("Sequence[object]", output)):
        return f"{kind} of {len(cast('Sequence[object]', output))}; wrap the network to return the one with the logits"
    return kind


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
