"""Accuracy, and robust accuracy under projected gradient ascent."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from clearance.errors import InputError, ShapeError
from clearance.geometry.norms import expand
from clearance.model.seeds import make_generator
from clearance.training.perturbations import PerturbationSet, ascend


def accuracy(network: nn.Module, images: Tensor, labels: Tensor, *, batch_size: int = 1024) -> float:
    """The share of inputs whose predicted class is their label, in evaluation mode.

    Args:
        network: Maps `(batch, *input)` to logits. Its mode is put back at the end.
        images: `(count, *input)`.
        labels: `(count,)`.
        batch_size: Inputs in one forward pass.

    Returns:
        A number in [0, 1].

    Raises:
        ShapeError: If there is no input, or not one label for each.
    """
    check_inputs(images, labels, batch_size=batch_size)
    return _share_correct(network, images, labels, batch_size, lambda x, _: x)


def robust_accuracy(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    perturbations: PerturbationSet,
    steps: int,
    seed: int,
    step_size: float | None = None,
    batch_size: int = 1024,
) -> float:
    """The share of inputs still classified right after projected gradient ascent (Madry et al. 2018, section 2.1).

    It is an upper bound: a better attack may find more. `clearance attack` and `clearance bracket` have better ones.

    Args:
        network: Maps `(batch, *input)` to logits. Its mode is put back at the end.
        images: `(count, *input)`.
        labels: `(count,)`.
        perturbations: What the adversary may do.
        steps: How many ascent steps.
        seed: Fixes the random starts.
        step_size: As in `ascend`.
        batch_size: Inputs attacked at once.

    Returns:
        A number in [0, 1].

    Raises:
        ShapeError: If there is no input, or not one label for each.
    """
    check_inputs(images, labels, batch_size=batch_size)
    generator = make_generator(images.device, seed, "evaluation")

    def attacked(x: Tensor, y: Tensor) -> Tensor:
        moved = ascend(network, x, y, perturbations, steps=steps, step_size=step_size, generator=generator)
        right = network(x).argmax(1) == y  # no random start may correct what is wrong already
        return torch.where(expand(right, x), moved, x)

    return _share_correct(network, images, labels, batch_size, attacked)


@contextmanager
def mode(network: nn.Module, *, training: bool) -> Generator[None]:
    """Set the mode of every module, and put each one's own back.

    Args:
        network: The network.
        training: The mode in between.

    Yields:
        Nothing.
    """
    before = [(module, module.training) for module in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        for module, own in before:
            module.training = own


def check_inputs(images: Tensor, labels: Tensor, **positive: float) -> None:
    """Refuse inputs without labels, and settings that are not positive.

    Args:
        images: `(count, *input)`.
        labels: `(count,)`.
        **positive: Settings by name.

    Raises:
        ShapeError: If there is no input, or not one label for each.
        InputError: If a setting is not positive.
    """
    if len(images) == 0 or labels.shape != (len(images),):
        raise ShapeError(f"training: expected one label for each input, got {len(images)} and {tuple(labels.shape)}")
    for name, value in positive.items():
        if not value > 0:
            raise InputError(f"{name}: expected a positive number, got {value}")


def _share_correct(
    network: nn.Module, images: Tensor, labels: Tensor, size: int, change: Callable[[Tensor, Tensor], Tensor]
) -> float:
    correct = torch.zeros((), dtype=torch.int64, device=images.device)
    with mode(network, training=False), torch.no_grad():
        for x, y in zip(images.split(size), labels.split(size), strict=True):
            correct += (network(change(x, y)).argmax(1) == y).sum()
    return correct.item() / len(images)
