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


def correct_images(network: nn.Module, count: int, name: str) -> tuple[Tensor, Tensor]:
    """The first `count` test images that a network classifies correctly, with their labels.

    Args:
        network: The network.
        count: How many.
        name: The network's name: `cifar10-...` is shown CIFAR-10, any other MNIST.
    """
    os.environ.setdefault("CLEARANCE_DATA", str(DATA))
    images, labels = cifar_images(6 * count) if name.startswith("cifar10") else mnist_images(4 * count)
    with torch.no_grad():
        right = (network(images).argmax(1) == labels).nonzero().flatten()[:count]
    return images[right], labels[right]


def mnist_images(count: int) -> tuple[Tensor, Tensor]:
    """The first MNIST test images with their labels."""
    data = datasets.load("mnist", count=count)
    assert data.labels is not None
    return data.images, data.labels


def cifar_images(count: int) -> tuple[Tensor, Tensor]:
    """The first CIFAR-10 test images, `(count, 3, 32, 32)` in [0, 1], with their labels."""
    sys.path.insert(0, str(DATA))
    import load_data  # pyright: ignore

    images, labels = load_data.cifar10("test")
    return torch.tensor(images[:count]).permute(0, 3, 1, 2).float() / 255, torch.tensor(labels[:count])


def mnist_fmn() -> nn.Module:
    """The MNIST CNN of most figures here, as a factory: `clearance bracket public:mnist_fmn mnist ...`."""
    return load_network("mnist-fmn")


def mnist_kw() -> nn.Module:
    """The MNIST CNN of Wong and Kolter (2018), trained for proofs, as a factory: `public:mnist_kw`."""
    return load_network("mnist-kw-0.1")
