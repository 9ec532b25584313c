"""Where a network is computed and in what precision: chosen once, and the same for everything that belongs to it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clearance.errors import DtypeError, InputError


@dataclass(frozen=True)
class Placement:
    """A device and a precision.

    Attributes:
        device: Where to compute.
        dtype: Floating dtype to compute in.
    """

    device: torch.device
    dtype: torch.dtype

    def place(self, part: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """The module itself where it already lies right, else a copy that does; any other callable as it is.

        Tensors of inference mode never lie right, because they have no gradients.
        """
        if not isinstance(part, nn.Module):
            return part
        tensors = [*part.parameters(), *part.buffers()]
        right = all(
            t.device == self.device
            and (t.dtype == self.dtype or not t.dtype.is_floating_point)
            and not t.is_inference()
            for t in tensors
        )
        return part if right else copy.deepcopy(part).to(self.device, self.dtype)


def choose_placement(
    network: Callable[[Tensor], Tensor], device: torch.device | str | None, dtype: torch.dtype | None
) -> Placement:
    """What the caller asked for, else what the network's parameters have, else float32 on the CPU.

    Args:
        network: A module or any other callable.
        device: Where to compute.
        dtype: Precision.

    Returns:
        The placement.

    Raises:
        InputError: If there is no such device here.
        DtypeError: If the precision is neither float32 nor float64.

    >>> choose_placement(nn.Linear(2, 2).double(), None, None)
    Placement(device=device(type='cpu'), dtype=torch.float64)
    """
    home = next(iter(network.parameters()), None) if isinstance(network, nn.Module) else None
    chosen = dtype or (torch.float32 if home is None else home.dtype)
    if chosen not in (torch.float32, torch.float64):
        raise DtypeError(f"dtype: expected torch.float32 or torch.float64, got {chosen}; pass one as dtype=")
    if device is None:
        return Placement(torch.device("cpu") if home is None else home.device, chosen)
    return Placement(_existing(device), chosen)


def _existing(device: torch.device | str) -> torch.device:
    """The device, once it has been seen to hold a tensor."""  # noqa: DOC501
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError, ImportError) as error:  # torch has one of these for each kind
        raise InputError(f"device: expected a device that torch has here, such as cpu, got {str(device)!r}") from error
