"""The nonlinear power method against brute force over the corners of the ball, and against what an optimum must be."""

import math

import pytest
import torch

from clearance.geometry.eigenvalues import dense
from clearance.geometry.induced_norms import estimate_induced_norm
from clearance.geometry.norms import dual_norm, vector_norm
from matrices import induced_norm, normal, symmetric


@pytest.mark.parametrize("norm", [1.0, math.inf])
@pytest.mark.parametrize("size", [2, 5, 10])
def test_induced_norms_against_brute_force(norm: float, size: int):
    matrices = symmetric(40, size, seed=size)
    exact = torch.tensor([induced_norm(matrix, norm) for matrix in matrices], dtype=torch.float64)
    found = estimate_induced_norm(dense(matrices), normal(30, 40, size, seed=9), norm=norm)
    share = found.value / exact
    assert float(share.max()) <= 1 + 1e-12  # never above the maximum
    assert int((share > 1 - 1e-9).sum()) >= 38 and float(share.min()) > 0.9


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, math.inf])
def test_an_induced_norm_is_attained_by_its_vector(norm: float):
    matrices = symmetric(15, 6)
    found = estimate_induced_norm(dense(matrices), normal(4, 15, 6, seed=2), norm=norm)
    image = (matrices @ found.vector[:, :, None])[:, :, 0]
    assert torch.allclose(vector_norm(found.vector, norm), torch.ones(15, dtype=torch.float64))
    assert torch.allclose(vector_norm(found.partner, norm), torch.ones(15, dtype=torch.float64))
    assert torch.allclose(vector_norm(image, dual_norm(norm)), found.value)
    assert torch.allclose((image * found.partner).sum(1), found.value)
    if norm == 2:
        assert torch.allclose(found.value, torch.linalg.eigvalsh(matrices).abs().amax(1), rtol=2e-2)


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, math.inf])
def test_a_matrix_of_rank_one_takes_one_product(norm: float):
    """`H = w w^T`: `||H||_{p->q} = ||w||_q^2`, and any start leads to it in one step (Hölder's equality)."""
    w = normal(5, 7)
    found = estimate_induced_norm(dense(w[:, :, None] * w[:, None]), normal(1, 5, 7, seed=1), norm=norm)
    assert torch.allclose(found.value, vector_norm(w, dual_norm(norm)) ** 2)


@pytest.mark.parametrize("norm", [1.0, 1.5, 3.0, math.inf])
def test_no_random_direction_exceeds_what_many_starts_find(norm: float):
    matrices = symmetric(6, 4, seed=3)
    found = estimate_induced_norm(dense(matrices), normal(20, 6, 4, seed=4), norm=norm)
    directions = normal(6, 20_000, 4, seed=5)
    images = directions @ matrices
    length = torch.linalg.vector_norm(directions, norm, dim=2)
    seen = (torch.linalg.vector_norm(images, dual_norm(norm), dim=2) / length).amax(1)
    assert bool((seen <= found.value * (1 + 1e-12)).all())


def test_more_starts_never_give_less_and_their_products_are_added():
    matrices, starts = symmetric(12, 6), normal(8, 12, 6, seed=7)
    one, all_eight = (estimate_induced_norm(dense(matrices), some, norm=math.inf) for some in (starts[:1], starts))
    assert bool((all_eight.value >= one.value).all())
    assert bool((all_eight.products > one.products).all())
    capped = estimate_induced_norm(dense(matrices), starts, norm=math.inf, most=1)
    assert capped.products.tolist() == [8] * 12


def test_zero_matrices_and_broken_ones():
    zero = torch.zeros(1, 3, 3, dtype=torch.float64)
    assert estimate_induced_norm(dense(zero), normal(2, 1, 3), norm=math.inf).value.tolist() == [0.0]
    assert bool(estimate_induced_norm(dense(zero * math.nan), normal(2, 1, 3), norm=math.inf).value.isnan().all())
