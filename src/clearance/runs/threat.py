"""What an adversary may do, as a plan has it: norms, targets, the valid range, and what a distance is measured in."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AllowInfNan, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer


def _read_infinity(value: object) -> object:
    return float(value) if value in ("inf", "-inf") else value  # pyright: ignore[reportArgumentType]


def write_norm(value: float) -> float | str:
    """A norm or a bound as JSON has it: infinity is a word."""
    return str(value) if math.isinf(value) else value


INFINITE = (AllowInfNan(), BeforeValidator(_read_infinity), PlainSerializer(write_norm))
"""What lets a number be infinite in a plan."""

Norm = Annotated[float, Field(ge=1), *INFINITE]
End = Annotated[float, Field(ge=-math.inf), *INFINITE]  # not a number is no bound


class PlanPart(BaseModel):
    """A part of a plan: frozen, strict, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Feature(PlanPart):
    """One feature of inputs that have few: what a distance along it is, and where it may go.

    Attributes:
        name: Its name.
        unit: How much of it is one unit of distance.
        low: Its lowest valid value.
        high: Its highest valid value.
        moves: Whether an adversary may change it.
        whole: Whether it has whole numbers only in the data; `None` where that was not looked at.
    """

    name: str
    unit: float
    low: End
    high: End
    moves: bool
    whole: bool | None = None


class ThreatModel(PlanPart):
    """What an adversary may do.

    Attributes:
        norms: The norms of distances, p >= 1.
        targets: Classes to move to: names or class indices.
        bounds: The lowest and the highest valid value of any coordinate; `None` where there is no valid range.
        space: Digest of bounds of each feature, of the scale of distances and of fixed coordinates; `None` where all
            coordinates have the same bounds, distances are in the units of the input, and everything moves.
        rounded: The same digest of these values in float32, where the network computes in another precision: what runs
            of two precisions are compared by. `None`: as `space`, or not known, in plans of versions without it.
        unit: What a distance is measured in, in words; `None`: the units of the input.
        fixed: How many coordinates of an input cannot move; `None`: all can.
        features: Each feature of inputs whose features have names and are few; `None` for others.
    """

    norms: tuple[Norm, ...] = Field(min_length=1)
    targets: tuple[str | int, ...] = Field(min_length=1)
    bounds: tuple[End, End] | None
    space: str | None = None
    rounded: str | None = None
    unit: str | None = None
    fixed: int | None = None
    features: tuple[Feature, ...] | None = None

    @property
    def in_unit(self) -> str:
        """`" in UNIT"` where distances are not in the units of the input; else nothing."""
        return f" in {self.unit}" if self.unit else ""

    @property
    def units(self) -> str:
        """What a distance is measured in, in words."""
        return self.unit or "input units"

    @property
    def range(self) -> str:
        """Where an input may lie, in words.

        >>> ThreatModel(norms=(2.0,), targets=("untargeted",), bounds=(0.0, 1.0)).range
        'inputs in [0, 1]'
        """
        if self.bounds in (None, (-math.inf, math.inf)):
            return "inputs without bounds"
        within = "each feature within its own bounds" if self.space else "inputs in [{:g}, {:g}]".format(*self.bounds)
        return f"{within}, {self.fixed} of them fixed" if self.fixed else within
