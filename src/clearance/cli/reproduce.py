"""`clearance reproduce`: an experiment of a paper, with the paper's numbers beside what is measured here."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.text import Text

from clearance.cli.grid import Grid, GridColumn
from clearance.cli.progress import is_quiet, repeating, tell
from clearance.cli.tables import make_console, print_heading
from clearance.cli.values import Interrupted
from clearance.experiments.journal import JOURNAL_FILE
from clearance.experiments.outcome import PaperTable, Reproduction
from clearance.experiments.reproduce import Sitting, forget, reproduce
from clearance.experiments.table import EXPERIMENTS, Scale
from clearance.report.marks import count


def run_reproduce(name: str | None, *, every: bool, scale: str, out: str, seed: int, device: str, force: bool) -> None:
    """Carry out one experiment or all of them, or list them.

    Args:
        name: The experiment; `None` for the list, or with `every`.
        every: All of them.
        scale: How large.
        out: The folder.
        seed: Fixes every random number.
        device: Where to compute.
        force: Begin again.

    Raises:
        Interrupted: On Ctrl-C: what is measured is kept.
    """
    if name is None and not every:
        show_experiments(make_console())
        return
    sittings = [
        Sitting(each, Scale(scale), seed, as_device(device), Path(out)) for each in ([name] if name else EXPERIMENTS)
    ]
    for sitting in sittings:
        if force:
            forget(sitting)
        tell(f"{sitting.name}, scale {sitting.scale}: {sitting.scale.meaning}")
        try:
            with saying(sitting) as say:
                found, files = reproduce(sitting, say)
        except KeyboardInterrupt:
            kept = f"{count_lines(sitting.folder / JOURNAL_FILE)} measurements are kept in {sitting.folder}"
            raise Interrupted(f"interrupted; {kept}; the same command goes on") from None
        show(make_console(), sitting, found, files)


def as_device(name: str) -> str:
    """The device's own name, such as `cpu` for `auto` on a machine without an accelerator."""
    from clearance.model.placement import find_device

    return str(find_device(name))


@contextmanager
def saying(sitting: Sitting) -> Generator[Callable[[str], None]]:
    """Say on stderr what an experiment is doing, and every few seconds how many measurements are kept.

    How many there will be is not known: later ones depend on earlier ones.

    Args:
        sitting: The experiment.

    Yields:
        A function that says what is done next.
    """
    doing = Doing(sitting.folder / JOURNAL_FILE, Console(file=sys.stderr, highlight=False, markup=False, emoji=False))
    if is_quiet():
        yield doing.keep
    elif doing.console.is_terminal:
        with doing.console.status(doing, spinner="line"):
            yield doing.say
    else:
        with repeating(lambda: doing.console.print(doing, soft_wrap=True)):
            yield doing.say


class Doing:
    """What an experiment is doing.

    Args:
        journal: Its journal.
        console: On stderr.
    """

    def __init__(self, journal: Path, console: Console) -> None:
        self.journal, self.console = journal, console
        self.text, self.started = "starting", time.monotonic()

    def keep(self, text: str) -> None:
        """What is done from now on."""
        self.text = text

    def say(self, text: str) -> None:
        """What is done from now on, as a line of its own."""
        self.keep(text)
        self.console.print(text, soft_wrap=True)

    def __rich__(self) -> Text:
        """How far it is, as a line."""
        elapsed = timedelta(seconds=round(time.monotonic() - self.started))
        return Text(f"{self.text}: {count(count_lines(self.journal), 'measurement')} kept, {elapsed}")


def count_lines(journal: Path) -> int:
    """How many measurements a journal holds."""
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.is_file() else 0


def show_experiments(console: Console) -> None:
    """The list of experiments."""
    for name, experiment in EXPERIMENTS.items():
        console.print(name, style="bold")
        needs = f" Data: {', '.join(experiment.data)}." if experiment.data else ""
        console.print(f"  {experiment.paper}: {experiment.meaning}.{needs}")


def show(console: Console, sitting: Sitting, found: Reproduction, files: list[Path]) -> None:
    """Tables, findings, and where the files are."""
    console.print()
    print_heading(console, f"{sitting.name}: {EXPERIMENTS[sitting.name].paper}", " ".join(found.settings))
    for table in found.tables:
        console.print()
        print_table(console, table)
        console.print(table.note)
    if found.findings:
        console.print("\nFindings", style="bold")
    for finding in found.findings:
        console.print(f"  {finding.verdict}: {finding.sentence}. {finding.evidence}")
    console.print()
    for file in files:
        console.print(f"  {file}")


def print_table(console: Console, table: PaperTable) -> None:
    """A table of a paper: where the terminal is narrower, its columns follow in several parts."""
    text = table.as_table()
    keys = max(1, text.numeric)
    grid = Grid([GridColumn(name, right=place >= text.numeric) for place, name in enumerate(text.columns)])
    for row in text.rows:
        grid.add_row(*row)
    console.print(Text(table.title, "bold"))
    grid.print_in_parts(console, keys=keys)
