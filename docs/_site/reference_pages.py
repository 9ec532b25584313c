"""Writes the pages of the reference: one for each folder of public names, one for each command.

Nothing is listed by hand: a name in `clearance.__all__` and a command of `clearance` appear by themselves. The pages
(docs/api, docs/cli) are not part of the repository.
"""

from __future__ import annotations

import inspect
import re
import shutil
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_overloads, get_type_hints

import click
from sphinx.application import Sphinx

import clearance
from clearance.cli import commands

TITLES = {
    "results": "Calls, results and runs",
    "bracket": "Brackets",
    "estimates": "Estimates",
    "attacks": "Attacks",
    "certificates": "Certificates",
    "audit": "The audit",
    "model": "Models and transforms",
    "data": "Data",
    "zoo": "Networks",
    "training": "Training",
    "geometry": "Geometry",
    "errors": "Errors",
}
"""Folder of the package -> the title of its page, in the order in which they are shown; others come after them."""

SUBMODULES = ("training", "metrics")
"""Public modules that are imported by their own name, where they are there."""


def write_reference(app: Sphinx) -> None:
    """Write the pages anew; one that has not changed is left alone, so that Sphinx need not read it again."""
    source = Path(app.srcdir)
    _write(source / "api", api_pages())
    _write(source / "cli", command_pages())


def plain_sentences(_app: Sphinx, what: str, _name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    """Keep a colon within a sentence: napoleon, which comes next, would take what stands before it for a type."""
    if what == "module":
        lines[:] = with_examples(lines)
    if what in ("property", "attribute", "data") and lines:
        lines[0] = f": {lines[0]}"
    for place, line in enumerate(lines[:-1]):
        if line.strip() == "Returns:":
            indent = len(lines[place + 1]) - len(lines[place + 1].lstrip())
            lines[place + 1] = f"{' ' * indent}: {lines[place + 1].strip()}"


def with_examples(lines: list[str]) -> list[str]:
    """Indented lines of a module's text are code, as in Markdown: a mark before them says so, where none does.

    >>> with_examples(["Text:", "", "    code", "    more", "", "Text."])
    ['Text:', '', '::', '', '    code', '    more', '', 'Text.']
    >>> with_examples(["Text::", "", "    code"])
    ['Text::', '', '    code']
    """
    found: list[str] = []
    inside = False
    for line in lines:
        indented = line.startswith(" ")
        marked = found[-2:-1] and found[-2].endswith("::")
        if indented and not inside and found and not found[-1].strip() and not marked:
            found += ["::", ""]
        inside = indented or (inside and not line.strip())
        found.append(line)
    return found


def short_types(_app: Sphinx, _what: str, _name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    """Write an array's type as `numpy.ndarray`: the kind of its numbers, spelled out, is longer than the rest."""
    lines[:] = [re.sub(r"numpy\.ndarray\[.*?numpy\.dtype\[[^]]*\]\]", "numpy.ndarray", line) for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_reference)
    app.connect("autodoc-process-docstring", plain_sentences, priority=400)
    app.connect("autodoc-process-docstring", short_types, priority=600)
    return {"parallel_read_safe": True}


def _write(folder: Path, pages: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.stem not in pages:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name, text in pages.items():
        file = folder / f"{name}.rst"
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def api_pages() -> dict[str, str]:
    """Page -> its text: `index`, and one for each folder that has public names."""
    groups = _groups() | {top: ([], []) for top in sorted(_used_types()) if top not in _groups()}
    pages = {group: _api_page(group, names, modules) for group, (names, modules) in groups.items()}
    listed = "\n\n".join(
        f":doc:`{_title(group)} <{group}>`\n   " + ", ".join(map(_linked, [*names, *modules]))
        for group, (names, modules) in groups.items()
        if names or modules
    )
    intro = (
        "All public names, by what they are for. ``import clearance as cl`` brings them in when they are first used,\n"
        "so the import alone loads neither torch nor SciPy. Whatever is not listed here may change in any version."
    )
    pages["index"] = f"{_heading('Python reference', '=')}\n{intro}\n\n{listed}\n\n{_toctree(groups)}"
    return pages


def _groups() -> dict[str, tuple[list[str], list[str]]]:
    """Folder -> its public names and its public modules, in the order of `TITLES`."""
    names: dict[str, list[str]] = {}
    modules: dict[str, list[str]] = {}
    for name in clearance.__all__:
        value = getattr(clearance, name)
        home = value.__name__ if isinstance(value, ModuleType) else _home(name, value)
        top = home.removeprefix("clearance.").split(".")[0]
        (modules if isinstance(value, ModuleType) else names).setdefault(top, []).append(
            home if isinstance(value, ModuleType) else f"clearance.{name}"
        )
    for name in SUBMODULES:
        if find_spec(f"clearance.{name}"):
            modules.setdefault(name, []).append(f"clearance.{name}")
    tops = sorted({*names, *modules}, key=lambda top: (_place(top), top))
    return {top: (names.get(top, []), modules.get(top, [])) for top in tops}


def _home(name: str, value: object) -> str:
    """The module that defines a public name; constants say it in the package's own table."""
    return f"clearance.{clearance._HOMES[name]}" if name in clearance._HOMES else str(value.__module__)


def _place(top: str) -> int:
    return list(TITLES).index(top) if top in TITLES else len(TITLES)


def _title(top: str) -> str:
    return TITLES.get(top, top.replace("_", " ").capitalize())


def _api_page(group: str, names: list[str], modules: list[str]) -> str:
    parts = [_heading(_title(group), "="), _summary(names), *map(_entry, names)]
    parts += [_module_entry(module, set(names)) for module in modules]
    if used := _used_types().get(group):
        parts += [_heading("Types that the above use", "-"), *(f".. autoclass:: {name}\n   :members:" for name in used)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(names: list[str]) -> str:
    """A table of names and the first line of what is said of each."""
    if not names:
        return ""
    rows = "".join(f"   * - {_linked(name)}\n     - {_first_line(_value(name))}\n" for name in names)
    return f".. list-table::\n   :widths: 30 70\n   :class: summary\n\n{rows}"


def _value(name: str) -> Any:
    return getattr(clearance, name.removeprefix("clearance."))


def _linked(name: str) -> str:
    if name.startswith("clearance.") and name.removeprefix("clearance.") in clearance.__all__:
        shown = name.removeprefix("clearance.")
        if not isinstance(_value(name), ModuleType):
            return f":py:obj:`{shown} <{name}>`"
    return f":py:mod:`{name.removeprefix('clearance.')} <{name}>`"


def _first_line(value: object) -> str:
    text = "" if isinstance(value, dict) else inspect.getdoc(value) or ""
    return " ".join(text.split("\n\n")[0].split())


def _entry(name: str) -> str:
    value = _value(name)
    if isinstance(value, type):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        bases = "" if value.__bases__ == (object,) else "\n   :show-inheritance:"
        return f".. {kind}:: {name}\n   :members:{bases}"
    if callable(value):
        return f".. autofunction:: {name}"
    rows = "".join(f"   ``{key}={setting!r}``\n\n" for key, setting in value.items())
    return f".. py:data:: {name}\n\n   {_note(name)}\n\n{rows}"


def _note(name: str) -> str:
    """The note that follows a constant in its module."""
    from sphinx.pycode import ModuleAnalyzer

    found = ModuleAnalyzer.for_module(f"clearance.{clearance._HOMES[name.removeprefix('clearance.')]}").find_attr_docs()
    return " ".join(found["", name.removeprefix("clearance.")])


def _module_entry(module: str, known: set[str]) -> str:
    """The public members of a module, but those that this page has already."""
    loaded = import_module(module)
    own = [name for name in _public(loaded) if _is_own(loaded, name) and f"clearance.{name}" not in known]
    return f"{_heading('``' + module + '``', '-')}\n.. automodule:: {module}\n   :members: {', '.join(own)}"


def _public(module: ModuleType) -> list[str]:
    return list(getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")])


def _is_own(module: ModuleType, name: str) -> bool:
    """Whether a function or a class belongs to this module or its folder."""
    value = getattr(module, name)
    defined = str(getattr(value, "__module__", ""))
    plain = inspect.isfunction(value) or inspect.isclass(value)
    return plain and (defined == module.__name__ or defined.startswith(f"{module.__name__}."))


@cache
def _used_types() -> dict[str, list[str]]:
    """Folder -> its classes that annotations of public names mention, and that have no entry of their own."""
    listed = [_value(name) for names, _ in _groups().values() for name in names]
    members = [getattr(module, name) for own in _own_modules() for module, name in _members(own)]
    public = {id(value) for value in [*listed, *members]}
    found: dict[str, type] = {}
    waiting = [*listed, *members]
    while waiting:
        for used in _annotated(waiting.pop()):
            name = f"{used.__module__}.{used.__qualname__}"
            if id(used) not in public and name not in found and used.__module__ != "clearance.records":
                found[name] = used
                waiting.append(used)
    tops = {name.split(".")[1] for name in found}
    return {top: sorted(name for name in found if name.split(".")[1] == top) for top in tops}


def _own_modules() -> list[str]:
    return [module for _, modules in _groups().values() for module in modules]


def _members(module: str) -> list[tuple[ModuleType, str]]:
    loaded = import_module(module)
    return [(loaded, name) for name in _public(loaded) if _is_own(loaded, name)]


def _annotated(value: Any) -> list[type]:
    """Classes of this package that the annotations of a function, a class or its methods name."""
    own = [getattr(part, "fget", part) for part in vars(value).values()] if isinstance(value, type) else []
    own += get_overloads(value) if inspect.isfunction(value) else []
    annotated = [part for part in [value, *own] if isinstance(part, type) or inspect.isfunction(part)]
    return [found for part in annotated for hint in _hints(part) for found in _classes(hint)]


def _hints(value: Any) -> list[Any]:
    try:
        hints = list(get_type_hints(value).values())
    except NameError:  # a name that is imported for type checkers alone
        hints = []
    return [*hints, *(value.__bases__ if isinstance(value, type) else ())]


def _classes(hint: Any) -> list[type]:
    if isinstance(hint, type) and not get_args(hint):
        return [hint] if str(hint.__module__).startswith("clearance.") else []
    return [found for part in get_args(hint) if not isinstance(part, list) for found in _classes(part)]


def command_pages() -> dict[str, str]:
    """Page -> its text: `index`, and one for each command."""
    pages = {name: _command_page(name, command) for name, command in commands.commands.items()}
    rows = "".join(
        f"   * - :doc:`{name} <{name}>`\n     - {command.get_short_help_str(200)}\n"
        for name, command in sorted(commands.commands.items())
    )
    intro = (
        "``clearance COMMAND --help`` says the same in a terminal. Exit codes: 0 fine; 1 a gate failed; 2 bad usage\n"
        "or bad input, or a run of which every task failed, with one line on stderr; 130 interrupted (a run can be\n"
        "resumed)."
    )
    table = f".. list-table::\n   :widths: 25 75\n   :class: summary\n\n{rows}"
    pages["index"] = f"{_heading('Command line', '=')}\n{intro}\n\n{table}\n\n{_toctree(sorted(commands.commands))}"
    return pages


def _command_page(name: str, command: click.Command) -> str:
    assert command.callback is not None
    module = import_module(str(inspect.unwrap(command.callback).__module__))
    (attribute,) = [key for key, value in vars(module).items() if value is command]
    title = f"clearance {name}"
    return f".. click:: {module.__name__}:{attribute}\n   :prog: {title}\n"


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def _toctree(pages: Any) -> str:
    return ".. toctree::\n   :hidden:\n\n" + "".join(f"   {page}\n" for page in pages)
