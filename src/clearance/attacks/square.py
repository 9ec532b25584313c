"""Square attack: random search with square patches, from scores alone (Andriushchenko et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from clearance.attacks.bisect_radius import bisect_radius
from clearance.attacks.goals import Goal, Loss, margin
from clearance.attacks.passes import Streams, look
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps
from clearance.attacks.steps import as_radius, into_ball
from clearance.attacks.task import AttackRun, AttackTask
from clearance.errors import InputError
from clearance.geometry.exponents import as_norm
from clearance.geometry.norms import expand, vector_norm
from clearance.model.classifier import Classifier

FIRST_SHARE = 0.8
"""Share of the image that the first patches cover: that of AutoAttack (Croce and Hein 2020)."""
HALVE_AFTER = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares of the iterations after which the patches' area is halved: 10, 50, 200, 500, 1,000, 2,000, 4,000, 6,000 and
8,000 of 10,000 in the authors' code."""


def square(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    norm: float,
    epsilon: float | Tensor,
    steps: int = 500,
    loss: Loss = margin,
    seed: int = 0,
    keys: Sequence[str] = (),
) -> Witnesses:
    """Random search: put a square patch on the image, keep it where the loss falls.

    Source: Andriushchenko, Croce, Flammarion and Hein (2020).

    `l_inf` (algorithm 2 of the paper): start from vertical stripes of `+-epsilon`; each patch is `+-epsilon`, one sign
    per channel. `l_2`: patches are bumps that fall off from their centre, with one sign per channel, and the whole
    perturbation is brought back to length epsilon, so that what the patch gains the rest gives up (a plainer rule than
    the paper's algorithm 3, which moves the length between two windows). An input that is not `(channels, height,
    width)` is taken as one channel of one row. Cost: `steps + 1` forward passes per input, no gradient.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        norm: 2 or infinity.
        epsilon: Radius of the ball in input units, a number or `(batch,)`.
        steps: Patches tried.
        loss: What to lower.
        seed: With the input's content, fixes the patches.
        keys: Content keys of the inputs, where the caller knows them.

    Returns:
        The nearest witnesses over all iterates.

    Raises:
        InputError: If `norm` is neither 2 nor infinity, or another argument has no meaning.
    """
    norm, radius = as_norm(norm), as_radius(epsilon, x)
    if norm not in {2.0, math.inf}:
        raise InputError(f"norm: expected 2 or inf for square, got {norm!r}")
    found, streams = Witnesses(x, norm), Streams(x, seed, "square", norm, keys=keys)
    search = PatchSearch(model, x, norm=norm, radius=radius, steps=as_steps(steps), streams=streams)
    for _ in range(steps + 1):
        logits = look(model, search.tried, goal)
        found.offer(search.tried, goal.reached(logits))
        search.learn(loss(logits, goal))
    return found


class PatchSearch:
    """The state of one search for each input: the best perturbation so far, and the one to try next.

    Source: Andriushchenko, Croce, Flammarion and Hein (2020), algorithm 1.

    Args:
        model: The classifier.
        x: The inputs, `(batch, *input)`.
        norm: 2 or infinity.
        radius: `epsilon`, `(batch,)`.
        steps: Patches of the whole search: they decide how large each one is.
        streams: Random streams of the inputs.

    Attributes:
        tried: The points to look at next, `(batch, *input)`: stripes first, then the best points with a patch each.
    """

    def __init__(
        self, model: Classifier, x: Tensor, *, norm: float, radius: Tensor, steps: int, streams: Streams
    ) -> None:
        self._model, self._norm, self._steps, self._step = model, norm, steps, 0
        self._x, self._radius, self._canvas = x, radius, _Canvas(x, streams, norm)
        self.tried = self._into_ball(self._canvas.full(self._canvas.stripes(), radius))
        self._points, self._value = self.tried, torch.full_like(radius, torch.nan)

    def learn(self, value: Tensor) -> None:
        """Keep what lowered the loss, `(batch,)` of its values at `tried`, and draw the next patches."""
        better = (value < self._value) | self._value.isnan()
        self._value = torch.where(better, value, self._value)
        self._points = torch.where(expand(better, self._x), self.tried, self._points)
        if self._step < self._steps:
            share = _share(self._step / self._steps)
            self.tried = self._into_ball(self._canvas.patch(self._points - self._x, self._radius, share))
        self._step += 1

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the inputs only, `(kept,)` of their places; the others need no more passes."""
        self._x, self._radius, self.tried = self._x[rows], self._radius[rows], self.tried[rows]
        self._points, self._value = self._points[rows], self._value[rows]
        self._canvas = _Canvas(self._x, self._canvas.streams.rows(rows), self._norm)

    def _into_ball(self, delta: Tensor) -> Tensor:
        return into_ball(self._model, self._x, self._x + delta, self._norm, self._radius)


def _share(progress: float) -> float:
    """Share of the image that a patch covers."""
    return FIRST_SHARE / 2 ** sum(progress > moment for moment in HALVE_AFTER)


class _Canvas:
    """Draws patches on inputs seen as `(batch, channels, height, width)`."""

    def __init__(self, x: Tensor, streams: Streams, norm: float) -> None:
        self.streams, self.norm, self.shape = streams, norm, x.shape
        self.image = (len(x), *x.shape[1:]) if x.ndim == 4 else (len(x), 1, 1, x[0].numel())

    def stripes(self) -> Tensor:
        """A sign for each channel and column."""
        _, channels, height, width = self.image
        signs = self.streams.uniform(channels, 1, width) - 0.5
        return signs.sign().expand(-1, -1, height, -1)

    def full(self, pattern: Tensor, radius: Tensor) -> Tensor:
        """A pattern scaled to the radius, in the inputs' shape."""
        length = vector_norm(pattern, self.norm)
        scale = torch.where(length > 0, radius / length, 0.0)
        return (pattern * expand(scale, pattern)).reshape(self.shape)

    def patch(self, delta: Tensor, radius: Tensor, share: float) -> Tensor:
        """The perturbations with one new square each."""
        _, channels, height, width = self.image
        drawn = self.streams.uniform(channels + 2)
        signs = (drawn[:, 2:] - 0.5).sign()[:, :, None, None]
        side = max(1, round(math.sqrt(share * height * width)))
        rows = self._window(drawn[:, 0], height, min(side, height))[:, None, :, None]
        columns = self._window(drawn[:, 1], width, min(side, width) if height > 1 else max(1, round(share * width)))
        window = rows * columns[:, None, None, :]
        old = delta.reshape(self.image)
        if math.isinf(self.norm):
            return torch.where(window > 0, signs * expand(radius, old), old).reshape(self.shape)
        bump = signs * window / vector_norm(window, 2.0)[:, None, None, None]
        return self.full(old + expand(radius, old) * bump, radius)

    @staticmethod
    def _window(uniform: Tensor, size: int, side: int) -> Tensor:
        """A window of `side` places at a random position, `(batch, size)`, highest in its middle."""
        first = (uniform * (size - side + 1)).floor()
        offset = torch.arange(size, device=uniform.device, dtype=uniform.dtype) - first[:, None]
        height = (side + 1) / 2 - (offset - (side - 1) / 2).abs()
        return torch.where((offset >= 0) & (offset < side), height, 0.0)


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`square` as one run of `attacks.table`: `run.rounds` radii for each input, `run.steps` patches for each."""

    def within(epsilon: Tensor, _: Tensor) -> Witnesses:
        return square(
            task.model,
            task.x,
            task.goal,
            norm=task.norm,
            epsilon=epsilon,
            steps=run.steps,
            seed=task.seed,
            keys=task.keys,
        )

    return bisect_radius(within, task.x, norm=task.norm, first=2 * task.scale, rounds=run.rounds)
