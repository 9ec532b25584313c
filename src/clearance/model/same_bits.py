"""When a row of a batch has the same bits as alone: how many rows a pass needs for it, found out by trying.

Libraries of linear algebra have kernels of their own for one, two or three rows, and for as many that are left over
where threads share a batch. Where all batches of a multiple of some number of rows compute a row in one way, passes are
filled up to such a multiple, and inputs can share batches without any of them noticing.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor

from clearance.errors import NetworkError
from clearance.geometry.norms import vector_norm
from clearance.model.bounds import points_between
from clearance.model.classifier import Classifier
from clearance.model.seeds import make_generator

FEWEST_ROWS = (1, 2, 4, 8)
"""Numbers that passes may be filled up to a multiple of: the first that does."""
TRIED_ROWS = 48
"""Rows of the batch that smaller ones are held against."""
MULTIPLES = (1, 2, 3, 5)
"""The smaller ones have so many times the number of rows."""
SHIFTS = (0, 1, 2, 3)
"""And begin at these: with few and odd dimensions a row's bits may depend on its place, and then nothing helps."""


@contextmanager
def same_bits(model: Classifier, x: Tensor) -> Generator[bool]:
    """Inside, passes are filled up with rows so that each has the bits that it has in any batch.

    Source: this project.

    Args:
        model: The classifier.
        x: Inputs of the shape that passes will have, `(batch, *input)`.

    Yields:
        Whether that works for this network, on this device, with these threads; if not, nothing is filled up.
    """
    kind, before = (x.shape[1:], torch.get_num_threads()), model.fewest_rows
    if kind not in model.same_from:
        model.same_from[kind] = _fewest_rows(model, x)
    model.fewest_rows = model.same_from[kind] or 1
    try:
        yield model.same_from[kind] is not None
    finally:
        model.fewest_rows = before


def _fewest_rows(model: Classifier, x: Tensor) -> int | None:
    """Of how many rows all multiples agree, by answers to random points; `None`: of none that is small enough."""
    if x.device.type != "cpu" or model.execution.compiled or model.micro_batch(x) < 2 * max(FEWEST_ROWS):
        return None  # a GPU's libraries choose another kernel for any size: a few say nothing of the others
    meter, (forward, backward) = model.meter, (model.meter.forward, model.meter.backward)
    try:
        return _tried(model, _random_points(model, x))
    except (NetworkError, RuntimeError, MemoryError):  # not what it was asked for: its own inputs will show that
        return None
    finally:
        meter.forward, meter.backward = forward, backward


def _tried(model: Classifier, points: Tensor) -> int | None:
    together = _answers(model, points)
    if model.micro_batch(points) < 2 * max(FEWEST_ROWS):  # smaller now where the network takes one input
        return None
    if not _sums_agree(points):
        return None
    for fewest in FEWEST_ROWS:
        if all(_agree(model, points, together, fewest * multiple) for multiple in MULTIPLES):
            return fewest
    return None


def _agree(model: Classifier, points: Tensor, together: tuple[Tensor, ...], size: int) -> bool:
    """Whether some rows, so many, have the same answers apart, from wherever in the batch they are."""
    slices = (slice(start, start + size) for start in (*SHIFTS, len(points) - size))
    apart = ((rows, _answers(model, points[rows])) for rows in slices)
    return all(
        torch.equal(part, whole[rows]) for rows, parts in apart for part, whole in zip(parts, together, strict=True)
    )


def _sums_agree(points: Tensor) -> bool:
    """Whether sums over one row alone, which threads may share, are those of the row in a batch."""
    return all(torch.equal(vector_norm(points[:1], norm), vector_norm(points, norm)[:1]) for norm in (1.0, 2.0))


def _answers(model: Classifier, points: Tensor) -> tuple[Tensor, ...]:
    """Logits of some points, and the gradients of a loss that depends on all of them."""

    def part(piece: Tensor) -> tuple[Tensor, Tensor]:
        logits, _, pull = model.vjp(piece, lambda output: (output.logsumexp(1) - output[:, 0])[:, None])
        return logits, pull(0)

    return model.in_micro_batches(part, points)


def _random_points(model: Classifier, x: Tensor) -> Tensor:
    """Valid points that do not depend on the inputs: the answer is one for each network and shape."""
    generator = make_generator(x.device, 0, "same bits")
    shape = TRIED_ROWS, *x.shape[1:]
    noise, share = (
        draw(shape, generator=generator, device=x.device, dtype=x.dtype) for draw in (torch.randn, torch.rand)
    )
    return noise if model.bounds is None else points_between(model.bounds, share, noise)
