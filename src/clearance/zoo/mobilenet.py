"""MobileNetV2 for ImageNet, with the values of a TensorFlow Lite file as arrays."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils import skip_init

from clearance.data.files import require_file
from clearance.errors import FileError

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks and first stride of each stage: Sandler et al. (2018), table 2."""
STEM, HEAD, OUTPUTS = 32, 1280, 1001
"""Channels of the first and of the last convolution; the classes, of which the first is the background."""


class SameConv2d(nn.Module):
    """A convolution whose zeros are shared out as TensorFlow does: what is left over goes below and to the right.

    Attributes:
        conv: The convolution itself, without padding.
    """

    def __init__(self, inputs: int, outputs: int, size: int, *, stride: int = 1, groups: int = 1) -> None:
        """A convolution without values."""
        super().__init__()
        self.size, self.stride = size, stride
        self.conv = skip_init(nn.Conv2d, inputs, outputs, kernel_size=size, stride=stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, inputs, height, width)` to `(batch, outputs, ceil(height / stride), ceil(width / stride))`."""
        if self.size == 1 and self.stride == 1:
            return self.conv(x)
        down, across = (max((-(-n // self.stride) - 1) * self.stride + self.size - n, 0) for n in x.shape[2:])
        return self.conv(pad(x, (across // 2, across - across // 2, down // 2, down - down // 2)))


class InvertedResidual(nn.Module):
    """An inverted residual block (Sandler et al. 2018, figure 4), batch normalisation folded into the convolutions."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        """A block without values."""
        super().__init__()
        hidden, layers = inputs * expansion, OrderedDict[str, nn.Module]()
        if expansion != 1:
            layers |= {"expand": SameConv2d(inputs, hidden, 1), "act1": nn.ReLU6()}
        layers |= {"depthwise": SameConv2d(hidden, hidden, 3, stride=stride, groups=hidden), "act2": nn.ReLU6()}
        layers |= {"project": SameConv2d(hidden, outputs, 1)}
        self.body, self.residual = nn.Sequential(layers), stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, inputs, height, width)` to `(batch, outputs, height / stride, width / stride)`."""
        return x + self.body(x) if self.residual else self.body(x)


class MobileNetV2(nn.Module):
    """MobileNetV2 with width 1.0 (Sandler, Howard, Zhu, Zhmoginov and Chen 2018): 3.5 million parameters.

    Takes pictures in [0, 1] of 224 × 224, RGB; answers with the logits of ImageNet's 1,000 classes in the usual order.
    """

    def __init__(self) -> None:
        """The network without values; see `mobilenet_v2`."""
        super().__init__()
        layers: list[nn.Module] = [SameConv2d(3, STEM, 3, stride=2), nn.ReLU6()]
        width = STEM
        for expansion, outputs, blocks, stride in STAGES:
            for block in range(blocks):
                layers.append(InvertedResidual(width, outputs, expansion, stride if block == 0 else 1))
                width = outputs
        self.features = nn.Sequential(*layers, SameConv2d(width, HEAD, 1), nn.ReLU6())
        self.classifier = skip_init(nn.Linear, HEAD, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, `(batch, 1000)`."""
        return self.classifier(self.features(x * 2 - 1).mean((2, 3)))[:, 1:]


def mobilenet_v2(file: str | Path) -> MobileNetV2:
    """MobileNetV2 with the values of the 8-bit network that Google Coral publishes, as floats.

    Args:
        file: A `.npz` file with, for layer `i` of 53 (`00` to `52`): `q`, its weights as uint8; `s` and `z`, scale and
            zero point of each output channel; `b`, its biases. The weights are `(q - z) s`.

    Returns:
        The network, on the CPU, in evaluation mode.

    Raises:
        FileError: If the file is missing, damaged, or of another network.
    """
    path, network = Path(file), MobileNetV2()
    require_file(path)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    try:
        with np.load(path, allow_pickle=False) as arrays, torch.no_grad():
            for index, layer in enumerate(layers):
                codes, scale, zero, bias = (arrays[f"{name}{index:02d}"].astype(np.float32) for name in "qszb")
                weight = (codes - zero.reshape(-1, 1, 1, 1)) * scale.reshape(-1, 1, 1, 1)
                layer.weight.copy_(torch.from_numpy(weight).reshape(layer.weight.shape))
                layer.bias.copy_(torch.from_numpy(bias))  # pyright: ignore[reportOptionalMemberAccess]
    except (KeyError, ValueError, RuntimeError, BadZipFile, OSError) as error:
        raise FileError(f"{path}: expected the arrays of MobileNetV2's 53 layers ({error})") from error
    return network.eval()
