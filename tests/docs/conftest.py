"""What the code of a page leaves behind in the process is undone: other tests run in it."""

from collections.abc import Iterator

import pytest
import torch
from PIL import Image


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    """Libraries that pages use (datasets, transformers) set Pillow's limit and give every module a method."""
    pixels, names = Image.MAX_IMAGE_PIXELS, set(vars(torch.nn.Module))
    yield
    Image.MAX_IMAGE_PIXELS = pixels
    for name in set(vars(torch.nn.Module)) - names:
        delattr(torch.nn.Module, name)
