"""Whatever can replace a layer's forward is refused by name; what torch itself does to a layer is not."""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.utils import parametrizations, parametrize
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import clearance as cl
from clearance.certificates.table import CERTIFICATES
from clearance.certificates.translate import translate
from closed_forms import random_inputs, random_network

METHODS = ("best", *(name for name in CERTIFICATES if name != "auto-lirpa"))
Around = AbstractContextManager[Any]


class Louder(nn.Linear):
    """A layer that is not what its base class says."""

    def forward(self, x: Tensor) -> Tensor:
        return 3 * super().forward(x)


class Quiet(nn.Linear):
    """A layer that adds nothing to its base class."""


class Own(Tensor):
    """A tensor with arithmetic of its own."""


class Shifted(cl.Normalize):
    """Preprocessing that is not what its base class says."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1.0


class Doubles(TorchFunctionMode):
    """Doubles what linear layers return."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        return 2 * found if func is functional.linear else found


class Dispatches(TorchDispatchMode):
    """Leaves everything as it is."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class Noise(nn.Module):
    """A parametrisation that draws random numbers."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight + torch.randn_like(weight)


def network() -> nn.Sequential:
    return random_network(0, (4, 8, 3), nn.ReLU).eval()


def louder(x: Tensor) -> Tensor:
    return 3 * x


def instance(attribute: str) -> nn.Module:
    changed = network()
    setattr(changed[2], attribute, louder)
    return changed


def replaced(layer: nn.Module) -> nn.Module:
    changed = network()
    changed[1] = layer
    return changed


def hooked(register: str, hook: Callable[..., Any]) -> nn.Module:
    changed = network()
    getattr(changed[1], register)(hook)
    return changed


def of_subclass(kind: str) -> nn.Module:
    changed = network()
    if kind == "parameter":
        changed[1].weight = nn.Parameter(changed[1].weight.detach().as_subclass(Own))
    elif kind == "buffer":
        changed.register_buffer("scale", torch.ones(3).as_subclass(Own))
    else:
        changed.scale = torch.ones(3).as_subclass(Own)
    return changed


def compiled() -> nn.Module:
    changed = network()
    changed[1].compile(backend="eager")
    return changed


@contextmanager
def hook_on_all(register: Callable[..., Any], hook: Callable[..., Any]) -> Iterator[None]:
    handle = register(hook)
    yield
    handle.remove()


def patch(where: object, name: str, value: object) -> Callable[[], Around]:
    @contextmanager
    def patched() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as monkey:
            monkey.setattr(where, name, value)
            yield

    return patched


REFUSED: dict[str, tuple[Callable[[], nn.Module], Callable[[], Around], str]] = {
    "forward of an instance": (lambda: instance("forward"), nullcontext, "2: forward is replaced"),
    "call of an instance": (lambda: instance("_call_impl"), nullcontext, "2: _call_impl is replaced"),
    "compiled in place": (compiled, nullcontext, "1: compiled in place"),
    "compiled": (lambda: torch.compile(network(), backend="eager"), nullcontext, "the network: forward is replaced"),  # type: ignore[arg-type,return-value]
    "subclass, parametrised": (
        lambda: replaced(parametrizations.weight_norm(Louder(4, 8))),
        nullcontext,
        "1: Louder, a subclass of Linear",
    ),
    "weight norm as a hook": (
        lambda: replaced(torch.nn.utils.weight_norm(nn.Linear(4, 8))),
        nullcontext,
        "1: a module with forward hooks (WeightNorm)",
    ),
    "spectral norm as a hook": (
        lambda: replaced(torch.nn.utils.spectral_norm(nn.Linear(4, 8))),
        nullcontext,
        "1: a module with forward hooks (SpectralNorm)",
    ),
    "forward hook": (lambda: hooked("register_forward_hook", lambda *_: None), nullcontext, "forward hooks"),
    "hook before": (lambda: hooked("register_forward_pre_hook", lambda *_: None), nullcontext, "forward hooks"),
    "hook on all": (network, lambda: hook_on_all(register_module_forward_hook, lambda *_: None), "on all modules"),
    "hook on all before": (
        network,
        lambda: hook_on_all(register_module_forward_pre_hook, lambda *_: None),
        "on all modules",
    ),
    "forward of a class": (network, patch(nn.Linear, "forward", lambda _, x: 3 * x), "Linear.forward is not torch's"),
    "forward of a class, a partial": (
        network,
        patch(nn.ReLU, "forward", functools.partial(louder)),
        "ReLU.forward is not torch's",
    ),
    "call of all modules": (network, patch(nn.Module, "_call_impl", lambda _, x: 3 * x), "_call_impl is not torch's"),
    "function of torch": (network, patch(functional, "linear", lambda x, *_: x), "the function linear of torch"),
    "function under another name": (
        network,
        patch(functional, "logsigmoid", lambda x: x),
        "the function logsigmoid of torch",
    ),
    "function inside attention": (
        network,
        patch(functional, "multi_head_attention_forward", lambda x: x),
        "the function multi_head_attention_forward of torch",
    ),
    "operator of powers": (network, patch(Tensor, "__pow__", lambda x, _: x), "torch.Tensor.__pow__ is not torch's"),
    "method of tensors": (network, patch(Tensor, "relu", louder), "torch.Tensor.relu is not torch's"),
    "operator of tensors": (network, patch(Tensor, "__add__", louder), "torch.Tensor.__add__ is not torch's"),
    "parameter of a subclass": (lambda: of_subclass("parameter"), nullcontext, "1: weight is a Own"),
    "buffer of a subclass": (lambda: of_subclass("buffer"), nullcontext, "scale is a Own"),
    "constant of a subclass": (lambda: of_subclass("constant"), nullcontext, "scale is a Own"),
    "mode of functions": (network, Doubles, "an active mode (Doubles)"),
    "mode of dispatch": (network, Dispatches, "an active mode (Dispatches)"),
    "random parametrisation": (
        lambda: replaced(parametrized(nn.Linear(4, 8), Noise())),
        nullcontext,
        "1: weight changes from one reading to the next",
    ),
}


def parametrized(layer: nn.Module, change: nn.Module) -> nn.Module:
    parametrize.register_parametrization(layer, "weight", change, unsafe=True)
    return layer


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_replace_a_forward_is_refused_by_name(name: str):
    make, around, said = REFUSED[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = cl.Classifier(make().double())
        with around():
            proofs = [cl.certify(model, random_inputs(0, 1, 4), method=method)[0] for method in METHODS]
    assert {proof.status.value for proof in proofs} == {"unsupported"}
    assert all(said in proof.reason and "\n" not in proof.reason for proof in proofs), proofs[0].reason
    assert all(math.isnan(proof.radius) for proof in proofs)


def test_preprocessing_is_looked_at_too():
    changed = cl.Normalize(0.5, 2.0)
    changed.forward = louder  # type: ignore[method-assign]
    model = cl.Classifier(network(), preprocessing=changed)
    (proof,) = cl.certify(model, random_inputs(0, 1, 4))
    assert proof.status == "unsupported" and "forward is replaced" in proof.reason


def test_a_subclass_of_a_preprocessing_is_recorded_and_not_taken_for_it():
    model, x = cl.Classifier(network(), preprocessing=Shifted(0.5, 2.0)), random_inputs(0, 5, 4)
    assert torch.allclose(translate(model, (4,))(x), model.logits(x))


KEPT: dict[str, tuple[Callable[[], nn.Module], Callable[[], Around]]] = {
    "nothing": (network, nullcontext),
    "weight norm": (lambda: replaced(parametrizations.weight_norm(nn.Linear(4, 8))), nullcontext),
    "spectral norm": (lambda: replaced(parametrizations.spectral_norm(nn.Linear(4, 8))), nullcontext),
    "two parametrisations": (
        lambda: replaced(parametrized(parametrizations.weight_norm(nn.Linear(4, 8)), nn.Tanh())),
        nullcontext,
    ),
    "a subclass without a forward": (lambda: replaced(Quiet(4, 8)), nullcontext),
    "a subclass with a forward that is traced": (lambda: replaced(Louder(4, 8)), nullcontext),
    "a default device": (network, lambda: torch.device("cpu")),
    "a lazy layer": (lambda: replaced(filled(nn.LazyLinear(8))), nullcontext),
    "backward hooks": (lambda: hooked("register_full_backward_hook", lambda *_: None), nullcontext),
}


def filled(layer: nn.Module) -> nn.Module:
    layer(torch.zeros(1, 4))
    return layer


@pytest.mark.parametrize("name", KEPT)
def test_what_torch_does_to_a_layer_is_no_reason(name: str):
    make, around = KEPT[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = make().double()
        with around():
            (proof,) = cl.certify(cl.Classifier(made), random_inputs(0, 1, 4))
    assert proof.status == "certified", proof.reason


def test_a_method_that_a_package_adds_to_all_modules_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nn.Module, "smart_apply", lambda self, function: self, raising=False)  # transformers does this
    (proof,) = cl.certify(cl.Classifier(nn.Sequential(nn.Linear(3, 2))), torch.rand(1, 3))
    assert proof.status.has_radius
    monkeypatch.setattr(nn.Module, "_call_impl", lambda self, *args: self.forward(*args) + 1)
    (proof,) = cl.certify(cl.Classifier(nn.Sequential(nn.Linear(3, 2))), torch.rand(1, 3))
    assert not proof.status.has_radius
