"""ONNX graphs: their answers against onnxruntime and closed forms, and what is refused by name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from clearance.errors import FileError, InputError
from clearance.zoo.specs import load_model
from model_files import SHAPE, small_cnn, write_onnx
from torchvision_operators import define_torchvision_operators

define_torchvision_operators()
FILE = Path("n.onnx")
WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)


def graph(
    *nodes: onnx.NodeProto,
    shape: Sequence[int | str] = ("batch", 2),
    outputs: Sequence[str] = ("y",),
    kind: int = TensorProto.FLOAT,
    opset: int = 17,
) -> onnx.ModelProto:
    """A graph from `x` to `y` with the weight `w`."""
    value = helper.make_tensor_value_info("x", kind, shape)
    out = [helper.make_tensor_value_info(name, kind, ("batch", None)) for name in outputs]
    values = [numpy_helper.from_array(WEIGHT.astype(helper.tensor_dtype_to_np_dtype(kind)), "w")]
    found = helper.make_graph(list(nodes), "graph", [value], out, values)
    return helper.make_model(found, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(kind: str, inputs: str, output: str = "y", domain: str = "", **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], domain=domain, **attributes)


PRODUCT = node("MatMul", "x w")


def save(model: onnx.ModelProto) -> None:
    FILE.write_bytes(model.SerializeToString())


def refused(message: str, kind: type[Exception] = FileError, **options: object) -> None:
    with pytest.raises(kind, match=message) as caught:
        load_model("n.onnx", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fixed", [True, False])
def test_the_largest_difference_is_said(here: Path, fixed: bool):
    write_onnx(small_cnn(), FILE, fixed=fixed)
    loaded = load_model("n.onnx")
    (note,) = loaded.notes
    assert note.startswith("n.onnx: largest difference from onnxruntime over 8 random inputs: ")
    assert float(note.split(": ")[2].split(";")[0]) < 1e-6
    assert ("written for batches of 1; takes any" in note) is fixed and (loaded.weights, loaded.input_shape) == (
        FILE,
        SHAPE,
    )


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_a_product_is_a_product(here: Path, kind: int):
    save(graph(PRODUCT, kind=kind))
    network = load_model("n.onnx").network
    x = torch.tensor([[1.0, 2.0], [0.5, 0.0]], dtype=torch.float64 if kind == TensorProto.DOUBLE else torch.float32)
    assert network(x).tolist() == [[6.0, 9.0, 12.0], [0.0, 0.5, 1.0]]


def test_columns_take_pictures(here: Path):
    """A graph for `(batch, 64, 1)` and a picture of 64 pixels: the order of the pixels is the only one."""
    steps = (node("Reshape", "x sides", "flat"), node("MatMul", "flat v"))
    model = graph(*steps, shape=("batch", 64, 1))
    values = torch.arange(128.0).reshape(64, 2)
    model.graph.initializer.extend(
        [numpy_helper.from_array(np.array([-1, 64]), "sides"), numpy_helper.from_array(values.numpy(), "v")]
    )
    save(model)
    loaded, x = load_model("n.onnx"), torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    for shaped in (x, x.flatten(1), x.reshape(3, 64, 1)):
        assert torch.allclose(loaded.network(shaped), x.flatten(1) @ values, rtol=1e-5)
    assert "inputs of 64 numbers in any shape are reshaped to (64, 1)" in loaded.notes[0]


def test_colour_pictures_are_not_reshaped(here: Path):
    """Channels last and channels first have as many numbers: one is not taken for the other."""
    torch.onnx.export(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten()), (torch.zeros(1, 3, 4, 4),), FILE, dynamo=False)
    network = load_model("n.onnx").network
    assert network(torch.zeros(1, 3, 4, 4)).shape == (1, 32)
    with pytest.raises(RuntimeError):
        network(torch.zeros(1, 4, 4, 3))


def test_open_sizes_are_asked_for(here: Path):
    save(graph(node("Flatten", "x", "f"), node("MatMul", "f w"), shape=("batch", "channels", 1, "width")))
    refused(
        r"model: n\.onnx leaves sizes of its input open \(batch, channels, 1, width\); .*input_shape=C,H,W",
        InputError,
    )
    loaded = load_model("n.onnx", model_args={"input_shape": "1,1,2"})
    assert loaded.network(torch.tensor([[[[1.0, 2.0]]]])).tolist() == [[6.0, 9.0, 12.0]]
    for asked in ("1,2,2", "2", "1,1,two", "1,1,-2"):
        refused("model-args: expected input_shape to be like", InputError, model_args={"input_shape": asked})


@pytest.mark.parametrize("kind", ["ConstantOfShape", "Expand"])
def test_a_constant_of_ten_gigabytes_in_a_few_bytes(here: Path, kind: str):
    steps = (
        node(kind, "sides" if kind == "ConstantOfShape" else "x sides", "c"),
        node("ReduceMax", "c", "r", keepdims=0),
    )
    model = graph(*steps, node("Add", "x r"), shape=("batch", 1))
    model.graph.initializer.append(numpy_helper.from_array(np.array([50_000, 50_000]), "sides"))
    save(model)
    assert FILE.stat().st_size < 1000
    refused(r"n\.onnx: expected values of at most 268,435,456 numbers, got c of \[50000, 50000\]")


def test_one_of_several_outputs(here: Path):
    save(graph(PRODUCT, node("Relu", "y", "z"), outputs=("y", "z")))
    refused(r"to have one output, got y, z; say which .*output=NAME", InputError)
    refused("expected output=y or z for", InputError, model_args={"output": "logits"})
    for name in ("y", "z"):
        assert load_model("n.onnx", model_args={"output": name}).network(torch.ones(1, 2)).shape == (1, 3)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (graph(PRODUCT, opset=99), "valid ONNX graph|expected an opset from 1 to"),
        (graph(node("Nothing", "x")), "valid ONNX graph, got one that is not .*Nothing"),
        (
            graph(node("Softsign", "x", "s"), node("Shrink", "s")),
            r"no converter for Shrink \(opset 17\)",
        ),
        (graph(node("Strange", "x", domain="mine")), r"no converter for mine\.Strange|not .*mine"),
        (graph(PRODUCT, kind=TensorProto.FLOAT16), "expected inputs of float32 or float64, got ONNX's type 10"),
        (graph(node("MatMul", "x v")), "valid ONNX graph, got one that is not"),
        (graph(PRODUCT, shape=("batch", 5)), "onnxruntime does not take it|valid ONNX|fails on it"),
        (graph(PRODUCT, shape=("batch", 2**40)), "expected inputs of a size that can be checked"),
        (graph(PRODUCT, shape=(2**40, 2)), "expected values of at most 268,435,456 numbers, got y of"),
    ],
    ids=["opset", "unknown", "converter", "domain", "half", "missing", "shape", "wide", "many"],
)
def test_graphs_that_are_refused(here: Path, model: onnx.ModelProto, message: str):
    save(model)
    refused(rf"n\.onnx: .*({message})|n\.onnx: {message}")


@pytest.mark.parametrize("opset", [7, 9, 13, 17])
def test_opsets(here: Path, opset: int):
    save(graph(PRODUCT, node("Relu", "y", "z"), outputs=("z",), opset=opset))
    assert load_model("n.onnx").network(torch.ones(1, 2)).tolist() == [[3.0, 5.0, 7.0]]


def test_a_batch_that_is_written_into_the_graph(here: Path):
    model = graph(node("Reshape", "x sides", "f"), node("MatMul", "f w"), shape=(1, 2))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 2]), "sides"))
    save(model)
    loaded = load_model("n.onnx")
    assert "takes 1 at a time: its batches are computed in parts" in loaded.notes[0]
    assert loaded.network(torch.tensor([[1.0, 2.0], [0.5, 0.0]])).tolist() == [[6.0, 9.0, 12.0], [0.0, 0.5, 1.0]]


def write_external(location: str, length: int = 24) -> None:
    model = graph(PRODUCT)
    (tensor,) = model.graph.initializer
    values = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(length)}.items():
        tensor.external_data.add(key=key, value=value)
    save(model)
    Path("values.bin").write_bytes(values)
    Path("folder").mkdir(exist_ok=True)


def test_values_in_a_file_beside_the_graph(here: Path):
    write_external("values.bin")
    assert load_model("n.onnx").network(torch.ones(1, 2)).tolist() == [[3.0, 5.0, 7.0]]
    write_external("values.bin", length=10 * 2**30)
    refused("expected 10,737,418,240 bytes of values in values.bin, got 24")


@pytest.mark.parametrize("location", ["../values.bin", "/etc/hostname", "", "folder", "nothing.bin", "link.bin"])
def test_values_elsewhere(here: Path, location: str):
    Path("link.bin").symlink_to("/etc/hostname")
    write_external(location)
    refused(r"n\.onnx: expected its values in a file beside it, got")


@pytest.mark.parametrize("content", [b"", b"noise", b"PK\x03\x04", bytes(range(256)), b"\x80\x04K\x01."])
def test_what_is_no_graph(here: Path, content: bytes):
    FILE.write_bytes(content)
    refused(r"n\.onnx: expected a(n| valid) ONNX graph, got")


def test_no_file(here: Path):
    refused(r"n\.onnx: no such file")


def test_the_extra_is_named_where_it_is_absent(here: Path, monkeypatch: pytest.MonkeyPatch):
    import sys

    save(graph(PRODUCT))
    monkeypatch.setitem(sys.modules, "onnx2torch", None)
    refused(r"n\.onnx needs onnx2torch, which is not installed: pip install 'clearance\[onnx\]'", InputError)
