"""From an attack with a fixed radius to one that minimises the distance, within a budget of rounds."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps
from clearance.attacks.steps import as_radius

FixedRadius = Callable[[Tensor, Tensor], Witnesses]
"""`attack(epsilon, start)`: witnesses within `epsilon`, `(batch,)`, of the inputs; it may begin at `start`."""

FIRST_OF_KNOWN = 0.75
"""The first radius where a witness is known, as a share of its distance: a nearer one seldom lies within less."""
MOST_OF_KNOWN = 0.98
"""A round after a success asks for at most this share of the distance that is known: less would be no progress."""


def bisect_radius(
    attack: FixedRadius,
    x: Tensor,
    *,
    norm: float,
    first: float | Tensor,
    rounds: int = 10,
    widest: float = torch.inf,
    known: Witnesses | None = None,
) -> Witnesses:
    """Bisect the radius of each input: halve on success, double until the first success, then meet in the middle.

    A success at radius `r` sets the upper end to the distance of its witness, which may be much smaller; a failure
    makes `r` the lower end (for this attack: it proves nothing). Source: this project, by plain bisection. Cost:
    `rounds` runs of the attack.

    Args:
        attack: Called with radii `(batch,)` and points `(batch, *input)`: the best witnesses so far, or the inputs.
        x: The inputs, `(batch, *input)`.
        norm: The `p` of the attack's ball.
        first: First radius, a number or `(batch,)`; the linear estimate, or a distance known from elsewhere.
        rounds: Runs of the attack.
        widest: Largest radius worth asking for, such as the diameter of the bounds.
        known: Witnesses found elsewhere: an input that has one begins at `FIRST_OF_KNOWN` of its distance.

    Returns:
        The nearest witnesses over all rounds and all iterates, and `known`.

    Raises:
        InputError: If `first` is negative or not finite, or `rounds` is below 1.

    >>> def attack(epsilon, start):
    ...     found = Witnesses(torch.zeros(1, 1), 2.0)
    ...     found.offer(epsilon[:, None], epsilon > 0.3)
    ...     return found
    >>> nearest = bisect_radius(attack, torch.zeros(1, 1), norm=2.0, first=1.0, rounds=12)
    >>> round(nearest.distance.item(), 2)
    0.3
    """
    found = Witnesses(x, norm)
    radius = as_radius(first, x).clamp_max(widest)
    if known is not None:
        found.absorb(known)
        radius = torch.where(found.success, FIRST_OF_KNOWN * found.distance, radius)
    low = torch.zeros_like(radius)
    for _ in range(as_steps(rounds)):
        run = attack(radius, found.adversarial)
        found.absorb(run)
        low = torch.where(run.success, low, torch.maximum(low, radius))
        low = torch.minimum(low, MOST_OF_KNOWN * found.distance)
        middle = torch.minimum((low + found.distance) / 2, MOST_OF_KNOWN * found.distance)
        radius = torch.where(found.success, middle, (2 * radius).clamp_max(widest))
    return found
