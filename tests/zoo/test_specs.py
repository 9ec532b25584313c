"""Networks by their spec: what is made and what is refused."""

import math
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from clearance.errors import FileError, InputError, PickleRefusedError
from clearance.zoo.specs import BUNDLED, load_model

FACTORIES = """
import torch
from torch import nn

NUMBER = 3

def make():
    return nn.Sequential(nn.Linear(2, 3))

def needs_argument(width):
    return nn.Linear(2, width)

def wrong():
    return 3

def fails():
    raise KeyError("no\\nkey")

def exported():
    network = nn.Linear(2, 2, bias=False)
    nn.init.ones_(network.weight)
    return torch.export.export(network, (torch.zeros(1, 2),)).module()

def lazy():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))

def on_meta():
    return nn.Linear(2, 3, device="meta")

def meta_buffer():
    network = nn.Linear(2, 3)
    network.register_buffer("mask", torch.ones(2, device="meta"), persistent=False)
    return network

class stubborn(nn.Module):
    def train(self, mode=True):
        raise RuntimeError("not today")
"""


@pytest.fixture
def factories(here: Path, request: pytest.FixtureRequest) -> str:
    """A module of factories in the current folder, under a name of its own for each test."""
    name = f"factories_{abs(hash(request.node.nodeid))}"
    Path(f"{name}.py").write_text(FACTORIES)
    return name


def tensors() -> dict[str, torch.Tensor]:
    return {"0.weight": torch.arange(6.0).reshape(3, 2), "0.bias": torch.tensor([1.0, 2.0, 3.0])}


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled(name: str):
    loaded = load_model(name)
    assert (loaded.name, loaded.bounds, loaded.network.training) == (name, (0.0, 1.0), False)
    assert loaded.weights is not None and loaded.input_shape is not None
    again = load_model(str(loaded.weights))
    x = torch.linspace(0, 1, math.prod(loaded.input_shape)).reshape(1, *loaded.input_shape)
    assert torch.equal(loaded.network(x), again.network(x)) and again.bounds == loaded.bounds
    assert again.class_names == loaded.class_names


def test_bounds_that_are_given_win():
    assert load_model("digits-robust", bounds=(-1.0, 2.0)).bounds == (-1.0, 2.0)


def test_factory_from_the_current_folder(factories: str):
    before = list(sys.path)
    loaded = load_model(f"{factories}:make")
    assert loaded.network(torch.zeros(1, 2)).shape == (1, 3)
    assert (loaded.bounds, loaded.weights, dict(loaded.metadata)) == (None, None, {})
    assert sys.path == before


def test_weights_fill_the_factory_network(factories: str):
    save_file(tensors(), "w.safetensors", metadata={"made": "here"})
    loaded = load_model(f"{factories}:make", weights="w.safetensors")
    assert loaded.network(torch.tensor([[1.0, 1.0]])).tolist() == [[2.0, 7.0, 12.0]]
    assert dict(loaded.metadata) == {"made": "here"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "digits",
            r"expected digits-standard, digits-robust, .*, PACKAGE\.MODULE:FACTORY, .*hf:FOLDER.*, got 'digits'",
        ),
        ("", "got ''"),
        ("x" * 300, "got 'xxx"),
        ("a:", "got 'a:'"),
        (":make", "got ':make'"),
        ("nowhere_at_all:make", "importing nowhere_at_all failed: ModuleNotFoundError"),
        ("..a:make", r"importing \.\.a failed: TypeError"),
        ("FACTORIES:missing", "expected a function 'missing' in .*; there is nothing of that name"),
        ("FACTORIES:NUMBER", "it is a int"),
        ("FACTORIES:needs_argument", "without arguments failed: TypeError: .*'width'"),
        ("FACTORIES:wrong", r"to return an nn\.Module, got int"),
        ("FACTORIES:fails", "failed: KeyError: .no"),
    ],
)
def test_spec_errors_are_one_clear_line(factories: str, spec: str, message: str):
    with pytest.raises(InputError, match=message) as caught:
        load_model(spec.replace("FACTORIES", factories))
    assert "\n" not in str(caught.value) and str(caught.value).startswith("model: ")


def test_a_module_that_fails_to_import_is_named(here: Path):
    Path("broken_module_of_test.py").write_text("import no_such_dependency_here")
    with pytest.raises(InputError, match=r"importing broken_module_of_test failed: .*no_such_dependency_here"):
        load_model("broken_module_of_test:make")


def test_bundled_networks_take_no_other_weights():
    with pytest.raises(InputError, match="digits-robust has its own, got a"):
        load_model("digits-robust", weights="a")


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.pkl"])
def test_a_pickle_in_the_place_of_a_spec_is_refused_with_the_way_out(here: Path, name: str):
    torch.save({"0.weight": torch.zeros(3, 2)}, name)
    with pytest.raises(FileError, match=r"holds values without a network; give the network as FILE\.py:FACTORY and"):
        load_model(name)
    torch.save(nn.Linear(2, 3), name)
    with pytest.raises(PickleRefusedError, match=r"is a pickle, .*FILE\.py:FACTORY .*add --trust-pickle"):
        load_model(name)
    torch.jit.script(nn.Linear(2, 3)).save(name)
    with pytest.raises(PickleRefusedError, match=r"is TorchScript, which runs code .*add --trust-pickle"):
        load_model(name)


def test_a_folder_or_a_file_of_python_in_the_place_of_a_spec(here: Path):
    Path("net.py").write_text("")
    Path("folder").mkdir()
    Path("folder/config.json").write_text("{}")
    with pytest.raises(InputError, match=r"net\.py is a file of Python: name the function .* net\.py:FACTORY"):
        load_model("net.py")
    with pytest.raises(InputError, match="folder is a folder of Hugging Face: give hf:folder"):
        load_model("folder")


def test_an_exported_network_is_evaluated_as_it_was_exported(factories: str):
    loaded = load_model(f"{factories}:exported")
    assert not any(module.training for module in loaded.network.modules())
    assert loaded.network(torch.ones(1, 2)).tolist() == [[2.0, 2.0]]


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("lazy", r"got one without: 1\.weight of a lazy layer has no shape yet; call the network once"),
        ("on_meta", r"got one without: weight lies on the device 'meta'; make the network on the CPU"),
        ("meta_buffer", r"got one without: mask lies on the device 'meta'"),
        ("stubborn", "cannot be put into evaluation mode: RuntimeError: not today"),
    ],
)
def test_networks_that_cannot_be_evaluated(factories: str, factory: str, message: str):
    with pytest.raises(InputError, match=message) as caught:
        load_model(f"{factories}:{factory}")
    assert "\n" not in str(caught.value) and str(caught.value).startswith("model: ")
