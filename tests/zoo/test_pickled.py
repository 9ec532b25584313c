"""TorchScript and whole pickled networks: refused with the way out, or loaded where they are trusted."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from clearance.errors import FileError, InputError, PickleRefusedError
from clearance.zoo.specs import load_model
from model_files import SHAPE, small_cnn, write_exported

X = torch.linspace(0, 1, 64).reshape(1, *SHAPE)


class Harmful(nn.Module):
    def __reduce__(self):
        return (Path("harm").touch, ())


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", ["n.pt", "n.ts", "n.pth"])
def test_torchscript(here: Path, name: str):
    torch.jit.trace(small_cnn(), X).save(name)
    with pytest.raises(PickleRefusedError, match=f"{name}: is TorchScript, which runs code .*add --trust-pickle"):
        load_model(name)
    loaded = load_model(name, trust_pickle=True)
    assert torch.allclose(loaded.network(X), small_cnn()(X), atol=1e-6)
    assert loaded.weights == Path(name) and loaded.notes[0].startswith("TorchScript: it runs code of the file")


@pytest.mark.parametrize("name", ["n.pt", "n.pth", "n.th", "n.pkl"])
@pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])
def test_a_whole_network(here: Path, name: str, new: bool):
    torch.save(small_cnn(), name, _use_new_zipfile_serialization=new)
    with pytest.raises(PickleRefusedError, match=f"{name}: is a pickle, which can run code .*FILE.py:FACTORY"):
        load_model(name)
    loaded = load_model(name, trust_pickle=True)
    assert torch.equal(loaded.network(X), small_cnn()(X))
    assert loaded.notes == ("a pickled network: loading it ran code of the file",)


def test_nothing_runs_without_trust(here: Path):
    torch.save(Harmful(), "n.pt")
    with pytest.raises(PickleRefusedError):
        load_model("n.pt")
    assert not Path("harm").exists()
    with pytest.raises(FileError, match=r"expected a whole nn\.Module, got NoneType"):
        load_model("n.pt", trust_pickle=True)
    assert Path("harm").exists()


@pytest.mark.parametrize("trust", [True, False])
def test_values_without_a_network(here: Path, trust: bool):
    torch.save(small_cnn().state_dict(), "w.pth")
    with pytest.raises(FileError, match=r"w\.pth: holds values without a network; .*FILE\.py:FACTORY and --weights w"):
        load_model("w.pth", trust_pickle=trust)


def test_an_exported_program_under_another_name(here: Path):
    write_exported(small_cnn(), Path("n.pt2"), fixed=True)
    Path("n.pt2").rename("n.pt")
    with pytest.raises(InputError, match=r"n\.pt is an exported program; its name has to end in \.pt2"):
        load_model("n.pt")


@pytest.mark.parametrize("trust", [True, False])
def test_a_pickle_of_another_library(here: Path, trust: bool, recwarn: pytest.WarningsRecorder):
    Path("credit.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(
        PickleRefusedError, match=r"credit\.pkl: .* another library.*skops\.io\.dump\(model, 'credit\.sk"
    ):
        load_model("credit.pkl", trust_pickle=trust)
    assert not recwarn.list


def test_files_that_are_missing_empty_or_noise(here: Path):
    with pytest.raises(FileError, match=r"n\.pt: no such file"):
        load_model("n.pt")
    Path("n.pt").write_bytes(b"")
    with pytest.raises(FileError, match="got an empty file"):
        load_model("n.pt")
    Path("n.pt").write_bytes(b"noise")
    with pytest.raises(FileError, match=r"n\.pt: expected a network that torch saved, got"):
        load_model("n.pt", trust_pickle=True)


def test_it_takes_nothing_else(here: Path):
    torch.save(small_cnn(), "n.pt")
    with pytest.raises(InputError, match=r"n\.pt has its own, got w\.safetensors"):
        load_model("n.pt", weights="w.safetensors", trust_pickle=True)
    with pytest.raises(InputError, match=r"n\.pt takes none, got width"):
        load_model("n.pt", model_args={"width": 3}, trust_pickle=True)
