"""The table of known layers: every line has a step that answers as torch, and only such modules as are torch's own."""

from types import BuiltinFunctionType, FunctionType

import pytest
import torch
from torch import nn
from torch.nn import functional

from clearance import Classifier, Normalize, certify
from clearance.certificates.layers.activations import Activation
from clearance.certificates.layers.smooth import Smooth
from clearance.certificates.layers.table import FUNCTIONS, MODULES, TENSOR_METHODS
from clearance.certificates.translate import translate
from clearance.model.preprocessing import Rescale
from layer_cases import Function

ARGUMENTS: dict[type[nn.Module], tuple[object, ...]] = {
    Normalize: (0.5, 2.0),
    Rescale: (torch.tensor(3.0),),
    nn.Linear: (3, 2),
    nn.Conv2d: (2, 3, 2),
    nn.BatchNorm1d: (2,),
    nn.BatchNorm2d: (2,),
    nn.Conv1d: (2, 3, 2),
    nn.Conv3d: (2, 3, 2),
    nn.ConvTranspose1d: (2, 3, 2),
    nn.ConvTranspose2d: (2, 3, 2),
    nn.ConvTranspose3d: (2, 3, 2),
    nn.BatchNorm3d: (2,),
    nn.Softmax: (1,),
    nn.LayerNorm: (3,),
    nn.RMSNorm: (3, 1e-5),
    nn.GroupNorm: (2, 2),
    nn.InstanceNorm1d: (2,),
    nn.InstanceNorm2d: (2,),
    nn.InstanceNorm3d: (2,),
    nn.LogSoftmax: (1,),
    nn.GLU: (1,),
    nn.MaxPool1d: (2,),
    nn.MaxPool2d: (2,),
    nn.AvgPool1d: (2,),
    nn.AdaptiveAvgPool1d: (2,),
    nn.AdaptiveMaxPool1d: (2,),
    nn.AdaptiveMaxPool2d: (2,),
    nn.ZeroPad1d: (1,),
    nn.ZeroPad3d: (1,),
    nn.ConstantPad1d: (1, 0.3),
    nn.ConstantPad2d: (1, 0.3),
    nn.ConstantPad3d: (1, 0.3),
    nn.Upsample: (None, 2),
    nn.UpsamplingNearest2d: (None, 2),
    nn.UpsamplingBilinear2d: (None, 2),
    nn.PixelShuffle: (1,),
    nn.PixelUnshuffle: (3,),
    nn.ChannelShuffle: (2,),
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
    functional.gelu: "GELU",
    functional.silu: "SiLU",
    functional.mish: "Mish",
    functional.elu: "ELU",
    functional.selu: "SELU",
    functional.celu: "CELU",
    torch.selu: "SELU",
    torch.celu: "CELU",
    functional.softsign: "Softsign",
    functional.logsigmoid: "LogSigmoid",
    functional.tanhshrink: "Tanhshrink",
    functional.hardsigmoid: "Hardsigmoid",
    functional.hardswish: "Hardswish",
    functional.softshrink: "Softshrink",
    functional.hardshrink: "Hardshrink",
    torch.abs: "abs",
    abs: "abs",
    torch.erf: "erf",
    torch.exp: "exp",
    torch.square: "square",
}


ATTRIBUTES = {"threshold"}  # of a layer, under the name of a function


@pytest.mark.parametrize("kind", [kind for kind in MODULES if kind is not nn.MultiheadAttention])
def test_every_layer_answers_as_torch(kind: type[nn.Module]):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(kind(*ARGUMENTS.get(kind, ())), nn.Flatten()).double().eval()
    lengths = (nn.BatchNorm1d, nn.Linear, nn.Dropout1d)
    shape = (2, 3, 3)
    if kind in lengths or kind.__name__.endswith("1d"):
        shape = (2, 3)
    elif kind.__name__.endswith("3d") or kind is nn.Dropout3d:
        shape = (2, 3, 3, 3)
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # softplus is cut off at 20 by torch, which is 2e-9 too low
    assert torch.allclose(translate(Classifier(network), shape)(x), network(x), atol=3e-9)
    single = translate(Classifier(network), shape, torch.float32)
    assert all(value.dtype == torch.float32 for value in single.values(x.float()))
    assert torch.allclose(single(x.float()).double(), network(x), atol=1e-4)


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_every_activation_has_its_function(function: object):
    graph = translate(Classifier(Function(function)), (3,))  # type: ignore[arg-type]
    operation = graph.step(1).operation
    assert isinstance(operation, Activation | Smooth) and operation.name == ACTIVATIONS[function]  # type: ignore[index]


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


def test_a_layer_of_another_origin_is_recorded_and_not_taken_for_its_base():
    class Doubled(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    class Leaf(Doubled):
        pass

    Leaf.__module__ = "torch.ao.nn.elsewhere"  # torch.fx takes what lies in torch for a leaf
    model, x = Classifier(nn.Sequential(Leaf(3, 2)).double()), torch.rand(3, 3, dtype=torch.float64)
    assert torch.allclose(translate(model, (3,))(x), model.logits(x))


def test_the_functions_that_are_methods_are_the_same():
    assert all(FUNCTIONS[getattr(torch, name)] is step for name, step in TENSOR_METHODS.items() if hasattr(torch, name))


@pytest.mark.parametrize("kind", [kind for kind in MODULES if kind not in (Normalize, Rescale)])
def test_the_functions_that_a_layer_calls_are_in_the_table(kind: type[nn.Module]):
    """So that one of them that has been replaced is found before a network with the layer is read by its class."""
    codes = [
        getattr(kind, name).__code__
        for name in ("forward", "_conv_forward", "_apply_instance_norm")
        if name in dir(kind)
    ]
    called = {
        name
        for code in codes
        for name in code.co_names
        if isinstance(getattr(functional, name, None), FunctionType | BuiltinFunctionType)
    }
    called = {name for name in called if name[0] != "_" and "torch_function" not in name}
    assert {name for name in called if getattr(functional, name) not in FUNCTIONS} <= ATTRIBUTES
