"""docs/training.md: its tables are written from the package's own. `make tables` writes them."""

from pathlib import Path

import pytest

from clearance.training.defenses.table import DEFENSES
from clearance.zoo.headers import read_header
from clearance.zoo.specs import WEIGHTS_FOLDER
from clearance.zoo.table import ARCHITECTURES, BUNDLED
from doc_tables import part, rewrite, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training.md"


def defences() -> str:
    rows = []
    for name, kind in DEFENSES.items():
        flags = [*(["radius", "norm"] if kind.has_threat else []), *kind.options]
        rows.append((f"`{name}`", kind.meaning, " ".join(f"`--{flag.replace('_', '-')}`" for flag in flags)))
    return table(("`--defense`", "what it is", "its flags"), rows)


def networks() -> str:
    return table(("`--network`", "what it is"), [(f"`{name}`", line.meaning) for name, line in ARCHITECTURES.items()])


def bundled() -> str:
    rows = []
    for name, line in BUNDLED.items():
        header = read_header(WEIGHTS_FOLDER / f"{name}.safetensors")
        robust = header.get("robust_accuracy", "").partition(" ")[0]
        threat = header["threat_model"].partition(", inputs")[0] if robust else ""
        clean = header["clean_accuracy"].partition(" ")[0]
        rows.append(
            (f"`{name}`", line.meaning, clean, f"{robust} ({threat})" if robust else "", f"`{header['command']}`")
        )
    return table(("MODEL", "what it is", "accuracy", "under 50 ascent steps", "made by"), rows)


PARTS = {
    "clearance.training.defenses.table.DEFENSES: make tables": defences,
    "clearance.zoo.table.ARCHITECTURES: make tables": networks,
    "src/clearance/zoo/weights: make tables": bundled,
}


@pytest.mark.parametrize("source", PARTS)
def test_the_page_says_what_the_tables_say(source: str):
    assert part(PAGE, source) == PARTS[source](), "run: make tables"


if __name__ == "__main__":
    for source, written in PARTS.items():
        rewrite(PAGE, source, written())
