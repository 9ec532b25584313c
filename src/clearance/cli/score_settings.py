"""The choices of `clearance score`, checked before torch is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearance.errors import InputError
from clearance.estimates.settings import PAPER, PAPER_SECOND_ORDER, Settings


def make_settings(given: frozenset[str], choices: Mapping[str, Any], *, paper: bool) -> Settings:
    """The settings that the flags ask for; `--paper` sets all choices of the paper (of the order's own paper).

    Raises:
        InputError: If a flag contradicts `--paper`.
    """
    chosen: dict[str, Any] = dict(choices)
    chosen["clip"] = None if chosen["clip"] == "none" else chosen["clip"]
    if chosen["clip"] is None and "feasible" not in given:  # outside the bounds no direction is feasible
        chosen["feasible"] = False
    if paper:
        ours = PAPER_SECOND_ORDER if chosen["order"] == 2 else PAPER
        for name in given & ours.keys():
            if chosen[name] != ours[name]:
                option = f"--{name.replace('_', '-')}"
                others = " ".join(as_flag(other, value) for other, value in ours.items() if other != name)
                both = f"--paper: sets {option} to {ours[name]}, got {option} {chosen[name]} as well"
                raise InputError(f"{both}; instead of --paper: {as_flag(name, chosen[name])} {others}")
        chosen |= ours
    return Settings(**chosen)


def as_flag(name: str, value: object) -> str:
    """A setting as the command line has it.

    Args:
        name: The setting.
        value: What it is.

    Returns:
        The flag.

    >>> as_flag("block_size", 1024), as_flag("racing", False), as_flag("clip", None)
    ('--block-size 1024', '--no-racing', '--clip none')
    """
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {'none' if value is None else f'{value:g}' if isinstance(value, float) else value}"
