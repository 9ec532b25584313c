"""The part of an `l_1` ball that lies in a box: its Euclidean projection, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor


def project_boxed(delta: Tensor, fall: Tensor, rise: Tensor, radius: Tensor) -> Tensor:
    """Euclidean projection onto an `l_1` ball cut by a box: `argmin {||z - d||_2 : ||z||_1 <= R, -fall <= z <= rise}`.

    By the Karush-Kuhn-Tucker conditions `z_i = sign(d_i) min(max(|d_i| - t, 0), room_i)` for one `t >= 0`, where
    `room_i` is the room on the side of `d_i`. The length of that is piecewise linear in `t`, with corners at `|d_i|`
    and at `|d_i| - room_i`; sorting them gives the `t` of length `R`. Source: Croce and Hein (2021), "Mind the box:
    l1-APGD for sparse adversarial attacks on image classifiers", who project in this way; without a box it is the
    projection of Duchi, Shalev-Shwartz, Singer and Chandra (2008).

    Args:
        delta: `d`, `(batch, *input)`.
        fall: How far each coordinate may fall, `(batch, *input)`, >= 0; may be infinite.
        rise: How far each may rise, likewise.
        radius: `R`, `(batch,)`.

    Returns:
        `(batch, *input)`.

    >>> none, one = torch.zeros(1, 2), torch.ones(1, 2)
    >>> project_boxed(torch.tensor([[3.0, 1.5]]), none, one, torch.tensor([1.5]))
    tensor([[1.0000, 0.5000]])
    """
    flat = delta.flatten(1).double()
    size = flat.abs()
    room = torch.where(flat > 0, rise.flatten(1), fall.flatten(1)).double()
    corners = torch.cat([size, (size - room).clamp_min(0)], 1)
    turns = torch.cat([torch.ones_like(size), -torch.ones_like(size)], 1)
    corners, order = corners.sort(dim=1, descending=True, stable=True)
    turns = turns.gather(1, order)
    rate, total = turns.cumsum(1), (turns * corners).cumsum(1)
    length = total - corners * rate
    limit = radius.double()[:, None]
    last = (length <= limit).sum(1, keepdim=True).clamp_min(1) - 1
    shrink = corners.gather(1, last) - (limit - length.gather(1, last)) / rate.gather(1, last).clamp_min(1)
    shrink = torch.where(total[:, -1:] <= limit, 0.0, shrink).clamp_min(0)
    shrunk = torch.minimum((size - shrink).clamp_min(0), room)
    return (flat.sign() * shrunk).to(delta.dtype).reshape(delta.shape)
