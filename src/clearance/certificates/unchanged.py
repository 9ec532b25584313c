"""A network is left as it was found, whatever it keeps of an input without values."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def unchanged(network: nn.Module) -> Generator[None]:
    """Put the attributes of a network's modules back afterwards, and what its lists, dicts and sets hold.

    A network may keep a mask, a table of positions or its last input for the next call. After a trace that would be a
    symbol or a tensor without values, and the next call would fail or be wrong. Tensors that are changed in place are
    not put back: whoever runs the network changes them.

    Source: this project.

    Args:
        network: The network.

    >>> network = nn.Linear(2, 2)
    >>> with unchanged(network):
    ...     network.cache = "of a trace"
    >>> hasattr(network, "cache")
    False
    """
    kept = [(vars(module), dict(vars(module)), _contents(vars(module))) for module in network.modules()]
    try:
        yield
    finally:
        for attributes, before, contents in kept:
            attributes.clear()
            attributes.update(before)
            for held, content in contents:
                _refill(held, content)


def _contents(attributes: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Each list, dict and set among the attributes, with a copy of what it holds; `Module` has its own in them too."""
    return [(value, value.copy()) for value in attributes.values() if isinstance(value, list | dict | set)]


def _refill(held: Any, content: Any) -> None:
    """Give a container back what it held."""
    if isinstance(held, list):
        held[:] = content
    else:
        held.clear()
        held.update(content)
