"""How a network is called: as it is, compiled by torch, with the channels of images last in memory."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from clearance.errors import NetworkError
from clearance.model.memory import is_out_of_memory

BACKEND = "inductor"
"""What `torch.compile` compiles with: its own default, which needs a C++ compiler on a CPU."""


class Execution:
    """A network as it is computed; the network itself stays what it is, for proofs, fingerprints and files.

    Compiled code has no second derivative and is not made for measuring memory: inside `plain` the network itself is
    called. A gradient may be pulled several times, so that the buffers of the backward pass are never reused
    (`donated_buffer`).

    Args:
        network: A module or any other callable.
        compiled: Call `torch.compile(network)`. The first passes take seconds to minutes, and one for each new kind of
            batch.
        channels_last: Lay 4-d inputs out as `(batch, height, width, channels)` in memory; their shape stays.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], *, compiled: bool, channels_last: bool) -> None:
        self.network, self.compiled, self.channels_last = network, compiled, channels_last
        self._call: Callable[[Tensor], Tensor] = _compile(network) if compiled else network
        self._plain = not compiled

    def __call__(self, x: Tensor) -> Tensor:
        """What the network returns.

        Args:
            x: `(batch, *input)`.

        Returns:
            Whatever it is.

        Raises:
            NetworkError: If the network can be computed as it is, and not compiled.
        """
        if self.channels_last and x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        if self._plain:
            return self.network(x)
        try:
            with self.buffers_kept():
                return self._call(x)
        except Exception as error:
            if is_out_of_memory(error) or not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            self.network(x)  # a network that fails as it is says so itself
            said = str(error).strip().split("\n", maxsplit=1)[0]
            message = f"compile: expected a network that torch.compile takes here, got {said}; leave it out (--compile)"
            raise NetworkError(message) from error

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are compiled anew: compiled code belongs to a process."""
        return _made_anew, (self.network, self.compiled, self.channels_last)

    @property
    def settings(self) -> dict[str, bool]:
        """What differs from calling the network as it is, by name: it moves last bits, and is part of a plan."""
        return {name: True for name in ("compiled", "channels_last") if getattr(self, name)}

    def buffers_kept(self) -> AbstractContextManager[object]:
        """No buffer of a backward pass is reused inside a `with` block, since the pass may run again."""
        if not self.compiled:
            return nullcontext()
        from torch._functorch import config  # brings in what only compiled networks need

        return config.patch(donated_buffer=False)

    @contextmanager
    def plain(self) -> Generator[None]:
        """Call the network itself inside a `with` block."""
        before, self._plain = self._plain, True
        try:
            yield
        finally:
            self._plain = before


def _made_anew(network: Callable[[Tensor], Tensor], compiled: bool, channels_last: bool) -> Execution:
    return Execution(network, compiled=compiled, channels_last=channels_last)


def _compile(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A function is compiled, which calls the network: `torch.compile` leaves a mark on a module that it is given."""

    def call(x: Tensor) -> Tensor:
        return network(x)

    return torch.compile(call, backend=BACKEND)
