"""Random symmetric matrices, and induced norms by brute force."""

import itertools
import math

import torch
from torch import Tensor


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in double precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def symmetric(count: int, size: int, seed: int = 0) -> Tensor:
    """`A + A^T` for Gaussian matrices, `(count, size, size)`."""
    square = normal(count, size, size, seed=seed)
    return square + square.transpose(1, 2)


def with_eigenvalues(eigenvalues: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Symmetric matrices with the given spectra `(count, size)`, and their eigenvectors as columns."""
    vectors = torch.linalg.qr(normal(*eigenvalues.shape, eigenvalues.shape[-1], seed=seed)).Q
    return vectors @ torch.diag_embed(eigenvalues) @ vectors.transpose(1, 2), vectors


def induced_norm(matrix: Tensor, norm: float) -> float:
    """`||A||_{p->q}` exactly: a convex function is largest at a corner of the ball.

    The corners are the sign vectors for `p = inf` (then `q = 1`) and the coordinate vectors for `p = 1` (`q = inf`);
    for `p = 2` it is the largest singular value.
    """
    if norm == 1:
        return float(matrix.abs().max())
    if norm == 2:
        return float(torch.linalg.matrix_norm(matrix, 2))
    assert math.isinf(norm)
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=len(matrix))), dtype=matrix.dtype)
    return float((signs @ matrix).abs().sum(1).max())
