"""Lossy compression: real JPEG files through Pillow."""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clearance.errors import ShapeError
from clearance.model.transforms.pixels import check_count, check_range, from_pixels, to_pixels

CHANNEL_COUNTS = (1, 3)
"""Grey and RGB."""


class Jpeg(nn.Module):
    """Each image is written as a JPEG file and read back.

    Source: Guo, Rana, Cisse and van der Maaten (2018); Weng, Zhang, Chen, Lozano, Hsieh and Daniel (2018), section 5.2
    (quality 75). The work is done on the CPU, image by image; no gradient passes.

    Args:
        quality: Pillow's quality, 1 to 95.
        bounds: What the pixel values 0 and 255 stand for, in input units; values outside saturate.

    Raises:
        InputError: If an argument lies outside its range.

    >>> Jpeg(75)(torch.full((2, 3, 16, 16), 128 / 255)).mul(255).round().unique()
    tensor([128.])
    """

    def __init__(self, quality: int, *, bounds: tuple[float, float] = (0.0, 1.0)) -> None:
        super().__init__()
        self.quality = check_count("quality", quality, 1, 95)
        self.bounds = check_range(bounds)

    def forward(self, x: Tensor) -> Tensor:
        """Compress and decompress `(batch, channels, height, width)`, grey or RGB.

        Raises:
            ShapeError: If these are not images with 1 or 3 channels.
        """
        if x.ndim != 4 or x.shape[1] not in CHANNEL_COUNTS:
            raise ShapeError(f"Jpeg: expected images (batch, 1 or 3, height, width), got shape {tuple(x.shape)}")
        pixels = to_pixels(x.detach(), self.bounds).to("cpu", torch.uint8).movedim(1, -1).numpy()
        decoded = np.stack([round_trip(image, self.quality) for image in pixels]) if len(pixels) else pixels
        return from_pixels(torch.from_numpy(decoded).movedim(-1, 1).to(x), self.bounds)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"quality={self.quality}, bounds={self.bounds}"


def round_trip(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """One image through a JPEG file in memory.

    Args:
        pixels: `(height, width, channels)`, 1 or 3 channels.
        quality: Pillow's quality.

    Returns:
        The decoded pixels, in the same shape.
    """
    from PIL import Image

    grey = pixels.shape[2] == 1
    with io.BytesIO() as file:
        Image.fromarray(pixels[:, :, 0] if grey else pixels).save(file, "JPEG", quality=quality)
        with Image.open(file) as image:
            return np.array(image).reshape(pixels.shape)
