"""One table for each family of choices: its lines name what exists, and nobody writes its list a second time."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache

import pytest

from clearance.audit.flags import CHECKS
from clearance.certificates.table import CERTIFICATES
from clearance.data.presets import PRESETS
from clearance.data.table import DATA_KINDS
from clearance.estimates.samplers.table import SAMPLERS
from clearance.model.budgets import BUDGETS
from clearance.model.targets import TARGETS
from clearance.model.transforms.table import TRANSFORMS
from clearance.records import Choice
from clearance.report.figures.table import FIGURES
from clearance.zoo.table import ARCHITECTURES, BUNDLED
from imports import FILES

TABLES: dict[str, tuple[str, Mapping[str, object]]] = {
    "certificates": ("certificates.table", CERTIFICATES),
    "samplers": ("estimates.samplers.table", SAMPLERS),
    "budgets": ("model.budgets", BUDGETS),
    "targets": ("model.targets", TARGETS),
    "transforms": ("model.transforms.table", TRANSFORMS),
    "flags": ("audit.flags", CHECKS),
    "kinds of data": ("data.table", DATA_KINDS),
    "normalisations": ("data.presets", PRESETS),
    "architectures": ("zoo.table", ARCHITECTURES),
    "bundled classifiers": ("zoo.table", BUNDLED),
    "figures": ("report.figures.table", FIGURES),
}
ENOUGH = 3
"""So many names of one table in one place are a list of it."""
HOMES = {"model.transforms", "report.flags"}
"""Its own public names, as Python has them; and a list that is read without torch, which tests/report/test_flags.py
holds against the table."""


def lists(source: str) -> Iterator[tuple[int, list[str]]]:
    """Every collection of text in a source, and every text that quotes several words, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            yield node.lineno, [item.value for item in node.elts if is_text(item)]
        elif isinstance(node, ast.Dict):
            yield node.lineno, [key.value for key in node.keys if key is not None and is_text(key)]
        elif is_text(node):
            yield node.lineno, re.findall(r"[`\"']([A-Za-z_-]+)[`\"']", node.value)


@cache
def read(source: str) -> tuple[list[tuple[int, list[str]]], set[int]]:
    """The lists of a source, and the lines of docstrings that say which flags a check raises."""
    raises = {text.lineno for text in ast.walk(ast.parse(source)) if is_text(text) and "Raise `" in text.value}
    return list(lists(source)), raises


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def repeated(names: Mapping[str, object], source: str) -> list[int]:
    """Lines of a source that list names of a table; a check's docstring may say which flags it raises."""
    fewest = min(ENOUGH, len(names))
    known, raises = read(source)
    return [line for line, words in known if len(set(words) & set(names)) >= fewest and line not in raises]


@pytest.mark.parametrize("family", TABLES)
def test_no_list_is_written_twice(family: str):
    home, names = TABLES[family]
    found = {
        module: lines
        for module, path in FILES.items()
        if module not in {home, *HOMES} and (lines := repeated(names, path.read_text()))
    }
    assert not found


@pytest.mark.parametrize("family", TABLES)
def test_each_line_that_names_a_function_names_one_that_exists(family: str):
    for line in TABLES[family][1].values():
        if isinstance(line, Choice):
            assert callable(line.load()) and line.meaning


def test_the_rule_complains():
    names = {"quick": 1, "standard": 2, "thorough": 3}
    assert repeated(names, 'A = ("quick", "standard", "thorough")') == [1]
    assert repeated(names, '"""One of `quick`, `standard` or `thorough`."""') == [1]
    assert not repeated(names, 'A = ("quick", "standard")') and not repeated(names, "'standard quick thorough'")
