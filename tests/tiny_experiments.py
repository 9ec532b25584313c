"""An experiment on its tiny scale, end to end: from its name in the table to its pages."""

from pathlib import Path

from clearance.experiments.outcome import Reproduction
from clearance.experiments.reproduce import Sitting, reproduce
from clearance.experiments.table import Scale


def tiny(name: str, out: Path) -> Reproduction:
    """What comes out of an experiment on its tiny scale; a second sitting takes all of it from the journal."""
    sitting = Sitting(name, Scale.TINY, 0, "cpu", out)
    found, files = reproduce(sitting, lambda _: None)
    assert all(path.stat().st_size for path in files)
    said: list[str] = []
    again, _ = reproduce(sitting, said.append)
    assert again == found and not said, "a second sitting measured again"
    return found
