"""CROWN's bounds on an l_p ball, `p <= 2`, by how far each layer can move there.

The offsets of the steps of two pieces are those of `deviation_bounds`. Their coefficients are free: CROWN's own for a
share of each unit's interval around its value at the input, or any others (`deviation_ascent`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch

from clearance.certificates.deviation_bounds import DeviationBounds
from clearance.certificates.deviations import Deviations
from clearance.certificates.operations import LinearBounds
from clearance.certificates.relaxation import Relaxation


@dataclass(frozen=True)
class DeviationRelaxation(Relaxation):
    """Bounds of the values of a network on a ball around one input, by deviations.

    Source: see the module.

    Attributes:
        deviations: How far the values can move.
        bent: The steps of two pieces, by number, with their derivatives left of 0.
        share: Share of the units' intervals that coefficients are chosen for.
    """

    deviations: Deviations = field(kw_only=True)
    bent: dict[int, float] = field(kw_only=True)
    share: float = 1.0

    def bounds_of(self, index: int) -> DeviationBounds:
        """The bounds of a step of two pieces."""
        left = self.bent[index]
        (source,) = self.graph.step(index).inputs
        low, high = self.low[source], self.high[source]
        center = torch.minimum(torch.maximum(self.deviations.at[source], low), high)
        near_low, near_high = (center + self.share * (end - center) for end in (low, high))
        crosses = (near_low < 0) & (near_high > 0)
        sided = torch.where(near_low >= 0, 1.0, left).to(low)
        chord = (near_high - left * near_low) / torch.where(crosses, near_high - near_low, 1.0)
        nearest = torch.where(near_high > -near_low, 1.0, left).to(low)
        return DeviationBounds(
            low,
            high,
            center,
            self.deviations.of(source),
            left,
            below=torch.where(crosses, nearest, sided),
            above=torch.where(crosses, chord, sided),
        )

    def _linear_bounds(self, index: int) -> LinearBounds:
        if index not in self._relaxed and index in self.bent:
            self._relaxed[index] = self.bounds_of(index)
        return super()._linear_bounds(index)

    def by(self, share: float) -> DeviationRelaxation:
        """The same with coefficients for another share of the intervals."""
        return replace(self, share=share, _relaxed={})

    def taking(self, bounds: dict[int, LinearBounds]) -> DeviationRelaxation:
        """The same with other bounds of some steps."""
        return replace(self, _relaxed=bounds)
