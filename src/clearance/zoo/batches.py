"""Networks from files that were written for one size of batch, and how far they are from the file's own answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from clearance.errors import FileError
from clearance.model.seeds import make_generator
from clearance.zoo.loaded import one_line

CHECKED_INPUTS = 8
"""Random inputs on which a converted network is compared with what it was made of."""

LARGEST_DIFFERENCE = 1e-4
"""Largest difference of two logits that were computed in another order, relative to the largest logit: float32 rounds
to 6e-8, and the sums of a hundred layers of thousands of terms lose a few hundred times that."""


class Converted(nn.Module):
    """The steps of a network that was read from a file.

    A failing `fx.GraphModule` writes to stderr where in its own source text it failed; this does not.

    Args:
        steps: The network.
    """

    def __init__(self, steps: fx.GraphModule) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        """Whatever the steps return for inputs `(batch, *input)`."""
        return self.steps.forward(x)


class FixedBatch(nn.Module):
    """A network that takes a certain number of inputs only, for any number: in parts, the last one filled up.

    Args:
        network: Maps `(size, *input)` to `(size, classes)`.
        size: How many inputs it takes.
    """

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)` of inputs `(batch, *input)`."""
        missing = -len(x) % self.size
        filled = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x
        return torch.cat([self.network(part) for part in filled.split(self.size)])[: len(x)]


@dataclass(frozen=True)
class Settled:
    """A network that takes any number of inputs.

    Attributes:
        network: The network.
        difference: Largest difference of its logits from the reference's.
        note: How it takes batches, where that is not as any network does; else empty.
    """

    network: nn.Module
    difference: float
    note: str


def settle(
    network: nn.Module,
    reference: Callable[[Tensor], Tensor],
    shape: tuple[int, ...],
    *,
    size: int | None,
    dtype: torch.dtype,
    source: str,
) -> Settled:
    """Hold a converted network against what it was made of, on random inputs in [0, 1].

    A file that was written for one size of batch is used with other sizes where that gives the same logits on these
    inputs: its steps are fixed and do not depend on values, so it does so on all. Otherwise it is used in parts.

    Args:
        network: The converted network.
        reference: The file's own answers, from `(size, *shape)` to logits.
        shape: Shape of one input.
        size: How many inputs the file takes at once; `None` for any number.
        dtype: What kind of numbers they are.
        source: The file, for messages.

    Returns:
        The network, the largest difference, and a note.

    Raises:
        FileError: If the logits differ by more than `LARGEST_DIFFERENCE`, or neither can be computed.
    """
    generator = make_generator(torch.device("cpu"), 0, "settle")
    x = torch.rand(CHECKED_INPUTS, *shape, generator=generator, dtype=dtype)
    parts = FixedBatch(_Callable(reference), size) if size else reference
    with torch.no_grad():
        wanted = _run(parts, x, source, "the file itself fails on it")
        if wanted.ndim < 1 or len(wanted) != len(x):
            found = tuple(wanted.shape)
            raise FileError(f"{source}: expected logits of shape ({len(x)}, classes) for {len(x)} inputs, got {found}")
        try:
            whole, single = network(x), network(x[:1])
            difference = max(_difference(whole, wanted), _difference(single, wanted[:1]))
        except Exception:  # what it cannot do with another size of batch
            if size is None:
                _run(network, x, source, "the converted network fails on it")
                _run(network, x[:1], source, "the converted network fails on one")
            difference = float("inf")
        if difference <= LARGEST_DIFFERENCE * _scale(wanted):
            return Settled(network, difference, f"written for batches of {size}; takes any" if size else "")
        if size is not None:
            network = FixedBatch(network, size)
            difference = _difference(_run(network, x, source, "the converted network fails on it"), wanted)
    if not difference <= LARGEST_DIFFERENCE * _scale(wanted):
        raise FileError(
            f"{source}: expected the converted network to answer as the file does, got logits that differ by "
            f"{difference:.2g} on random inputs (the largest is {_scale(wanted):.2g})"
        )
    return Settled(network, difference, f"takes {size} at a time: its batches are computed in parts")


class _Callable(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _run(network: Callable[[Tensor], Tensor], x: Tensor, source: str, what: str) -> Tensor:
    try:
        return network(x)
    except Exception as error:
        shape = tuple(x.shape[1:])
        raise FileError(
            f"{source}: expected logits for a random input of shape {shape}; {what} ({one_line(error)})"
        ) from error


def _difference(one: Tensor, other: Tensor) -> float:
    """The largest difference, 0 for equal bits, infinite where the shapes or what is not finite differ."""
    if one.shape != other.shape:
        return float("inf")
    apart = torch.where(one == other, 0, (one.double() - other.double()).abs())
    apart = torch.where(one.isnan() & other.isnan(), 0, apart)
    return float(apart.nan_to_num(nan=float("inf")).max()) if apart.numel() else 0.0


def _scale(logits: Tensor) -> float:
    """The largest finite logit without its sign; 1 where all are zero."""
    finite = logits[logits.isfinite()].abs()
    return (float(finite.max()) if finite.numel() else 0.0) or 1.0
