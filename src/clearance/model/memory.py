"""How many samples fit: what a backward pass keeps, what a device has, and what running out of it looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from clearance.errors import NetworkError

CPU_BUDGET = 32 * 2**20
"""Bytes of saved activations per micro-batch on a CPU: with more, each pass waits for fresh memory."""
ENOUGH, CPU_BUDGET_FOR_ENOUGH = 64, 128 * 2**20
"""On a CPU, as long as there are fewer samples than the first number, they may take the second, in bytes: a ResNet-20
runs at .7 of its speed in batches of 10."""
LARGEST_MICRO_BATCH = 4096
"""Samples per pass at most, however small they are."""
DEVICE_SHARE = 0.25
"""Share of an accelerator's whole memory that one micro-batch's activations may take."""
SAID = ("not enough memory", "can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What a `RuntimeError` says where memory ran out: allocators of the CPU (by system), drivers, cuBLAS."""


def samples_by_default(device: torch.device, each: int) -> int:
    """How many samples of so many bytes one micro-batch takes on a device; may be 0."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory * DEVICE_SHARE) // each
    return max(CPU_BUDGET // each, min(ENOUGH, CPU_BUDGET_FOR_ENOUGH // each))


def bytes_per_sample(forward: Callable[[Tensor], Tensor], x: Tensor, parameters: Sequence[Tensor]) -> int:
    """Bytes that autograd keeps for the backward pass of one sample, and the sample and its gradient.

    Args:
        forward: Maps `(1, *input)` to logits.
        x: One sample, `(1, *input)`.
        parameters: Tensors that are kept anyway and do not count.

    Returns:
        At least 1.
    """
    own = {parameter.data_ptr() for parameter in parameters}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward(x.detach().requires_grad_(True))
    return max(1, sum(kept.values()) + 4 * x.nbytes)


def samples_that_fit(
    forward: Callable[[Tensor], Tensor], x: Tensor, parameters: Sequence[Tensor], budget: int | None
) -> int:
    """How many samples like `x` fit one pass: `bytes_per_sample` held against the budget.

    Args:
        forward: Maps `(1, *input)` to logits.
        x: One sample, `(1, *input)`.
        parameters: Tensors that are kept anyway and do not count.
        budget: Bytes; `None`: what the sample's device has by default.

    Returns:
        From 1 to `LARGEST_MICRO_BATCH`.
    """
    each = bytes_per_sample(forward, x, parameters)
    most = budget // each if budget else samples_by_default(x.device, each)
    return max(1, min(LARGEST_MICRO_BATCH, most))


def even_share(count: int, most: int) -> int:
    """How many of `count` samples go first, where at most `most` go at once and all parts are to be alike.

    >>> even_share(128, 100), even_share(3, 100), even_share(0, 100)
    (64, 3, 0)
    """
    return -(-count // max(1, -(-count // most)))


def fill_up(x: Tensor, rows: int) -> Tensor:
    """A copy of a batch, with its first row repeated until there is a multiple of so many rows.

    Source: this project.

    >>> fill_up(torch.tensor([[1.0], [2.0], [3.0]]), 2).flatten().tolist()
    [1.0, 2.0, 3.0, 1.0]
    """
    if rows == 1 or not len(x):
        return x.clone()
    x = x.contiguous()  # one order in memory, whether rows are added or not: other orders have kernels of their own
    return torch.cat([x, x[:1].detach().expand(-len(x) % rows, *x.shape[1:])])


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception means that a device or the machine ran out of memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in SAID)


def first_alone(
    function: Callable[[Tensor], tuple[Tensor, ...]], part: Tensor, error: NetworkError
) -> tuple[Tensor, ...]:
    """What a function makes of the first sample of a part on which it failed.

    Args:
        function: Maps `(batch, *input)` to tensors.
        part: `(batch, *input)`.
        error: How it failed.

    Returns:
        What it returns for `(1, *input)`.

    Raises:
        NetworkError: The same error, where it fails on the first sample too.
    """
    if len(part) == 1:
        raise error
    try:
        return function(part[:1])
    except NetworkError:
        raise error from None
