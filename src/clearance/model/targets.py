"""Targets by name: where an adversarial example may go."""

from __future__ import annotations

TARGETS = {
    "untargeted": "any other class",
    "runner-up": "the second largest logit",
    "random": "drawn for each input",
    "least-likely": "the smallest logit",
}
"""Name -> what it means; beside these, any class index is a target."""


def describe_targets() -> str:
    """The names with their meanings, for `--help` and messages.

    >>> describe_targets().split(", ")[0]
    'untargeted (any other class)'
    """
    return ", ".join(f"{name} ({meaning})" for name, meaning in TARGETS.items())


def unknown_target(name: str) -> str:
    """What is said of a name that no target has.

    >>> unknown_target("nearest")[:29]
    'target: expected one of untar'
    """
    return f"target: expected one of {', '.join(TARGETS)} or a class index, got {name!r}"
