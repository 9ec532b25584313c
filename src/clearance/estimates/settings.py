"""The choices of one CLEVER estimation, checked once and then fixed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Required, TypedDict, cast

from clearance.errors import InputError
from clearance.estimates.samplers.table import SAMPLERS, BlockChoice, SamplerChoice
from clearance.geometry.exponents import as_norm
from clearance.model.budgets import estimate_passes

if TYPE_CHECKING:  # choices are checked before torch is imported
    from clearance.estimates.samplers.block_maxima import BlockRule
    from clearance.model.curvature import Kind

LARGEST_RADIUS = 1e30
"""The largest radius (and tolerance): float32 squares none that is much larger."""


Bound = Literal["profile", "ball"]
"""How a Lipschitz constant bounds the distance: for every radius at once, or in one ball (the paper's)."""
Slope = Literal["norm", "radial"]
"""Which reading of a profile is shown: the largest gradient norm, or the steepest fall along a ray."""
OF_THE_BALL = {"sampler": "directed", "radius": "auto", "blocks": "auto", "block_size": None, "tolerance": 0.05}
"""Choices that only an estimate in one ball has, with their defaults."""
OF_THE_PROFILE = {"slope": "norm", "budget": "standard"}
"""Choices that only an estimate by a profile has, with their defaults."""
INSTEAD_IN_A_BALL = {"budget": ": in one ball the cost is that of blocks, block_size and tolerance"}
"""What an estimate in one ball has in their place."""


class ScoreOptions(TypedDict, total=False):
    """The options of `clever` by name, all but `order`: what `**PAPER` gives. See there for what they mean."""

    norm: float
    sampler: str
    radius: float | Literal["auto"]
    blocks: int | Literal["auto"]
    block_size: int | None
    tolerance: float
    max_blocks: int | None
    racing: bool
    clip: Literal["project"] | None
    feasible: bool
    slope: Slope
    budget: str | int
    level: float
    bootstrap: int
    seed: int
    curvature: Kind


class BallOptions(ScoreOptions):
    """The options of a score in one ball by name: what `**PAPER` gives."""

    bound: Required[Literal["ball"]]


class SecondOrderOptions(BallOptions):
    """The options of a second-order score by name: what `**PAPER_SECOND_ORDER` gives."""

    order: Required[Literal[2]]


PAPER: BallOptions = {
    "bound": "ball",
    "sampler": "uniform",
    "radius": 5.0,
    "blocks": 500,
    "block_size": 1024,
    "racing": False,
    "clip": None,
    "feasible": False,
}
"""All choices of Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, section 5.1: `clever(model, x, **PAPER)`.

They cost 512,000 gradients for each class that is followed, 4.6 million an input where there are ten;
`{**PAPER, "blocks": 50}` costs a tenth.
"""

PAPER_SECOND_ORDER: SecondOrderOptions = {**PAPER, "order": 2, "blocks": 100, "block_size": 200}
"""Those of Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, "On Extensions of CLEVER", in its experiments on tables 1
to 3; it names no ball, so `PAPER`'s is taken."""


@dataclass(frozen=True)
class Settings:
    """What `clever` was asked for; see there.

    Source: the choices of Weng et al. 2018, algorithm 1, and those of this project.

    Raises:
        InputError: If a choice cannot be used.
    """

    norm: float = 2.0
    sampler: str = "directed"
    radius: float | Literal["auto"] = "auto"
    blocks: int | Literal["auto"] = "auto"
    block_size: int | None = None
    tolerance: float = 0.05
    max_blocks: int | None = None
    racing: bool = True
    clip: Literal["project"] | None = "project"
    feasible: bool = True
    bound: Bound | None = None
    slope: Slope = "norm"
    budget: str | int = "standard"
    level: float = 0.95
    bootstrap: int = 0
    seed: int = 0
    order: int = 1
    curvature: Kind = "norm"

    def __post_init__(self) -> None:
        """Check every choice on its own.

        Raises:
            InputError: If a choice cannot be used.
        """
        object.__setattr__(self, "norm", as_norm(self.norm))
        object.__setattr__(self, "bound", self.bound or ("ball" if self.order == 2 else "profile"))
        if self.sampler not in SAMPLERS:
            raise InputError(f"sampler: expected one of {', '.join(SAMPLERS)}, got {self.sampler!r}")
        _check_number("radius", self.radius, 0)
        _check_count("blocks", self.blocks, "auto")
        _check_count("block_size", self.block_size, None)
        _check_count("max_blocks", self.max_blocks, None)
        _check_number("tolerance", self.tolerance, 0)
        if self.clip not in (None, "project"):
            raise InputError(f"clip: expected None or 'project', got {self.clip!r}")
        if not isinstance(self.feasible, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(f"feasible: expected True or False, got {self.feasible!r}")
        if self.feasible and self.clip is None:
            raise InputError(
                "clip: expected 'project' with feasible=True, got None: outside the bounds no direction is feasible"
            )
        self._check_bound()
        if isinstance(self.level, bool) or not isinstance(self.level, int | float) or not 0 < self.level < 1:  # pyright: ignore
            raise InputError(f"level: expected a number between 0 and 1, got {self.level!r}")
        if isinstance(self.bootstrap, bool) or not isinstance(self.bootstrap, int) or self.bootstrap < 0:  # pyright: ignore
            raise InputError(f"bootstrap: expected 0 or more resamples, got {self.bootstrap!r}")
        if self.blocks != "auto" and self.max_blocks is not None:
            raise InputError("max_blocks: only meaningful with blocks='auto'")
        self._check_order()

    def _check_bound(self) -> None:
        """The kind of bound, and what only one of them has."""  # noqa: DOC501
        if self.bound not in ("profile", "ball"):
            raise InputError(f"bound: expected 'profile' or 'ball', got {self.bound!r}")
        if self.slope not in ("norm", "radial"):
            raise InputError(f"slope: expected 'norm' or 'radial', got {self.slope!r}")
        estimate_passes(self.budget)
        if self.bound == "ball":
            self._check_defaults("profile", OF_THE_PROFILE)
            return
        if self.order == 2:
            raise InputError("bound: expected 'ball' with order=2, got 'profile': it contains the second-order line")
        self._check_defaults("ball", {**OF_THE_BALL, "max_blocks": None, "racing": True})

    def _check_defaults(self, bound: Bound, choices: Mapping[str, object]) -> None:
        """Choices that only the other bound has are at their defaults."""  # noqa: DOC501
        for name, default in choices.items():
            if (got := getattr(self, name)) != default:
                more = INSTEAD_IN_A_BALL.get(name, "")
                raise InputError(f"{name}: only meaningful with bound={bound!r}, got {got!r}{more}")

    @property
    def passes(self) -> int:
        """What the estimate by a profile may spend on one input, forward and backward together."""
        return estimate_passes(self.budget)

    def _check_order(self) -> None:
        """The order, and what only second order has."""  # noqa: DOC501
        if self.order not in (1, 2):
            raise InputError(f"order: expected 1 or 2, got {self.order!r}")
        if self.curvature not in ("norm", "one-sided"):
            raise InputError(f"curvature: expected 'norm' or 'one-sided', got {self.curvature!r}")
        if self.order == 1 and self.curvature != "norm":
            raise InputError("curvature: only meaningful with order=2")
        if self.curvature == "one-sided" and self.norm != 2:
            raise InputError(f"curvature: expected norm 2 for 'one-sided', got norm {self.norm:g}")
        rule = self.choice.rule(self.order)
        if rule is None:
            able = ", ".join(name for name, choice in SAMPLERS.items() if choice.rule(self.order) is not None)
            raise InputError(f"sampler: expected one with order {self.order} ({able}), got {self.sampler!r}")
        if self.size < rule.smallest_block:
            expected = f"at least {rule.smallest_block} for order {self.order} with the {self.sampler} sampler"
            raise InputError(f"block_size: expected {expected}, got {self.block_size}")

    @property
    def choice(self) -> SamplerChoice:
        """The sampler's line of the table."""
        return SAMPLERS[self.sampler]

    @property
    def rule(self) -> BlockChoice:
        """The sampler's rule of this order, with its defaults."""
        rule = self.choice.rule(self.order)
        assert rule is not None, "checked when the settings were made"
        return rule

    @property
    def draw(self) -> BlockRule:
        """The function of that rule."""
        return cast("BlockRule", self.rule.load())

    @property
    def size(self) -> int:
        """`N_s`: gradients per block; at second order also products (directed), or points (uniform)."""
        return self.block_size or self.rule.block_size

    @property
    def tail_rate(self) -> float:
        """Rate of the prior on the tail index of the block maxima."""
        return self.choice.tail_rate

    @property
    def most_blocks(self) -> int:
        """`N_b`: blocks after which no more are drawn."""
        if self.blocks != "auto":
            return self.blocks
        return self.max_blocks or self.rule.most_blocks

    def schedule(self, candidates: int) -> list[int]:
        """Numbers of blocks after which the interval is looked at (and candidates are dropped): each twice the last.

        Args:
            candidates: How many classes may be the nearest.

        Returns:
            At least one number, rising; the last is the most that may be drawn.

        >>> Settings(bound="ball").schedule(1), Settings(bound="ball", blocks=10).schedule(1)
        ([24, 48], [10])
        """
        if self.blocks != "auto" and not (self.racing and candidates > 1):
            return [self.blocks]
        steps = [min(self.rule.first_blocks, self.most_blocks)]
        while steps[-1] < self.most_blocks:
            steps.append(min(2 * steps[-1], self.most_blocks))
        return steps


def _check_number(name: str, value: object, above: float) -> None:
    if name == "radius" and value == "auto":
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value < math.inf:
        expected = "a positive finite number" + (" or 'auto'" if name == "radius" else "")
        raise InputError(f"{name}: expected {expected}, got {value!r}")
    if value > LARGEST_RADIUS:
        raise InputError(f"{name}: expected at most {LARGEST_RADIUS:g}, got {str(value)[:20]}")


def _check_count(name: str, value: object, default: str | None) -> None:
    if value == default:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        alternative = "" if default is None else f" or {default!r}"
        raise InputError(f"{name}: expected a whole number of at least 1{alternative}, got {value!r}")
