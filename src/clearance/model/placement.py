"""Where a network is computed and in what precision: chosen once, and the same for everything that belongs to it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from clearance.errors import DtypeError, InputError, NetworkError


@dataclass(frozen=True)
class Placement:
    """A device and a precision.

    Attributes:
        device: Where to compute.
        dtype: Floating dtype to compute in.
    """

    device: torch.device
    dtype: torch.dtype

    def place(self, part: Callable[[Tensor], Tensor], *, channels_last: bool = False) -> Callable[[Tensor], Tensor]:
        """The module itself where it already lies right, else a copy that does; any other callable as it is.

        Tensors of inference mode never lie right, because they have no gradients.

        Args:
            part: A network, its preprocessing, or any other callable.
            channels_last: Whether its 4-d tensors lie right with the channels last in memory only.

        Returns:
            The same, or a copy.

        Raises:
            NetworkError: If it cannot be copied or moved.
        """
        if not isinstance(part, nn.Module):
            return part
        tensors = [*part.parameters(), *part.buffers()]
        right = all(
            t.device == self.device
            and (t.dtype == self.dtype or not t.dtype.is_floating_point)
            and not t.is_inference()
            and (not channels_last or t.ndim != 4 or t.is_contiguous(memory_format=torch.channels_last))
            for t in tensors
        )
        if right:
            return part
        try:
            placed = copy.deepcopy(part, _computed(part)).to(self.device, self.dtype)
            layout: dict[str, Any] = {"memory_format": torch.channels_last} if channels_last else {}
            return placed.to(**layout) if layout else placed
        except Exception as error:  # whatever a stranger's module raises
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            wanted = f"{str(self.dtype).removeprefix('torch.')} on {self.device}"
            raise NetworkError(
                f"network: expected a module that can be copied and moved to {wanted}, got {said}; move it yourself"
            ) from error


def _computed(part: nn.Module) -> dict[int, object]:
    """What `deepcopy` takes for tensors that hang in a graph, which it refuses to copy: their values.

    Weight and spectral normalisation keep such a tensor beside the parameters, and compute it anew in each pass.
    """
    tensors = [value for module in part.modules() for value in vars(module).values() if isinstance(value, Tensor)]
    return {id(value): value.detach().clone() for value in tensors if not value.is_leaf}


def choose_placement(
    network: Callable[[Tensor], Tensor], device: torch.device | str | None, dtype: torch.dtype | None
) -> Placement:
    """What the caller asked for, else what the network's parameters have, else float32 on the CPU.

    Args:
        network: A module or any other callable.
        device: Where to compute; `"auto"` is `best_device`.
        dtype: Precision.

    Returns:
        The placement.

    Raises:
        InputError: If there is no such device here, or the network has no values or sparse ones.
        DtypeError: If the precision is neither float32 nor float64, or the device does not have it.

    >>> choose_placement(nn.Linear(2, 2).double(), None, None)
    Placement(device=device(type='cpu'), dtype=torch.float64)
    """
    if isinstance(network, nn.Module):
        _check_values(network)
    home = _home(network)
    chosen = dtype or (torch.float32 if home is None else home.dtype)
    if chosen not in (torch.float32, torch.float64):
        raise DtypeError(f"dtype: expected torch.float32 or torch.float64, got {chosen}; pass one as dtype= (--dtype)")
    own = torch.device("cpu") if home is None else home.device
    place = own if device is None else find_device(device, chosen)
    if place.type == "mps" and chosen == torch.float64:
        raise DtypeError("dtype: expected torch.float32 on mps, which has no float64; pass it as dtype= (--dtype)")
    return Placement(place, chosen)


def find_device(device: torch.device | str, dtype: torch.dtype = torch.float32) -> torch.device:
    """A device by its name, once it has been seen to hold a tensor.

    Args:
        device: Its name; `"auto"` is `best_device`.
        dtype: The precision to compute in.

    Returns:
        The device.

    Raises:
        InputError: If there is no such device here.

    >>> find_device("cpu")
    device(type='cpu')
    """
    return best_device(dtype) if device == "auto" else _existing(device)


def best_device(dtype: torch.dtype = torch.float32) -> torch.device:
    """The first that is here of cuda, mps and cpu; mps for float32 only, as it has no float64.

    Args:
        dtype: The precision to compute in.

    Returns:
        The device.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    if dtype == torch.float32 and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _home(network: Callable[[Tensor], Tensor]) -> Tensor | None:
    """The parameter that says where a network is computed: its first floating one, else its first."""
    found = list(network.parameters()) if isinstance(network, nn.Module) else []
    return next((value for value in found if value.is_floating_point()), next(iter(found), None))


def _check_values(network: nn.Module) -> None:
    lacking = without_values(network)
    if lacking:
        raise InputError(f"network: expected one with values, got one without: {lacking}")
    for name, value in network.named_parameters():
        if value.layout != torch.strided:
            raise InputError(f"network: expected dense parameters, got {name} of layout {value.layout}; use to_dense()")


def _existing(device: torch.device | str) -> torch.device:
    """The device, once it has been seen to hold a tensor."""  # noqa: DOC501
    try:
        found = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError, ImportError) as error:  # torch has one of these for each kind
        raise InputError(f"device: expected a device that torch has here, such as cpu, got {str(device)!r}") from error
    if found.type == "meta":
        raise InputError("device: expected a device that computes, such as cpu, got 'meta'")
    return found


def without_values(network: nn.Module) -> str:
    """Which parameter or buffer of a network has no values yet, and what to do; empty where all have.

    Args:
        network: The network.

    Returns:
        A sentence for a message.
    """
    for name, value in (*network.named_parameters(), *network.named_buffers()):
        if is_lazy(value):
            return f"{name} of a lazy layer has no shape yet; call the network once in its factory"
        if value.is_meta:
            return f"{name} lies on the device 'meta'; make the network on the CPU"
    return ""


def rounds_to_tf32(values: Tensor) -> bool:
    """Whether products of single-precision numbers on the device of `values` may be rounded to TF32 (10 bits).

    Source: NVIDIA's tensor cores, as torch uses them where it is told to. The settings are not asked for elsewhere:
    to read them is a warning in some versions of torch.

    >>> rounds_to_tf32(torch.zeros(1))
    False
    """
    if values.device.type != "cuda" or values.dtype != torch.float32:
        return False
    return torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32
