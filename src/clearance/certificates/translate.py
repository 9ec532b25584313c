"""From a network to a `Graph`: `torch.fx` names the steps, a table says what each of them is.

Where `torch.fx` or the table does not get through, the steps are recorded while the network runs (`recording`).

Shapes are followed on meta tensors with a batch of `META_BATCH` inputs, which cost nothing; a step after which the
batch is no longer the first dimension is refused, and so is everything that is not in the tables. What is refused
raises `NotSupportedError` with the step's name.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._ops import OpOverload
from torch.fx.node import map_arg

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.graph import Graph
from clearance.certificates.layers.aten import handler, operator_name
from clearance.certificates.layers.table import FUNCTIONS, MODULES, TENSOR_METHODS
from clearance.certificates.memory_use import MemoryUse
from clearance.certificates.operations import NotSupportedError, refuse
from clearance.certificates.overrides import OWN_CODE, layer_class, plain_name, refuse_overrides
from clearance.certificates.recording import record
from clearance.certificates.unchanged import unchanged
from clearance.model.classifier import Classifier
from clearance.model.preprocessing import Normalize, Rescale

IN_PLACE = (operator.iadd, operator.isub, operator.imul, operator.itruediv)
"""Operators that change their first argument; functions and layers say so by `inplace`."""


class Whole(nn.Module):
    """Preprocessing and network in one.

    Args:
        model: The classifier.
    """

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.network, self.preprocessing = model.network, model.preprocessing

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.network(x if self.preprocessing is None else self.preprocessing(x))


class _Proxy(fx.Proxy):
    """Records `a += b` as what it is: `torch.fx` alone takes it for `a = a + b`, which leaves `a`'s memory alone."""

    def __iadd__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})

    def __isub__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.isub, (self, other), {})

    def __imul__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.imul, (self, other), {})

    def __itruediv__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.itruediv, (self, other), {})

    def __ipow__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.ipow, (self, other), {})


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Normalize | Rescale) or super().is_leaf_module(m, module_qualified_name)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
            refuse("autocast inside the network")
        return _Proxy(node, self)

    def create_arg(self, a: Any) -> Any:
        """A tensor that the network makes or keeps is copied as it is now: it may be changed in place later."""
        return super().create_arg(a.clone() if isinstance(a, Tensor) and not isinstance(a, nn.Parameter) else a)


def translate(model: Classifier, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Graph:
    """The network of a classifier, with its preprocessing, as a graph.

    Source: this project.

    Args:
        model: The classifier.
        shape: Shape of one input.
        dtype: The precision of its constants: proofs need float64; what only searches may take float32.

    Returns:
        The graph.

    Raises:
        NotSupportedError: If `torch.fx` cannot trace it, a step is not known, or the device has no float64.
    """
    if model.device.type == "mps" and dtype == torch.float64:
        raise NotSupportedError("proofs need float64, which mps does not have; compute on the CPU")
    with model.frozen(), torch.no_grad(), torch.random.fork_rng(devices=[]):
        refuse_overrides(Whole(model))
        try:
            return _Reader(*_traced(model), Builder(shape, model.device, dtype)).graph()
        except NotSupportedError as error:
            try:
                found = record(lambda: Whole(model), shape, model.dtype, model.device)
                return _Reader(*found, Builder(shape, model.device, dtype)).graph()
            except NotSupportedError as other:
                raise other if isinstance(error, _NotTracedError) else error from None


class _NotTracedError(NotSupportedError):
    """`torch.fx` cannot follow the network: nothing is said of its steps."""


def _traced(model: Classifier) -> tuple[nn.Module, fx.Graph]:
    """The network as `torch.fx` traces it, twice: what comes out differently each time is random."""  # noqa: DOC501
    first, again = Whole(model), Whole(model)
    try:
        traced, retraced = (_traced_once(whole, model) for whole in (first, again))
    except Exception as error:
        said = str(error).strip().split("\n", maxsplit=1)[0]
        raise _NotTracedError(f"torch.fx cannot trace the network: {said}") from error
    if str(traced) != str(retraced) or not _same_constants(first, again):
        refuse("the network draws random numbers")
    return first, traced


def _traced_once(whole: Whole, model: Classifier) -> fx.Graph:
    with unchanged(Whole(model)):  # not `whole`, which keeps its constants
        return _Tracer().trace(whole)


def _same_constants(first: nn.Module, again: nn.Module) -> bool:
    """Whether the tensors that the network makes on its way, which become constants, come out the same twice."""
    pairs = ((value, getattr(again, name)) for name, value in vars(first).items() if isinstance(value, Tensor))
    return all(torch.equal(one, other) for one, other in pairs)


@dataclass
class _Reader:
    """Follows the nodes of a trace."""

    whole: nn.Module
    traced: fx.Graph
    build: Builder
    memory: MemoryUse = field(default_factory=MemoryUse)

    def graph(self) -> Graph:
        values: dict[fx.Node, Any] = {}
        for node in self.traced.nodes:
            try:
                if node.op == "output":
                    self.memory.read(node)
                    return self._finish(map_arg(node.args[0], values.__getitem__))
                values[node] = self._remembered(node, values)
            except NotSupportedError as error:
                raise NotSupportedError(f"{self._describe(node)}: {error}") from None
            except (TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
                said = str(error).split("\n", maxsplit=1)[0]
                raise NotSupportedError(f"{self._describe(node)}: used in a way that is not known ({said})") from error
        raise NotSupportedError("the network returns nothing")

    def _finish(self, out: object) -> Graph:
        if not isinstance(out, Ref) or len(out.shape) != 1 or out.shape[0] < 2:  # one logit is recorded as two
            raise NotSupportedError("does not come from the network's input as (batch, classes)")
        return self.build.graph(out)

    def _remembered(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        """A step's value, its memory accounted for."""
        count = len(self.build.steps)
        value = self._step(node, values)
        made = self.build.steps[-1] if len(self.build.steps) > count else None
        if isinstance(value, Ref | tuple):
            self.memory.read(node)
        if made is not None and self._is_in_place(node):  # a step that adds nothing, such as dropout, changes nothing
            self.memory.write(node, self._describe(node))
        else:
            self.memory.keep(node, value, made)
        return value

    def _is_in_place(self, node: fx.Node) -> bool:
        if node.op == "call_module":
            return bool(getattr(self.whole.get_submodule(str(node.target)), "inplace", False))
        if isinstance(node.target, OpOverload):
            return operator_name(node.target).endswith("_")
        name = str(node.target) if node.op == "call_method" else getattr(node.target, "__name__", "")
        named = name.endswith("_") and not name.endswith("__")
        return named or bool(node.kwargs.get("inplace", False)) or node.target in IN_PLACE

    def _step(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        if node.op == "placeholder":
            return self.build.input
        if node.op == "get_attr":
            return self._attribute(str(node.target))
        args, kwargs = map_arg((node.args, dict(node.kwargs)), values.__getitem__)
        kwargs = dict(kwargs)
        if node.op == "call_module":
            module = self.whole.get_submodule(str(node.target))
            return _handler_of(module)(self.build, module, *args, **kwargs)
        kwargs.pop("inplace", None)
        if (known := _known(node)) is None:
            raise NotSupportedError("not a known step")
        return known(self.build, *args, **kwargs)

    def _attribute(self, name: str) -> Tensor:
        value: Any = self.whole
        for part in name.split("."):
            value = getattr(value, part)
        if not isinstance(value, Tensor):
            raise NotSupportedError("not a tensor")
        if value.is_complex():
            raise NotSupportedError("a complex constant")
        return value.detach().to(self.build.like)

    def _describe(self, node: fx.Node) -> str:
        if node.op == "call_module":
            kind = type(self.whole.get_submodule(str(node.target))).__name__
            return f"{kind} ({plain_name(str(node.target))})"
        return str(getattr(node.target, "__name__", node.target))


def _known(node: fx.Node) -> Callable[..., Any] | None:
    """What stands for a function, an operator or a method; one in place by the name of the one that is not."""
    if isinstance(node.target, OpOverload):
        return handler(node.target)
    if node.op == "call_method":
        return TENSOR_METHODS.get(str(node.target).removesuffix("_"))
    return FUNCTIONS.get(node.target)


def _handler_of(module: nn.Module) -> Callable[..., Ref]:
    kind = type(module)
    known = layer_class(kind) if kind.__module__.startswith(OWN_CODE) else None
    if known is None:
        raise NotSupportedError("not a known layer")
    return MODULES[known]
