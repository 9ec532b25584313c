"""What a result cost: passes through the network, counted per sample, and seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cost:
    """Passes and time. One pass is one sample (not one batch) going through the network once.

    Attributes:
        forward: Forward passes.
        backward: Backward passes, one for each sample and target.
        hessian_vector: Hessian-vector products.
        seconds: Wall-clock seconds. They are the machine's: two costs are equal whose passes are.
    """

    forward: int = 0
    backward: int = 0
    hessian_vector: int = 0
    seconds: float = field(default=0.0, compare=False)

    def __add__(self, other: Cost) -> Cost:
        """Sum, field by field."""
        return Cost(
            self.forward + other.forward,
            self.backward + other.backward,
            self.hessian_vector + other.hessian_vector,
            self.seconds + other.seconds,
        )


@dataclass
class Meter:
    """A running count of passes; `since` turns two readings into a `Cost`."""

    forward: int = 0
    backward: int = 0
    hessian_vector: int = 0
    _started: float = field(default_factory=time.perf_counter)

    def read(self) -> Cost:
        """The counts and the clock as they stand."""
        return Cost(self.forward, self.backward, self.hessian_vector, time.perf_counter() - self._started)

    def since(self, start: Cost) -> Cost:
        """What was spent after `start` was read."""
        now = self.read()
        return Cost(
            now.forward - start.forward,
            now.backward - start.backward,
            now.hessian_vector - start.hessian_vector,
            now.seconds - start.seconds,
        )
