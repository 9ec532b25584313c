"""The caller's modules during a computation, and as they were found after it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class _Buffer:
    """A buffer as it was found: its owner and name, the tensor itself (or `None`), its version and its values."""

    owner: nn.Module
    name: str
    tensor: Tensor | None
    version: int
    values: Tensor | None

    def put_back(self) -> None:
        """The same tensor with the same values, whether the network replaced it or wrote into it."""
        buffers = self.owner._buffers  # pyright: ignore[reportPrivateUsage]
        if self.tensor is not None and self.values is not None:
            written = self.tensor._version != self.version  # pyright: ignore[reportPrivateUsage]
            if written:
                self.tensor.copy_(self.values)
        if buffers.get(self.name) is not self.tensor:
            buffers[self.name] = self.tensor


@contextmanager
def frozen(modules: Sequence[nn.Module]) -> Generator[None]:
    """Modules in `eval` mode with parameters that need no gradient; mode, parameters and buffers are put back.

    A network may write into its buffers in `eval` mode too, such as a count of its calls or statistics of what it saw.

    Args:
        modules: The modules, each listed by itself: nothing is done to their children.

    Yields:
        Nothing.

    >>> layer = nn.BatchNorm1d(2)
    >>> with frozen([layer]):
    ...     print(layer.training, layer.weight.requires_grad)
    False False
    >>> layer.training, layer.weight.requires_grad
    (True, True)
    """
    training = [module for module in modules if module.training]
    trainable = [p for module in modules for p in module.parameters(recurse=False) if p.requires_grad]
    with torch.no_grad():
        buffers = [buffer for module in modules for buffer in _found(module)]
    try:
        for module in training:
            module.training = False
        for parameter in trainable:
            parameter.requires_grad_(False)
        yield
    finally:
        with torch.no_grad():
            for buffer in buffers:
                buffer.put_back()
        for module in training:
            module.training = True
        for parameter in trainable:
            parameter.requires_grad_(True)


def _found(owner: nn.Module) -> list[_Buffer]:
    """The buffers of one module by itself."""
    return [_copied(owner, name, tensor) for name, tensor in owner._buffers.items()]  # pyright: ignore[reportPrivateUsage]


def _copied(owner: nn.Module, name: str, tensor: Tensor | None) -> _Buffer:
    if tensor is None:
        return _Buffer(owner, name, None, 0, None)
    version = tensor._version  # pyright: ignore[reportPrivateUsage]
    return _Buffer(owner, name, tensor, version, tensor.detach().clone())
