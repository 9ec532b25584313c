"""A network with everything that a distance needs to mean something: bounds, preprocessing, device, precision.

`Classifier` is the only door to the network: every forward and backward pass goes through it and is counted there, so
that a randomised or a wrapped model needs nothing special anywhere else. The caller's module is left as it was found
(mode, `requires_grad`, hooks, device); inputs and distances are in the caller's own units, because preprocessing
happens behind the door.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from clearance.autodiff import pull_back
from clearance.costs import Meter
from clearance.errors import BoundsError, ClearanceError, DtypeError, InputError, NetworkError, ShapeError
from clearance.memory import bytes_per_sample, default_budget, is_out_of_memory

Bound = float | Tensor
Pull = Callable[[int], Tensor]
Product = Callable[[Tensor], Tensor]

LARGEST_MICRO_BATCH = 4096  # samples per pass at most, however small they are


class Classifier:
    """A network, its bounds, its preprocessing, its device and its precision.

    Args:
        network: Maps `(batch, *input)` to logits `(batch, classes)`. A module is evaluated in `eval` mode and put back
            afterwards; any other callable is used as it is.
        bounds: `(low, high)`, numbers or tensors that broadcast over one input; `None` = unbounded. Where both are
            equal the coordinate is fixed: no attack moves it (an estimate still counts its gradient: it is too low).
        preprocessing: Applied to the input before the network, e.g. `Normalize(mean, std)`. Distances stay in the
            units of the input.
        device: Where to compute; default: where the network's parameters are. If it differs, a copy is moved.
        dtype: Floating dtype to compute in; default: that of the network's parameters.
        memory_budget: Bytes of saved activations that one micro-batch may take; default: 8 MiB on a CPU, a quarter of
            the memory of an accelerator.
        micro_batch: Samples per pass, instead of a choice from `memory_budget`.

    Raises:
        InputError: If an argument cannot be used.

    >>> model = Classifier(nn.Linear(4, 3), bounds=(0, 1))
    >>> model.logits(torch.full((2, 4), 0.5)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        bounds: tuple[Bound, Bound] | None = None,
        *,
        preprocessing: Callable[[Tensor], Tensor] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        memory_budget: int | None = None,
        micro_batch: int | None = None,
    ) -> None:
        if not callable(network):
            raise InputError(f"network: expected a module or a function, got {type(network).__name__}")
        if micro_batch is not None and micro_batch < 1:
            raise InputError(f"micro_batch: expected at least 1, got {micro_batch}")
        if memory_budget is not None and memory_budget < 1:
            raise InputError(f"memory_budget: expected a positive number of bytes, got {memory_budget}")
        home = _first_parameter(network)
        self.device = torch.device(device if device is not None else (home.device if home is not None else "cpu"))
        self.dtype = dtype or (home.dtype if home is not None else torch.float32)
        if self.dtype not in {torch.float32, torch.float64}:
            raise DtypeError(f"dtype: expected torch.float32 or torch.float64, got {self.dtype}; pass one as dtype=")
        self.network = self._placed(network)
        self.preprocessing = None if preprocessing is None else self._placed(preprocessing)
        self.bounds = self._checked_bounds(bounds)
        self.was_training = tuple(name for name, module in self._named_modules() if module.training)
        self.meter = Meter()
        self._memory_budget, self._micro_batch, self._frozen_depth = memory_budget, micro_batch, 0

    def logits(self, x: Tensor) -> Tensor:
        """Logits of a batch, without gradients.

        Args:
            x: `(batch, *input)`, in input units.

        Returns:
            `(batch, classes)`.

        Raises:
            NetworkError: If the output is not `(batch, classes)` with at least 2 classes, or not finite.
        """
        with torch.no_grad():
            (logits,) = self.in_micro_batches(lambda part: (self._forward(part),), x)
        finite = logits.isfinite().all(1)
        if not bool(finite.all()):
            rows = (~finite).nonzero().flatten().tolist()
            raise NetworkError(f"network: expected finite logits, got NaN or infinity for inputs {_shorten(rows)}")
        return logits

    def vjp(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Pull]:
        """One forward pass, and as many backward passes as the caller pulls.

        Args:
            x: `(batch, *input)`.
            function: Maps logits `(batch, classes)` to values `(batch, k)`, row by row.

        Returns:
            The logits, the values, and `pull(column) -> (batch, *input)`: the gradient of one column of the values
            with respect to each row of `x`. It is zero where the network passes no gradient to its input.
        """
        leaf = x.detach().requires_grad_(True)
        with self.frozen(), torch.enable_grad():
            logits = self._forward(leaf)
            values = function(logits)
        columns = values.shape[1]

        def pull(column: int) -> Tensor:
            self.meter.backward += len(leaf)
            return pull_back(values[:, column].sum(), leaf, again=columns > 1)

        return logits.detach(), values.detach(), pull

    def hessian(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Product]:
        """One forward and one backward pass, and as many Hessian-vector products as the caller asks for.

        By double backward through one graph that is kept: after that, a product costs about one and a half backward
        passes. Attention runs unfused, because fused kernels have no second derivative.

        Args:
            x: `(batch, *input)`.
            function: Maps logits `(batch, classes)` to values `(batch,)`, row by row.

        Returns:
            The values, their gradients `(batch, *input)`, and `product(v) -> (batch, *input)`: each row's Hessian
            times its row of `v`. It is zero where the network's gradient does not depend on its input.
        """
        leaf = x.detach().requires_grad_(True)
        with self.frozen(), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            values = function(self._forward(leaf))
            gradient = pull_back(values.sum(), leaf, twice=True)
        self.meter.backward += len(leaf)

        def product(vectors: Tensor) -> Tensor:
            self.meter.hessian_vector += len(leaf)
            return pull_back(gradient, leaf, weights=vectors)

        return values.detach(), gradient.detach(), product

    def in_micro_batches(self, function: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor) -> tuple[Tensor, ...]:
        """Apply `function` to consecutive parts of `x` that fit the memory, and concatenate what it returns.

        When a part runs out of memory, the micro-batch is halved (for good) and the part is done again.

        Raises:
            MemoryError: If a single sample does not fit (or torch's `OutOfMemoryError`, a `RuntimeError`).
            RuntimeError: Whatever else the function raised.
        """
        parts: list[tuple[Tensor, ...]] = []
        start = 0
        with self.frozen():
            size = self.micro_batch(x)
            while start < len(x) or not parts:
                try:
                    parts.append(function(x[start : start + size]))
                    start += size
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error) or size == 1:
                        raise
                    size = self._micro_batch = size // 2
        return tuple(torch.cat(column) if len(parts) > 1 else column[0] for column in zip(*parts, strict=True))

    def micro_batch(self, x: Tensor) -> int:
        """Samples per pass for inputs of this shape: given, or chosen once from the memory budget."""
        if self._micro_batch is None:
            before = self.meter.forward
            need = bytes_per_sample(self._forward, x[:1], [p for _, m in self._named_modules() for p in m.parameters()])
            self.meter.forward = before
            budget = self._memory_budget or default_budget(self.device)
            self._micro_batch = max(1, min(LARGEST_MICRO_BATCH, budget // need))
        return self._micro_batch

    def check_inputs(self, x: Tensor) -> Tensor:
        """Check a batch of inputs and bring it to the classifier's device and precision.

        Args:
            x: `(batch, *input)`, at least one input.

        Returns:
            The same values on the classifier's device, in its dtype.

        Raises:
            DtypeError: If it is not a floating tensor.
            ShapeError: If there is no batch dimension, no input, or no number in an input.
            InputError: If a value is not finite.
            BoundsError: If a value lies outside the bounds.
        """
        if not isinstance(x, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DtypeError(f"inputs: expected a floating torch tensor, got {type(x).__name__}")
        if not x.dtype.is_floating_point:
            raise DtypeError(f"inputs: expected a floating dtype, got {x.dtype} (divide pixels by 255 first?)")
        if x.ndim < 2 or x.numel() == 0:
            raise ShapeError(f"inputs: expected (batch, *input) with at least one input, got shape {tuple(x.shape)}")
        x = x.detach().to(self.device, self.dtype)
        finite = x.flatten(1).isfinite().all(1)
        if not bool(finite.all()):
            raise InputError(f"inputs: expected finite values, got NaN or infinity in inputs {_rows(~finite)}")
        if self.bounds is not None:
            self._check_within(x, *self.bounds)
        return x

    def clip(self, x: Tensor) -> Tensor:
        """Bring every value into the bounds (nothing happens where there are none)."""
        if self.bounds is None:
            return x
        low, high = self.bounds
        return torch.minimum(torch.maximum(x, low), high)

    @contextmanager
    def frozen(self) -> Generator[None]:
        """The modules in `eval` mode with frozen parameters; both are put back on the way out. May be nested."""
        modules = [module for _, module in self._named_modules()] if self._frozen_depth == 0 else []
        training = [module for module in modules if module.training]
        trainable = [p for module in modules for p in module.parameters(recurse=False) if p.requires_grad]
        self._frozen_depth += 1
        try:
            for module in training:
                module.training = False
            for parameter in trainable:
                parameter.requires_grad_(False)
            yield
        finally:
            self._frozen_depth -= 1
            for module in training:
                module.training = True
            for parameter in trainable:
                parameter.requires_grad_(True)

    def _forward(self, x: Tensor) -> Tensor:
        self.meter.forward += len(x)
        with self.frozen():
            logits: Any = self._answer(x)
        if not isinstance(logits, Tensor):
            raise NetworkError(f"network: expected a tensor of logits, got {type(logits).__name__}")
        if logits.ndim != 2 or logits.shape[0] != x.shape[0] or logits.shape[1] < 2:
            expected = f"({x.shape[0]}, classes) with at least 2 classes"
            raise NetworkError(f"network: expected logits of shape {expected}, got {tuple(logits.shape)}")
        if not logits.dtype.is_floating_point:
            raise NetworkError(f"network: expected floating logits, got {logits.dtype}")
        return logits

    def _answer(self, x: Tensor) -> object:
        """What the network returns; its error, often about a shape, is a `NetworkError`."""  # noqa: DOC501
        try:
            return self.network(x if self.preprocessing is None else self.preprocessing(x))
        except (RuntimeError, ValueError, IndexError) as error:
            if is_out_of_memory(error) or isinstance(error, ClearanceError):
                raise
            expected, said = f"it to take inputs of shape {tuple(x.shape[1:])}", " ".join(str(error).split())
            raise NetworkError(f"network: expected {expected}, got its error: {said}") from error

    def _named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        for part in (self.network, self.preprocessing):
            if isinstance(part, nn.Module):
                yield from part.named_modules()

    def _placed(self, part: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """The module itself where it already lies right, else a copy that does."""
        if not isinstance(part, nn.Module):
            return part
        tensors = [*part.parameters(), *part.buffers()]
        right = all(
            t.device == self.device and (t.dtype == self.dtype or not t.dtype.is_floating_point) for t in tensors
        )
        return part if right else copy.deepcopy(part).to(self.device, self.dtype)

    def _checked_bounds(self, bounds: tuple[Bound, Bound] | None) -> tuple[Tensor, Tensor] | None:
        if bounds is None:
            return None
        if len(bounds) != 2:
            raise InputError(f"bounds: expected (low, high), got {bounds!r}")
        low, high = (torch.as_tensor(bound, dtype=self.dtype, device=self.device) for bound in bounds)
        if not bool((low <= high).all() and (low < high).any()):
            raise InputError(f"bounds: expected low < high, or equal where fixed, got ({bounds[0]}, {bounds[1]})")
        return low, high

    def _check_within(self, x: Tensor, low: Tensor, high: Tensor) -> None:
        excess = torch.maximum(low - x, x - high).flatten(1).amax(1)
        if bool((excess > 0).any()):
            rows, span = _rows(excess > 0), f"[{low.min().item():g}, {high.max().item():g}]"
            raise BoundsError(
                f"inputs: expected values in {span}, got [{x.min().item():g}, {x.max().item():g}] (inputs {rows})"
            )


def look_like_probabilities(logits: Tensor) -> bool:
    """Whether every row of `(batch, classes)` lies in [0, 1] and sums to 1: a softmax was left in the network.

    >>> look_like_probabilities(torch.tensor([[0.2, 0.8]])), look_like_probabilities(torch.tensor([[2.0, -1.0]]))
    (True, False)
    """
    inside = bool(((logits >= 0) & (logits <= 1)).all())
    return inside and bool(((logits.double().sum(1) - 1).abs() < 1e-3).all())


def _first_parameter(network: object) -> Tensor | None:
    return next(iter(network.parameters()), None) if isinstance(network, nn.Module) else None


def _rows(mask: Tensor) -> str:
    return _shorten(mask.nonzero().flatten().tolist())


def _shorten(rows: list[int], most: int = 5) -> str:
    shown = ", ".join(map(str, rows[:most]))
    return shown if len(rows) <= most else f"{shown}, … ({len(rows)} in all)"
