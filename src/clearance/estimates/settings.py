"""The choices of one CLEVER estimation, checked once and then fixed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from clearance.errors import InputError
from clearance.estimates.samplers.curvature_search import SMALLEST_BLOCK
from clearance.estimates.samplers.table import CURVATURE_SAMPLERS, SAMPLERS, Sampler
from clearance.geometry.norms import as_norm
from clearance.model.curvature import Kind

SAMPLER_DEFAULTS = {"directed": (256, 24, 48), "uniform": (1024, 12, 48)}
"""For each sampler: block size, first number of blocks, and most blocks of `blocks="auto"`."""

CURVATURE_DEFAULTS = {"directed": (96, 12, 24), "uniform": (32, 12, 24)}
"""The same for second order: directed blocks are counted in gradients and products, uniform ones in points."""

LARGEST = 1e30
"""The largest radius: float32 squares none that is much larger."""

TAIL_RATES = {"directed": 0.0, "uniform": 20.0}
"""Rate of the prior on the tail index of a sampler's block maxima: only uniform ones need one."""

PAPER = {"sampler": "uniform", "radius": 5.0, "blocks": 500, "block_size": 1024, "racing": False}
"""All of the paper's choices (Weng et al. 2018, section 5.1): `clever(model, x, **PAPER)`."""

PAPER_SECOND_ORDER = {**PAPER, "order": 2, "blocks": 100, "block_size": 200}
"""Those of "On Extensions of CLEVER" (Weng et al. 2018, section 5.1), which names no ball: `PAPER`'s is taken."""


@dataclass(frozen=True)
class Settings:
    """What `clever` was asked for; see there.

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
    clip: Literal["project"] | None = None
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
        if self.sampler not in SAMPLERS:
            raise InputError(f"sampler: expected one of {', '.join(SAMPLERS)}, got {self.sampler!r}")
        _check_number("radius", self.radius, 0)
        _check_count("blocks", self.blocks, "auto")
        _check_count("block_size", self.block_size, None)
        _check_count("max_blocks", self.max_blocks, None)
        _check_number("tolerance", self.tolerance, 0)
        if self.clip not in (None, "project"):
            raise InputError(f"clip: expected None or 'project', got {self.clip!r}")
        if isinstance(self.level, bool) or not isinstance(self.level, int | float) or not 0 < self.level < 1:  # pyright: ignore
            raise InputError(f"level: expected a number between 0 and 1, got {self.level!r}")
        if isinstance(self.bootstrap, bool) or not isinstance(self.bootstrap, int) or self.bootstrap < 0:  # pyright: ignore
            raise InputError(f"bootstrap: expected 0 or more resamples, got {self.bootstrap!r}")
        if self.blocks != "auto" and self.max_blocks is not None:
            raise InputError("max_blocks: only meaningful with blocks='auto'")
        self._check_order()

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
        if self.order == 2 and self.sampler == "directed" and self.size < SMALLEST_BLOCK:
            expected = f"at least {SMALLEST_BLOCK} for order 2 with the directed sampler"
            raise InputError(f"block_size: expected {expected}, got {self.block_size}")

    @property
    def draw(self) -> Sampler:
        """The sampler's function."""
        return (SAMPLERS if self.order == 1 else CURVATURE_SAMPLERS)[self.sampler]

    @property
    def defaults(self) -> tuple[int, int, int]:
        """Block size, first number of blocks, most blocks."""
        return (SAMPLER_DEFAULTS if self.order == 1 else CURVATURE_DEFAULTS)[self.sampler]

    @property
    def size(self) -> int:
        """Gradient evaluations per block; at second order also products (directed), or points (uniform)."""
        return self.block_size or self.defaults[0]

    @property
    def tail_rate(self) -> float:
        """Rate of the prior on the tail index of the block maxima."""
        return TAIL_RATES[self.sampler]

    @property
    def most_blocks(self) -> int:
        """Blocks after which no more are drawn."""
        if self.blocks != "auto":
            return self.blocks
        return self.max_blocks or self.defaults[2]

    def schedule(self, rivals: int) -> list[int]:
        """Numbers of blocks after which the interval is looked at (and rivals are dropped): each twice the last."""
        if self.blocks != "auto" and not (self.racing and rivals > 1):
            return [self.blocks]
        steps = [min(self.defaults[1], self.most_blocks)]
        while steps[-1] < self.most_blocks:
            steps.append(min(2 * steps[-1], self.most_blocks))
        return steps


def _check_number(name: str, value: object, above: float) -> None:
    if name == "radius" and value == "auto":
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value < math.inf:
        expected = "a positive finite number" + (" or 'auto'" if name == "radius" else "")
        raise InputError(f"{name}: expected {expected}, got {value!r}")
    if value > LARGEST:
        raise InputError(f"{name}: expected at most {LARGEST:g}, got {str(value)[:20]}")


def _check_count(name: str, value: object, default: str | None) -> None:
    if value == default:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        alternative = "" if default is None else f" or {default!r}"
        raise InputError(f"{name}: expected a whole number of at least 1{alternative}, got {value!r}")
