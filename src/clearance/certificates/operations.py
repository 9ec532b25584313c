"""What a step of a network is: all that a proof needs to know about it.

    apply(*inputs)                  the step itself
    interval(lows, highs)           bounds of its output from bounds of its inputs (interval arithmetic)
    relax(*lows, *highs)            linear bounds of its output over a box of its inputs; not for affine steps
    bound_backward(coefficients)    the linear function `sum coefficients * output` bounded from below by a linear
                                    function of the inputs: the backward step of CROWN (Zhang et al. 2018, theorem 3.2)
    lipschitz(norm)                 how much it can increase the distance of two inputs, per input

Coefficients are `Rows`, of the shape `(batch or 1, rows, *output)` or windows of it; everything else is
`(batch, *shape)`. Affine steps, `Affine`,
are their own linear bounds; every other step is a `NonlinearOperation`, one class for each family in `layers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn, Protocol, runtime_checkable

import torch
from torch import Tensor

from clearance.certificates.matrix_norms import LinearMap, known_norm, operator_norm, transposed
from clearance.certificates.rows import Rows, WindowRows

TESTED = 16
"""Columns of a matrix whose signs are tested: a step has one sign in all of them, or is a new kind of step."""


WindowMap = Callable[[WindowRows], Sequence[Rows]]
"""From windows of a step's output to rows of each of its inputs."""


class NotSupportedError(Exception):
    """A method has no proof for this network; the message says why. It never leaves the package."""


def refuse(message: str) -> NoReturn:
    """End the proof.

    Args:
        message: Why there is none.

    Raises:
        NotSupportedError: Always.
    """
    raise NotSupportedError(message)


Interval = tuple[Tensor, Tensor]
"""Lower and upper bounds, `(batch, *shape)` each."""


@dataclass(frozen=True)
class Linearised:
    """A step of one value as a linear map and what is left, at one input: `y = y0 + A (z - z0) + rho`.

    Attributes:
        forward: `A`, on `(columns, *shape)`; each of its outputs comes from one entry.
        remainder: From the interval of `z` to that of `rho`.
    """

    forward: Callable[[Tensor], Tensor]
    remainder: Callable[[Interval], Interval]


class LinearBounds(Protocol):
    """Linear functions of a step's inputs below and above its output, valid on the interval they were made for."""

    def bound_backward(self, rows: Rows) -> tuple[Sequence[Rows], Tensor]:
        """A linear function of the inputs below `<row, output>`.

        Args:
            rows: Coefficients of the output.

        Returns:
            Its coefficients for each input, and its offset `(batch or 1, rows)`.
        """
        ...


class NonlinearOperation(Protocol):
    """A step that is not affine; see the module's docstring. A step of one value may be `Linearisable` as well."""

    @property
    def name(self) -> str:
        """What to call it in a message."""
        ...

    @property
    def entrywise(self) -> bool:
        """Whether each output comes from the entry of the input at the same place alone."""
        ...

    def apply(self, *inputs: Tensor) -> Tensor:
        """The step itself: `(batch, *shape)` for each input to `(batch, *output)`."""
        ...

    def interval(self, lows: Sequence[Tensor], highs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Bounds of the output, `(batch, *output)` each, from bounds of the inputs."""
        ...

    @property
    def relax(self) -> Callable[..., LinearBounds]:
        """Linear bounds of the output over a box: from the lower ends of each input, then the upper ones."""
        ...

    def undecided(self, low: Tensor, high: Tensor) -> Tensor:
        """Entries of an input, `(batch, *shape)`, of which narrower bounds would narrow the linear bounds of a step."""
        ...

    def lipschitz(self, norm: float) -> Sequence[float]:
        """For each input an upper bound of `||output change||_p / ||input change||_p`."""
        ...


@dataclass(frozen=True)
class Affine:
    """`y = sum_i J_i x_i + c`: an affine step, and at the same time its own linear bounds.

    Source: interval arithmetic and the transpose, both exact for one affine step.

    Attributes:
        name: What to call it.
        apply: The function.
        shapes: Shapes of the inputs without the batch dimension.
        constant: `c`, `(1, *output)`.
        absolute: The same linear map with every coefficient replaced by its absolute value, without `c`.
        transpose: `y -> J^T y`; `None` has automatic differentiation do it.
        mixes: Whether many inputs meet in one output with weights of any sign, so that its spectral norm is worth
            computing; for other maps a product of sums is exact or nearly so.
        windowed: `J_i^T` of windows, one for each input; `None` where only whole images are known.
        entrywise: Whether each output comes from one entry of the input at most, and no two from the same.
        matrix: What the `J_i` are made of, such as weights and strides, so that norms once computed are known again.
    """

    name: str
    apply: Callable[..., Tensor]
    shapes: tuple[tuple[int, ...], ...]
    constant: Tensor
    absolute: Callable[..., Tensor]
    transpose: Callable[[Tensor], Tensor] | None = None
    mixes: bool = False
    windowed: WindowMap | None = None
    entrywise: bool = False
    matrix: tuple[object, ...] = ()

    def interval(self, lows: Sequence[Tensor], highs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Centre and radius: `J m + c -+ |J| r` (Gowal et al. 2018)."""
        middle = self.apply(*((low + high) / 2 for low, high in zip(lows, highs, strict=True)))
        spread = self.absolute(*((high - low) / 2 for low, high in zip(lows, highs, strict=True)))
        return middle - spread, middle + spread

    def bound_backward(self, rows: Rows) -> tuple[Sequence[Rows], Tensor]:
        """It is its own linear bound: `<a, sum_i J_i x_i + c> = sum_i <J_i^T a, x_i> + <a, c>`."""
        offset = rows.values.new_zeros(1, 1) if self._shift is None else rows.dot(self._shift)
        if isinstance(rows, WindowRows) and self.windowed is not None:
            return self.windowed(rows), offset
        values = rows.whole().values
        parts = self.backward(values.flatten(0, 1))
        return [Rows(part.unflatten(0, values.shape[:2])) for part in parts], offset

    @cached_property
    def _shift(self) -> Tensor | None:
        """`c`, as `(1, channels, 1, 1)` where it is the same at every pixel of an image; `None` where it is zero."""
        if not bool(self.constant.any()):
            return None
        if self.constant.ndim != 4:
            return self.constant
        one = self.constant[:, :, :1, :1]
        return one if bool((self.constant == one).all()) else self.constant

    def backward(self, rows: Tensor) -> Sequence[Tensor]:
        """`J_i^T y`: `(rows, *output)` to one `(rows, *input)` for each input."""
        if self.transpose is not None:
            return (self.transpose(rows),)
        return transposed(self.apply, self.shapes, rows)

    def forward(self, x: Tensor, place: int = 0) -> Tensor:
        """`J_i x` for one of the inputs, without the constant."""
        given = [x if i == place else x.new_zeros(len(x), *shape) for i, shape in enumerate(self.shapes)]
        return self.apply(*given) - self.constant

    def lipschitz(self, norm: float) -> Sequence[float]:
        """Upper bounds of the operator norms of the `J_i`."""
        places = range(len(self.shapes))
        if not self.matrix:
            return [operator_norm(self.linear_map(place), norm, mixes=self.mixes) for place in places]
        parts = (self.name, self.shapes, *self.matrix)
        return [known_norm(self.linear_map(place), norm, parts) for place in places]

    def linear_map(self, place: int = 0) -> LinearMap:
        """`J_i` as a linear map, for its norms."""

        def absolute(x: Tensor) -> Tensor:
            return self.absolute(*(x if i == place else x.new_zeros(len(x), *s) for i, s in enumerate(self.shapes)))

        return LinearMap(
            shape=self.shapes[place],
            output=tuple(self.constant.shape[1:]),
            forward=lambda x: self.forward(x, place),
            backward=lambda rows: self.backward(rows)[place],
            absolute=absolute,
            like=self.constant,
        )


@runtime_checkable
class Linearisable(Protocol):
    """A step that is not affine, of one value, and that has a linear part."""

    def linearise(self, at: Tensor) -> Linearised:
        """The linear part where its value is `at`, `(1, *shape)`."""
        ...


Operation = Affine | NonlinearOperation
"""Any step."""


def make_affine(
    name: str,
    function: Callable[..., Tensor],
    shapes: Sequence[tuple[int, ...]],
    like: Tensor,
    *,
    absolute: Callable[..., Tensor] | None = None,
    transpose: Callable[[Tensor], Tensor] | None = None,
    mixes: bool = False,
    windowed: WindowMap | None = None,
    entrywise: bool = False,
    matrix: tuple[object, ...] = (),
) -> Affine:
    """An affine step from its function; without `absolute` its coefficients must be nonnegative.

    That is tested on unit vectors, whose images are columns of the matrix. Source: as `Affine`.

    Args:
        name: What to call it.
        function: From one tensor `(batch, *shape)` for each shape to `(batch, *output)`.
        shapes: Shapes of the inputs without the batch dimension.
        like: A tensor of the wanted dtype and device.
        absolute: See `Affine`.
        transpose: See `Affine`.
        mixes: See `Affine`.
        windowed: See `Affine`.
        entrywise: See `Affine`.
        matrix: See `Affine`.

    Returns:
        The step, with its constant computed.

    Raises:
        NotSupportedError: If coefficients that must be nonnegative are not.
    """
    constant = function(*(like.new_zeros(1, *shape) for shape in shapes))
    if absolute is None and bool((function(*_unit_vectors(shapes, like)) < constant).any()):
        raise NotSupportedError("a step with a negative coefficient")
    return Affine(
        name,
        function,
        tuple(shapes),
        constant,
        absolute or (lambda *inputs: function(*inputs) - constant),
        transpose,
        mixes,
        windowed,
        entrywise,
        matrix,
    )


def _unit_vectors(shapes: Sequence[tuple[int, ...]], like: Tensor) -> list[Tensor]:
    """Unit vectors in entries spread over each input, `(TESTED, *shape)` each."""
    given: list[Tensor] = []
    for place, shape in enumerate(shapes):
        entries = math.prod(shape)
        rows = torch.arange(TESTED, device=like.device)
        one = like.new_zeros(TESTED, entries)
        one[rows, (rows * entries // TESTED + place) % entries] = 1.0
        given.append(one.reshape(TESTED, *shape))
    return given
