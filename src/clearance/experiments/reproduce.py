"""Carry out an experiment: open its journal, compute what is missing, write its pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clearance.errors import InputError
from clearance.experiments.journal import JOURNAL_FILE, open_journal
from clearance.experiments.outcome import Reproduction
from clearance.experiments.pages import PAGE_FILE, TABLES_FILE, Heading, write_pages
from clearance.experiments.session import RUNS_FOLDER, Session
from clearance.experiments.table import EXPERIMENTS, Scale
from clearance.runs.versions import current_versions

NETWORKS_FOLDER = "networks"
"""Where trained networks lie, beside the folders of the experiments that share them."""


@dataclass(frozen=True)
class Sitting:
    """What was asked for.

    Attributes:
        name: A name of `EXPERIMENTS`.
        scale: How large.
        seed: Fixes every random number.
        device: Where to compute.
        out: The folder of all experiments; each has one of its own name in it.
    """

    name: str
    scale: Scale
    seed: int
    device: str
    out: Path

    @property
    def folder(self) -> Path:
        """Where the experiment's files go."""
        return self.out / self.name

    @property
    def command(self) -> str:
        """The command that repeats it."""
        seed = f" --seed {self.seed}" if self.seed else ""
        return f"clearance reproduce {self.name} --scale {self.scale}{seed}"


def reproduce(sitting: Sitting, say: Callable[[str], None]) -> tuple[Reproduction, list[Path]]:
    """Carry out an experiment, or go on with one that was interrupted, and write its pages.

    Args:
        sitting: What was asked for.
        say: Tells a person how far it is.

    Returns:
        What came out, and the files that were written.
    """
    with open_session(sitting, say) as session:
        found: Reproduction = EXPERIMENTS[sitting.name].load()(session)
    return found, write_pages(sitting.folder, Heading(sitting.name, sitting.command), found)


@contextmanager
def open_session(sitting: Sitting, say: Callable[[str], None]) -> Generator[Session]:
    """The session of an experiment, with its journal open.

    Args:
        sitting: What was asked for.
        say: Tells a person how far it is.

    Yields:
        The session.

    Raises:
        InputError: If there is no such experiment.
    """
    if sitting.name not in EXPERIMENTS:
        raise InputError(f"experiment: expected one of {', '.join(EXPERIMENTS)}, got {sitting.name}")
    settings = {"experiment": sitting.name, "scale": sitting.scale.value, "seed": sitting.seed}
    settings |= {"device": sitting.device, **current_versions()}
    with open_journal(sitting.folder, settings) as journal:
        yield Session(
            scale=sitting.scale,
            seed=sitting.seed,
            device=sitting.device,
            folder=sitting.folder,
            networks=sitting.out / NETWORKS_FOLDER,
            journal=journal,
            say=say,
        )


def forget(sitting: Sitting) -> None:
    """Remove what an earlier sitting left, so that the experiment begins again; trained networks and other files stay.

    Args:
        sitting: What is asked for now.
    """
    folder = sitting.folder
    own = [folder / name for name in (TABLES_FILE, PAGE_FILE)]
    for file in [*own, *folder.glob("*.svg"), *folder.glob(f"{JOURNAL_FILE}*")]:
        file.unlink(missing_ok=True)
    shutil.rmtree(folder / RUNS_FOLDER, ignore_errors=True)
