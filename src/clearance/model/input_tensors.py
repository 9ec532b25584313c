"""What may be handed over as a batch of inputs: an ordinary tensor of floating numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.errors import DtypeError, InputError, ShapeError


def check_tensor(x: Tensor) -> None:
    """Check that a batch of inputs is a dense floating tensor with something in it.

    Args:
        x: `(batch, *input)`.

    Raises:
        DtypeError: If it is not a floating tensor.
        ShapeError: If there is no batch dimension, no input, or no number in an input.
        InputError: If it is sparse, nested or without values.

    >>> check_tensor(torch.ones(1, 2).to_sparse())
    Traceback (most recent call last):
    clearance.errors.InputError: inputs: expected a dense tensor, got a sparse one, torch.sparse_coo (pass x.to_dense())
    """
    if not isinstance(x, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise DtypeError(f"inputs: expected a floating torch tensor, got {type(x).__name__}")
    if unusual := _unusual(x):
        raise InputError(f"inputs: expected a dense tensor, got {unusual}")
    if not x.dtype.is_floating_point:
        raise DtypeError(f"inputs: expected a floating dtype, got {x.dtype} (divide pixels by 255 first?)")
    if x.ndim < 2 or x.numel() == 0:
        raise ShapeError(f"inputs: expected (batch, *input) with at least one input, got shape {tuple(x.shape)}")


def _unusual(x: Tensor) -> str:
    """What a tensor is that holds its numbers in no array, or none at all; nothing for an ordinary one."""
    if x.is_nested:
        return "a nested tensor (pass inputs of one shape, stacked)"
    if x.layout != torch.strided:
        return f"a sparse one, {x.layout} (pass x.to_dense())"
    return "a meta tensor, which has a shape and no values" if x.is_meta else ""
