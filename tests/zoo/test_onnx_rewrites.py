"""What onnx2torch is given: operators by a number that it knows, where they mean the same, and values uncopied."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from clearance.errors import FileError
from clearance.zoo.onnx_rewrites import choose_opset, rewritten
from clearance.zoo.specs import load_model
from torchvision_operators import define_torchvision_operators

define_torchvision_operators()


def graph(*kinds: str, opset: int) -> onnx.ModelProto:
    """A chain of operators of one input each."""
    names = ["x", *(f"v{place}" for place in range(len(kinds)))]
    nodes = [helper.make_node(kind, [names[at]], [names[at + 1]]) for at, kind in enumerate(kinds)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("b", 2)) for name in (names[0], names[-1])]
    made = helper.make_graph(nodes, "graph", ends[:1], ends[1:])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.parametrize(
    ("kinds", "opset", "version", "lacking"),
    [
        (("Relu",), 20, 20, ()),
        (("Identity", "Relu"), 20, 18, ()),  # Identity has the number 19 since, for other kinds of numbers
        (("Identity", "Relu"), 17, 17, ()),
        (("Gelu",), 20, 20, ("Gelu (opset 20)",)),  # there is no older one
        (("Identity", "Gelu"), 20, 18, ("Gelu (opset 20)",)),  # the one that is in the way, not those that are not
        (("Shrink",), 17, 17, ("Shrink (opset 17)",)),
    ],
)
def test_the_newest_that_serves(kinds: tuple[str, ...], opset: int, version: int, lacking: tuple[str, ...]):
    model = graph(*kinds, opset=opset)
    found = choose_opset(model, onnx)
    assert (found.version, found.lacking) == (version, lacking)
    assert rewritten(model, found).opset_import[0].version == version and model.opset_import[0].version == opset


def test_an_operator_that_means_something_else_in_an_older_opset_is_not_read_as_that():
    """The axes of `Unsqueeze` are an attribute before opset 13, and an input since."""
    from onnx2torch.node_converters import registry

    model = graph("Unsqueeze", opset=13)
    assert choose_opset(model, onnx).version == 13
    kept = dict(registry._CONVERTER_REGISTRY)
    try:
        for description in list(registry._CONVERTER_REGISTRY):
            if description.operation_type == "Unsqueeze" and description.version >= 13:
                del registry._CONVERTER_REGISTRY[description]
        assert choose_opset(model, onnx).lacking == ("Unsqueeze (opset 13)",)
    finally:
        registry._CONVERTER_REGISTRY.update(kept)


def test_such_a_graph_answers_as_onnxruntime_reads_the_file(here: Path):
    model = graph("Identity", "Relu", opset=20)
    model.graph.node.append(helper.make_node("Add", ["v1", "c"], ["y"]))
    model.graph.output[0].name = "y"
    model.graph.initializer.append(numpy_helper.from_array(np.array([1.0, 2.0], dtype=np.float32), "c"))
    Path("n.onnx").write_bytes(model.SerializeToString())
    assert load_model("n.onnx").network(torch.tensor([[-1.0, 3.0]])).tolist() == [[1.0, 5.0]]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchs_exporter_by_default(here: Path):
    """Equal biases become one value and a step of the operator Identity, in the exporter's newest opset."""
    layers = [nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)]
    network = nn.Sequential(*layers).eval()
    with torch.no_grad():
        layers[0].bias.copy_(torch.arange(4.0))
        layers[2].bias.copy_(torch.arange(4.0))
    torch.onnx.export(network, (torch.zeros(1, 4),), "n.onnx", dynamo=False)
    assert "Identity" in {node.op_type for node in onnx.load("n.onnx").graph.node}
    x = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(load_model("n.onnx").network(x), network(x), atol=1e-6)
    torch.onnx.export(nn.Sequential(network, nn.GELU()), (torch.zeros(1, 4),), "n.onnx", dynamo=False)
    with pytest.raises(FileError, match=r"no converter for Gelu \(opset 20\); torch\.onnx\.export\(\.\.\., opset_"):
        load_model("n.onnx")
    torch.onnx.export(nn.Sequential(network, nn.GELU()), (torch.zeros(1, 4),), "n.onnx", dynamo=False, opset_version=17)
    assert torch.allclose(load_model("n.onnx").network(x), nn.functional.gelu(network(x)), atol=1e-6)
