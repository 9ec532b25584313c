"""Scales of distances by name. Without torch, so that `--help` is quick."""

from __future__ import annotations

MOST_INPUTS = 10_000
"""Inputs from which standard deviations and ranges are taken: the first of the whole set."""

UNIT_NAMES = {
    "std": "standard deviations of each feature",
    "range": "widths of each feature's range",
}
"""Name → what a distance is measured in then."""

SCALE_MEANING = f"{', '.join(f'{name}: {words}' for name, words in UNIT_NAMES.items())}; FILE: a CSV of feature,scale"
"""The names, and a file, in words."""

ORDER_OR_INPUTS = (
    "is the order of the classes the model's (class-names), and is what it gets what it was trained on (mean, std, "
    "preset, resize)?"
)
"""What to ask where most inputs are misclassified."""
