"""A network with everything that a distance needs to mean something: bounds, preprocessing, device, precision.

`Classifier` is the only door to the network: every forward and backward pass goes through it and is counted there, so
that a randomised or a wrapped model needs nothing special anywhere else. The caller's module is left as it was found
(mode, `requires_grad`, hooks, device); inputs and distances are in the caller's own units, because preprocessing
happens behind the door.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from clearance.errors import InputError, NetworkError
from clearance.model.autodiff import graph_building, pull_back, savable
from clearance.model.bounds import Bound, check_within, name_inputs, read_bounds, write_bounds
from clearance.model.cost import Meter
from clearance.model.execution import Execution
from clearance.model.frozen import frozen
from clearance.model.input_tensors import check_tensor
from clearance.model.memory import even_share, fill_up, first_alone, is_out_of_memory, samples_that_fit
from clearance.model.outputs import answer, as_logits, check_finite
from clearance.model.placement import choose_placement
from clearance.model.space import check_space, read_fixed, read_scale, write_space

Pull = Callable[[int], Tensor]
Product = Callable[[Tensor], Tensor]


class Classifier:
    """A network, its bounds, its preprocessing, its device and its precision.

    Args:
        network: Maps `(batch, *input)` to logits `(batch, classes)`, or to what `model.outputs` takes for them: one
            logit of a binary classifier, a dict. A module is evaluated in `eval` mode and put back afterwards; another
            callable is used as it is.
        bounds: `(low, high)`, numbers or tensors that broadcast over one input; `None` = unbounded. Where both are
            equal the coordinate is fixed: nothing moves it.
        preprocessing: Applied to the input before the network, e.g. `Normalize(mean, std)`. Distances stay in the
            units of the input.
        device: Where to compute; `"auto"`: the first of cuda, mps, cpu that is here; default: where the network's
            parameters are. If it differs, a copy is moved.
        dtype: Floating dtype to compute in; default: that of the network's parameters.
        memory_budget: Bytes of saved activations that one micro-batch may take; default: 16 MiB on a CPU, a quarter of
            the memory of an accelerator.
        micro_batch: Samples per pass, instead of a choice from `memory_budget`.
        scale: What distances are measured in, a positive number or one for each coordinate: `||(x - x0) / scale||_p`.
            `None`: the units of the input. Inputs, bounds and witnesses keep the units of the input.
        fixed: A bool tensor, true where a coordinate keeps the value that it has in each input; needs bounds.
        compiled: Call `torch.compile(network)`; second derivatives and proofs are those of the network itself.
        channels_last: Keep the channels of images and of their layers last in memory.

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
        scale: Bound | None = None,
        fixed: Tensor | None = None,
        compiled: bool = False,
        channels_last: bool = False,
    ) -> None:
        parts = {"network": network} if preprocessing is None else {"network": network, "preprocessing": preprocessing}
        for name, part in parts.items():
            if not callable(part):
                raise InputError(f"{name}: expected a module or a function, got {type(part).__name__}")
        for name, number in {"micro_batch": micro_batch, "memory_budget": memory_budget}.items():
            if number is not None and not (isinstance(number, int) and number >= 1):  # pyright: ignore
                raise InputError(f"{name}: expected a whole number of at least 1, got {number!r}")
        placement = choose_placement(network, device, dtype)
        self.device, self.dtype = placement.device, placement.dtype
        with torch.inference_mode(False):  # a copy made in inference mode would have no gradients
            self.network = placement.place(network, channels_last=channels_last)
            self.preprocessing = None if preprocessing is None else placement.place(preprocessing)
        self.bounds = None if bounds is None else read_bounds(bounds, device=self.device, dtype=self.dtype)
        self.scale = None if scale is None else read_scale(scale, device=self.device, dtype=self.dtype)
        self.fixed = None if fixed is None else read_fixed(fixed, bounded=bounds is not None, device=self.device)
        self.execution = Execution(self.network, compiled=compiled, channels_last=channels_last)
        self.meter = Meter()
        self._memory_budget, self.asked_micro_batch = memory_budget, micro_batch
        self._micro_batches: dict[torch.Size, int] = {}
        self.fewest_rows, self.same_from = 1, dict[tuple[torch.Size, int], int | None]()  # of model.same_bits
        self._frozen: tuple[tuple[str, nn.Module], ...] | None = None

    def __repr__(self) -> str:
        """The network's kind, the bounds, and what else distances depend on."""
        name = getattr(self.network, "__name__", type(self.network).__name__)
        space = write_space(self.scale, self.fixed)
        return f"{type(self).__name__}({', '.join([name, write_bounds(self.bounds), *space])})"

    def logits(self, x: Tensor) -> Tensor:
        """Logits of a batch, without gradients.

        Args:
            x: `(batch, *input)`, in input units.

        Returns:
            `(batch, classes)`.

        Raises:
            NetworkError: If the output is not `(batch, classes)` with at least 2 classes, or not finite.
        """
        return check_finite(self._logits(x))

    def logits_of_each(self, x: Tensor) -> Tensor:
        """As `logits`, every input in a pass of its own: the same bits whatever else is in the batch.

        Args:
            x: `(batch, *input)`, in input units.

        Returns:
            `(batch, classes)`.

        Raises:
            NetworkError: As `logits`, at the first input whose logits are not as expected.
        """
        return torch.cat([check_finite(self._logits(row), place) for place, row in enumerate(x.split(1))])

    def vjp(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Pull]:
        """One forward pass, and as many backward passes as the caller pulls.

        Args:
            x: `(batch, *input)`.
            function: Maps logits `(batch, classes)` to values `(batch, k)`, row by row.

        Returns:
            The logits, the values, and `pull(column) -> (batch, *input)`: the gradient of one column of the values
            with respect to each row of `x`. It is zero where the network passes no gradient to its input.
        """
        with self.frozen(), graph_building():
            leaf = savable(x.detach()).requires_grad_(True)
            logits = self._forward(leaf)
            values = function(logits)
            totals = values.sum(0)

        def pull(column: int) -> Tensor:
            self.meter.backward += len(leaf)
            with graph_building(), self.execution.buffers_kept():  # of 20,000 classes all columns would be dear
                return pull_back(totals[column], leaf, again=len(totals) > 1)

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
        with self.frozen(), graph_building(), sdpa_kernel(SDPBackend.MATH), self.execution.plain():
            leaf = savable(x.detach()).requires_grad_(True)
            values = function(self._forward(leaf))
            gradient = pull_back(values.sum(), leaf, twice=True)
        self.meter.backward += len(leaf)

        def product(vectors: Tensor) -> Tensor:
            self.meter.hessian_vector += len(leaf)
            return pull_back(gradient, leaf, weights=vectors)

        return values.detach(), gradient.detach(), product

    def in_micro_batches(self, function: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor) -> tuple[Tensor, ...]:
        """Apply `function` to consecutive parts of `x` that fit the memory, and concatenate what it returns.

        The parts are alike, and as few as fit. One that runs out of memory is done again with half the micro-batch, for
        good. Where the network fails on several samples and not on one, the micro-batch is 1 from then on.

        Raises:
            MemoryError: If a single sample does not fit (or torch's `OutOfMemoryError`, a `RuntimeError`).
            NetworkError: If the network fails on a sample by itself.
            RuntimeError: Whatever else the function raised.
        """
        parts: list[tuple[Tensor, ...]] = []
        start = 0
        with self.frozen():
            size = self.micro_batch(x)
            while start < len(x) or not parts:
                part = x[start : start + even_share(len(x) - start, size)]
                try:
                    parts.append(function(part))
                    start += len(part) or 1
                except NetworkError as error:
                    parts.append(first_alone(function, part, error))
                    start, size = start + 1, 1
                    self._micro_batches[x.shape[1:]] = 1
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error) or size == 1:
                        raise
                    size = self._micro_batches[x.shape[1:]] = size // 2
        return tuple(torch.cat(column) if len(parts) > 1 else column[0] for column in zip(*parts, strict=True))

    def micro_batch(self, x: Tensor) -> int:
        """Samples per pass for inputs of this shape: given, or chosen once from the memory budget."""
        if x.shape[1:] not in self._micro_batches:
            self._micro_batches[x.shape[1:]] = self.asked_micro_batch or self._fitting(x[:1])
        return self._micro_batches[x.shape[1:]]

    def check_inputs(self, x: Tensor) -> Tensor:
        """Check a batch of inputs and bring it to the classifier's device and precision.

        Args:
            x: `(batch, *input)`, at least one input.

        Returns:
            The same values on the classifier's device, in its dtype; a tensor that autograd takes.

        Raises:
            ClearanceError: If it is no dense floating tensor of that shape (see `check_tensor`).
            InputError: If a value is not finite, or (`BoundsError`) lies outside the bounds.
        """
        check_tensor(x)
        with torch.inference_mode(False):
            x = savable(x.detach()).to(self.device, self.dtype)
        finite = x.flatten(1).isfinite().all(1)
        if not bool(finite.all()):
            raise InputError(f"inputs: expected finite values, got NaN or infinity in {name_inputs(~finite)}")
        if self.bounds is not None:
            check_within(x, *self.bounds)
        check_space(x, self.scale, self.fixed)
        return x

    def clip(self, x: Tensor) -> Tensor:
        """Bring every value into the bounds (nothing happens where there are none)."""
        return x if self.bounds is None else torch.minimum(torch.maximum(x, self.bounds[0]), self.bounds[1])

    def frozen(self) -> AbstractContextManager[None]:
        """The modules in `eval` mode, parameters frozen; all is put back at the end, buffers too. May be nested."""
        return self._freeze() if self._frozen is None else nullcontext()

    @contextmanager
    def _freeze(self) -> Generator[None]:
        self._frozen = self.training_modules
        try:
            with frozen(self._modules()):
                yield
        finally:
            self._frozen = None

    @property
    def training_modules(self) -> tuple[tuple[str, nn.Module], ...]:
        """Modules that the caller left in train mode, with their names, whether or not they are frozen now."""
        if self._frozen is not None:
            return self._frozen
        return tuple((name, module) for name, module in self._named_modules() if module.training)

    def _fitting(self, one: Tensor) -> int:
        """How many samples like this one fit the memory budget; its pass is not counted, what it writes is undone."""
        before, parameters = self.meter.forward, [p for _, part in self._named_modules() for p in part.parameters()]
        with frozen(self._modules()), graph_building(), self.execution.plain():
            fitting = samples_that_fit(self._forward, savable(one.detach()), parameters, self._memory_budget)
        self.meter.forward = before
        return fitting

    def _logits(self, x: Tensor) -> Tensor:
        """Logits of a batch, finite or not."""
        with torch.no_grad():
            return self.in_micro_batches(lambda part: (self._forward(part),), x)[0]

    def _forward(self, x: Tensor) -> Tensor:
        """Logits of one pass, in the inputs' precision; the callers have frozen the network."""
        self.meter.forward += len(x)
        rows = fill_up(x, self.fewest_rows)  # what works in place alters the copy only
        return as_logits(self._answer(rows), len(rows))[: len(x)].to(x.dtype)

    def _answer(self, x: Tensor) -> object:
        """What the network returns for what the preprocessing returns."""  # noqa: DOC501
        if self.preprocessing is None:
            return answer("network", self.execution, x)
        prepared = answer("preprocessing", self.preprocessing, x)
        if not isinstance(prepared, Tensor):
            raise NetworkError(f"preprocessing: expected it to return a tensor, got {type(prepared).__name__}")
        return answer("network", self.execution, prepared)

    def _modules(self) -> list[nn.Module]:
        return [module for _, module in self._named_modules()]

    def _named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        for part in (self.network, self.preprocessing):
            if isinstance(part, nn.Module):
                yield from part.named_modules()


def check_classifier(model: Classifier, name: str = "model") -> None:
    """Check that an argument is a classifier, and say how to make one where it is a bare network.

    Args:
        model: The argument.
        name: What the caller knows it as.

    Raises:
        InputError: If it is none.
    """
    if not isinstance(model, Classifier):  # pyright: ignore[reportUnnecessaryIsInstance]
        wrap = "wrap it: cl.Classifier(network, bounds=(low, high))"
        raise InputError(f"{name}: expected a clearance.Classifier, got {type(model).__name__}; {wrap}")
