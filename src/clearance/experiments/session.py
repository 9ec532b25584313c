"""What an experiment is given: how large it is to be, its seed, its device, its folder, its journal, its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearance.experiments.journal import Journal
from clearance.experiments.table import Scale

if TYPE_CHECKING:
    from clearance.data.dataset import Dataset

IN_THE_FOLDER_OF_DATA = {"imagenet-sample": "folder:{}/imagenet-sample"}
"""Data sets that lie in the folder of `CLEARANCE_DATA` and have no name of their own -> what `datasets.load` takes."""
RUNS_FOLDER = "runs"
"""Where the runs of an experiment lie, in its folder, each in one of its own name."""


@dataclass(frozen=True)
class Session:
    """One sitting of one experiment.

    Attributes:
        scale: How large it is to be.
        seed: Fixes every random number.
        device: Where to compute, such as `cpu`.
        folder: Where its tables, its page and its runs go.
        networks: Where trained networks are kept, for several experiments.
        journal: The measurements so far.
        say: Tells a person how far it is, in one line.
    """

    scale: Scale
    seed: int
    device: str
    folder: Path
    networks: Path
    journal: Journal
    say: Callable[[str], None]

    @property
    def runs(self) -> Path:
        """Where its runs go (`runs.execute.open_run`), each in a folder of its own name."""
        return self.folder / RUNS_FOLDER

    def data(self, name: str, **options: Any) -> Dataset:
        """A data set by its name.

        Args:
            name: A name of `data.table`, such as `mnist`, or of `IN_THE_FOLDER_OF_DATA`.
            **options: As `clearance.datasets.load` takes them: `count`, `train`, `resize`, ...

        Returns:
            The set.
        """
        from clearance.data.datasets import data_folder, load

        return load(IN_THE_FOLDER_OF_DATA.get(name, name).format(data_folder()), **options)

    def choose(self, **sizes: Any) -> Any:
        """What the scale asks for.

        Args:
            **sizes: A value for each scale, by its name.

        Returns:
            The value of this session's scale.
        """
        return sizes[self.scale.value]
