"""Parts of a ball in which some units have a given sign."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Signs:
    """What is given of the signs of some units, in the numbers that bounds are computed with, each `(n, units)`.

    Source: this project.

    Attributes:
        open: Whether a unit has no sign.
        free: 1 where it has none, else 0.
        value: Its sign, 0 where it has none.
        positive: 1 where its sign is 1, else 0.
    """

    open: Tensor
    free: Tensor
    value: Tensor
    positive: Tensor


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
    _known: dict[tuple[int, int], Signs] = field(default_factory=dict[tuple[int, int], Signs], init=False)

    def __len__(self) -> int:
        """How many they are."""
        return len(self.rows)

    def at(self, columns: slice) -> Signs:
        """The signs of some units; computed once for all subproblems that share them (`moved`)."""
        place = columns.start, columns.stop
        if place not in self._known:
            signs = self.signs[:, columns]
            parts = (part.to(self.rows) for part in (signs == 0, signs, signs > 0))
            self._known[place] = Signs(signs == 0, *parts)
        return self._known[place]

    def moved(self, multipliers: Tensor) -> Subproblems:
        """The same subproblems with other multipliers."""
        found = Subproblems(self.rows, self.signs, multipliers)
        found._known.update(self._known)
        return found

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
