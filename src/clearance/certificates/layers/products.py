"""Products of two values, entry by entry and as matrices.

For `|x - m| <= r` and `|y - n| <= s`, `(x - m) (y - n)` lies within `-r s ... r s`, so

    x y = n x + m y - m n + (x - m) (y - n),    n x + m y - m n -+ r s    below and above it.

These planes are the averages of McCormick's two below and two above (McCormick 1976), all of which are equally near at
the middle of the box; they have the product's own gradient there. The planes of a product of matrices are the sums of
those of its terms, so the terms themselves are never stored. For how a function here is called see `shapes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.operations import refuse
from clearance.certificates.rows import Rows

PRODUCT_ROUNDINGS = 8
"""Units of rounding of a product's terms that are given away for each term that is summed."""


@dataclass(frozen=True)
class ProductBounds:
    """Planes below and above `x y` or the matrix product `x y`, around the middle of a box.

    Attributes:
        first: `m`, `(batch, *shape of x)`.
        second: `n`, `(batch, *shape of y)`.
        spread: How far the product may lie from `n x + m y - m n`, `(batch, *output)`.
        matrices: Whether it is a product of matrices.
    """

    first: Tensor
    second: Tensor
    spread: Tensor
    matrices: bool

    def bound_backward(self, rows: Rows) -> tuple[Sequence[Rows], Tensor]:
        """`<a, x y> >= <a n, x> + <a m, y> - <a, m n> - <|a|, spread>`, with transposes for matrices.

        Source: the module's docstring, and theorem 3.2 of Zhang et al. (2018) for the sign of the coefficients.

        Args:
            rows: `a`, coefficients of the product.

        Returns:
            The coefficients of `x` and of `y`, and the offset `(batch, rows)`.
        """
        rows = rows.whole() if self.matrices else rows
        middle = self.first @ self.second if self.matrices else self.first * self.second
        lost = rows.replaced(rows.values.abs()).dot(self.spread)
        return self._parts(rows), -rows.dot(middle) - lost

    def _parts(self, rows: Rows) -> tuple[Rows, Rows]:
        if self.matrices:
            first, second = self.first[:, None], self.second[:, None]
            return Rows(rows.values @ second.mT), Rows(first.mT @ rows.values)
        values, place = rows.values, rows.place
        return rows.replaced(values * place(self.second)), rows.replaced(values * place(self.first))


@dataclass(frozen=True)
class Product:
    """The product of two values of one shape, entry by entry, or of their last two sides as matrices.

    Source: McCormick (1976).

    Attributes:
        name: What to call it.
        matrices: Whether it is a product of matrices.
        entrywise: Two values meet in one.
    """

    name: str
    matrices: bool = False
    entrywise: bool = False

    def apply(self, *inputs: Tensor) -> Tensor:
        """`x y`, `(batch, *shape)` each; matrices `(batch, *, n, k)` and `(batch, *, k, m)` to `(batch, *, n, m)`."""
        return inputs[0] @ inputs[1] if self.matrices else inputs[0] * inputs[1]

    def interval(self, lows: Sequence[Tensor], highs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The least and largest product of the ends of each term, summed for matrices, rounded outwards."""
        if not self.matrices:
            low, high, size = _corners(lows[0], highs[0], lows[1], highs[1])
            room = self._room(size)
            return low - room, high + room
        (a, b), (c, d) = ((low, high) for low, high in zip(lows, highs, strict=True))
        low = high = size = a.new_zeros(())
        for k in range(a.shape[-1]):  # one term of each sum at a time, as all of them may not fit
            terms = _corners(a[..., :, k, None], b[..., :, k, None], c[..., None, k, :], d[..., None, k, :])
            low, high, size = low + terms[0], high + terms[1], size + terms[2]
        room = self._room(size, a.shape[-1])
        return low - room, high + room

    def relax(self, *ends: Tensor) -> ProductBounds:
        """The planes around the middle of the box; see the module.

        Args:
            *ends: Lower bounds of `x` and `y`, and upper bounds of `x` and `y`, `(batch, *shape)` each.

        Returns:
            The bounds.
        """
        (first, r), (second, s) = (_middle(low, high) for low, high in zip(ends[:2], ends[2:], strict=True))
        sizes = (first.abs() + r, second.abs() + s)
        if self.matrices:
            spread = r @ s + self._room(sizes[0] @ sizes[1], first.shape[-1])
        else:
            spread = r * s + self._room(sizes[0] * sizes[1])
        return ProductBounds(first, second, spread, self.matrices)

    def undecided(self, low: Tensor, high: Tensor) -> Tensor:
        """All entries that are not known exactly."""
        return low < high

    def lipschitz(self, norm: float) -> Sequence[float]:  # noqa: ARG002
        """None: a product grows with its factors.

        Raises:
            NotSupportedError: Always.
        """
        refuse(f"operator-norms: a {self.name} has no Lipschitz constant")

    @staticmethod
    def _room(size: Tensor, terms: int = 1) -> Tensor:
        return PRODUCT_ROUNDINGS * (1 + terms) * torch.finfo(size.dtype).eps * size


def _middle(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The middle of an interval and a radius that reaches both ends."""
    middle = (low + high) / 2
    return middle, torch.maximum(high - middle, middle - low)


def _corners(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The least and largest product of `[a, b]` and `[c, d]`, and the largest absolute one."""
    products = (a * c, a * d, b * c, b * d)
    low, high = products[0], products[0]
    for value in products[1:]:
        low, high = torch.minimum(low, value), torch.maximum(high, value)
    return low, high, torch.maximum(low.abs(), high.abs())


def product(build: Builder, a: Ref, b: Ref) -> Ref:
    """`a b`, entry by entry, of two values of the same rank whose sides are equal or 1."""
    if len(a.shape) != len(b.shape):
        refuse("two values of different rank")
    shape = tuple(torch.broadcast_shapes(a.shape, b.shape))
    return build.add(Product("product"), expanded(build, a, shape), expanded(build, b, shape))


def expanded(build: Builder, x: Ref, shape: tuple[int, ...]) -> Ref:
    """A value with its sides of 1 repeated, `(batch, *shape)`; the value itself where nothing changes."""
    if x.shape == shape:
        return x
    return build.affine("expansion", lambda t: t.expand(len(t), *shape), x)
