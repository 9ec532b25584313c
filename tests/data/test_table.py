"""The table of kinds of data and that of normalisations: the page has them, and its examples run.

`make tables` writes the tables of docs/data.md anew.
"""

import tomllib
from pathlib import Path

import pytest

from clearance.data import datasets
from clearance.data.options import Options
from clearance.data.presets import PRESETS
from clearance.data.table import DATA_KINDS, describe_data
from command_line import run_command
from doc_tables import part, rewrite, table

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "data.md"
KINDS_SOURCE = "clearance.data.table.DATA_KINDS: make tables"
PRESETS_SOURCE = "clearance.data.presets.PRESETS: make tables"


def kinds() -> str:
    rows = (
        (f"`{kind.form}`", kind.meaning, ", ".join(f"`--{name.replace('_', '-')}`" for name in kind.options))
        for kind in DATA_KINDS.values()
    )
    return table(("DATA", "what it is", "flags that it takes"), rows)


def presets() -> str:
    rows = (
        (f"`{name}`", ", ".join(map(str, preset.mean)), ", ".join(map(str, preset.std)), preset.meaning)
        for name, preset in PRESETS.items()
    )
    return table(("preset", "mean", "std", "of"), rows)


def test_the_document_says_what_the_tables_say():
    assert part(PAGE, KINDS_SOURCE) == kinds() and part(PAGE, PRESETS_SOURCE) == presets(), "run: make tables"


@pytest.mark.parametrize("name", DATA_KINDS)
def test_each_line_names_a_function_options_and_an_extra_that_exist(name: str):
    kind, extras = DATA_KINDS[name], tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert callable(kind.load()) and kind.meaning
    assert set(kind.options) <= set(vars(Options())) - {"class_names"}
    assert not kind.extra or kind.extra in extras["optional-dependencies"]
    assert all(datasets.takes(f"{name}:x" if kind.colon else name, option) for option in kind.options if kind.alone)


def test_the_help_lists_every_kind():
    text = " ".join(run_command("score", "--help", columns=400).stdout.split())
    assert f"DATA is {describe_data()}" in text
    assert all(kind.form in text for kind in DATA_KINDS.values())


if __name__ == "__main__":
    rewrite(PAGE, KINDS_SOURCE, kinds())
    rewrite(PAGE, PRESETS_SOURCE, presets())
