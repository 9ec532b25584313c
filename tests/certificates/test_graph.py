"""The list of steps: its numbering, what is held at a time."""

import pytest
import torch
from torch import Tensor, nn

from clearance import Classifier, certify
from clearance.certificates import graph as graphs
from clearance.certificates import matrix_norms
from clearance.certificates.operations import Affine
from clearance.certificates.translate import translate
from closed_forms import as_module, random_inputs, random_linear, random_network


@pytest.mark.parametrize("method", ["linear", "operator-norms", "one-hidden", "crown"])
@pytest.mark.parametrize("norm", [1.0, 2.0])
def test_what_is_held_at_a_time_is_limited_and_changes_nothing(
    method: str, norm: float, monkeypatch: pytest.MonkeyPatch
):
    affine = method == "linear"
    network = as_module(random_linear(2, classes=6)) if affine else random_network(2, (6, 12, 6), nn.ReLU)
    model, x = Classifier(network, (0, 1)), random_inputs(2, 2, 6)
    whole = certify(model, x, norm=norm, method=method)
    held: list[int] = []
    backward = Affine.backward

    def counted(self: Affine, rows: Tensor) -> object:
        held.append(len(rows))
        return backward(self, rows)

    monkeypatch.setattr(Affine, "backward", counted)
    widest = translate(model, (6,)).widest
    monkeypatch.setattr(graphs, "LARGEST_TENSOR", 3 * widest)
    monkeypatch.setattr(matrix_norms, "LARGEST_BLOCK", 3 * widest)
    parts = certify(model, x, norm=norm, method=method)
    assert max(held) <= 3
    assert [proof.radius for proof in parts] == pytest.approx([proof.radius for proof in whole], rel=1e-9)
    assert [proof.target for proof in parts] == [proof.target for proof in whole]


def test_steps_shapes_and_neurons():
    network = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 3))
    graph = translate(Classifier(network), (1, 3, 3))
    assert graph.shapes == ((1, 3, 3), (2, 2, 2), (2, 2, 2), (2, 1, 1), (2,), (3,))
    assert graph.input_shape == (1, 3, 3) and graph.shape == (3,) and graph.last == 5
    assert list(graph.nonlinear) == [2, 3] and graph.nonlinear_names == ["ReLU", "max pooling"]
    assert graph.preactivations == {1, 2} and graph.neurons == 16 and graph.widest == 9
    assert all(graph.step(index).inputs == (index - 1,) for index in range(1, 6))


def test_values_are_those_of_the_layers():
    network, x = random_network(0, (4, 6, 3), nn.Softplus), random_inputs(0, 5, 4)
    graph, wanted = translate(Classifier(network), (4,)), [x]
    for layer in network[1:]:  # the first flattens a vector, which is no step
        wanted.append(layer(wanted[-1]))
    found = graph.values(x)
    assert len(found) == graph.last + 1
    assert all(torch.allclose(a, b) for a, b in zip(found, wanted, strict=True))
