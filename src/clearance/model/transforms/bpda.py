"""Backward pass differentiable approximation: a transform forwards, something differentiable backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clearance.errors import InputError, ShapeError

if TYPE_CHECKING:
    from clearance.model.classifier import Classifier

Transform = Callable[[Tensor], Tensor]


def identity(x: Tensor) -> Tensor:
    """The input itself: the stand-in for a transform that changes its input little."""
    return x


def bpda(transform: Transform, backward: Transform = identity) -> Bpda:
    """Put a transform in front of a network without losing the network's gradients.

    Forwards it is `transform`. Backwards, the gradient is pulled through `backward` at the same input: with the
    identity, `∇ f(h(x))` becomes `∇f` at `h(x)`. Derivatives of any order and direction (backward twice, forward mode,
    `torch.func`) are those of `backward`.

    Source: Athalye, Carlini and Wagner (2018), section 4.1; for CLEVER: Weng, Zhang, Chen, Lozano, Hsieh and Daniel
    (2018), section 4.2, equation 7.

    Args:
        transform: Maps `(batch, *input)` to `(batch, *output)`; needs no gradient.
        backward: A differentiable function with the same shapes, close to `transform`: a smooth step, a trained
            network, or the identity.

    Returns:
        A module, for `nn.Sequential(bpda(transform), network)` or `Classifier(preprocessing=bpda(transform))`.

    Raises:
        InputError: If one of the two cannot be called.

    >>> x = torch.tensor([[0.3]], requires_grad=True)
    >>> y = bpda(torch.round, backward=torch.sin)(x)
    >>> y.item(), torch.isclose(torch.autograd.grad(y.sum(), x)[0], x.cos()).item()
    (0.0, True)
    """
    return Bpda(transform, backward)


class Bpda(nn.Module):
    """See `bpda`."""

    def __init__(self, transform: Transform, backward: Transform = identity) -> None:
        super().__init__()
        for name, part in (("transform", transform), ("backward", backward)):
            if not callable(part):
                raise InputError(f"{name}: expected a module or a function, got {type(part).__name__}")
        self.transform, self.backward = transform, backward

    def forward(self, x: Tensor) -> Tensor:
        """The value of the transform with the derivative of the stand-in.

        Raises:
            ShapeError: If the two differ in shape.
        """
        standin = self.backward(x)
        value: Tensor = _ValueOfOne.apply(self.transform, x, standin)  # pyright: ignore
        if value.shape != standin.shape:
            expected, got = tuple(value.shape), tuple(standin.shape)
            raise ShapeError(f"bpda: expected backward to return the transform's shape {expected}, got {got}")
        return value


def stand_ins(model: Classifier) -> tuple[str, ...]:
    """What a classifier has stand-ins for: the transform of every `Bpda` in its network or its preprocessing, by name.

    Source: this project. Only what `bpda` made is seen: a stand-in that a network writes by itself (a custom
    `autograd.Function`, `x + (h(x) - x).detach()`) declares nothing.

    Args:
        model: The classifier.

    Returns:
        Names of classes or functions, each once; none without a stand-in.

    >>> from clearance.model.classifier import Classifier
    >>> stand_ins(Classifier(nn.Linear(2, 2), preprocessing=bpda(torch.round)))
    ('round',)
    """
    parts = (model.network, model.preprocessing)
    modules = (module for part in parts if isinstance(part, nn.Module) for module in part.modules())
    found = (module.transform for module in modules if isinstance(module, Bpda))
    return tuple(dict.fromkeys(getattr(one, "__name__", type(one).__name__) for one in found))


class _ValueOfOne(torch.autograd.Function):
    """The value of `transform(x)`, with the derivative of another tensor of that shape."""

    generate_vmap_rule = True

    @staticmethod
    def forward(transform: Transform, x: Tensor, standin: Tensor) -> Tensor:  # noqa: ARG004
        value = transform(x)
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing of the forward pass is needed."""

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor]:  # noqa: ARG004
        return None, None, gradients[0]

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:  # noqa: ARG004
        return tangents[2]
