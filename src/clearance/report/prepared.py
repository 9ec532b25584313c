"""What was done to inputs before the network saw them, in words."""

from __future__ import annotations

from itertools import pairwise

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
    words = {"--resize": "resized", "--crop": "cropped"}
    sizes = [f"{word} to {given[flag]}" for flag, word in words.items() if flag in given]
    said = [f"pictures {' and '.join(sizes)}: distances are of these"] if sizes else []
    model = plan.model
    if model.mean is not None and model.std is not None:
        preset = f" (preset {given['--preset']})" if "--preset" in given else ""
        numbers = [", ".join(f"{value:.4g}" for value in values) for values in (model.mean, model.std)]
        said.append(
            f"values normalised inside the network by mean {numbers[0]} and standard deviation {numbers[1]}{preset}: "
            "distances are of the values before that"
        )
    return "; ".join(said)
