"""Every transform in one table: what it does to an input, and what gradient it has."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.records import Choice


@dataclass(frozen=True)
class TransformChoice(Choice):
    """One line of the table.

    Attributes:
        call: How it is made, with its main arguments.
        gradient: What gradient it has.
    """

    call: str
    gradient: str


def _line(where: str, call: str, meaning: str, gradient: str) -> TransformChoice:
    return TransformChoice(meaning, f"clearance.model.transforms.{where}", call, gradient)


TRANSFORMS = {
    "Staircase": _line(
        "steps:Staircase",
        "Staircase(levels)",
        "`ceil(c x) / c`, with `c = levels` stairs in a unit (Goodfellow 2018, section 3)",
        "zero",
    ),
    "Ramp": _line(
        "steps:Ramp",
        "Ramp(levels, width)",
        "the same stairs, each reached by a linear ramp over the share `width` of it (Goodfellow 2018, figure 1); "
        "`width=1` is the identity",
        "`1 / width` on a ramp, zero elsewhere",
    ),
    "BitDepth": _line(
        "steps:BitDepth",
        "BitDepth(bits)",
        "8-bit pixel values with the lower bits set to 0, so that `bits` remain (Weng et al. 2018b, section 5.2)",
        "zero",
    ),
    "Jpeg": _line(
        "jpeg:Jpeg",
        "Jpeg(quality)",
        "a real JPEG file, written and read by Pillow; grey or RGB, quality 1 to 95",
        "none: detached",
    ),
    "RandomDrop": _line(
        "randomised:RandomDrop",
        "RandomDrop(rate)",
        "each value is 0 with probability `rate`",
        "of the values that stay",
    ),
    "RandomCropResize": _line(
        "randomised:RandomCropResize",
        "RandomCropResize(smallest)",
        "a random window, its sides a share in `[smallest, 1]` of the image's, enlarged linearly to the image's shape",
        "yes",
    ),
    "GaussianNoise": _line("randomised:GaussianNoise", "GaussianNoise(sigma)", "adds normal noise", "yes"),
}
"""Name -> transform."""
