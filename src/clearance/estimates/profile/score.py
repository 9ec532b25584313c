"""The record of a Lipschitz profile's estimate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from clearance.estimates.profile.levels import Reading
from clearance.estimates.scores import Score
from clearance.records import plain


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ProfileScore(Score):
    """The first-order score by the Lipschitz profile: `∫_0^radius L(s) ds = margin`.

    `interval` is `(low, radius)`, and about the search: the radius that one with 25 times as many blocks would find
    lies in it, in 93 to 95 of 100 measured cases (`longer_search`, docs/estimate.md). It is no confidence interval for
    the true distance. `radius` and `interval` are those of the reading `slope`; `ball_radius` is the last level: the
    distance of the nearest witness that was known to the search, else how far it went.

    Source: this project (mean value theorem), with the local Lipschitz constant of Weng, Zhang, Chen, Yi, Su, Gao,
    Hsieh and Daniel 2018.

    Attributes:
        slope: Which reading is shown: `"norm"` or `"radial"`.
        levels: The levels `s_1 < ... < s_K`, in input units.
        by_norm: The reading by the largest norm of the gradient over feasible directions; `None` without numbers.
        by_radial: The reading by the largest radial slope; never a smaller radius.
        rise: The last value of the profile over the first.
        excess: The largest fall of the margin met anywhere, over what the profile allows there; above 1 it is refuted.
        feasible: Whether only directions count in which a valid input can move.
    """

    slope: str
    levels: tuple[float, ...]
    by_norm: Reading | None
    by_radial: Reading | None
    rise: float
    excess: float
    feasible: bool

    order: ClassVar[int] = 1

    @property
    def lipschitz(self) -> float | None:
        """The value of the shown reading at the radius: the local Lipschitz constant that the estimate ends with."""
        shown = self.by_norm if self.slope == "norm" else self.by_radial
        if shown is None:
            return None
        within = [value for level, value in zip(self.levels, shown.values, strict=True) if level >= self.radius]
        return (within or shown.values[-1:])[0]

    def as_record(self) -> dict[str, Any]:
        """The score as plain values for JSON; a radius that must not be read is `None` in both readings.

        Returns:
            The fields, with `bound: "profile"`, both readings as records, and `lipschitz`.
        """
        record = super().as_record()
        for name in ("by_norm", "by_radial"):
            reading: Reading | None = getattr(self, name)
            record[name] = None if reading is None else {key: plain(value) for key, value in asdict(reading).items()}
        record |= {"bound": "profile", "lipschitz": plain(self.lipschitz)}
        return record if self.status.has_number else without_radius(record)


def without_radius(record: dict[str, Any]) -> dict[str, Any]:
    """A score's record without the numbers that must not be read. Source: this project.

    >>> without_radius({"radius": 1.0, "interval": [0.5, 1.0], "margin": 2.0})
    {'radius': None, 'interval': None, 'margin': 2.0}
    """
    hidden = record | {"radius": None, "interval": None}
    for name in ("by_norm", "by_radial"):
        reading: dict[str, Any] | None = hidden.get(name)
        if reading is not None:
            hidden[name] = reading | {"radius": None, "interval": None}
    return hidden
