"""A network's steps, recorded while it runs on a tensor without values.

Where `torch.fx` cannot follow a network (it takes optional arguments, returns a dict, looks at shapes, or is a program
of `torch.export`), the network is run once on a meta tensor of `META_BATCH` inputs, and every call of a function of
torch on what came of it is written down as a node, as `torch.fx` would. A decision that depends on values has none to
look at and fails. What takes part without being recorded, such as compiled code, returns tensors that nobody knows, or
changes the version of one that is known; both are refused. Source: this project.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode

from clearance.certificates.builder import META_BATCH
from clearance.certificates.layers.aten import operator_name
from clearance.certificates.operations import NotSupportedError, refuse
from clearance.certificates.unchanged import unchanged
from clearance.model.outputs import as_logits

REVERSED = {
    "__rsub__": operator.sub,
    "__rtruediv__": operator.truediv,
    "__rdiv__": operator.truediv,
    "__rpow__": operator.pow,
    "__rmatmul__": operator.matmul,
}
"""Methods of a tensor that stand for an operator with its arguments the other way round."""
SAME = {"__div__": operator.truediv, "__radd__": operator.add, "__rmul__": operator.mul, "pow": operator.pow}
"""Methods of a tensor that stand for an operator of another name."""
OTHER_BATCH = 7907
"""Inputs in the tensor of the second record: another prime."""
SHAPED = frozenset({"view", "reshape", "expand", "flatten", "unflatten", "_unsafe_view"})
"""Functions whose arguments may name the size of the batch, as a side that stays the first."""
REAL_TYPES = (torch.float32, torch.float64)
"""Precisions between which a network may go to and fro: a proof covers its rounding."""
COPIES = frozenset(
    {
        "to",
        "_to_copy",
        "float",
        "double",
        "type_as",
        "contiguous",
        "clone",
        "detach",
        "alias",
        "lift_fresh",
        "lift_fresh_copy",
        "requires_grad_",
    }
)
"""Functions that return the numbers that they take."""

FILLED = frozenset({"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"})
"""Functions that make a tensor of one number, of which another gives the shape or the precision alone."""
ASKED_OF_INPUT: dict[str, Callable[[torch.device], object]] = {
    "device": lambda device: device,
    "is_cuda": lambda device: device.type == "cuda",
    "is_meta": lambda _: False,
}
"""What a tensor says of the device where it lies, and what an input would say."""


def record(
    make: Callable[[], nn.Module], shape: tuple[int, ...], dtype: torch.dtype, device: torch.device | None = None
) -> tuple[nn.Module, fx.Graph]:
    """The steps of a network, recorded for two sizes of the batch.

    Args:
        make: Gives the network, `(batch, *shape)` to what `model.outputs.as_logits` takes.
        shape: Shape of one input.
        dtype: Its precision.
        device: Where an input lies, which a network may ask; `None` is the CPU.

    Returns:
        A module that holds the constants, and the graph that names them, for a batch of `META_BATCH`.

    Raises:
        NotSupportedError: If the network cannot be run on a tensor without values, what it returns does not come from
            steps that were recorded, or the steps are others for another size of the batch, or another time.
    """
    place = device or torch.device("cpu")
    (held, graph), (again, other) = (_record(make(), n, shape, dtype, place) for n in (META_BATCH, OTHER_BATCH))
    if len(graph.nodes) != len(other.nodes) or not all(map(_agree, graph.nodes, other.nodes)):
        refuse("its steps depend on the size of the batch")
    for name, value in vars(held).items():
        if isinstance(value, Tensor) and not torch.equal(value, vars(again)[name]):
            refuse("the network draws random numbers, or a constant depends on the size of the batch")
    return held, graph


def _agree(one: fx.Node, two: fx.Node) -> bool:
    """Whether two nodes are the same step; only what gives a shape may name the size of the batch."""
    if (one.op, one.name, str(one.target)) != (two.op, two.name, str(two.target)):
        return False
    if str(getattr(one.target, "__name__", one.target)).partition(".")[0] in SHAPED:
        return [str(node) for node in one.all_input_nodes] == [str(node) for node in two.all_input_nodes]
    return str((one.args, one.kwargs)) == str((two.args, two.kwargs))


def _record(
    network: nn.Module, batch: int, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> tuple[nn.Module, fx.Graph]:
    x = torch.empty(batch, *shape, dtype=dtype, device="meta")
    recorder = _Recorder(x, device)
    try:
        with unchanged(network), recorder:
            logits = as_logits(network(x), batch)
        recorder.finish(logits)
    except NotSupportedError:
        raise
    except Exception as error:
        said = str(error).strip().split("\n", maxsplit=1)[0]
        raise NotSupportedError(f"the network cannot be recorded: {type(error).__name__}: {said}") from error
    return recorder.holder, recorder.graph


class _Recorder(TorchFunctionMode):
    """Writes down what is done with a tensor and with all that comes of it."""

    def __init__(self, x: Tensor, device: torch.device) -> None:
        super().__init__()
        self.holder, self.graph, self._device = nn.Module(), fx.Graph(), device
        self._nodes: dict[int, tuple[Tensor, int, fx.Node]] = {}  # the tensor is kept, so that no id is used twice
        self._constants: dict[int, tuple[Tensor, int, fx.Node]] = {}
        self._held_count = 0
        self._input, self._batch = self.graph.placeholder("x"), x.shape[:1]
        self._keep(x, self._input)

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Carry out a function of torch, and write it down if it takes a tensor that is followed."""
        named = dict(kwargs or {})
        if not any(value.is_meta for value in _tensors((args, named))):
            return self._repeated(func, args, named)
        if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
            refuse("autocast inside the network")
        first, name = next(_tensors((args, named))), _name(func)
        if name == "__get__" and func.__self__.__name__ in ASKED_OF_INPUT:
            return ASKED_OF_INPUT[func.__self__.__name__](self._device)
        if name in FILLED:
            return self._filled(func, args, named)
        self._refuse_changes(name, first, named)
        if _copies(func):
            args, named = _without_device(args, named)
            if not first.is_meta:  # a constant, moved to where the input lies
                return first.to(func(*_mapped(args, _as_meta), **_mapped(named, _as_meta)).dtype)
        given, options = _mapped(args, self._node), _mapped(named, self._node)  # before they may be changed in place
        result = func(*_mapped(args, _as_meta), **_mapped(named, _as_meta))
        if any(True for _ in _tensors(result)):
            self._write(func, first, (given, options), result)
        return result

    def finish(self, logits: Tensor) -> None:
        self.graph.output(self._node(logits))

    def _repeated(self, func: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What a function gives for constants; one that is repeated for each input is not copied for that."""
        if _name(func) != "repeat" or named:
            return func(*args, **named)
        value, counts = args[0], torch.Size(args[1] if isinstance(args[1], tuple | list) else args[1:])
        if counts[:1] != self._batch or (len(counts) == value.ndim and value.shape[0] != 1):
            return func(*args)
        return value.repeat(1, *counts[1:]).expand(*counts[:1], *[-1] * (len(counts) - 1))

    def _filled(self, func: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Tensor:
        """A tensor of one number: a constant, stored for one input where it has the size of the batch."""
        like = func(*_mapped(args, _as_meta), **_mapped(named, _as_meta))
        numbers = {"zeros": 0, "ones": 1, "full": named.get("fill_value", args[-1])}
        number = next(value for part, value in numbers.items() if part in _name(func))
        one = (1, *like.shape[1:]) if like.shape[:1] == self._batch else like.shape
        return torch.full(one, number, dtype=like.dtype, device=self._device).expand(like.shape)

    @staticmethod
    def _refuse_changes(name: str, first: Tensor, named: dict[str, Any]) -> None:
        if name == "__set__":
            refuse("an attribute of a tensor is set")
        changed = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
        if (changed and not first.is_meta) or named.get("out") is not None:
            refuse("what follows the input is written into another tensor")

    def _write(self, func: Any, first: Tensor, given: tuple[Any, Any], result: Any) -> None:
        name = _name(func)
        if _copies(func) and isinstance(result, Tensor):
            if {first.dtype, result.dtype} - set(REAL_TYPES):
                refuse(f"{name} changes numbers of type {first.dtype} to {result.dtype}")
            self._keep(result, self._node(first))
            return
        call = self._call(func, name, *given)
        if isinstance(result, Tensor):
            self._keep(result, call)
            return
        for place, part in enumerate(cast("Iterable[object]", result)):
            if isinstance(part, Tensor):
                self._keep(part, self.graph.call_function(operator.getitem, (call, place)))

    def _call(self, func: Any, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> fx.Node:
        """The node of one call, under the name that `torch.fx` would give it."""
        if isinstance(func, OpOverload):
            return self.graph.call_function(func, args, named)
        if name == "__get__":
            return self.graph.call_function(getattr, (args[0], func.__self__.__name__))
        if name in REVERSED:
            return self.graph.call_function(REVERSED[name], (args[1], args[0]))
        if name in SAME or name.startswith("__"):
            known = SAME.get(name) or getattr(operator, name.strip("_"), None) or refuse(f"not a known step: {name}")
            return self.graph.call_function(known, args, named)
        if func is getattr(Tensor, name, None) or name.endswith("_"):
            return self.graph.call_method(name, args, named)
        return self.graph.call_function(func, args, named)

    def _keep(self, value: Tensor, node: fx.Node) -> None:
        self._nodes[id(value)] = (value, value._version, node)

    def _node(self, value: Tensor) -> fx.Node:
        """The node of a tensor that is followed, or of a constant."""
        if not value.is_meta:
            return self._constant(value)
        known = self._nodes.get(id(value))
        if known is None:
            refuse("it uses a tensor that no recorded step has made")
        if known[0]._version != known[1]:
            refuse("it uses a tensor that something has changed without being recorded")
        return known[2]

    def _constant(self, value: Tensor) -> fx.Node:
        version = 0 if value.is_inference() else value._version
        known = self._constants.get(id(value))
        if known is None or known[1] != version or value.is_inference():  # it may have been changed in place since
            known = self._constants[id(value)] = (value, version, self._held(value))
        return known[2]

    def _held(self, value: Tensor) -> fx.Node:
        """A constant that the holder keeps; one that is repeated for each input, by itself and then repeated."""
        self._held_count += 1
        name, repeated = f"constant_{self._held_count}", value.shape[:1] == self._batch and _is_repeated(value)
        setattr(self.holder, name, (value[:1] if repeated else value).detach().clone())
        node = self.graph.get_attr(name)
        if not repeated:
            return node
        count = self.graph.call_method("size", (self._input, 0))
        return self.graph.call_method("expand", (node, count, *value.shape[1:]))


def _name(func: Any) -> str:
    if isinstance(func, OpOverload):
        return operator_name(func)
    return str(getattr(func, "__name__", func))


def _copies(func: Any) -> bool:
    """Whether a function of torch, and not one of a package with the same name, returns the numbers that it takes."""
    name = _name(func)
    own = func.namespace == "aten" if isinstance(func, OpOverload) else func is getattr(Tensor, name, None)
    return name in COPIES and (own or func is getattr(torch, name, None))


def _is_repeated(value: Tensor) -> bool:
    return value.stride(0) == 0 or torch.equal(value, value[:1].expand_as(value))


def _without_device(args: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a copy, of which none asks for a device: it stays where it is."""
    kept = tuple(value for value in args if not isinstance(value, torch.device | str))
    return kept, {name: value for name, value in named.items() if name != "device"}


def _as_meta(value: Tensor) -> Tensor:
    return value if value.is_meta else value.to("meta")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in cast("Mapping[str, Any]", value).values():
            yield from _tensors(part)
    elif isinstance(value, tuple | list):
        for part in cast("list[Any]", value):
            yield from _tensors(part)


def _mapped(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """The same with every tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: _mapped(part, change) for name, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, tuple | list):
        parts = [_mapped(part, change) for part in cast("list[Any]", value)]
        return tuple(parts) if isinstance(value, tuple) else parts
    return value
