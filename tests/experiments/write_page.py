"""Write what `clearance reproduce` found into `docs/reproduction.md`: `python tests/experiments/write_page.py FOLDER`.

FOLDER is that of `--out`: each experiment's `tables.md` in it goes between the marks of its section.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from clearance.experiments.pages import TABLES_FILE
from clearance.experiments.table import EXPERIMENTS
from doc_tables import rewrite

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reproduction.md"


def mark(name: str) -> str:
    """What the marks of an experiment's section say."""
    return f"clearance reproduce {name}: tests/experiments/write_page.py"


if __name__ == "__main__":
    for name in EXPERIMENTS:
        file = Path(sys.argv[1]) / name / TABLES_FILE
        if file.is_file():
            rewrite(PAGE, mark(name), f"\n{file.read_text()}\n")
            print(f"{name}: {file}")  # noqa: T201
