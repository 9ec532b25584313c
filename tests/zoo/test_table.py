"""The tables of networks and of model specs: each line makes what it says, and the document is written from them.

`make tables` writes the table of docs/models.md.
"""

import inspect
from pathlib import Path

import pytest
import torch

from clearance.zoo.loaded import ModelRequest
from clearance.zoo.specs import WEIGHTS_FOLDER, load_model
from clearance.zoo.table import ARCHITECTURES, BUNDLED, SPECS, specs_in_words
from doc_tables import part, rewrite, table

SHAPES = {name: (1, 28, 28) for name in ARCHITECTURES if name != "digits_cnn"}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
SOURCE = "clearance.zoo.table.SPECS: make tables"


def written() -> str:
    rows = [
        (f"`{name}`", line.meaning, f"`pip install '{line.needs}'`" if line.needs else "")
        for name, line in SPECS.items()
    ]
    return table(("MODEL", "what it is", "needs"), rows)


@pytest.mark.parametrize("name", BUNDLED)
def test_each_bundled_classifier_has_weights_and_classifies(name: str):
    file = WEIGHTS_FOLDER / f"{name}.safetensors"
    assert file.stat().st_size <= 2_000_000
    loaded = load_model(name)
    assert loaded.network(torch.zeros(2, *loaded.input_shape)).shape == (2, 10)
    architecture = ARCHITECTURES[loaded.metadata["architecture"]]
    assert architecture.where == BUNDLED[name].where
    assert loaded.metadata["command"].startswith(f"clearance train {name.split('-', maxsplit=1)[0]} ")


def test_no_weights_lie_there_without_a_line():
    assert {file.stem for file in WEIGHTS_FOLDER.iterdir()} == set(BUNDLED)
    assert sum(file.stat().st_size for file in WEIGHTS_FOLDER.iterdir()) <= 8_500_000


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_makes_a_network(name: str):
    shape = SHAPES.get(name)
    made = ARCHITECTURES[name].load()
    assert made.__name__ == name
    network = made() if shape is None else made(shape, 10)
    assert network(torch.zeros(1, *(shape or (1, 8, 8)))).shape == (1, 10)


@pytest.mark.parametrize("name", SPECS)
def test_each_kind_of_spec_has_a_reader(name: str):
    reader = SPECS[name].load()
    (request,) = inspect.signature(reader).parameters.values()
    assert request.annotation in ("ModelRequest", ModelRequest)


def test_no_two_kinds_of_spec_are_named_alike():
    marks = [mark for line in SPECS.values() for mark in (*line.endings, line.prefix) if mark]
    assert len(marks) == len(set(marks)) >= 8


def test_help_and_document_say_what_the_table_says():
    assert all(name in specs_in_words() for name in (*BUNDLED, *SPECS))
    assert part(PAGE, SOURCE) == written(), "run: make tables"


if __name__ == "__main__":
    rewrite(PAGE, SOURCE, written())
