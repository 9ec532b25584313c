"""Numbers and names as they are written, and the table of marks."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.report.marks import (
    MARKS,
    NO_ESTIMATE,
    SERIES_COLOURS,
    count,
    name_norm,
    name_weights,
    write_evidence,
    write_given,
    write_norm,
    write_number,
    write_share,
)


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_numbers_are_rounded_the_safe_way(value: float):
    assert Decimal(write_number(value, "certified")) <= Decimal(repr(value)) <= Decimal(write_number(value, "attacked"))
    assert float(write_number(value)) == pytest.approx(value, rel=0.0051)


@given(st.floats(min_value=1e-12, max_value=1e12), st.sampled_from(["certified", "estimated", "attacked"]))
def test_numbers_have_three_significant_digits(value: float, kind: str):
    text = write_number(value, kind)
    digits = text.split("e")[0].replace(".", "").lstrip("0")
    assert len(digits) == 3 or (value > 999 and "." not in text and len(digits) <= 6 and set(digits[3:]) == {"0"})


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.2304, "certified", "0.230"),
        (0.8603, "attacked", "0.861"),
        (0.06, "estimated", "0.0600"),
        (1, "certified", "1.00"),
        (0.9991, "attacked", "1.00"),
        (99.96, "attacked", "100"),
        (1234.5, "certified", "1230"),
        (999_900.0, "attacked", "1.00e+6"),
        (0.00009999, "attacked", "0.000100"),
        (0.00009999, "certified", "9.99e-5"),
    ],
)
def test_numbers_as_they_are_written(value: float, kind: str, text: str):
    assert write_number(value, kind) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (math.nan, "–"), (math.inf, "∞"), (-math.inf, "-∞"), (0.0, "0"), (-0.5, "-0.500")]
)
def test_numbers_that_are_none(value: float | None, text: str):
    assert write_number(value) == text


def luminance(colour: str) -> float:
    """Relative luminance of the Web Content Accessibility Guidelines 2.1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", [*(mark.colour for mark in MARKS.values()), NO_ESTIMATE.colour, *SERIES_COLOURS])
@pytest.mark.parametrize("page", ["#ffffff", "#fcfcfa", "#14171c"])
def test_colours_can_be_told_from_both_pages(colour: str, page: str):
    assert contrast(colour, page) >= 3


def test_the_contrast_is_that_of_the_guidelines():
    assert contrast("#ffffff", "#000000") == pytest.approx(21) and contrast("#777777", "#ffffff") == pytest.approx(
        4.48, abs=0.005
    )


def test_no_mark_is_told_by_its_colour_alone():
    marks = [*MARKS.values(), NO_ESTIMATE]
    for field in ("kind", "words", "colour", "shape"):
        assert len({getattr(mark, field) for mark in marks}) == len(marks)
    assert [mark.kind for mark in MARKS.values()] == list(MARKS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (write_share(0.0), "0 %"),
        (write_share(1.0), "100 %"),
        (write_share(2 / 3), "66.7 %"),
        (write_given(255.0), "255"),
        (write_evidence(-3.0), "-3"),
        (write_evidence(1e6), "1.00e+6"),
        (write_evidence(0.5), "0.500"),
        (write_norm(1.5), "1.5"),
        (name_norm(1.5), "l1.5"),
        (name_weights("net", r"C:\python\clearance\zoo\weights\net.safetensors"), "net.safetensors"),
        (name_weights("net", "/clearance/zoo/weights/other.safetensors"), "/clearance/zoo/weights/other.safetensors"),
        (count(0, "input"), "0 inputs"),
        (count(2, "criterion", "criteria"), "2 criteria"),
    ],
)
def test_names_as_they_are_written(text: str, expected: str):
    assert text == expected
