"""The table of transforms: its lines name what they say, and the document is written from it.

`make tables` writes the table of docs/transforms.md.
"""

from pathlib import Path

import pytest
from torch import nn

import clearance
from clearance.model.transforms.table import TRANSFORMS
from doc_tables import part, rewrite, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "transforms.md"
SOURCE = "clearance.model.transforms.table.TRANSFORMS: make tables"


def written() -> str:
    rows = [(f"`{line.call}`", line.meaning, line.gradient) for line in TRANSFORMS.values()]
    return table(("transform", "what it does", "gradient"), rows)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_each_line_names_a_transform(name: str):
    made = TRANSFORMS[name].load()
    assert made is getattr(clearance.transforms, name) and issubclass(made, nn.Module)
    assert TRANSFORMS[name].call.startswith(f"{name}(")


def test_every_public_transform_has_a_line():
    modules = {name for name in clearance.transforms.__all__ if isinstance(getattr(clearance.transforms, name), type)}
    assert modules - {"AveragedClassifier", "Bpda", "RandomTransform"} == set(TRANSFORMS)


def test_the_document_says_what_the_table_says():
    assert part(PAGE, SOURCE) == written(), "run: make tables"


if __name__ == "__main__":
    rewrite(PAGE, SOURCE, written())
