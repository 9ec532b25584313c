"""What was done to inputs before the network saw them, in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from clearance.records import range_of
from clearance.runs.plan import Plan


def prepared(plan: Plan) -> str:
    """How pictures were resized and cropped, and how values were normalised.

    Args:
        plan: The plan of a run; one of an older version does not know of sizes.

    Returns:
        A clause; empty where nothing was done, or nothing is known of it.
    """
    flags = () if plan.origin is None or plan.origin.flags is None else plan.origin.flags
    given = dict(pairwise(flags))
    words = {"--resize": "resized", "--crop": "cropped", "--channels": "brought"}
    numbers = {"--channels": " channel" if given.get("--channels") == "1" else " channels"}
    sizes = [f"{word} to {given[flag]}{numbers.get(flag, '')}" for flag, word in words.items() if flag in given]
    said = [f"pictures {' and '.join(sizes)}: distances are of these"] if sizes else []
    model = plan.model
    if model.mean is not None and model.std is not None:
        preset = f" (preset {given['--preset']})" if "--preset" in given else ""
        mean, std = _shown(model.mean), _shown(model.std)
        said.append(
            f"values normalised inside the network by mean {mean} and standard deviation {std}{preset}: "
            "distances are of the values before that"
        )
    return "; ".join(said)


def _shown(values: Sequence[float]) -> str:
    """The numbers of a few channels; of the many features of a table how many they are, and between which they lie.

    >>> _shown((0.5, 0.25)), _shown(tuple(range(30)))
    ('0.5, 0.25', '(30 numbers from 0 to 29)')
    """
    many = range_of(values)
    return f"({many})" if many else ", ".join(f"{value:.4g}" for value in values)
