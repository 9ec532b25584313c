"""The public MNIST networks and images that benchmarks measure on, from `CLEARANCE_DATA` (default `../shared/data`)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from clearance.data import datasets

DATA = Path(os.environ.get("CLEARANCE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()
NETWORKS = ("mnist-fmn", "mnist-eran-6x100", "mnist-lirpa-a-adv", "mnist-kw-0.1")


def load_network(name: str) -> nn.Module:
    """A public checkpoint as a frozen module that takes images in [0, 1]."""
    sys.path.insert(0, str(DATA / "checkpoints"))
    import zoo  # pyright: ignore

    return zoo.load(name)


def correct_images(network: nn.Module, count: int) -> tuple[Tensor, Tensor]:
    """The first `count` MNIST test images that a network classifies correctly, with their labels."""
    os.environ.setdefault("CLEARANCE_DATA", str(DATA))
    data = datasets.load("mnist", count=4 * count)
    with torch.no_grad():
        right = (network(data.images).argmax(1) == data.labels).nonzero().flatten()[:count]
    return data.images[right], data.labels[right]


def mnist_fmn() -> nn.Module:
    """The MNIST CNN of most figures here, as a factory: `clearance bracket public:mnist_fmn mnist ...`."""
    return load_network("mnist-fmn")
