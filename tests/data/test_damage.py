"""Damaged files of every kind of data: a set that can be used, or one error of ours in one line; never a traceback."""

from pathlib import Path

import numpy as np
import pytest
import torch

from clearance.data.datasets import load
from clearance.errors import ClearanceError
from data_files import WRITERS

EACH = 16
"""Damages of each form of data; there are 14 forms."""

NEEDS = {"parquet": "pyarrow", "parquet pictures": "pyarrow", "hf": "datasets"}


def cut(data: bytearray, random: np.random.Generator, _: bytes) -> bytearray:
    return data[: int(random.integers(0, len(data)))]


def flip(data: bytearray, random: np.random.Generator, _: bytes) -> bytearray:
    for place in random.integers(0, len(data), int(random.integers(1, 9))):
        data[int(place)] ^= int(random.integers(1, 256))
    return data


def flip_head(data: bytearray, random: np.random.Generator, _: bytes) -> bytearray:
    for place in random.integers(0, min(len(data), 40), 2):
        data[int(place)] = int(random.choice([0, 1, 127, 128, 255]))
    return data


def swap_head(data: bytearray, random: np.random.Generator, other: bytes) -> bytearray:
    size = int(random.integers(4, 64))
    return bytearray(other[:size]) + data[size:]


def append(data: bytearray, random: np.random.Generator, other: bytes) -> bytearray:
    return data + bytearray(other[: int(random.integers(1, 200))])


def zero(data: bytearray, random: np.random.Generator, _: bytes) -> bytearray:
    start = int(random.integers(0, len(data)))
    stop = start + int(random.integers(1, 64))
    data[start:stop] = bytes(len(data[start:stop]))
    return data


DAMAGES = (cut, flip, flip_head, swap_head, append, zero)


HEADS = (
    b"\x80\x04\x95" + bytes(60),
    b"\x1f\x8b\x08\x00" + bytes(60),
    b"PK\3\4" + bytes(60),
    b"\x89PNG\r\n\x1a\n" + bytes(60),
    b"text,text\n" * 9,
)
"""Beginnings of files of other kinds: a pickle, gzip, zip, a picture, text."""


@pytest.mark.parametrize("form", WRITERS)
def test_damaged_files_are_a_set_or_one_line(form: str, tmp_path: Path):
    if form in NEEDS:
        pytest.importorskip(NEEDS[form])
    spec = WRITERS[form](tmp_path)
    assert len(load(spec)) == 4
    files = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    random, refused = np.random.default_rng([11, list(WRITERS).index(form)]), 0
    for number in range(EACH):
        path = list(files)[int(random.integers(len(files)))]
        damage = DAMAGES[number % len(DAMAGES)]
        path.write_bytes(damage(bytearray(files[path]), random, HEADS[int(random.integers(len(HEADS)))]))
        try:
            found = load(spec)
        except ClearanceError as error:
            refused += 1
            assert "\n" not in str(error) and str(tmp_path) in str(error), f"{damage.__name__} {path.name}: {error}"
        else:
            assert torch.isfinite(found.images).all() and len(found) == len(found.images) > 0
            assert (found.labels >= 0).all()
        path.write_bytes(files[path])
    assert refused >= EACH // 4
