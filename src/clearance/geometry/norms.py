"""Norms and their duals, batched norms, steepest directions and projections: the geometry of `l_p`.

Every function takes tensors of shape `(batch, *input)` and treats each row as one flat vector.
"""

import math

import torch
from torch import Tensor

from clearance.geometry.exponents import as_distance, as_norm


def dual_norm(norm: float) -> float:
    """The dual norm `q` with `1/p + 1/q = 1`: `||w||_q = max {<w, d> : ||d||_p <= 1}` (Hölder's inequality).

    Args:
        norm: `p`, from 1 to `math.inf`.

    Returns:
        `q`, a number.

    Raises:
        InputError: If `p` is below 1: what is no norm has no dual.

    >>> dual_norm(2.0), dual_norm(1.0), dual_norm(math.inf), dual_norm(1.5)
    (2.0, inf, 1.0, 3.0)
    """
    if as_norm(norm) == 1:
        return math.inf
    return 1.0 if math.isinf(norm) else norm / (norm - 1)


def vector_norm(x: Tensor, norm: float) -> Tensor:
    """`||x_i||_p = (sum_j |x_ij|^p)^(1/p)` of each row, without overflow or underflow on the way; for `p = 0` a count.

    By `m ||x / m||_p` with `m = max_j |x_ij|`, as in the BLAS's `nrm2` (Lawson, Hanson, Kincaid and Krogh 1979) for any
    `p`; plainly where that is safe.

    Args:
        x: `(batch, *input)`.
        norm: `p`, from 1 to `math.inf`; or 0, for the number of entries that are not 0.

    Returns:
        `(batch,)`.

    Raises:
        InputError: If `p` is neither 0 nor a norm.

    >>> x = torch.tensor([[3.0, -4.0, 0.0]])
    >>> vector_norm(x, 1.0).item(), vector_norm(x, 0.0).item()
    (7.0, 2.0)
    """
    flat, norm = x.flatten(1), as_distance(norm)
    if norm == 0:  # half precision would round a count above 256
        return (flat != 0).sum(1).to(torch.promote_types(flat.dtype, torch.float32))
    if norm in {1.0, math.inf}:  # by hand: on a CPU torch's own vector norms take 5 to 20 times as long for these
        return flat.abs().sum(1) if norm == 1 else flat.abs().amax(1)
    limits = torch.finfo(flat.dtype)
    if norm == 2:
        plain = torch.linalg.vector_norm(flat, norm, dim=1)
        if _all_between(plain, limits.tiny**0.25, limits.max**0.25):
            return plain
    # |x|^p itself would underflow or overflow; |x / max|^p lies in [0, 1], however large p is
    unit = flat.abs().amax(1).clamp(limits.tiny, limits.max)
    if norm == 2:  # a power of two rounds nothing: the same bits as above, whichever way the batch goes
        unit = unit.clamp_max(limits.max / 2).log2().floor().exp2()
    return unit * torch.linalg.vector_norm(flat / unit[:, None], norm, dim=1)


def _all_between(values: Tensor, low: float, high: float) -> bool:
    if values.numel() == 0:
        return True
    least, most = torch.stack(torch.aminmax(values)).tolist()
    return low < least and most < high


def last_norm(x: Tensor, norm: float) -> Tensor:
    """`||x||_p` along the last dimension, `(..., n) -> (...)`: `vector_norm` of the rows of the last dimension.

    Source: the definition of the `l_p` norm, as in `vector_norm`.

    >>> last_norm(torch.tensor([[[3.0, -4.0], [0.0, 2.0]]]), 2.0)
    tensor([[5., 2.]])
    """
    return vector_norm(x.reshape(-1, x.shape[-1]), norm).reshape(x.shape[:-1])


def expand(values: Tensor, like: Tensor) -> Tensor:
    """Reshape `(batch,)` so that it broadcasts over `(batch, *input)`: one number for each row. Source: this project.

    >>> expand(torch.ones(2), torch.zeros(2, 3, 4)).shape
    torch.Size([2, 1, 1])
    """
    return values.reshape(-1, *[1] * (like.ndim - 1))


def steepest(gradient: Tensor, norm: float) -> Tensor:
    """The direction of unit `l_p` norm along which a linear function with this gradient grows fastest.

    `d_i = sign(g_i) |g_i|^(q-1) / ||g||_q^(q-1)`, so that `<g, d> = ||g||_q` (Hölder's equality). For `p = 1` all the
    mass goes to the largest coordinate; for `p = inf`, `d = sign(g)`. A zero gradient gives a zero direction.

    Args:
        gradient: `(batch, *input)`.
        norm: `p`.

    Returns:
        `(batch, *input)`, each row of `l_p` norm 1 (or 0).

    Raises:
        InputError: If `p` is below 1.

    >>> steepest(torch.tensor([[3.0, -4.0]]), 2.0)
    tensor([[ 0.6000, -0.8000]])
    """
    flat = gradient.flatten(1)
    if math.isinf(norm):
        return gradient.sign()
    if norm == 1:
        top = flat.abs().argmax(1, keepdim=True)
        return torch.zeros_like(flat).scatter(1, top, flat.gather(1, top).sign()).reshape(gradient.shape)
    scaled = flat / flat.abs().amax(1, keepdim=True).clamp_min(torch.finfo(flat.dtype).tiny)
    raised = scaled if norm == 2 else scaled.sign() * scaled.abs() ** (dual_norm(norm) - 1)
    length = torch.linalg.vector_norm(raised, norm, dim=1, keepdim=True)
    return (raised / length.clamp_min(torch.finfo(flat.dtype).tiny)).reshape(gradient.shape)


def steepest_shared(gradient: Tensor, norm: float, counts: Tensor) -> Tensor:
    """As `steepest`, but for `p = 1` the step is shared in equal parts by the coordinates with the largest gradients.

    The steepest `l_1` step moves one coordinate; a step that moves `k` of them is the direction of sparse steepest
    descent (Tramèr and Boneh 2019, "Adversarial training and robustness for multiple perturbations", section 4).

    Args:
        gradient: `(batch, *input)`.
        norm: `p`.
        counts: For `p = 1`, how many coordinates each row moves, `(batch,)`, rounded up.

    Returns:
        `(batch, *input)`, each row of `l_p` norm 1 (or 0).

    >>> steepest_shared(torch.tensor([[3.0, -4.0, 1.0]]), 1.0, torch.tensor([2.0]))
    tensor([[ 0.5000, -0.5000,  0.0000]])
    """
    if norm != 1:
        return steepest(gradient, norm)
    flat = gradient.flatten(1)
    most = int(counts.max().ceil().clamp(1, flat.shape[1]))
    places = flat.abs().topk(most, dim=1).indices
    moved = torch.arange(most, device=flat.device) < counts.ceil().clamp(1, most)[:, None]
    parts = flat.gather(1, places).sign() * moved
    parts = parts / parts.abs().sum(1, keepdim=True).clamp_min(1)
    return torch.zeros_like(flat).scatter(1, places, parts).reshape(gradient.shape)


def unit(vectors: Tensor) -> Tensor:
    """Each row scaled to `l_2` norm 1, `v / ||v||_2`; a zero row stays zero.

    Source: the definition of the `l_2` norm.

    The largest entry is divided out first, so that no square underflows or overflows.

    Args:
        vectors: `(batch, *input)`.

    Returns:
        `(batch, *input)`.

    >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    largest = vectors.flatten(1).abs().amax(1)
    scaled = vectors / expand(torch.where(largest > 0, largest, 1.0), vectors)
    length = vector_norm(scaled, 2.0)
    return scaled / expand(torch.where(length > 0, length, 1.0), scaled)


def project(delta: Tensor, norm: float, radius: Tensor | float) -> Tensor:
    """Bring each row into the `l_p` ball of its radius around 0.

    For `p = 1, 2, inf` this is the Euclidean projection, `argmin {||z - delta||_2 : ||z||_p <= R}`: soft thresholding
    `sign(delta) max(|delta| - t, 0)` for `p = 1` (Duchi, Shalev-Shwartz, Singer and Chandra 2008, section 4), scaling
    for `p = 2`, clipping for `p = inf`. For other norms the row is scaled back to the sphere, which is a feasible point
    but not the nearest one.

    Args:
        delta: `(batch, *input)`.
        norm: `p`.
        radius: `R`: a number, or one per row `(batch,)`.

    Returns:
        `(batch, *input)`; rows already inside come back unchanged.

    Raises:
        InputError: If `p` is below 1.

    >>> project(torch.tensor([[3.0, 1.0], [0.5, 0.25]]), 1.0, 2.0)
    tensor([[2.0000, 0.0000],
            [0.5000, 0.2500]])
    """
    limit = torch.as_tensor(radius, dtype=delta.dtype, device=delta.device).expand(len(delta))
    if math.isinf(as_norm(norm)):
        return torch.maximum(torch.minimum(delta, expand(limit, delta)), -expand(limit, delta))
    if norm == 1:
        return _project_simplex(delta, limit)
    length = vector_norm(delta, norm)
    return delta * expand((limit / length.clamp_min(torch.finfo(delta.dtype).tiny)).clamp_max(1.0), delta)


def soft_threshold(delta: Tensor, weight: Tensor) -> Tensor:
    """`argmin_d w ||d||_1 + ½ ||d - v||_2^2`: every coordinate brought nearer to 0 by `w`, as far as 0.

    The proximal operator of the `l_1` norm; by Moreau's decomposition it is `v` less its projection onto the `l_inf`
    ball of radius `w` (Parikh and Boyd 2014, "Proximal algorithms", section 6.5).

    Args:
        delta: `v`, `(batch, *input)`.
        weight: `w`, `(batch,)`, >= 0.

    Returns:
        `(batch, *input)`.

    >>> soft_threshold(torch.tensor([[3.0, -0.5]]), torch.tensor([1.0]))
    tensor([[2., 0.]])
    """
    return delta - project(delta, math.inf, weight)


def _project_simplex(delta: Tensor, limit: Tensor) -> Tensor:
    """Euclidean projection onto `l_1` balls: the threshold `t` with `sum_i max(|d_i| - t, 0) = R`, by Newton's method.

    That sum is convex, falling and piecewise linear, so that the steps from `t = 0` never go too far, and a row is done
    when its step has left no further coordinate behind (Michelot 1986; Condat 2016, "Fast projection onto the simplex
    and the l1 ball", section 3.2). No sorting, and each row's bits are its own.
    """
    flat = delta.flatten(1)
    magnitude, shrink = flat.abs(), torch.zeros_like(limit)
    excess, before = magnitude.sum(1) - limit, limit.new_full((), math.inf)
    inside = excess <= 0
    going, left = ~inside, magnitude
    while bool(going.any()):
        count = (left > 0).sum(1)
        going = going & (count < before) & (count > 0)
        shrink = torch.where(going, shrink + excess / count, shrink)
        left = (magnitude - shrink[:, None]).clamp_min(0)
        excess, before = left.sum(1) - limit, count
    return torch.where(inside[:, None], flat, flat.sign() * left).reshape(delta.shape)
