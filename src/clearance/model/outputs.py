"""What a network answers: its logits, or one line that says what is wrong (an error, no logits, no numbers).

A network may return logits `(batch, classes)`; a single logit of a binary classifier, `(batch,)` or `(batch, 1)`; or a
tuple, a dict or an object that holds exactly one tensor which can be meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from clearance.errors import ClearanceError, NetworkError
from clearance.model.bounds import name_inputs
from clearance.model.memory import is_out_of_memory

UNEQUAL_LENGTHS = re.compile(r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)")
"""What torch says of a linear layer and inputs of another length: theirs, then the layer's."""

CHANNELS = (1, 3, 4)
"""How many channels images have: grey, red-green-blue, and that with transparency."""

UNEQUAL_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")
"""What torch says of a convolution over another number of channels."""
WHOLE_PICTURES = (
    "(batch, 1, height, width): x[:, None] gives grey pictures their channel, x[None] one picture its batch"
)
"""What to do with grey pictures that lack a dimension."""
CHANNELS_ASKED = "channels={0} of load_data, --channels {0}, makes pictures so"
"""What to do with grey pictures where colours are wanted, and the other way round."""
CHANNELS_FIRST = "networks take them first: x.permute(0, 3, 1, 2)"
"""What to do with channels that come last."""


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
        if wanted := _features_taken(error, x):
            got = f"{x[0].numel()}, of shape {tuple(x.shape[1:])}"
            raise NetworkError(f"{name}: expected inputs of {wanted} values, as it takes, got {got}") from error
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        where = f"its forward pass failed on inputs of shape {tuple(x.shape[1:])}"
        hint = (
            _channels_last(x)
            or _first_linear(part, x)
            or _channels_taken(error, x)
            or _dimension_missing(error, part, x)
        )
        raise NetworkError(f"{name}: {where}: expected a tensor, got {said}{hint}") from error


def _features_taken(error: Exception, x: Tensor) -> int | None:
    """How many values of an input the first linear layer takes, where it was given another number of them."""
    found = UNEQUAL_LENGTHS.search(str(error))
    return int(found[2]) if found and int(found[1]) == x[0].numel() else None


def _first_linear(part: object, x: Tensor) -> str:
    """A hint where inputs are rows of a table and the first linear layer takes another number of features."""
    network = getattr(part, "network", part)
    layers = network.modules() if isinstance(network, nn.Module) and x.ndim == 2 else ()
    first = next((layer for layer in layers if isinstance(layer, nn.Linear)), None)
    if first is None or first.in_features == x.shape[1]:
        return ""
    return f" (its first linear layer takes {first.in_features} features, these inputs have {x.shape[1]})"


def _channels_taken(error: Exception, x: Tensor) -> str:
    """A hint where pictures in colours were expected and grey ones came, or the other way round."""
    found = UNEQUAL_CHANNELS.search(str(error))
    if found is None or x.ndim != 4 or x.shape[1] != int(found[2]) or {*map(int, found.groups())} != {1, 3}:
        return ""
    return f" ({CHANNELS_ASKED.format(found[1])})"


def _channels_last(x: Tensor) -> str:
    """A hint where `(batch, height, width, channels)` may have been given for `(batch, channels, height, width)`."""
    if x.ndim != 4 or x.shape[3] not in CHANNELS or x.shape[1] in CHANNELS:
        return ""
    return f" (are these {x.shape[3]} channels last? {CHANNELS_FIRST})"


def _dimension_missing(error: Exception, part: Callable[[Tensor], Tensor], x: Tensor) -> str:
    """A hint where pictures came without their channels, or one without its batch: a batch of rows, either way."""
    if x.ndim != 3:
        return ""
    if found := UNEQUAL_CHANNELS.search(str(error)):
        return f" (it takes (batch, {found[1]}, height, width); one picture alone is a batch as x[None])"
    try:
        with torch.no_grad():
            output = cast("object", part(x[:, None]))
    except Exception:
        return ""
    return f" (it takes {WHOLE_PICTURES})" if isinstance(output, Tensor) and len(output) == len(x) else ""


def as_logits(output: object, count: int) -> Tensor:
    """The logits in what a network returned.

    Args:
        output: A tensor; a mapping or an object with the tensor `logits`; a mapping, a tuple or a list with one tensor,
            or with one of shape `(count, classes)`, `(count, 1)` or `(count,)`.
        count: For how many inputs.

    Returns:
        `(count, classes)`; the two logits `(-z / 2, z / 2)` of a binary classifier's `z`, which has class 1 for
        `z > 0` and the margin `z`.

    Raises:
        NetworkError: If there is no such tensor, more than one may be meant, or it is not floating.

    >>> as_logits({"logits": torch.tensor([[2.0], [-1.0]]), "loss": None}, 2).tolist()
    [[-1.0, 1.0], [0.5, -0.5]]
    """
    logits = output if isinstance(output, Tensor) else _only(output, count)
    if logits is None:
        raise NetworkError(f"network: expected a tensor of logits, got {_described(output)}")
    if not logits.dtype.is_floating_point:
        raise NetworkError(f"network: expected floating logits, got {logits.dtype}")
    if logits.shape in ((count,), (count, 1)) or (count == 1 and logits.shape == ()):
        half = logits.reshape(count, 1) * 0.5
        return torch.cat([-half, half], 1)
    if logits.ndim != 2 or logits.shape[0] != count or logits.shape[1] < 2:
        expected = f"({count}, classes), or one logit each for two classes"
        raise NetworkError(f"network: expected logits of shape {expected}, got {tuple(logits.shape)}")
    return logits


def _only(output: object, count: int) -> Tensor | None:
    """The tensor in an output that is meant, where that is certain."""
    named = getattr(output, "logits", None)
    if isinstance(output, Mapping):
        values = cast("Mapping[object, object]", output)
        named = values.get("logits", named)
        parts = list(values.values())
    else:
        parts = list(cast("Sequence[object]", output)) if isinstance(output, list | tuple) else []
    if isinstance(named, Tensor):
        return named
    tensors = [part for part in parts if isinstance(part, Tensor)]
    likely = [p for p in tensors if p.ndim in (1, 2) and p.shape[0] == count and p.is_floating_point()]
    for found in (tensors, likely):
        if len(found) == 1:
            return found[0]
    return None


def _described(output: object) -> str:
    """The kind of an output in which no tensor, or more than one, may be the logits, and what to do."""
    kind = type(output).__name__
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


def look_like_probabilities(logits: Tensor) -> bool:
    """Whether every row of `(batch, classes)` lies in [0, 1] and sums to 1: a softmax was left in the network.

    >>> look_like_probabilities(torch.tensor([[0.2, 0.8]])), look_like_probabilities(torch.tensor([[2.0, -1.0]]))
    (True, False)
    """
    inside = bool(((logits >= 0) & (logits <= 1)).all())
    return inside and bool(((logits.double().sum(1) - 1).abs() < 1e-3).all())
