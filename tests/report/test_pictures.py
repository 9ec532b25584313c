"""Pictures of inputs: what they show, what they weigh, and what is no picture."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

from clearance.report.pictures import MOST_BYTES, MOST_CHANGES, Drawings, encode, largest_changes, magnification
from clearance.runs.threat import Feature


def test_the_largest_changes_come_first():
    before = np.array([[0.0, 1.0], [2.0, 3.0]])
    after = np.array([[0.0, 1.5], [1.0, 3.0]])
    found = largest_changes(before, after)
    assert [(change.place, change.before, change.after) for change in found] == [((1, 0), 2.0, 1.0), ((0, 1), 1.0, 1.5)]


def test_pictures_show_the_values():
    def pixels(address: str) -> np.ndarray:
        data = base64.b64decode(address.removeprefix("data:image/webp;base64,"))
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    x = np.zeros((1, 2, 2), dtype=np.float32)
    witness = x.copy()
    x[0, 0, 0], witness[0, 0, 0], witness[0, 1, 1] = 10, 8, 1  # bounds [0, 10]
    found = Drawings((0.0, 10.0), inputs=1, tasks=1).draw("key", x, witness)
    assert found.factor == 2.5 and found.witness and found.difference
    assert pixels(found.input)[..., 0].tolist() == [[255, 0], [0, 0]]
    assert pixels(found.witness)[..., 0].tolist() == [[204, 0], [0, 26]]
    assert pixels(found.difference)[..., 1].tolist() == [[0, 128], [128, 191]]  # 0.5 - 2.5 x 0.2; grey; 0.5 + 0.25


@pytest.mark.parametrize(("largest", "factor"), [(0.5, 1.0), (0.013, 38.0), (1.0, 0.5), (0.0, 1.0), (0.0003, 1600.0)])
def test_the_magnification_brings_the_largest_change_to_half(largest: float, factor: float):
    found = magnification(np.array([-largest, largest / 2]))
    assert found == factor and found * largest <= 0.5 + 1e-12


@pytest.mark.parametrize("allowance", [30_000, 3_000, 300])
def test_a_picture_keeps_to_its_allowance(allowance: int):
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    assert len(encode(noise, allowance)) <= 4 / 3 * allowance + 30


@pytest.mark.parametrize(
    ("bounds", "shape", "drawn"),
    [
        ((0.0, 1.0), (1, 2, 2), True),
        ((0.0, 255.0), (3, 9, 4), True),
        ((0.0, 1.0), (2, 8, 8), False),
        ((0.0, 1.0), (1, 1, 8), False),
        ((0.0, 1.0), (64,), False),
        ((1.0, 1.0), (1, 8, 8), False),
        ((-math.inf, math.inf), (1, 8, 8), False),
        (None, (1, 8, 8), False),
    ],
)
def test_an_image_has_one_or_three_channels_and_finite_bounds(bounds, shape: tuple[int, ...], drawn: bool):
    assert Drawings(bounds, inputs=1, tasks=1).holds(np.zeros(shape)) is drawn


def test_the_pictures_of_a_page_share_its_bytes():
    few, many = (Drawings((0.0, 1.0), inputs=count, tasks=3 * count) for count in (1, 1000))
    assert few.allowance == MOST_BYTES and many.allowance * (1000 + 2 * 3000) <= 7_000_000


def test_an_input_is_drawn_once_and_has_no_difference_without_a_witness():
    drawings = Drawings((0.0, 1.0), inputs=2, tasks=2)
    zero, one = np.zeros((1, 4, 6)), np.ones((1, 4, 6))
    first = drawings.draw("key", zero, None)
    assert (first.witness, first.difference, first.factor, first.size) == (None, None, None, (6, 4))
    assert drawings.draw("key", one, zero).input == first.input != drawings.draw("other", one, zero).input


def test_few_changes_are_kept_and_equal_ones_in_order():
    before, after = np.zeros((5, 6)), np.ones((5, 6))
    found = largest_changes(before, after)
    assert len(found) == MOST_CHANGES and [change.place for change in found[:2]] == [(0, 0), (0, 1)]
    assert largest_changes(before, before) == ()


def test_named_features_are_held_against_each_other_in_their_units():
    units = {"income": 10_000.0, "age": 2.0}
    features = [Feature(name=name, unit=unit, low=0, high=1e6, moves=True) for name, unit in units.items()]
    age, income = largest_changes(np.array([14749.0, 68.0]), np.array([10459.4, 66.5]), features)
    assert (age.name, age.unit, age.written) == ("age", 2.0, ("68.00", "66.50", "-1.50"))
    assert (income.name, income.place, income.written) == ("income", (0,), ("14749", "10459", "-4290"))
