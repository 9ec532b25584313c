"""Means and standard deviations that networks for well-known data sets were trained with, as fractions of white."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A normalisation: `(x - mean) / std` for each channel of images in [0, 1].

    Attributes:
        mean: Of each channel.
        std: Of each channel.
        meaning: What it belongs to.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    meaning: str


PRESETS = {
    "imagenet": Preset(
        (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "the networks of torchvision and most others for ImageNet"
    ),
    "cifar10": Preset(
        (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), "mean and standard deviation of CIFAR-10's training images"
    ),
    "mnist": Preset((0.1307,), (0.3081,), "mean and standard deviation of MNIST's training images"),
}
"""Name -> normalisation."""
