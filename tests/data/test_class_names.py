"""Classes of data in the order of a model's outputs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clearance.data.datasets import load
from data_writers import LABELS, write_npz


@pytest.mark.parametrize(
    ("known", "labels", "names"),
    [
        ((), [1, 0], ("cat", "dog")),
        (("cat", "dog"), [1, 0], ("cat", "dog")),
        (("dog", "cat"), [0, 1], ("dog", "cat")),
        (("owl", "dog", "cow", "cat"), [1, 3], ("owl", "dog", "cow", "cat")),
        (("LABEL_0", "LABEL_1"), [1, 0], ("cat", "dog")),
        (("cat", "dog", "dog"), [1, 0], ("cat", "dog")),  # two outputs of one name say nothing
    ],
)
def test_names_of_the_data_are_found_among_those_of_the_model(
    here: Path, known: tuple[str, ...], labels: list[int], names: tuple[str, ...]
):
    write_npz(Path("a.npz"), images=np.array([[0.5], [1.5]]), labels=LABELS, class_names=["cat", "dog"])
    found = load("a.npz", class_names=known)
    assert (found.labels.tolist(), found.class_names) == (labels, names)
    assert bool(found.notes) == (labels != [1, 0])


def test_digits_by_name():
    assert load("digits", count=3, class_names=tuple("9876543210")).labels.tolist() == [9, 4, 9]


def test_whole_numbers_are_indices_among_names_of_the_data_themselves(here: Path):
    for name in ("a", "b"):
        Path("pics").mkdir(exist_ok=True)
        Image.new("L", (2, 2), 100).save(f"pics/{name}.png")
    Path("pics/labels.csv").write_text("file,label\na.png,1\nb.png,2\n")
    Path("pics/classes.csv").write_text("label,name\n0,1\n1,2\n2,3\n")
    assert load("folder:pics").labels.tolist() == [1, 2]
