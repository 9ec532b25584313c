"""The witnesses of every run so far: not only the nearest, since others may be nearer after a walk."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clearance.attacks.goals import Goal
from clearance.attacks.result import Witnesses


class KnownWitnesses:
    """The witnesses of several runs on the same inputs.

    Source: this project.

    Args:
        x: The inputs, `(batch, *input)`.
        norm: The norm `p` of distances; or 0.

    >>> known = KnownWitnesses(torch.zeros(1, 2), 2.0)
    >>> for length in (3.0, 1.0, 2.0):
    ...     run = Witnesses(torch.zeros(1, 2), 2.0)
    ...     run.offer(torch.tensor([[length, 0.0]]), torch.tensor([True]))
    ...     known.add(run)
    >>> [known.nearest(rank).distance.item() for rank in range(4)]
    [1.0, 2.0, 3.0, inf]
    """

    def __init__(self, x: Tensor, norm: float) -> None:
        self.x, self.norm = x, norm
        self._runs: list[Witnesses] = []

    def add(self, run: Witnesses) -> None:
        """Add the witnesses of one run, `(batch, *input)`."""
        self._runs.append(run)

    def nearest(self, rank: int = 0) -> Witnesses:
        """The nearest witness of each input over all runs, the second nearest, and so on; none where there are fewer.

        Args:
            rank: 0 for the nearest.

        Returns:
            One witness per input, `(batch, *input)`.
        """
        found = Witnesses(self.x, self.norm)
        if rank >= len(self._runs):
            return found
        distances = torch.stack([run.distance for run in self._runs])
        points = torch.stack([run.adversarial for run in self._runs])
        run, row = distances.argsort(dim=0, stable=True)[rank], torch.arange(len(self.x), device=self.x.device)
        found.offer(points[run, row], distances[run, row].isfinite())
        return found

    def drop_nearest(self, count: int) -> None:
        """Forget the nearest witnesses of each input, which something better takes the place of.

        Args:
            count: How many.
        """
        self._runs = [self.nearest(rank) for rank in range(count, len(self._runs))]


def split(rows: Witnesses, x: Tensor) -> list[Witnesses]:
    """The witnesses of runs that were carried out side by side, one record for each run.

    Source: this project.

    Args:
        rows: Witnesses of all rows, those of the first run first.
        x: The inputs themselves, `(batch, *input)`.

    Returns:
        One record of `batch` witnesses for each run.
    """
    parts: list[Witnesses] = []
    for start in range(0, len(rows.distance), len(x)):
        part, own = Witnesses(x, rows.norm), slice(start, start + len(x))
        part.offer(rows.adversarial[own], rows.success[own])
        parts.append(part)
    return parts


def stack(runs: list[Witnesses]) -> Witnesses:
    """The witnesses of several runs as rows of one record, those of the first run first.

    Source: this project.

    Args:
        runs: Records of the same number of inputs.

    Returns:
        The record of all rows.
    """
    rows = Witnesses(torch.cat([run.x for run in runs]), runs[0].norm)
    rows.offer(torch.cat([run.adversarial for run in runs]), torch.cat([run.success for run in runs]))
    return rows


def brought_nearer(witnesses: Witnesses, goal: Goal, way: Callable[[Witnesses, Goal], Witnesses]) -> Witnesses:
    """What a way of bringing witnesses nearer makes of those that there are; inputs without one cost no pass.

    Source: this project.

    Args:
        witnesses: The witnesses, `(batch, *input)`; left unchanged.
        goal: Where each input has to go.
        way: From the witnesses and goals of some inputs to witnesses of the same inputs.

    Returns:
        Witnesses at most as far as the given ones.
    """
    found = Witnesses(witnesses.x, witnesses.norm)
    found.absorb(witnesses)
    rows = witnesses.success.nonzero().flatten()
    if len(rows):
        own = witnesses.rows(rows)
        own.absorb(way(own, goal.rows(rows)))
        found.put(rows, own)
    return found
