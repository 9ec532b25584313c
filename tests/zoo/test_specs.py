"""Networks by their spec, and weights from safetensors files: what is read and what is refused."""

import pickle
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from clearance.errors import FileError, InputError, PickleRefusedError
from clearance.zoo.specs import BUNDLED, load_model, load_weights

FACTORIES = """
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
    assert loaded.weights is not None and loaded.weights.stat().st_size < 200_000
    assert loaded.metadata["architecture"] == "clearance.zoo.networks:digits_cnn"
    again = load_model(loaded.metadata["architecture"], weights=loaded.weights)
    x = torch.linspace(0, 1, 64).reshape(1, 1, 8, 8)
    assert torch.equal(loaded.network(x), again.network(x)) and again.bounds is None


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
        ("digits", r"expected digits-standard, digits-robust or package\.module:factory, got 'digits'"),
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
        ("w.safetensors", r"holds values without a network; give package\.module:factory"),
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
def test_pickles_are_refused_by_name_with_the_way_out(here: Path, name: str):
    network = nn.Sequential(nn.Linear(2, 3))
    torch.save(network, name)
    for attempt in (lambda: load_weights(network, Path(name)), lambda: load_model(name)):
        with pytest.raises(PickleRefusedError, match=r"is a pickle, .*use safetensors; .*save_file"):
            attempt()


def test_pickles_are_refused_by_content(here: Path):
    torch.save({"0.weight": torch.zeros(3, 2)}, "a.safetensors")
    Path("b.safetensors").write_bytes(pickle.dumps({}))
    for name in ("a.safetensors", "b.safetensors"):
        with pytest.raises(PickleRefusedError):
            load_weights(nn.Linear(2, 3), Path(name))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": None}, r"another network \(missing: 0\.weight; unexpected: none\)"),
        ({"extra": torch.zeros(1)}, "missing: none; unexpected: extra"),
        ({"0.weight": torch.zeros(2, 3)}, r"expected shape \(3, 2\) for 0\.weight, got \(2, 3\)"),
        ({"0.bias": torch.tensor([0.0, float("nan"), 0.0])}, r"0\.bias holds NaN or infinity"),
        ({f"extra{i}": torch.zeros(1) for i in range(9)}, "and 4 more"),
    ],
)
def test_weights_of_another_network_change_nothing(here: Path, change, message):
    network = nn.Sequential(nn.Linear(2, 3))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    save_file({name: value for name, value in {**tensors(), **change}.items() if value is not None}, "w.safetensors")
    with pytest.raises(FileError, match=message):
        load_weights(network, Path("w.safetensors"))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_tied_parameters_may_be_stored_once(here: Path):
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    network[1].weight = network[0].weight
    save_file({"1.weight": torch.eye(2) * 2}, "w.safetensors")
    load_weights(network, Path("w.safetensors"))
    assert network(torch.ones(1, 2)).tolist() == [[4.0, 4.0]]


@pytest.mark.parametrize("length", [0x280, 0x480])
def test_a_header_length_that_looks_like_a_pickle_is_none(here: Path, length: int):
    for padding in range(length):
        save_file(tensors(), "w.safetensors", metadata={"pad": "x" * padding})
        if int.from_bytes(Path("w.safetensors").read_bytes()[:8], "little") == length:
            break
    assert Path("w.safetensors").read_bytes()[:2] == length.to_bytes(2, "little")
    assert "pad" in load_weights(nn.Sequential(nn.Linear(2, 3)), Path("w.safetensors"))


@pytest.mark.parametrize("size", [0, 4, 60, 150])
def test_truncated_weights(here: Path, size: int):
    save_file(tensors(), "w.safetensors")
    data = Path("w.safetensors").read_bytes()
    Path("w.safetensors").write_bytes(data[:size])
    with pytest.raises(FileError, match=r"w\.safetensors: damaged, or no safetensors file") as caught:
        load_weights(nn.Sequential(nn.Linear(2, 3)), Path("w.safetensors"))
    assert "\n" not in str(caught.value)


def test_missing_weights(here: Path):
    with pytest.raises(FileError, match=r"w\.safetensors: no such file"):
        load_weights(nn.Linear(2, 3), Path("w.safetensors"))
    Path("folder").mkdir()
    with pytest.raises(FileError, match="folder: is no plain file"):
        load_weights(nn.Linear(2, 3), Path("folder"))
