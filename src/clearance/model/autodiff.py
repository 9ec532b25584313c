"""One reverse pass through a graph: zero where nothing depends on the input, a clear error where it cannot be run."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from clearance.errors import NetworkError
from clearance.model.memory import is_out_of_memory


def graph_building() -> AbstractContextManager[object]:
    """Autograd records what happens inside, even where the caller is in `torch.inference_mode` or `no_grad`."""
    recording = torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    return nullcontext() if recording else _switched_on()


@contextmanager
def _switched_on() -> Generator[None]:
    with torch.inference_mode(False), torch.enable_grad():
        yield


def savable(x: Tensor) -> Tensor:
    """The tensor itself, or a copy where inference mode made it: autograd saves no such tensor for a backward pass.

    The copy is of use inside `graph_building` only: in inference mode it would be of the same kind.

    >>> with torch.inference_mode():
    ...     x = torch.ones(1)
    >>> x.is_inference(), savable(x).is_inference()
    (True, False)
    """
    return x.clone() if x.is_inference() else x


def pull_back(
    head: Tensor, leaf: Tensor, *, weights: Tensor | None = None, again: bool = True, twice: bool = False
) -> Tensor:
    """The gradient of `<head, weights>` with respect to `leaf`.

    Args:
        head: What to differentiate; a scalar where there are no weights.
        leaf: The input, which requires a gradient.
        weights: Of the same shape as `head`.
        again: Keep the graph for further passes.
        twice: Make a gradient that can be differentiated itself.

    Returns:
        Of the shape of `leaf`; zero where `head` does not depend on it. Attached to the graph if `twice`.

    Raises:
        NetworkError: If a layer has no such pass.
        RuntimeError: If the device runs out of memory.
    """
    if not head.requires_grad:
        return torch.zeros_like(leaf)
    try:
        with graph_building():
            found = torch.autograd.grad(
                head, leaf, weights, retain_graph=again or twice, create_graph=twice, allow_unused=True
            )
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise NetworkError(f"network: expected a backward pass, got an error from it: {error}") from error
    gradient: Tensor | None = found[0]
    if gradient is None:  # pyright: ignore[reportUnnecessaryComparison]
        return torch.zeros_like(leaf)
    return gradient if twice else gradient.detach()
