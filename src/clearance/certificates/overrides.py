"""What makes a module compute something else than its class says: refused by name before the network is traced.

`torch.fx` records a layer of torch by its class, so a proof about the recorded graph is a proof about the class's own
`forward`. Whatever torch calls in its place, or around it, is looked for here:

    attributes of an instance       `layer.forward = f`, `module.compile()`
    hooks                           of a module, of all modules, and what `torch.nn.utils` registers as hooks
    classes                         a subclass under a parametrisation, `nn.Linear.forward = f`
    functions                       `torch.nn.functional.linear = f`, `torch.Tensor.relu = f`
    tensors                         subclasses of `torch.Tensor`, which decide themselves what a sum is
    modes                           of torch functions and of dispatch, autocast

What no list can name (a forward that looks at its input's type, or counts its calls) is left to `agreement`.
Source: this project.
"""

from __future__ import annotations

import builtins
import inspect
import operator
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as module_code
from torch.overrides import _get_current_function_mode_stack  # pyright: ignore
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack  # pyright: ignore

from clearance.certificates.layers.table import FUNCTIONS, MODULES, TENSOR_METHODS
from clearance.certificates.operations import NotSupportedError

CALLED = ("forward", "__call__", "_wrapped_call_impl", "_call_impl", "_slow_forward", "_compiled_call_impl")
"""Attributes through which `torch.nn.Module` comes to a module's forward, in the order in which it looks at them."""
OWN_CODE = ("torch.nn.modules.", "torch.nn.utils.parametrize", "clearance.model.preprocessing")
"""Modules of Python whose layers are read by their class."""
HOOKS = ("_forward_hooks", "_forward_pre_hooks")
"""Where a module keeps the hooks that may change what it takes or returns."""
GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks")
"""Where torch keeps such hooks of all modules."""
PLAIN_TENSORS = (Tensor, nn.Parameter)
"""The classes of tensors whose sums and products are torch's."""
OPERATORS = (
    "add",
    "radd",
    "iadd",
    "sub",
    "rsub",
    "isub",
    "mul",
    "rmul",
    "imul",
    "truediv",
    "rtruediv",
    "itruediv",
    "pow",
    "rpow",
    "abs",
    "neg",
    "matmul",
)
"""Operators of a tensor, without their underscores."""

ALIASES = {"log_sigmoid": "logsigmoid"}
"""Functions of torch whose own name is not the one they are kept under."""


def plain_name(name: str) -> str:
    """A module as the user knows it, from its name in `translate.Whole`."""
    return "the network" if name in {"", "network"} else name.removeprefix("network.")


def refuse_overrides(whole: nn.Module) -> None:
    """See that every module computes what its class says.

    Args:
        whole: Network and preprocessing as one module.

    Raises:
        NotSupportedError: Naming the module and the cause, if one of them may not.
    """
    for cause in _around_all():
        raise NotSupportedError(f"the network: {cause}")
    for name, module in whole.named_modules():
        for cause in _of(module):
            raise NotSupportedError(f"{plain_name(name)}: {cause}")


def layer_class(kind: type[nn.Module]) -> type[nn.Module] | None:
    """The class of the table that a layer is an instance of, itself or by a parametrisation; `None`: of none."""
    return next((base for base in kind.__mro__ if base in MODULES), None)


def _around_all() -> Iterator[str]:
    """What changes every call of torch.

    Yields:
        One cause after the other, in a few words.
    """
    for place in GLOBAL_HOOKS:
        for hook in getattr(module_code, place).values():
            yield f"a forward hook on all modules ({_name_of(hook)})"
    for mode in (*_get_current_function_mode_stack(), *_get_current_dispatch_mode_stack()):
        if type(mode) is not DeviceContext:  # the default device, which changes no numbers
            yield f"an active mode ({type(mode).__name__})"
    if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        yield "autocast is on"
    for function in FUNCTIONS:
        name = ALIASES.get(str(function.__name__), str(function.__name__))
        homes = [vars(home).get(name) for home in (torch, functional, operator, builtins)]
        if not _is_torchs(function) or all(function is not own for own in homes):
            yield f"the function {name} of torch is not torch's own"
    for name in (*TENSOR_METHODS, *(f"__{name}__" for name in OPERATORS)):
        if not _is_torchs(inspect.getattr_static(Tensor, name, None)):
            yield f"torch.Tensor.{name} is not torch's own"


def _of(module: nn.Module) -> Iterator[str]:
    """What one module has that its class does not say.

    Yields:
        One cause after the other, in a few words.
    """
    for attribute in CALLED:
        if vars(module).get(attribute) is not None:
            yield _replaced(attribute)
    for place in HOOKS:
        for hook in getattr(module, place).values():
            yield f"a module with forward hooks ({_name_of(hook)})"
    held = (module._parameters, module._buffers, vars(module))  # pyright: ignore[reportPrivateUsage]
    for name, value in (pair for values in held for pair in values.items()):
        if isinstance(value, Tensor) and type(value) not in PLAIN_TENSORS:
            yield f"{name} is a {type(value).__name__}, a tensor with arithmetic of its own"
    if type(module).__module__.startswith(OWN_CODE):
        yield from _of_layer(module)


def _of_layer(module: nn.Module) -> Iterator[str]:
    """What a layer that is read by its class has, besides.

    Yields:
        One cause after the other, in a few words.
    """
    kind, known = type(module), layer_class(type(module))
    if known is None:
        return
    for base in kind.__mro__[: kind.__mro__.index(known)]:
        if not base.__module__.startswith(OWN_CODE):
            yield f"{base.__name__}, a subclass of {known.__name__}, under a parametrisation"
    for name in _methods(known):
        own = inspect.getattr_static(kind, name)
        if not _is_torchs(own) or (name in CALLED and own is not inspect.getattr_static(known, name)):
            yield f"{known.__name__}.{name} is not torch's own"
        if name in vars(module):
            yield _replaced(name)
    if isinstance(module.__dict__["_modules"].get("parametrizations"), nn.ModuleDict):
        for name in module.get_submodule("parametrizations")._modules:  # pyright: ignore[reportPrivateUsage]
            if not torch.equal(getattr(module, name), getattr(module, name)):
                yield f"{name} changes from one reading to the next"


def _methods(known: type[nn.Module]) -> set[str]:
    """The methods of a class of torch, without those that a package adds to all modules, as transformers does.

    What torch does not call changes nothing.
    """
    pairs = ((name, value) for base in known.__mro__ for name, value in vars(base).items())
    functions = {name: value for name, value in pairs if isinstance(value, FunctionType)}
    called = {name for value in functions.values() if _is_torchs(value) for name in value.__code__.co_names}
    own = {name for name, value in functions.items() if _is_torchs(value) or name in called or name[:2] == "__"}
    return own | {name for name in CALLED if getattr(known, name, None) is not None}


def _replaced(attribute: str) -> str:
    if attribute == "_compiled_call_impl":
        return "compiled in place; give the module before compile()"
    return f"{attribute} is replaced on the instance"


def _is_torchs(function: Any) -> bool:
    """Whether a function's code is torch's or this package's; what is not written in Python is torch's."""
    if isinstance(function, FunctionType):
        home = str(function.__globals__.get("__name__", ""))
        return home.partition(".")[0] == "torch" or home.startswith(OWN_CODE)
    return callable(function) and type(function).__module__ == "builtins"


def _name_of(hook: object) -> str:
    return str(getattr(hook, "__name__", type(hook).__name__))
