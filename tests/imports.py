"""Who imports whom in `src/clearance`: `python tests/imports.py` prints the picture, `test_layout.py` holds the rule.

A floor is a row of `FLOORS`, from the bottom up. A folder imports from lower floors only; inside a folder, modules
import each other without cycles.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from doc_tables import rewrite, table

SOURCE = Path(__file__).resolve().parent.parent / "src" / "clearance"

FLOORS = (
    {"errors"},
    {"records", "data"},
    {"geometry"},
    {"model"},
    {"estimates", "certificates", "attacks", "zoo"},
    {"audit"},
    {"bracket", "training"},
    {"runs"},
    {"report"},
    {"experiments", "results"},
    {""},
    {"cli"},
    {"__main__"},
)
APART = ({"estimates"}, {"certificates"}, {"attacks"}, {"zoo"})
"""No module of one of these imports a module of another."""

FILES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").removesuffix("."): path
    for path in sorted(SOURCE.rglob("*.py"))
}


def floor(module: str) -> int:
    """The floor of a module, counted from 0 at the bottom; -1 where it has none."""
    top = module.split(".", maxsplit=1)[0]
    return next((rank for rank, names in enumerate(FLOORS) if top in names), -1)


@cache
def imports(source: str) -> tuple[tuple[str, bool], ...]:
    """Each imported module's full name, and whether the import runs with the module (top level, no TYPE_CHECKING)."""
    return tuple(_imports(source))


def _imports(source: str) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(source)
    late = {id(node) for scope in ast.walk(tree) if is_late(scope) for node in ast.walk(scope)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((f"{node.module}.{alias.name}", id(node) not in late) for alias in node.names)


def is_late(node: ast.AST) -> bool:
    """Whether what stands in a node does not run when the module is imported."""
    checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    return checking or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


@cache
def own_modules(source: str) -> tuple[str, ...]:
    """The modules of this package that a source imports: `clearance.geometry.norms.project` is `geometry.norms`."""
    found: list[str] = []
    for name, _ in imports(source):
        top, _, rest = name.partition(".")
        if top == "clearance":
            parts = rest.split(".")
            names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
            found.append(next((name for name in names if name in FILES), parts[0] if floor(parts[0]) >= 0 else ""))
    return tuple(found)


def wrong_direction(module: str, source: str) -> list[str]:
    """The imports of a source that lead up, sideways between floors' folders that stay apart, or out of the house."""
    here, package = floor(module), module.split(".", maxsplit=1)[0]
    apart = set().union(*(row for row in APART if package not in row)) if package in set().union(*APART) else set()
    others = {name: name.split(".")[0] for name in own_modules(source)}
    others = {name: top for name, top in others.items() if top != package or not package}
    return [name for name, top in others.items() if floor(name) >= here or top in apart]


@cache
@cache
def source_of(module: str) -> str:
    """The source of a module of this package."""
    return FILES[module].read_text()


def reach(module: str) -> set[str]:
    """Every module of this package that importing `module` may bring in."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in FILES and name not in seen:
            seen.add(name)
            waiting.extend(own_modules(source_of(name)))
    return seen


def cycles() -> list[str]:
    """The modules that can be reached from one that they import: none, where every folder is in order."""
    direct = {name: set(own_modules(source_of(name))) - {name} for name in FILES}
    return [name for name in FILES if any(name in reach(used) for used in direct[name] if used in FILES)]


def rows() -> list[tuple[str, str, str]]:
    """Floor, folder and what it imports, from the top down."""
    found: list[tuple[str, str, str]] = []
    for rank in range(len(FLOORS) - 1, -1, -1):
        for name in sorted(FLOORS[rank]):
            modules = [module for module in FILES if module.split(".")[0] == name]
            used = {top.split(".")[0] for module in modules for top in own_modules(source_of(module))} - {name}
            arrows = [top or "clearance" for top in sorted(used, key=lambda top: (-floor(top), top))]
            found.append((str(rank + 1), name or "clearance", ", ".join(arrows) or "nothing"))
    return found


def picture() -> str:
    """The floors as text."""
    return "\n".join(f"{rank:>2}  {name:13} imports {arrows}" for rank, name, arrows in rows())


def document() -> str:
    """The floors as a table of a document."""
    return table(("floor", "folder or file", "imports"), rows())


PAGE = SOURCE.parents[1] / "docs" / "architecture.md"
MARK = "tests/imports.py: make tables"


if __name__ == "__main__":
    print(picture())  # noqa: T201
    print(f"{len(FLOORS)} floors, {len(cycles())} modules in a cycle")  # noqa: T201
    if sys.argv[1:] == ["--write"]:
        rewrite(PAGE, MARK, document())
