"""What a shell may complete: models, data, runs, and values with commas between them. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from clearance.data.table import DATA_KINDS
from clearance.experiments.table import EXPERIMENTS
from clearance.model.targets import TARGETS
from clearance.zoo.table import BUNDLED, SPECS

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
"""What click calls for the values of an argument or an option."""

COMMON_NORMS = ("1", "2", "inf")
"""The norms that are asked for most; any other number from 1 on is one too."""
USUAL_DEVICES = ("auto", "cpu", "cuda", "mps")
"""The devices that `--help` names."""


def complete_model(_context: click.Context, _option: click.Parameter, typed: str) -> list[CompletionItem]:
    """Classifiers that come with the package, beginnings of specs such as `hf:`, and files.

    Args:
        typed: What there is of the word.

    Returns:
        What it may become.
    """
    named = {name: choice.meaning for name, choice in BUNDLED.items()}
    named |= {kind.prefix: kind.meaning for kind in SPECS.values() if kind.prefix}
    return _names_or_files(named, typed)


def complete_data(_context: click.Context, _option: click.Parameter, typed: str) -> list[CompletionItem]:
    """Data sets by name, beginnings such as `folder:`, and files.

    Args:
        typed: What there is of the word.

    Returns:
        What it may become.
    """
    named = {name: kind.meaning for name, kind in DATA_KINDS.items() if kind.alone}
    named |= {f"{name}:": kind.meaning for name, kind in DATA_KINDS.items() if kind.colon}
    return _names_or_files(named, typed)


def complete_folder(_context: click.Context, _option: click.Parameter, typed: str) -> list[CompletionItem]:
    """Folders, such as those of runs.

    Args:
        typed: What there is of the word.

    Returns:
        A word to the shell to look for folders.
    """
    return [CompletionItem(typed, type="dir")]


def complete_file(_context: click.Context, _option: click.Parameter, typed: str) -> list[CompletionItem]:
    """Files.

    Args:
        typed: What there is of the word.

    Returns:
        A word to the shell to look for files.
    """
    return [CompletionItem(typed, type="file")]


def complete_words(words: Iterable[str]) -> Completer:
    """One of some words, or several of them with commas.

    Args:
        words: The words.

    Returns:
        What click calls.
    """

    def complete(_context: click.Context, _option: click.Parameter, typed: str) -> list[CompletionItem]:
        before, comma, last = typed.rpartition(",")
        given = before.split(",")
        return [
            CompletionItem(f"{before}{comma}{word}") for word in words if word.startswith(last) and word not in given
        ]

    return complete


complete_target, complete_norm = complete_words(TARGETS), complete_words(COMMON_NORMS)
complete_device, complete_experiment = complete_words(USUAL_DEVICES), complete_words(EXPERIMENTS)


def _names_or_files(named: dict[str, str], typed: str) -> list[CompletionItem]:
    """The names that begin so, with files that do; files alone, by the shell's own rules, where no name does."""
    found = [CompletionItem(name, help=meaning) for name, meaning in named.items() if name.startswith(typed)]
    prefix = next((name for name in named if name.endswith(":") and typed.startswith(name)), "")
    if prefix:
        return [CompletionItem(f"{prefix}{path}") for path in _paths(typed.removeprefix(prefix))]
    if not found:
        return [CompletionItem(typed, type="file")]
    return [*found, *(CompletionItem(path) for path in _paths(typed) if typed)]


def _paths(typed: str) -> list[str]:
    """Files and folders whose names begin so."""
    place = Path(typed or ".")
    folder, begun = (place, "") if typed.endswith("/") or not typed else (place.parent, place.name)
    try:
        found = sorted(path for path in folder.iterdir() if path.name.startswith(begun) and path.name[:1] != ".")
    except OSError:
        return []
    return [f"{path}/" if path.is_dir() else str(path) for path in found]
