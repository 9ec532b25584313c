"""Both ends of the spectrum of symmetric matrices that are known by their products only, for many samples at once.

For symmetric `H` the ends are `min` and `max` of `<v, H v>` over `||v||_2 = 1` (Courant-Fischer). A sample leaves the
batch as soon as both of its own ends have converged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""Maps `(n, *input)` to `(n, *input)`: each row times its sample's matrix."""
Operator = Callable[[Tensor], Product]
"""Maps sample numbers `(n,)`, ascending, to the product of those samples."""


@dataclass(frozen=True)
class Spectrum:
    """Both ends of the spectrum of each sample's matrix, as Ritz values `<v, H v>`: they lie within the spectrum.

    Source: Lanczos 1950; Parlett 1980, chapter 13 (the process) and chapter 11 (Ritz values).

    Attributes:
        low: Smallest eigenvalue, `(batch,)`: approached from above.
        high: Largest eigenvalue, `(batch,)`: approached from below.
        low_vector: Unit vectors, `(batch, *input)`.
        high_vector: Unit vectors, `(batch, *input)`.
        products: Products that each sample took, `(batch,)`.
        converged: Whether both ends met the tolerance, `(batch,)`.
    """

    low: Tensor
    high: Tensor
    low_vector: Tensor
    high_vector: Tensor
    products: Tensor
    converged: Tensor

    @property
    def norm(self) -> Tensor:
        """The spectral norm, `max |eigenvalue|`, `(batch,)`."""
        return torch.maximum(self.low.abs(), self.high.abs())

    @property
    def one_sided(self) -> Tensor:
        """`max(0, -λ_min)`, `(batch,)`."""
        return (-self.low).clamp_min(0.0)


class Remaining:
    """The products `H_i v_i` of the samples that have not converged.

    Source: this project. The operator is rebuilt for the samples that are left whenever half of them have left, so that
    the cost of a product follows their number, and it is rebuilt a logarithmic number of times at most.

    Args:
        operator: Makes the products.
        count: How many samples there are.
        like: A tensor of the device that they live on.
    """

    def __init__(self, operator: Operator, count: int, like: Tensor) -> None:
        self.operator = operator
        self.built = torch.arange(count, device=like.device)
        self.product = operator(self.built)

    def __call__(self, rows: Tensor, vectors: Tensor) -> Tensor:
        """Products for some rows of those that the operator was last built for.

        Args:
            rows: Sample numbers `(n,)`, ascending.
            vectors: `(n, *input)`.

        Returns:
            `(n, *input)`.
        """
        if 2 * len(rows) <= len(self.built):
            self.built, self.product = rows, self.operator(rows)
        if len(rows) == len(self.built):
            return self.product(vectors)
        place = torch.searchsorted(self.built, rows)
        padded = torch.zeros(len(self.built), *vectors.shape[1:], dtype=vectors.dtype, device=vectors.device)
        padded[place] = vectors
        return self.product(padded)[place]


def dense(matrices: Tensor) -> Operator:
    """The operator `v -> H v` of symmetric matrices that are given. Source: this project.

    Args:
        matrices: `(batch, d, d)`.

    Returns:
        Maps sample numbers `(n,)` to the product on vectors `(n, d)`.

    >>> dense(torch.tensor([[[2.0, 0.0], [0.0, 3.0]]]))(torch.tensor([0]))(torch.ones(1, 2))
    tensor([[2., 3.]])
    """
    return lambda rows: lambda vectors: (matrices[rows] @ vectors[:, :, None])[:, :, 0]


def lanczos(
    operator: Operator, start: Tensor, *, tolerance: float = 1e-4, floor: float = 0.0, most: int = 64
) -> Spectrum:
    """Extreme eigenvalues by the Lanczos process (Lanczos 1950), with full reorthogonalisation.

    With `V_k` an orthonormal basis of `span {v, H v, ..., H^(k-1) v}`, the eigenvalues `θ` of the `k × k` tridiagonal
    matrix `V_k^T H V_k` approach the extreme ones of `H` from within. An end has converged when the residual norm of
    its Ritz vector, which bounds the distance to an eigenvalue, is at most `tolerance * max(|θ|, floor * norm)`
    (Parlett 1980, section 4.5): a rule for each sample on its own. That eigenvalue is the extreme one unless the start
    has next to nothing of its vector: of 20,000 random starts on Hessians of small networks 5 (tolerance 1e-4) and 52
    (1e-3) left an end with an error above 1e-3. The usual estimate `r² / gap` stops a product or two earlier and failed
    20 times as often.

    Args:
        operator: The matrices.
        start: Where each sample starts, `(batch, *input)`, not zero; a random vector unless an eigenvector is known.
        tolerance: Relative error of each end.
        floor: An end is not resolved below this share of the spectral norm.
        most: Products per sample at most.

    Returns:
        Both ends of each sample, values `(batch,)` and vectors `(batch, *input)`. A sample whose products are not
        finite has NaN for both.

    >>> matrices = torch.diag_embed(torch.tensor([[1.0, 2.0, -5.0]]))
    >>> found = lanczos(dense(matrices), torch.ones(1, 3))
    >>> [round(float(value), 3) for value in (found.low, found.high)]
    [-5.0, 2.0]
    """
    flat = start.flatten(1)
    count, size = flat.shape
    most = min(most, size)
    remaining, rows = Remaining(operator, count, flat), torch.arange(count, device=flat.device)
    basis = (flat / _length(flat))[:, None]
    diagonal, off = flat.new_zeros(count, 0), flat.new_zeros(count, 0)
    found = _Found(flat)
    for step in range(most):
        image = remaining(rows, basis[:, step].reshape(-1, *start.shape[1:])).flatten(1)
        diagonal = torch.cat([diagonal, (image * basis[:, step]).sum(1, keepdim=True)], 1)
        for _ in range(2):  # once is not enough in floating point, twice is (Parlett 1980, section 6.9)
            image = image - (basis.transpose(1, 2) @ (basis @ image[:, :, None]))[:, :, 0]
        length = image.norm(dim=1)
        finite = diagonal[:, -1].isfinite() & length.isfinite()
        values, weights = torch.linalg.eigh(_tridiagonal(diagonal, off))
        largest = values.abs().amax(1, keepdim=True)
        ends = torch.where(finite[:, None], values[:, [0, -1]], torch.nan)
        limit = tolerance * torch.maximum(ends.abs(), floor * largest)
        spent = (length <= torch.finfo(flat.dtype).eps * largest[:, 0]) | torch.full_like(finite, step + 1 == size)
        converged = spent | (length[:, None] * weights[:, -1, [0, -1]].abs() <= limit).all(1)
        leaving = converged | ~finite | torch.full_like(finite, step + 1 == most)
        if bool(leaving.any()):
            vectors = (basis[leaving].transpose(1, 2) @ weights[leaving][:, :, [0, -1]].to(flat.dtype)).unbind(2)
            found.put(rows[leaving], ends[leaving], vectors, step + 1, converged[leaving])
        stay = ~leaving
        if not bool(stay.any()):
            break
        rows, basis, diagonal = rows[stay], basis[stay], diagonal[stay]
        off = torch.cat([off[stay], length[stay, None]], 1)
        basis = torch.cat([basis, (image[stay] / _length(image[stay]))[:, None]], 1)
    return found.spectrum(start.shape)


class _Found:
    """Results of the samples that have left, and those of the last step for the others."""

    def __init__(self, flat: Tensor) -> None:
        self.ends, self.vectors = flat.new_zeros(len(flat), 2), flat.new_zeros(2, *flat.shape)
        self.products = torch.zeros(len(flat), dtype=torch.int64, device=flat.device)
        self.converged = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)

    def put(self, rows: Tensor, ends: Tensor, vectors: tuple[Tensor, ...], products: int, converged: Tensor) -> None:
        self.ends[rows] = ends.to(self.ends.dtype)
        self.vectors[0, rows], self.vectors[1, rows] = vectors
        self.products[rows], self.converged[rows] = products, converged

    def spectrum(self, shape: torch.Size) -> Spectrum:
        low, high = (vectors.reshape(shape) for vectors in self.vectors)
        return Spectrum(self.ends[:, 0], self.ends[:, 1], low, high, self.products, self.converged)


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length of each row, `(batch, 1)`, kept away from zero."""
    return vectors.norm(dim=1, keepdim=True).clamp_min(torch.finfo(vectors.dtype).tiny)


def _tridiagonal(diagonal: Tensor, off: Tensor) -> Tensor:
    """Symmetric tridiagonal matrices `(batch, k, k)`; not finite ones become zero."""
    beside = torch.diag_embed(off, 1) + torch.diag_embed(off, -1) if off.shape[1] else 0.0
    return (torch.diag_embed(diagonal) + beside).nan_to_num(0.0, 0.0, 0.0)
