"""Names: one class, one name; one constant, one meaning; the field's words; papers by author and year."""

import ast
import re
import sys
from collections import defaultdict
from functools import cache

from imports import FILES, SOURCE

PRIVATE = r"bends?|facets?|hunts?|scouts?|pilots?|rivals?|specks?|beats?"
"""Words that no paper uses for what they once meant here."""
NUMBERED = r"[Pp]aper 0\d\d"
STREAMS = {'"pilot"'}
"""Names of random streams are hashed into seeds: they stay as they are, so that results stay as they are."""
DOCUMENTS = [*(SOURCE.parents[1] / "docs").rglob("*.md"), SOURCE.parents[1] / "README.md"]
"""Everything that is read."""


@cache
def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_text()) for name, path in FILES.items()}


def classes() -> dict[str, list[str]]:
    """Class name -> modules that define one of that name."""
    found = defaultdict(list)
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(module)
    return found


def constants(tree: ast.Module) -> list[tuple[str, ast.stmt, ast.stmt | None]]:
    """Constants of a module: name, statement, and the statement after it."""
    found = []
    for statement, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        names = [
            node.id
            for target in targets
            if target is not None
            for node in ast.walk(target)
            if isinstance(node, ast.Name)
        ]
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            found += [(name, statement, after) for name in names if re.fullmatch(r"[A-Z][A-Z0-9_]*", name)]
    return found


def is_note(statement: ast.stmt | None) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def test_no_two_classes_share_a_name():
    assert not {name: modules for name, modules in classes().items() if len(modules) > 1}


def test_no_constant_name_has_two_homes():
    homes = defaultdict(list)
    for module, tree in trees().items():
        for name in {name for name, _, _ in constants(tree)}:
            homes[name].append(module)
    assert not {name: modules for name, modules in homes.items() if len(modules) > 1}


def test_every_constant_has_a_note():
    for module, tree in trees().items():
        found = constants(tree)
        missing = [name for name, statement, after in found if not is_note(after) and not in_a_row(statement, found)]
        assert not missing, module


def in_a_row(statement: ast.stmt, found: list[tuple[str, ast.stmt, ast.stmt | None]]) -> bool:
    """Whether constants that follow at once share the note after the last of them."""
    following = {id(own): after for _, own, after in found}
    while id(statement) in following:
        after = following[id(statement)]
        if is_note(after):
            return True
        if after is None or id(after) not in following or after.lineno != statement.end_lineno + 1:
            return False
        statement = after
    return False


def test_the_words_are_the_fields():
    for path in (*FILES.values(), *DOCUMENTS):
        text = path.read_text()
        for stream in STREAMS:
            text = text.replace(stream, "")
        assert not re.findall(rf"\b(?:{PRIVATE})\b", text, re.IGNORECASE), path
        assert not re.findall(NUMBERED, text), path


def test_the_rules_complain():
    tree = ast.parse("A = 1\nB = 2\n'note'\nC = 3\n\nD: int = 4\n'note'\n")
    found = constants(tree)
    assert [name for name, _, _ in found] == ["A", "B", "C", "D"]
    assert [in_a_row(statement, found) for _, statement, _ in found] == [True, True, False, True]
    assert re.findall(rf"\b(?:{PRIVATE})\b", "who beats the rival") == ["beats", "rival"]


def test_no_script_hides_a_module_of_python():
    """Scripts and what lies beside them come first on the path, here and in the workers of an engine."""
    beside = [
        path for folder in ("benchmarks", "experiments", "tests") for path in (SOURCE.parents[1] / folder).glob("*.py")
    ]
    assert not {path.name for path in beside if path.stem in sys.stdlib_module_names}
