"""Every experiment and every scale in one table; nothing of what they need is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.records import Choice, Word


class Scale(Word):
    """How large an experiment is."""

    TINY = "tiny", "seconds: a few inputs and few samples, which shows that it runs and hardly more"
    SMALL = "small", "at most 30 minutes on two cores"
    PAPER = "paper", "the paper's own numbers of inputs and samples: days on two cores"


@dataclass(frozen=True)
class Experiment(Choice):
    """One experiment; `where` is a function from a `Session` to a `Reproduction`.

    Attributes:
        paper: What it repeats: author, year, and the tables and figures.
        data: Names of the data sets that it reads, as `Session.data` takes them.
    """

    paper: str = ""
    data: tuple[str, ...] = ()


EXPERIMENTS: dict[str, Experiment] = {}
"""Name on the command line -> the experiment."""
