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
from clearance.geometry.norms import as_norm, expand, vector_norm
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
    found, canvas = Witnesses(x, norm), _Canvas(x, Streams(x, seed, "square", norm, keys=keys), norm)
    points = into_ball(model, x, x + canvas.full(canvas.stripes(), radius), norm, radius)
    logits = look(model, points)
    found.offer(points, goal.reached(logits))
    value = loss(logits, goal)
    for step in range(as_steps(steps)):
        patched = canvas.patch(points - x, radius, _share(step / steps))
        tried = into_ball(model, x, x + patched, norm, radius)
        logits = look(model, tried)
        found.offer(tried, goal.reached(logits))
        new = loss(logits, goal)
        better = (new < value) | value.isnan()
        value, points = torch.where(better, new, value), torch.where(expand(better, x), tried, points)
    return found


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
