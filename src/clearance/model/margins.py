"""Margins and targets: the only home of targetedness.

The margin of class `c` against class `t` is `g(x) = f_c(x) - f_t(x)`; `c` is the predicted class of the input and an
input is adversarial for target `t` where `g <= 0`. Everything else in the project works on margins and never asks what
a target means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from clearance.errors import ShapeError, TargetError
from clearance.model.autodiff import savable
from clearance.model.seeds import make_generator
from clearance.model.targets import unknown_target

ROUNDING = 64.0
"""Margins are trusted up to this many units of rounding of their logits: less is noise, no slope."""
Target = str | int | Sequence[int] | Tensor


def margins(logits: Tensor, predicted: Tensor | int, targets: Tensor) -> Tensor:
    """`g = f_c - f_t` for each row and target.

    Args:
        logits: `(batch, classes)`.
        predicted: The class `c`: one for all rows, or `(batch,)`.
        targets: Target classes, `(k,)` for all rows or `(batch, k)`.

    Returns:
        `(batch, k)`.

    >>> margins(torch.tensor([[3.0, 1.0, 2.0]]), 0, torch.tensor([1, 2]))
    tensor([[2., 1.]])
    """
    source = savable(torch.as_tensor(predicted, device=logits.device)).expand(len(logits))
    chosen = savable(targets.to(logits.device)).expand(len(logits), -1)
    return logits.gather(1, source[:, None]) - logits.gather(1, chosen)


def margin_scale(logits: Tensor, predicted: Tensor | int, targets: Tensor) -> Tensor:
    """`max(|f_c|, |f_t|)` for each row and target: what a margin is rounded by, whatever the other logits are.

    A network may mask the classes it does not use with a logit of -1e9, which says nothing about the others' rounding.

    Args:
        logits: `(batch, classes)`.
        predicted: The class `c`: one for all rows, or `(batch,)`.
        targets: Target classes, `(k,)` for all rows or `(batch, k)`.

    Returns:
        `(batch, k)`.

    >>> margin_scale(torch.tensor([[3.0, -5.0, -1e9]]), 0, torch.tensor([1]))
    tensor([[5.]])
    """
    chosen = torch.as_tensor(targets, device=logits.device).expand(len(logits), -1)
    source = torch.as_tensor(predicted, device=logits.device).expand(len(logits))
    return torch.maximum(logits.gather(1, source[:, None]).abs(), logits.gather(1, chosen).abs())


def resolve_targets(
    logits: Tensor, target: Target, *, seed: int = 0, keys: Sequence[str] = (), skip: Sequence[bool] = ()
) -> list[list[int]]:
    """The classes to move to, for each input.

    Args:
        logits: `(batch, classes)` of the inputs themselves.
        target: A name of `model.targets.TARGETS` (`"untargeted"` is every other class, nearest in logits first;
            `"random"` is drawn from the input's own stream), a class index for all inputs, or one index per input.
        seed: Seed of `"random"`.
        keys: A content key for each input, for `"random"`; default: its position.
        skip: Inputs that are not judged (misclassified ones): theirs may equal the predicted class.

    Returns:
        One list of classes per input, never empty and never holding the predicted class unless skipped.

    Raises:
        TargetError: If the target is unknown, out of range, or equal to the predicted class of an input.
        ShapeError: If there is not one index per input.

    >>> resolve_targets(torch.tensor([[3.0, 1.0, 2.0]]), "untargeted")
    [[2, 1]]
    """
    ranking = logits.argsort(dim=1, descending=True, stable=True)
    if isinstance(target, str):
        if target == "untargeted":
            return ranking[:, 1:].tolist()
        if target == "runner-up":
            return ranking[:, 1:2].tolist()
        if target == "least-likely":
            return ranking[:, -1:].tolist()
        if target == "random":
            return [[_draw(row, seed, keys[i] if keys else i)] for i, row in enumerate(ranking)]
        raise TargetError(unknown_target(target))
    classes = _as_classes(target, *logits.shape)
    for index, (chosen, best) in enumerate(zip(classes, ranking[:, 0].tolist(), strict=True)):
        if chosen == best and not (skip and skip[index]):
            raise TargetError(
                f"target: expected a class to move to, got {chosen}, the predicted class of input {index}"
            )
    return [[chosen] for chosen in classes]


def _draw(ranking: Tensor, seed: int, key: str | int) -> int:
    """A class other than the first of `ranking`, uniformly."""
    generator = make_generator("cpu", seed, "random-target", key)
    return int(ranking[1:].sort().values[int(torch.randint(len(ranking) - 1, (1,), generator=generator, device="cpu"))])


def _as_classes(target: int | Sequence[int] | Tensor, count: int, classes: int) -> list[int]:
    values: object = target.tolist() if hasattr(target, "tolist") else target  # pyright: ignore
    if isinstance(values, int):
        values = [values] * count
    if not isinstance(values, Sequence):
        raise TargetError(f"target: expected class indices, got {target!r}")
    return _as_indices("target", cast("Sequence[object]", values), count, classes)


def check_labels(labels: Tensor | Sequence[int], count: int, classes: int) -> list[int]:
    """Labels as a list of class indices, one per input.

    Args:
        labels: `(batch,)`, whole numbers of an integer dtype.
        count: How many inputs there are.
        classes: How many classes the network has.

    Returns:
        The labels as whole numbers.

    Raises:
        ShapeError: If there is not one label per input.
        TargetError: If a label is not a class index.
    """
    values: object = labels.tolist() if hasattr(labels, "tolist") else labels  # pyright: ignore
    if not isinstance(values, Sequence):
        raise ShapeError(
            f"labels: expected a list or a tensor of class indices, one per input ({count}), got {values!r}"
        )
    return _as_indices("labels", cast("Sequence[object]", values), count, classes)


def _as_indices(name: str, values: Sequence[object], count: int, classes: int) -> list[int]:
    """One class index per input; members may be numbers of Python, NumPy or torch, of an integer type."""  # noqa: DOC501
    indices: list[int] = []
    for value in values:
        number: object = value.tolist() if hasattr(value, "tolist") else value  # pyright: ignore
        if isinstance(number, bool) or not isinstance(number, int):
            raise TargetError(f"{name}: expected class indices (whole numbers), got {number!r}")
        indices.append(number)
    if len(indices) != count:
        raise ShapeError(f"{name}: expected one per input ({count}), got {len(indices)}")
    outside = [index for index in indices if not 0 <= index < classes]
    if outside:
        raise TargetError(f"{name}: expected a class index from 0 to {classes - 1}, got {outside[0]}")
    return indices
