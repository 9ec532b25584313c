"""Parts of a ball in which some units have a given sign."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Subproblems:
    """Some subproblems of one input, `n` of them, with `units` that can change sign.

    Source: Wang et al. (2021), section 3.

    Attributes:
        rows: Coefficients of the logits or of another value, `(n, *shape)`.
        signs: 1 or -1 where a unit has a sign, else 0, `(n, units)`, int8.
        multipliers: `b` where a unit has a sign, else `a`, `(n, units)`.
    """

    rows: Tensor
    signs: Tensor
    multipliers: Tensor

    def __len__(self) -> int:
        """How many they are."""
        return len(self.rows)

    def some(self, which: Tensor) -> Subproblems:
        """Some of them, by place or by a mask."""
        return Subproblems(self.rows[which], self.signs[which], self.multipliers[which])

    def to(self, dtype: torch.dtype) -> Subproblems:
        """The same in another precision."""
        return Subproblems(self.rows.to(dtype), self.signs, self.multipliers.to(dtype))

    def joined(self, other: Subproblems) -> Subproblems:
        """These, and after them others."""
        pairs = ((self.rows, other.rows), (self.signs, other.signs), (self.multipliers, other.multipliers))
        return Subproblems(*(torch.cat(pair) for pair in pairs))

    def split(self, units: Tensor) -> Subproblems:
        """Both signs of some units of each, `(n, depth)`: `n 2^depth` subproblems, those of one after the other."""
        found = self
        for unit in units.T:
            repeated = unit.repeat_interleave(len(found) // len(units))[:, None]
            found = Subproblems(found.rows, found.signs, found.multipliers.scatter(1, repeated, 0.0))
            ends = [found.signs.scatter(1, repeated, sign) for sign in (1, -1)]
            each = [torch.stack([part, part], 1).flatten(0, 1) for part in (found.rows, found.multipliers)]
            found = Subproblems(each[0], torch.stack(ends, 1).flatten(0, 1), each[1])
        return found
