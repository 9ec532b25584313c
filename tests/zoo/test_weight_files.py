"""Weights from safetensors files: the network holds exactly what the file says, or is left as it was."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations

from clearance.errors import FileError, PickleRefusedError
from clearance.zoo.weight_files import load_weights

FILE = Path("w.safetensors")


def tensors() -> dict[str, torch.Tensor]:
    return {"0.weight": torch.arange(6.0).reshape(3, 2), "0.bias": torch.tensor([1.0, 2.0, 3.0])}


def refused(network: nn.Module, message: str) -> None:
    """The file is refused in one line, and the network is as it was."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(FileError, match=message) as caught:
        load_weights(network, FILE)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("w.safetensors: ")
    after = network.state_dict()
    assert all(value.is_meta or torch.equal(value, after[name]) for name, value in before.items())


def test_floating_values_are_converted_to_the_precision_of_the_network(here: Path):
    save_file({name: value.double() for name, value in tensors().items()}, FILE)
    network = nn.Sequential(nn.Linear(2, 3))
    load_weights(network, FILE)
    assert network(torch.tensor([[1.0, 1.0]])).tolist() == [[2.0, 7.0, 12.0]]


@pytest.mark.parametrize("name", ["a.pkl", "a.safetensors", "a.joblib"])
def test_pickles_are_refused_by_name_with_the_way_out(here: Path, name: str):
    network = nn.Sequential(nn.Linear(2, 3))
    torch.save(network.state_dict(), name)
    with pytest.raises(PickleRefusedError, match=r"is a pickle, .*use safetensors; .*save_file\(torch\.load"):
        load_weights(network, Path(name))


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.th"])
def test_tensors_that_torch_saved_are_read_and_nothing_else(here: Path, name: str):
    network = nn.Sequential(nn.Linear(2, 3))
    torch.save(tensors(), name)
    load_weights(network, Path(name))
    assert network(torch.tensor([[1.0, 1.0]])).tolist() == [[2.0, 7.0, 12.0]]
    torch.save(network, name)  # what `weights_only=True` refuses
    with pytest.raises(PickleRefusedError, match=r"is a pickle of more than tensors, .*save the state_dict\(\) alone"):
        load_weights(network, Path(name))
    torch.jit.script(network).save(name)
    with pytest.raises(FileError, match=r"got TorchScript; give it as MODEL, with --trust-pickle"):
        load_weights(network, Path(name))


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
        load_weights(network, FILE)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_tied_parameters_may_be_stored_once(here: Path):
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    network[1].weight = network[0].weight
    save_file({"1.weight": torch.eye(2) * 2}, "w.safetensors")
    load_weights(network, FILE)
    assert network(torch.ones(1, 2)).tolist() == [[4.0, 4.0]]


@pytest.mark.parametrize("length", [0x280, 0x480])
def test_a_header_length_that_looks_like_a_pickle_is_none(here: Path, length: int):
    for padding in range(length):
        save_file(tensors(), "w.safetensors", metadata={"pad": "x" * padding})
        if int.from_bytes(Path("w.safetensors").read_bytes()[:8], "little") == length:
            break
    assert Path("w.safetensors").read_bytes()[:2] == length.to_bytes(2, "little")
    assert "pad" in load_weights(nn.Sequential(nn.Linear(2, 3)), FILE)


@pytest.mark.parametrize("size", [0, 4, 60, 150])
def test_truncated_weights(here: Path, size: int):
    save_file(tensors(), "w.safetensors")
    data = Path("w.safetensors").read_bytes()
    Path("w.safetensors").write_bytes(data[:size])
    with pytest.raises(FileError, match=r"w\.safetensors: damaged, or no safetensors file") as caught:
        load_weights(nn.Sequential(nn.Linear(2, 3)), FILE)
    assert "\n" not in str(caught.value)


def test_missing_weights(here: Path):
    with pytest.raises(FileError, match=r"w\.safetensors: no such file"):
        load_weights(nn.Linear(2, 3), FILE)
    Path("folder").mkdir()
    with pytest.raises(FileError, match="folder: is no plain file"):
        load_weights(nn.Linear(2, 3), Path("folder"))


class Tied(nn.Module):
    """Two names of one weight; a third that is a part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(2, 2, bias=False)
        self.two = nn.Linear(2, 2, bias=False)
        self.two.weight = self.one.weight
        self.register_buffer("row", self.one.weight.detach()[:1])


def test_tied_parameters_with_two_values_are_refused(here: Path):
    row = torch.ones(1, 2)
    save_file({"one.weight": torch.ones(2, 2), "two.weight": torch.ones(2, 2), "row": row}, FILE)
    load_weights(Tied(), FILE)
    save_file({"one.weight": torch.ones(2, 2), "two.weight": torch.ones(2, 2) * 2, "row": row}, FILE)
    refused(
        Tied(), r"does not hold the values of \w+\.?\w* after loading: it is tied to .*weight.*other values in the f"
    )
    save_file({"one.weight": torch.ones(2, 2), "two.weight": torch.ones(2, 2), "row": 3 * row}, FILE)
    refused(Tied(), "does not hold the values of row after loading: it is tied to one.weight, two.weight")


def test_a_part_of_a_missing_tensor_is_not_the_tensor(here: Path):
    save_file({"row": torch.ones(1, 2)}, FILE)
    refused(Tied(), r"another network \(missing: one\.weight, two\.weight; unexpected: none\)")


def test_no_empty_tensor_stands_for_another(here: Path):
    network = nn.Module()
    network.register_buffer("one", torch.ones(0))
    network.register_buffer("two", torch.ones(0))
    save_file({"one": torch.ones(0)}, FILE)
    refused(network, "missing: two")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.ones(3, dtype=torch.int64), "expected floating values for 0.bias, got int64"),
        (torch.ones(3, dtype=torch.uint8), "expected floating values for 0.bias, got uint8"),
        (torch.ones(3, dtype=torch.bool), "expected floating values for 0.bias, got bool"),
        (torch.ones(3, dtype=torch.complex64), "expected floating values for 0.bias, got complex64"),
        (
            torch.ones(3).to(torch.float8_e4m3fn),
            "expected 0.bias as float64, .*bfloat16, got float8_e4m3fn; convert it",
        ),
        (torch.ones(3).to(torch.float8_e5m2), "got float8_e5m2"),
        (torch.tensor([1.0, 1e300, 0.0], dtype=torch.float64), "0.bias overflows float32, the network's precision"),
        (torch.tensor([1.0, 1e300, torch.inf], dtype=torch.float64), "0.bias holds NaN or infinity"),
        (torch.tensor([1.0, torch.nan, 0.0], dtype=torch.bfloat16), "0.bias holds NaN or infinity"),
        (torch.tensor(1.0), r"expected shape \(3,\) for 0.bias, got \(\)"),
    ],
    ids=str,
)
def test_values_of_another_kind_are_refused(here: Path, value: torch.Tensor, message: str):
    save_file({**tensors(), "0.bias": value}, FILE)
    refused(nn.Sequential(nn.Linear(2, 3)), message)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.tensor(1.5), "expected integer values for num_batches_tracked, got float32"),
        (torch.tensor(True), "expected integer values for num_batches_tracked, got bool"),
        (torch.tensor(3, dtype=torch.int32), None),
    ],
    ids=str,
)
def test_counters_take_whole_numbers(here: Path, value: torch.Tensor, message: str | None):
    network = nn.BatchNorm1d(2)
    save_file({**network.state_dict(), "num_batches_tracked": value}, FILE)
    if message is None:
        load_weights(network, FILE)
        assert network.num_batches_tracked == 3
    else:
        refused(network, message)


def test_a_number_that_does_not_fit_its_integer_type(here: Path):
    network = nn.Module()
    network.register_buffer("index", torch.zeros(2, dtype=torch.uint8))
    save_file({"index": torch.tensor([1, 300])}, FILE)
    refused(network, "index holds int64 numbers that do not fit uint8")


def test_float32_that_overflows_half_precision(here: Path):
    save_file({name: 1e5 * value for name, value in tensors().items()}, FILE)
    refused(nn.Sequential(nn.Linear(2, 3)).half(), r"0\.\w+ overflows float16, the network's precision")


def test_complex_weights_of_a_complex_network(here: Path):
    network = nn.Linear(1, 1, dtype=torch.complex64)
    save_file({"weight": torch.tensor([[1j]]), "bias": torch.tensor([2 + 0j])}, FILE)
    load_weights(network, FILE)
    assert network.weight.item() == 1j
    save_file({"weight": torch.tensor([[complex(0, torch.nan)]]), "bias": torch.tensor([2 + 0j])}, FILE)
    with pytest.raises(FileError, match="weight holds NaN"):
        load_weights(network, FILE)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Linear(2, 3, device="meta")), "0.weight lies on the device 'meta'"),
        (nn.Sequential(nn.LazyLinear(3)), "0.weight of a lazy layer has no shape yet"),
    ],
    ids=["meta", "lazy"],
)
def test_a_network_with_nothing_to_fill(here: Path, network: nn.Module, message: str):
    save_file(tensors(), FILE)
    with pytest.raises(FileError, match=f"got one with nothing to fill: {message}"):
        load_weights(network, FILE)


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_network_is_filled_by_its_factory(here: Path):
    network = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(2, 3)), {nn.Linear}, dtype=torch.qint8)
    save_file(tensors(), FILE)
    with pytest.raises(FileError, match="expected a network whose values are tensors, got one that packs them"):
        load_weights(network, FILE)


class Extra(nn.Linear):
    """A layer with an extra state that is no tensor."""

    def get_extra_state(self) -> dict[str, int]:
        return {"version": 1}

    def set_extra_state(self, state: object) -> None:
        raise AssertionError("the file has none")


def test_an_extra_state_is_not_in_the_file(here: Path):
    network = nn.Sequential(Extra(2, 3))
    save_file(tensors(), FILE)
    load_weights(network, FILE)
    assert network(torch.ones(1, 2)).tolist() == [[2.0, 7.0, 12.0]]


def wrapped(network: nn.Module) -> nn.Module:
    holder = nn.Module()
    holder.module = network
    return holder


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        (lambda name: f"net.body.{name}", r"; its names begin with 'net\.body\.': save them without it"),
        (lambda name: f"layer{name}", r"unexpected: layer0\.bias, layer0\.weight\)$"),
    ],
)
def test_a_prefix_is_named(here: Path, rename: Callable[[str], str], message: str):
    save_file({rename(name): value for name, value in tensors().items()}, FILE)
    refused(nn.Sequential(nn.Linear(2, 3)), message)


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: f"module.{name}",
        lambda name: f"_orig_mod.{name}",
        lambda name: name.replace("0.", "0._orig_mod."),
        lambda name: f"module._orig_mod.{name}",
    ],
)
def test_prefixes_of_wrappers_are_taken_away_where_all_names_fit_then(here: Path, rename: Callable[[str], str]):
    network = nn.Sequential(nn.Linear(2, 3))
    save_file({rename(name): value for name, value in tensors().items()}, FILE)
    load_weights(network, FILE)
    assert network(torch.tensor([[1.0, 1.0]])).tolist() == [[2.0, 7.0, 12.0]]
    one_left = {rename("0.weight"): tensors()["0.weight"], "0.bias": tensors()["0.bias"]}
    save_file({**one_left, rename("0.bias"): torch.ones(3)}, FILE)  # two values of one name
    refused(nn.Sequential(nn.Linear(2, 3)), "the weights are of another network")


def test_a_file_older_than_the_counters_of_batch_normalisation(here: Path):
    network = nn.BatchNorm1d(2)
    save_file({name: value for name, value in network.state_dict().items() if "batches" not in name}, FILE)
    load_weights(network, FILE)
    save_file({"weight": torch.ones(2), "bias": torch.ones(2), "running_mean": torch.ones(2)}, FILE)
    refused(nn.BatchNorm1d(2), "missing: running_var; unexpected: none")


def test_a_prefix_of_the_network_is_named(here: Path):
    save_file(tensors(), FILE)
    refused(
        wrapped(nn.Sequential(nn.Linear(2, 3))), r"the network's names have the prefix 'module\.' .*: return the one"
    )


def test_parametrised_networks_are_filled(here: Path):
    network, other = (nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 3))) for _ in range(2))
    save_file({name: value.clone() for name, value in network.state_dict().items()}, FILE)
    load_weights(other, FILE)
    assert torch.equal(network(torch.ones(1, 2)), other(torch.ones(1, 2)))


def test_a_network_that_takes_no_weights(here: Path):
    network = nn.Sequential(nn.Linear(2, 3))
    network[0].weight = nn.Parameter(torch.zeros(1, 1).expand(3, 2))  # one number in the place of six
    save_file(tensors(), FILE)
    with pytest.raises(FileError, match="the network does not take these weights"):
        load_weights(network, FILE)
