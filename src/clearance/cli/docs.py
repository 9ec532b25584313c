"""`clearance docs`: the pages of the documentation, as they were when this version was made."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path

import click

import clearance
from clearance.cli.values import printable
from clearance.errors import InputError

INSTALLED = Path(clearance.__file__).parent / "docs"
"""Where a wheel has the pages."""
CHECKOUT = Path(clearance.__file__).parents[2] / "docs"
"""Where a checkout has them."""


def run_docs(page: str | None) -> None:
    """Print a page, or the list of all.

    Args:
        page: Its name, with or without its folder; `None` for the list.

    Raises:
        InputError: If there is no such page, or more than one.
    """
    pages = find_pages()
    if page is None:
        click.echo("\n".join(f"{name:<{max(map(len, pages))}}  {title(file)}" for name, file in pages.items()))
        click.echo("\nclearance docs PAGE shows one of them.")
        return
    text = pages[named(page, pages)].read_text(encoding="utf-8")
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        click.echo(text, nl=False)


def find_pages() -> dict[str, Path]:
    """Every page by its name: its path below the folder of the pages, without the ending.

    Raises:
        InputError: If this installation came without them.
    """
    folder = next((place for place in (INSTALLED, CHECKOUT) if place.is_dir()), None)
    if folder is None:
        raise InputError(f"docs: expected the pages in {INSTALLED}, got none: this installation came without them")
    below = (file.relative_to(folder) for file in folder.rglob("*.md"))
    names = sorted(below, key=lambda name: (len(name.parts), name))
    shown = [name for name in names if not any(part.startswith(("_", ".")) for part in name.parts)]
    return {name.with_suffix("").as_posix(): folder / name for name in shown}


def named(page: str, pages: dict[str, Path]) -> str:
    """The full name of the page that `page` means.

    Raises:
        InputError: If there is no such page, or more than one.

    >>> named("flat", {"flags/flat": Path("flat.md"), "data": Path("data.md")})
    'flags/flat'
    """
    wanted = page.removeprefix("docs/").removesuffix(".md")
    found = [wanted] if wanted in pages else [name for name in pages if name.rpartition("/")[2] == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"docs: expected one page, got {printable(page)}, which is {' and '.join(found)}")
    near = get_close_matches(wanted, [*pages, *(name.rpartition("/")[2] for name in pages)], n=1)
    hint = f"; did you mean {near[0]}?" if near else "; `clearance docs` lists them"
    raise InputError(f"docs: expected the name of a page, got {printable(page)}{hint}")


def title(file: Path) -> str:
    """The first heading of a page."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), "").strip("`")
