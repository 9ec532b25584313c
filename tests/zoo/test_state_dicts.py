"""Tensors from files that `torch.save` wrote: in what they may be wrapped, and what is refused."""

import argparse
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from clearance.errors import FileError, PickleRefusedError
from clearance.zoo.state_dicts import HOLDERS, read_state_dict

VALUES = {"weight": torch.arange(6.0).reshape(3, 2), "bias": torch.ones(3)}
FILE = Path("w.pth")


def holds_values() -> bool:
    found = read_state_dict(FILE)
    return set(found) == set(VALUES) and all(torch.equal(found[name], VALUES[name]) for name in VALUES)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("holder", [None, *HOLDERS])
def test_a_dict_or_one_under_a_key(here: Path, holder: str | None, new: bool):
    whole = VALUES if holder is None else {"epoch": 3, holder: VALUES, "optimizer": {"lr": 0.1}}
    torch.save(whole, FILE, _use_new_zipfile_serialization=new)
    assert holds_values()


def test_a_list_of_one_network(here: Path):
    torch.save({"state_dict": [VALUES], "err": 0.1}, FILE)
    assert holds_values()
    torch.save({"state_dict": [VALUES, VALUES]}, FILE)
    with pytest.raises(FileError, match=r"expected a dict of tensors, .*got a list of 2"):
        read_state_dict(FILE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "got an empty dict"),
        (torch.ones(3), "got a Tensor"),
        ({"weight": torch.ones(3), "name": "x"}, "got other values under name"),
        ({1: torch.ones(3)}, "got other values under 1"),
        ({"optimizer": {"lr": 0.1}}, "got other values under optimizer"),
    ],
)
def test_what_holds_no_dict_of_tensors(here: Path, content: object, message: str):
    torch.save(content, FILE)
    with pytest.raises(FileError, match=f"w.pth: expected a dict of tensors, .*{message}") as caught:
        read_state_dict(FILE)
    assert "\n" not in str(caught.value)


class Harmful:
    def __reduce__(self):
        return (Path("harm").touch, ())


@pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])
def test_other_objects_need_trust(here: Path, new: bool):
    content = {"args": argparse.Namespace(epochs=3), "state_dict": VALUES}
    torch.save(content, FILE, _use_new_zipfile_serialization=new)
    with pytest.raises(PickleRefusedError, match=r"a pickle of more than tensors, .*add --trust-pickle"):
        read_state_dict(FILE)
    assert set(read_state_dict(FILE, trust_pickle=True)) == set(VALUES)
    torch.save(nn.Linear(2, 3), FILE, _use_new_zipfile_serialization=new)
    assert set(read_state_dict(FILE, trust_pickle=True)) == set(VALUES)


@pytest.mark.parametrize("save", [torch.save, lambda content, file: file.write_bytes(pickle.dumps(content))])
def test_nothing_runs_without_trust(here: Path, save):
    save({"state_dict": Harmful()}, FILE)
    with pytest.raises(FileError):
        read_state_dict(FILE)
    assert not Path("harm").exists()


def test_no_file_an_empty_one_and_noise(here: Path):
    with pytest.raises(FileError, match="no such file"):
        read_state_dict(FILE)
    FILE.write_bytes(b"")
    with pytest.raises(FileError, match="got an empty file"):
        read_state_dict(FILE)
    FILE.write_bytes(bytes(range(256)))
    with pytest.raises(FileError, match="damaged, or not a dict of tensors"):
        read_state_dict(FILE)
