"""The network as an ONNX file: the same logits, a batch of one, no word on the terminal, refusals."""

import sys
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from certificate_cases import IMAGE, NETWORKS, model_of
from clearance import Classifier, InputError, NetworkError, Normalize
from clearance.certificates.onnx_file import check_onnx, import_onnx, onnx_logits, to_onnx

onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'clearance[onnx]'")
pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'clearance[onnx]'")

CLOSE = 1e-5
"""Of the larger of 1 and the logits: tens of roundings of float32, as the two libraries sum in different orders."""


def images(count: int = 3) -> Tensor:
    return torch.rand(count, *IMAGE, generator=torch.Generator().manual_seed(0))


def linear() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(72, 3))


def assert_same_logits(model: Classifier, x: Tensor) -> None:
    expected = model.logits_of_each(x).double()
    assert torch.allclose(onnx_logits(to_onnx(model, x[:1]), x), expected, rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_has_the_networks_logits(name: str):
    double = model_of(name)
    model = Classifier(double.network, (0, 1), preprocessing=double.preprocessing, dtype=torch.float32)
    assert_same_logits(model, images())


def test_the_preprocessing_is_in_the_file():
    network = linear()
    model = Classifier(network, preprocessing=Normalize([0.2, 0.5], [0.5, 0.1]))
    assert_same_logits(model, images())
    nodes = onnx.load_from_string(to_onnx(model, images()[:1])).graph.node
    assert [node.op_type for node in nodes] == ["BatchNormalization", "Flatten", "Gemm"]
    assert_same_logits(Classifier(nn.Linear(72, 3), preprocessing=Normalize(0.2, 0.5)), images().flatten(1))
    bare = onnx_logits(to_onnx(Classifier(network), images()[:1]), images())
    assert not torch.allclose(bare, model.logits(images()).double(), atol=0.01)


def test_float64_and_plain_functions():
    assert_same_logits(Classifier(linear(), dtype=torch.float64), images().double())
    assert_same_logits(Classifier(lambda x: x.flatten(1)[:, :3] * 2 - 0.5), images())


def test_a_batch_of_one_named_as_provers_expect():
    graph = onnx.load_from_string(to_onnx(Classifier(linear()), images()[:1])).graph
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {"input": [1, *IMAGE], "logits": [1, 3]}
    assert [node.op_type for node in graph.node] == ["Flatten", "Gemm"]


class View(nn.Module):
    """Reshapes, with the batch as a number: the first moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = linear()[1]

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(len(x), 2, 36).permute(2, 0, 1).reshape(len(x), -1)
        return self.layer(torch.relu(x).view(len(x), 8, 9).flip(2).view(len(x), -1))


def test_a_flat_view_does_not_hold_the_batch_of_one():
    data = to_onnx(Classifier(View()), images()[:1])
    nodes = onnx.load_from_string(data).graph.node
    kinds = [node.op_type for node in nodes]
    constants = {node.output[0] for node in nodes if node.op_type == "Constant"}
    assert kinds.count("Flatten") == 1 and kinds.count("Reshape") == 3  # one begins at (36, 1, 2): no Flatten
    assert constants <= {name for node in nodes for name in node.input}
    assert_same_logits(Classifier(View()), images())


def test_the_exporter_says_nothing_and_the_network_is_left_as_it_was(capfd: pytest.CaptureFixture[str]):
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(72, 3)).train()
    model = Classifier(network)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_onnx(to_onnx(model, images()[:1]), model, images())
    assert capfd.readouterr() == ("", "")
    assert all(module.training for module in network.modules())
    assert all(weight.requires_grad for weight in network.parameters())


def test_a_network_that_cannot_be_exported(capfd: pytest.CaptureFixture[str]):
    model = Classifier(lambda x: torch.linalg.svdvals(x).flatten(1))
    message = r"^network: expected one that torch\.onnx can export, got UnsupportedOperatorError: .*linalg_svdvals.*$"
    with pytest.raises(NetworkError, match=message) as caught:
        to_onnx(model, images()[:1])
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert capfd.readouterr() == ("", "")


def branch(x: Tensor) -> Tensor:
    """The recording holds one side alone: that of the input at which it is made."""
    rows = x.flatten(1)[:, :3]
    return rows if float(x.detach().mean()) < 0.5 else -rows


def noise(x: Tensor) -> Tensor:
    return x.flatten(1)[:, :3] + torch.rand(len(x), 3, device=x.device)


@pytest.mark.parametrize("network", [branch, noise])
def test_a_file_that_answers_otherwise_is_refused(network: Callable[[Tensor], Tensor]):
    model = Classifier(network)
    low, high = torch.full((1, *IMAGE), 0.2), torch.full((1, *IMAGE), 0.8)
    with torch.random.fork_rng(), pytest.raises(NetworkError, match=r"^network: expected an ONNX file with its"):
        check_onnx(to_onnx(model, low), model, torch.cat([low, high]))


def test_a_file_whose_logits_are_off_by_little_is_refused():
    first, second = linear(), linear()
    data = to_onnx(Classifier(first), images()[:1])
    check_onnx(data, Classifier(second), images())
    with torch.no_grad():
        second[1].bias[1] += 0.001
    with pytest.raises(NetworkError, match=r"they differ by 0\.001"):
        check_onnx(data, Classifier(second), images())


def test_a_broken_file_is_one_line():
    with pytest.raises(NetworkError, match=r"^network: expected an ONNX file that ONNX Runtime computes, got .*$"):
        onnx_logits(b"no network", images())


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_a_missing_package_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, name, None)
    message = rf"^export_vnnlib: expected the extra 'onnx' .*, got no {name}; pip install 'clearance\[onnx\]'$"
    with pytest.raises(InputError, match=message):
        import_onnx(name)
