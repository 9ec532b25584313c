"""`clearance reproduce weng-2018-imagenet --scale tiny`, on a picture of 64 × 64."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clearance.experiments.networks import open_imagenet
from clearance.experiments.outcome import Reproduction
from clearance.experiments.paper_numbers import paper_cell
from clearance.experiments.reproduce import Sitting, open_session, reproduce
from clearance.experiments.table import Scale
from clearance.zoo.published import VALUES_FOLDER
from clearance.zoo.specs import load_model
from torchvision_operators import define_torchvision_operators


@pytest.fixture
def made(tmp_path: Path, clearance_data: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Reproduction, list[Path]]:
    for name in ("imagenet-sample", "mobilenetv2"):
        if not (clearance_data / name).is_dir():
            pytest.skip(f"no {name} at {clearance_data}")
    monkeypatch.setenv("CLEARANCE_DATA", str(clearance_data))
    return reproduce(Sitting("weng-2018-imagenet", Scale.TINY, 0, "cpu", tmp_path), lambda _: None)


@pytest.mark.slow
def test_every_table_and_figure_is_there_and_the_finding_holds(made: tuple[Reproduction, list[Path]]):
    found, files = made
    assert [table.title.partition(".")[0] for table in found.tables] == ["Table 4", "Table 3a", "Table 3b", "Table 5"]
    assert [len(table.rows) for table in found.tables] == [3, 3, 3, 3]
    above = dict(zip(found.tables[0].columns, found.tables[0].rows[0], strict=True))
    assert above["paper CW l2, %"] == "4%" and above["network"] == "MobileNetV2"
    assert {file.name for file in files} >= {f"figure-{number}.svg" for number in (5, 6, 7)}
    first = found.findings[0]
    assert first.holds, first.evidence  # the score is below the nearer attack, for every target and norm


@pytest.mark.slow
def test_a_network_of_the_paper_takes_part_where_its_values_are(
    tmp_path: Path, clearance_data: Path, monkeypatch: pytest.MonkeyPatch
):
    define_torchvision_operators()
    values = load_model("torchvision:resnet50").network.state_dict()
    (tmp_path / VALUES_FOLDER).mkdir()
    save_file(
        {name: value.contiguous().clone() for name, value in values.items()},
        tmp_path / VALUES_FOLDER / "resnet-50.safetensors",
    )
    for name in ("imagenet-sample", "mobilenetv2"):
        (tmp_path / name).symlink_to(clearance_data / name)
    monkeypatch.setenv("CLEARANCE_DATA", str(tmp_path))
    with open_session(Sitting("weng-2018-imagenet", Scale.TINY, 0, "cpu", tmp_path / "out"), lambda _: None) as session:
        found = list(open_imagenet(session, 64))
    assert [network.shown for network in found] == ["MobileNetV2", "Resnet-50"]
    assert found[1].options == {"resize": (64, 64)}
    assert paper_cell("weng-2018-table-4", "Resnet-50", "least-likely CW l2") == "4%"
    assert found[1].model.logits(torch.rand(1, 3, 64, 64)).shape == (1, 1000)
