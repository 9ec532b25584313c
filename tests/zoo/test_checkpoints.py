"""Checkpoints: the header names the network, and nothing else is ever made."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from clearance.errors import FileError, InputError
from clearance.zoo.checkpoints import architecture_header, make_architecture, open_checkpoint
from clearance.zoo.headers import read_header
from clearance.zoo.specs import load_model
from clearance.zoo.table import ARCHITECTURES

ARGUMENTS = {"input_shape": (1, 6, 6), "classes": 3, "hidden": 5, "channels": (2, 3)}


def write(path: Path, *, half: bool = False, **change: str) -> dict[str, torch.Tensor]:
    network = make_architecture("strided_cnn", ARGUMENTS)
    header = architecture_header(
        "strided_cnn", ARGUMENTS, input_shape=(1, 6, 6), bounds=(0.0, 2.0), class_names=("a", "b", "c")
    )
    values = {name: value.half() if half else value for name, value in network.state_dict().items()}
    save_file(values, path, {**header, "data": "none", **change})
    return values


@pytest.mark.parametrize("half", [False, True])
def test_what_was_written_comes_back(tmp_path: Path, half: bool):
    file = tmp_path / "net.safetensors"
    values = write(file, half=half)
    loaded = load_model(str(file))
    assert (loaded.bounds, loaded.input_shape, loaded.class_names) == ((0.0, 2.0), (1, 6, 6), ("a", "b", "c"))
    assert (loaded.weights, loaded.metadata["data"]) == (file, "none")
    held = loaded.network.state_dict()
    assert all(torch.equal(held[name], value.float()) for name, value in values.items())
    assert loaded.network(torch.zeros(2, 1, 6, 6)).shape == (2, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "os:system"}, "holds values without a network that `clearance train` knows"),
        ({"architecture": "clearance.zoo.networks:strided_cnn"}, "holds values without a network"),
        ({"arguments": "{"}, "its header does not describe a network"),
        ({"arguments": "[]"}, "its header does not describe a network"),
        ({"arguments": json.dumps({"depth": 3})}, "its header does not describe a network .*strided_cnn does not take"),
        ({"arguments": json.dumps({"input_shape": [1, 6, 6], "classes": 1})}, "expected at least 2, got 1"),
        ({"arguments": json.dumps({"input_shape": [1, 9, 9], "classes": 3})}, "expected shape"),
        ({"input_shape": "[1, null]"}, "its header does not describe a network"),
        ({"bounds": "[0]"}, "its header does not describe a network"),
        ({"bounds": "[1, 0]"}, "bounds: expected two numbers, the lower one first"),
        ({"bounds": "[NaN, 1]"}, "bounds: expected two numbers"),
        ({"bounds": "[0, Infinity]"}, "bounds: expected two numbers"),
        ({"bounds": "[0, 1, 2]"}, "its header does not describe a network"),
        ({"bounds": "{}"}, "its header does not describe a network"),
        ({"input_shape": "[Infinity, 6, 6]"}, "its header does not describe a network"),
        ({"arguments": "[" * 50_000}, "its header does not describe a network"),
        ({"arguments": json.dumps({"input_shape": [10**9, 10**9, 6], "classes": 3})}, "its header does not describe"),
        (
            {"arguments": json.dumps({"input_shape": [6, 10**5, 10**5], "classes": 3, "hidden": 10**5})},
            "it names a network of .* values, the file has",
        ),
        ({"class_names": '["a", "b"]'}, "class_names: expected a name for each of 3 classes"),
        ({"class_names": '"abc"'}, "class_names: expected a name for each of 3 classes"),
    ],
)
def test_a_header_that_does_not_fit_is_one_line(tmp_path: Path, change: dict[str, str], message: str):
    file = tmp_path / "net.safetensors"
    write(file, **change)
    for load in (load_model, lambda name: open_checkpoint(Path(name), name)):
        with pytest.raises(FileError, match=message) as caught:
            load(str(file))
        assert "\n" not in str(caught.value)


def test_values_alone_are_told_how_to_be_used(tmp_path: Path):
    file = tmp_path / "w.safetensors"
    save_file({"a": torch.zeros(2)}, file)
    with pytest.raises(FileError, match=r"give package\.module:factory or FILE\.py:factory, and --weights"):
        load_model(str(file))


def test_it_takes_no_weights_and_no_arguments(tmp_path: Path):
    file = tmp_path / "net.safetensors"
    write(file)
    with pytest.raises(InputError, match=r"weights: .* has its own"):
        load_model(str(file), weights=file)
    with pytest.raises(InputError, match=r"model-args: .* takes none"):
        load_model(str(file), model_args={"hidden": 7})


def test_files_that_are_none(tmp_path: Path):
    (tmp_path / "a.safetensors").write_bytes(b"no")
    with pytest.raises(FileError, match="damaged, or no safetensors file"):
        load_model(str(tmp_path / "a.safetensors"))
    with pytest.raises(FileError, match="no such file"):
        load_model(str(tmp_path / "b.safetensors"))


def test_the_bundled_headers_hold_a_card():
    from clearance.zoo.specs import WEIGHTS_FOLDER

    for file in WEIGHTS_FOLDER.iterdir():
        header = read_header(file)
        assert {"data", "defense", "threat_model", "settings", "clean_accuracy", "command", "torch"} <= set(header)
        assert len(load_file(file)) >= 4


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "digits_cnn"])
def test_a_network_too_large_for_its_file_takes_no_memory(tmp_path: Path, name: str):
    arguments = {"input_shape": [1, 10**4, 10**4], "classes": 10**5}  # 4 TB and more as float32
    header = architecture_header(name, arguments, input_shape=(1, 6, 6), bounds=None)
    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors", header)
    with pytest.raises(FileError, match=r"its header does not describe a network .*it names a network of"):
        open_checkpoint(tmp_path / "a.safetensors", "a")


def test_an_unknown_architecture_is_refused():
    with pytest.raises(InputError, match=r"network: expected one of softplus_mlp, .*, got 'vgg'"):
        make_architecture("vgg", {})
