"""Ten public MNIST and CIFAR-10 checkpoints: their architectures, as factories for model specs, and what they reach.

The architectures are written from the shapes of the weights and the authors' descriptions. Each takes images in [0, 1]
after the normalisation that the table names, `(batch, channels, height, width)`, and returns 10 logits:

    clearance score tests/public_networks.py:small_cnn mnist --weights CHECKPOINTS/mnist-kw-0.1.pth --bounds 0 1
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of the channels of ImageNet, which the ResNets were trained with."""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint.

    Attributes:
        file: Its file.
        factory: A function of this module; empty for a file that needs none.
        arguments: Of the factory.
        normalisation: Mean and standard deviation of each channel.
        accuracy: On the 10,000 test images, in percent.
    """

    file: str
    factory: str
    accuracy: float
    arguments: Mapping[str, int] = field(default_factory=dict)
    normalisation: tuple[Sequence[float], Sequence[float]] | None = None


CIFAR_SMALL = {"channels": 3, "first": 8, "second": 16}
PUBLIC = {
    "mnist-kw-0.1": Checkpoint("mnist-kw-0.1.pth", "small_cnn", 98.20),
    "mnist-fmn": Checkpoint("mnist-fmn.pt", "NineLayers", 98.14),
    "mnist-eran-6x100": Checkpoint("mnist-eran-6x100.pth", "fully_connected", 96.29),
    "mnist-lirpa-a-adv": Checkpoint("mnist-lirpa-a-adv.pth", "small_cnn", 96.33),
    "mnist-mipverify-wk17a": Checkpoint("mnist-mipverify-wk17a.pth", "small_cnn", 98.11),
    "mnist-dnnv-convsmall-point": Checkpoint(
        "mnist-dnnv-convsmall-point.onnx", "", 98.25, normalisation=((0.1307,), (0.3081,))
    ),
    "cifar10-resnet20": Checkpoint("cifar10-resnet20.th", "ResidualNetwork", 91.73, {"blocks": 3}, IMAGENET),
    "cifar10-resnet32-delta": Checkpoint(
        "cifar10-resnet32-delta.pt", "ResidualNetwork", 85.57, {"blocks": 5}, IMAGENET
    ),
    "cifar10-oval-base": Checkpoint(
        "cifar10-oval-base.pth", "small_cnn", 58.53, CIFAR_SMALL, (IMAGENET[0], (0.225, 0.225, 0.225))
    ),
    "cifar10-captum": Checkpoint("cifar10-captum.pt", "TutorialNetwork", 59.07, normalisation=((0.5,), (0.5,))),
}
"""Identifier -> checkpoint."""


def small_cnn(channels: int = 1, first: int = 16, second: int = 32, hidden: int = 100) -> nn.Sequential:
    """Two 4 × 4 convolutions of stride 2 and two linear layers: the small network of Wong and Kolter (2018)."""
    side = 7 if channels == 1 else 8
    return nn.Sequential(
        nn.Conv2d(channels, first, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(first, second, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(second * side * side, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )


def fully_connected(width: int = 100, layers: int = 5) -> nn.Sequential:
    """Hidden layers of one width on 28 × 28 images."""
    parts: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise([784, *[width] * layers, 10]):
        parts += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


class NineLayers(nn.Module):
    """The MNIST network of Carlini and Wagner (2017), table 1, with the names of Pintor et al. (2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 32, 3)
        self.conv3, self.conv4 = nn.Conv2d(32, 64, 3), nn.Conv2d(64, 64, 3)
        self.fc1, self.fc2, self.fc3 = nn.Linear(1024, 200), nn.Linear(200, 200), nn.Linear(200, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.conv2(self.conv1(x).relu()).relu(), 2)
        x = functional.max_pool2d(self.conv4(self.conv3(x).relu()).relu(), 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


class TutorialNetwork(nn.Module):
    """The CIFAR-10 network of PyTorch's first tutorial."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.conv1(x).relu(), 2)
        x = functional.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut without parameters: He et al. (2016), section 4.2, option A."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.added = (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        if self.added:  # every second pixel, and as many channels of zeros on either side
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added))
        return (x + y).relu()


class ResidualNetwork(nn.Module):
    """The ResNets of He et al. (2016), section 4.2, for CIFAR-10: 6 `blocks` + 2 layers."""

    def __init__(self, blocks: int = 3) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = (
            self._stage(inputs, outputs, blocks) for inputs, outputs in ((16, 16), (16, 32), (32, 64))
        )
        self.linear = nn.Linear(64, 10)

    @staticmethod
    def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
        first = ResidualBlock(inputs, outputs, 1 if inputs == outputs else 2)
        return nn.Sequential(first, *(ResidualBlock(outputs, outputs, 1) for _ in range(blocks - 1)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(torch.mean(x, (2, 3)))
