"""The papers' ImageNet networks: each spec makes one, with the values of a file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clearance.errors import FileError, InputError
from clearance.zoo.published import PUBLISHED, VALUES_FOLDER, find_published, open_published
from clearance.zoo.specs import load_model
from torchvision_operators import define_torchvision_operators


def test_what_is_found_is_what_lies_there(tmp_path: Path):
    assert find_published(tmp_path) == {}
    (tmp_path / VALUES_FOLDER).mkdir()
    for file in ("resnet-50.pth", "resnet-50.safetensors", "vgg.pth", "densenet-121.pt"):
        (tmp_path / VALUES_FOLDER / file).write_bytes(b"")
    assert find_published(tmp_path) == {
        "resnet-50": tmp_path / VALUES_FOLDER / "resnet-50.safetensors",
        "densenet-121": tmp_path / VALUES_FOLDER / "densenet-121.pt",
    }


def test_misuse(tmp_path: Path):
    with pytest.raises(InputError, match=r"network: expected one of resnet-50, .*, got 'vgg'"):
        open_published("vgg", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("place", [0, -1])
def test_each_spec_makes_the_network_and_takes_its_values(tmp_path: Path, name: str, place: int):
    spec = PUBLISHED[name].specs[place]
    define_torchvision_operators()
    made = load_model(spec).network
    file = tmp_path / "values.safetensors"
    save_file({key: value.contiguous().clone() for key, value in made.state_dict().items()}, file)
    loaded, side = open_published(name, file), PUBLISHED[name].side
    assert loaded.network(torch.zeros(1, 3, side, side)).shape == (1, 1000)
    save_file({"a": torch.zeros(1)}, file)
    with pytest.raises(FileError):
        open_published(name, file)
