"""Whose number an estimated radius is: the estimate's own, or a larger proof that stands in its place.

A bracket's estimate is never below its proof (`bracket.parts.at_least`): where more is proved, the record holds the
proof in the estimate's place, and the flag `below_certificate` keeps what was estimated. Columns and medians of
estimates hold the estimate's own numbers only; where there is none, `below_proof` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BELOW_PROOF = "below_certificate"
"""The flag of a bracket whose estimate was smaller than what is proved."""


def is_below_proof(values: Mapping[str, Any]) -> bool:
    """Whether a bracket's record holds the proof in the estimate's place, and the estimate might have been read.

    Args:
        values: As `Bracket.as_record` gives them.

    Returns:
        Whether it does.
    """
    return values["estimated"]["radius"] is not None and any(
        flag["code"] == BELOW_PROOF for flag in values["audit"]["flags"]
    )


def own_estimate(values: Mapping[str, Any]) -> dict[str, Any]:
    """A bracket's record whose estimated radius is the estimate's own.

    Args:
        values: As `Bracket.as_record` gives them; of anything else, such as a failed task, they stay as they are.

    Returns:
        The record with `below_proof` in `estimated`: where it is true, `radius` and `interval` are `None`.
    """
    if "estimated" not in values or "audit" not in values:
        return dict(values)
    below = is_below_proof(values)
    hidden: dict[str, Any] = {"radius": None, "interval": None} if below else {}
    return {**values, "estimated": {**values["estimated"], **hidden, "below_proof": below}}
