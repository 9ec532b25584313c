"""`clearance reproduce weng-2018-imagenet --scale tiny`, on a picture of 64 × 64."""

from pathlib import Path

import pytest

from clearance.experiments.outcome import Reproduction
from clearance.experiments.reproduce import Sitting, reproduce
from clearance.experiments.table import Scale


@pytest.fixture
def made(tmp_path: Path, clearance_data: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Reproduction, list[Path]]:
    for name in ("imagenet-sample", "mobilenetv2"):
        if not (clearance_data / name).is_dir():
            pytest.skip(f"no {name} at {clearance_data}")
    monkeypatch.setenv("CLEARANCE_DATA", str(clearance_data))
    return reproduce(Sitting("weng-2018-imagenet", Scale.TINY, 0, "cpu", tmp_path), lambda _: None)


def test_every_table_and_figure_is_there_and_the_finding_holds(made: tuple[Reproduction, list[Path]]):
    found, files = made
    assert [table.title.partition(".")[0] for table in found.tables] == ["Table 4", "Table 3a", "Table 3b", "Table 5"]
    assert [len(table.rows) for table in found.tables] == [3, 3, 3, 3]
    above = dict(zip(found.tables[0].columns, found.tables[0].rows[0], strict=True))
    assert above["paper CW l2, %"] == "4%" and above["network"] == "MobileNetV2"
    assert {file.name for file in files} >= {f"figure-{number}.svg" for number in (5, 6, 7)}
    first = found.findings[0]
    assert first.holds, first.evidence  # the score is below the nearer attack, for every target and norm
