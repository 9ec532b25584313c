"""The steps of Auto-PGD in the `l_1` norm, which move few coordinates, and fewer as the search goes on."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.passes import LossEvaluation
from clearance.attacks.steps import into_ball, keep_rows
from clearance.geometry.norms import expand, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.gradients import free

FIRST_DENSITY = 0.2
"""Share of the coordinates that the first step from the input moves: that of the paper's code."""
SPARSER = 1.5
"""The next steps move the number of coordinates that the best point has moved, divided by this; and where that number
no longer falls, the step is divided by it. The paper's values."""
STILL_FALLING = 0.95
"""The number of moved coordinates counts as falling below this share of what it was: the paper's value."""
SHORTEST = 0.1
"""The shortest step, as a share of the first: the paper's value."""
SPARSITY_PERIOD = 0.04
"""How often both are judged, as a share of the iterations: the paper's value."""


class SparseControl:
    """The state of one `l_1` run for each input: where it is, where it was best, and how many coordinates a step moves.

    A step of length `a` moves the `k` coordinates with the largest gradients, each by `a / k`; then the point is
    projected onto the ball within the bounds. Every few steps `k` becomes the number of coordinates in which the best
    point differs from the input, over 1.5; if that number has fallen, the search goes back to the best point with the
    first step, otherwise the step is divided by 1.5. Source: Croce and Hein (2021), "Mind the box: l1-APGD for sparse
    adversarial attacks on image classifiers"; the first step is the radius.

    Args:
        x: The inputs, `(batch, *input)`.
        points: Where the run starts, `(batch, *input)`.
        step: Length of the first step, `(batch,)`.
        steps: Iterations of the whole run.

    Attributes:
        points: Where the run is, `(batch, *input)`.
        best: The point with the smallest loss so far, `(batch, *input)`.
    """

    def __init__(self, x: Tensor, points: Tensor, step: Tensor, steps: int) -> None:
        self._x, self.points, self.best = x, points, points
        self._gradient = self._best_gradient = torch.zeros_like(points)
        self._best_loss = torch.full_like(step, torch.inf)
        self._first, self._length = step, step
        moved, size = vector_norm(points - x, 0.0), x[0].numel()
        self._moved = torch.where(moved > 0, moved, SPARSER * FIRST_DENSITY * size)
        self._count = self._moved / SPARSER
        self._period = max(1, int(SPARSITY_PERIOD * steps))

    def learn(self, step: int, seen: LossEvaluation) -> None:
        """Take in the evaluation of the current points, and judge the step every few iterations."""
        self._gradient = seen.gradient
        better = seen.loss < self._best_loss
        chosen = expand(better, self.points)
        self._best_loss = torch.where(better, seen.loss, self._best_loss)
        self.best = torch.where(chosen, self.points, self.best)
        self._best_gradient = torch.where(chosen, seen.gradient, self._best_gradient)
        if step > 0 and step % self._period == 0:
            self._judge()

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the inputs only, `(kept,)` of their places; the others need no more passes."""
        keep_rows(self, rows)

    def _judge(self) -> None:
        moved = vector_norm(self.best - self._x, 0.0)
        falls = moved < STILL_FALLING * self._moved
        shorter = torch.maximum(self._length / SPARSER, SHORTEST * self._first)
        self._length = torch.where(falls, self._first, shorter)
        self._moved, self._count = moved, moved / SPARSER
        back = expand(falls, self.points)
        self.points = torch.where(back, self.best, self.points)
        self._gradient = torch.where(back, self._best_gradient, self._gradient)

    def move(self, model: Classifier, x: Tensor, norm: float, radius: Tensor) -> None:
        """One projected step."""
        usable = free(model, self.points, self._gradient).flatten(1)
        counts = self._count.long().clamp(1, usable.shape[1])
        ranked = usable.abs().sort(dim=1, descending=True, stable=True).indices
        places = torch.arange(usable.shape[1], device=usable.device) < counts[:, None]
        chosen = torch.zeros_like(places).scatter(1, ranked, places)
        signs = torch.where(chosen, usable.sign(), 0.0)
        length = self._length / signs.abs().sum(1).clamp_min(1)
        downhill = (length[:, None] * signs).reshape(self.points.shape)
        self.points = into_ball(model, x, self.points - downhill, norm, radius)
