"""What the code of a page leaves behind in the process is undone: other tests run in it."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    """Libraries that pages use give every module a method."""
    names = set(vars(torch.nn.Module))
    yield
    for name in set(vars(torch.nn.Module)) - names:
        delattr(torch.nn.Module, name)
