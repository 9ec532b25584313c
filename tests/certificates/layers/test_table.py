"""The table of known layers: every line has a step that answers as torch, and only such modules as are torch's own."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from clearance import Classifier, Normalize, certify
from clearance.certificates.layers.activations import Activation
from clearance.certificates.layers.table import FUNCTIONS, MODULES, TENSOR_METHODS
from clearance.certificates.translate import translate
from layer_cases import Function

ARGUMENTS: dict[type[nn.Module], tuple[object, ...]] = {
    Normalize: (0.5, 2.0),
    nn.Linear: (3, 2),
    nn.Conv2d: (2, 3, 2),
    nn.BatchNorm1d: (2,),
    nn.BatchNorm2d: (2,),
    nn.MaxPool2d: (2,),
    nn.AvgPool2d: (2,),
    nn.AdaptiveAvgPool2d: (2,),
    nn.ZeroPad2d: (1,),
    nn.Unflatten: (1, (2, 1)),
}
ACTIVATIONS = {
    functional.relu: "ReLU",
    functional.relu6: "bounded ReLU",
    functional.hardtanh: "bounded ReLU",
    functional.leaky_relu: "LeakyReLU",
    functional.sigmoid: "sigmoid",
    functional.tanh: "tanh",
    functional.softplus: "softplus",
}


@pytest.mark.parametrize("kind", MODULES)
def test_every_layer_answers_as_torch(kind: type[nn.Module]):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(kind(*ARGUMENTS.get(kind, ())), nn.Flatten()).double().eval()
    shape = (2, 3) if kind in (nn.BatchNorm1d, nn.Linear) else (2, 3, 3)
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # softplus is cut off at 20 by torch, which is 2e-9 too low
    assert torch.allclose(translate(Classifier(network), shape)(x), network(x), atol=3e-9)


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_every_activation_has_its_function(function: object):
    graph = translate(Classifier(Function(function)), (3,))  # type: ignore[arg-type]
    operation = graph.step(1).operation
    assert isinstance(operation, Activation) and operation.name == ACTIVATIONS[function]  # type: ignore[index]


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "neg"])
def test_methods_are_functions_too(name: str):
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for network in (Function(lambda x: getattr(x, name)()), Function(getattr(torch, name))):
        assert torch.allclose(translate(Classifier(network), (3,))(x), getattr(x, name)())


@pytest.mark.parametrize(
    ("low", "high", "name"), [(0, None, "ReLU"), (0.0, 6.0, "bounded ReLU"), (-1.0, 0.5, "bounded ReLU")]
)
def test_clipping_is_an_activation(low: float, high: float | None, name: str):
    x = torch.linspace(-3, 8, 12, dtype=torch.float64).reshape(4, 3)
    network = Function(lambda x: x.clamp(low, high))
    graph = translate(Classifier(network), (3,))
    assert graph.nonlinear_names == [name] and torch.equal(graph(x), x.clamp(low, high))


def test_clipping_on_one_side_is_refused():
    (proof,) = certify(Classifier(Function(lambda x: x.clamp(max=0.5))), torch.rand(1, 3))
    assert proof.status == "unsupported" and "clipping without two numbers" in proof.reason


def test_a_layer_of_another_origin_is_refused_though_it_has_a_known_base():
    class Doubled(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    class Leaf(Doubled):
        pass

    Leaf.__module__ = "torch.ao.nn.elsewhere"  # torch.fx takes what lies in torch for a leaf
    (proof,) = certify(Classifier(nn.Sequential(Leaf(3, 2))), torch.rand(1, 3))
    assert proof.status == "unsupported" and "not a known layer" in proof.reason


def test_the_functions_that_are_methods_are_the_same():
    assert all(FUNCTIONS[getattr(torch, name)] is step for name, step in TENSOR_METHODS.items() if hasattr(torch, name))
