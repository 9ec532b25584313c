"""The Lanczos process against dense eigenvalues and matrices whose spectrum is given."""

import math

import pytest
import torch
from torch import Tensor

from clearance.geometry.eigenvalues import Operator, Product, Remaining, Spectrum, dense, lanczos
from matrices import normal, symmetric, with_eigenvalues


def test_dense_multiplies_the_chosen_rows():
    matrices, vectors = symmetric(5, 4), normal(2, 4, seed=1)
    rows = torch.tensor([1, 4])
    expected = torch.einsum("nij,nj->ni", matrices[rows], vectors)
    assert torch.allclose(dense(matrices)(rows)(vectors), expected)


@pytest.mark.parametrize("size", [2, 7, 40])
def test_both_ends_match_dense_eigenvalues(size: int):
    matrices = symmetric(30, size, seed=size)
    exact = torch.linalg.eigvalsh(matrices)
    found = lanczos(dense(matrices), normal(30, size, seed=3), tolerance=1e-8)
    assert bool(found.converged.all())
    assert torch.allclose(found.low, exact[:, 0], rtol=1e-7)
    assert torch.allclose(found.high, exact[:, -1], rtol=1e-7)


def test_a_given_spectrum_comes_back_with_its_eigenvectors():
    eigenvalues = torch.tensor([[-4.0, -1.0, 0.5, 2.0], [0.1, 0.2, 0.3, 9.0]], dtype=torch.float64)
    matrices, vectors = with_eigenvalues(eigenvalues)
    found = lanczos(dense(matrices), normal(2, 4, seed=1), tolerance=1e-9)
    assert torch.allclose(found.low, eigenvalues[:, 0]) and torch.allclose(found.high, eigenvalues[:, -1])
    for end, vector in ((0, found.low_vector), (-1, found.high_vector)):
        assert torch.allclose((vector * vectors[:, :, end]).sum(1).abs(), torch.ones(2, dtype=torch.float64))


def test_the_vectors_are_eigenvectors():
    matrices = symmetric(20, 8)
    found = lanczos(dense(matrices), normal(20, 8, seed=3), tolerance=1e-8)
    for value, vector in ((found.low, found.low_vector), (found.high, found.high_vector)):
        assert torch.allclose(vector.norm(dim=1), torch.ones(20, dtype=torch.float64))
        assert torch.allclose(dense(matrices)(torch.arange(20))(vector), value[:, None] * vector, atol=1e-5)


@pytest.mark.parametrize("most", [1, 3, 6])
def test_few_products_stay_within_the_spectrum(most: int):
    """Ritz values lie between the extreme eigenvalues, and come nearer with each product."""
    matrices = symmetric(10, 20, seed=4)
    exact, start = torch.linalg.eigvalsh(matrices), normal(10, 20, seed=5)
    fewer, more = (lanczos(dense(matrices), start, tolerance=0.0, most=count) for count in (most, most + 1))
    assert fewer.products.tolist() == [most] * 10 and not bool(fewer.converged.any())
    slack = 1e-12 * exact.abs().amax(1)
    assert bool((fewer.low >= exact[:, 0] - slack).all()) and bool((fewer.high <= exact[:, -1] + slack).all())
    assert bool((more.low <= fewer.low + slack).all()) and bool((more.high >= fewer.high - slack).all())


def test_an_input_may_have_any_shape():
    matrices = symmetric(3, 12)

    def operator(rows: Tensor) -> Product:
        return lambda images: dense(matrices)(rows)(images.flatten(1)).reshape(images.shape)

    start = normal(3, 1, 3, 4, seed=2)
    shaped, flat = lanczos(operator, start), lanczos(dense(matrices), start.flatten(1))
    assert shaped.low_vector.shape == shaped.high_vector.shape == (3, 1, 3, 4)
    assert torch.equal(shaped.low, flat.low) and torch.equal(shaped.high_vector.flatten(1), flat.high_vector)


def recording(operator: Operator, sizes: list[int]) -> Operator:
    """The same operator, which notes for how many samples it is built."""

    def build(rows: Tensor) -> Product:
        sizes.append(len(rows))
        return operator(rows)

    return build


def test_each_sample_stops_on_its_own():
    """Easy samples (a multiple of one projector) leave early; what is left over is solved without them."""
    easy = torch.diag_embed(torch.tensor([3.0] + [0.0] * 29, dtype=torch.float64)).expand(12, 30, 30)
    batch, sizes = torch.cat([easy, symmetric(4, 30)]), list[int]()
    found = lanczos(recording(dense(batch), sizes), normal(16, 30, seed=5), tolerance=1e-6, floor=1.0)
    assert int(found.products[:12].max()) < int(found.products[12:].min())
    assert sizes[0] == 16 and min(sizes) <= 4
    alone = lanczos(dense(batch[12:]), normal(16, 30, seed=5)[12:], tolerance=1e-6, floor=1.0)
    # a sum in another order may cross the tolerance one product sooner or later
    assert int((alone.products - found.products[12:]).abs().max()) <= 1
    assert torch.allclose(alone.high, found.high[12:], rtol=1e-9)


def test_an_end_below_the_floor_takes_no_further_products():
    """The small end is resolved to a share of itself, or of the norm where a floor says so."""
    eigenvalues = torch.cat([torch.linspace(-1e-3, 1e-3, 29, dtype=torch.float64), torch.tensor([1.0])])[None]
    matrices, _ = with_eigenvalues(eigenvalues.double())
    fine, coarse = (lanczos(dense(matrices), normal(1, 30, seed=6), floor=floor) for floor in (0.0, 1.0))
    assert int(coarse.products) < int(fine.products)
    assert float(fine.low) == pytest.approx(-1e-3, rel=1e-3)
    assert float(coarse.low) == pytest.approx(-1e-3, abs=1e-3)


def test_special_matrices():
    zero = torch.zeros(1, 5, 5, dtype=torch.float64)
    found = lanczos(dense(torch.cat([zero, zero + 2 * torch.eye(5, dtype=torch.float64)])), normal(2, 5))
    assert found.norm.tolist() == pytest.approx([0.0, 2.0]) and found.one_sided.tolist() == [0.0, 0.0]
    broken = zero.clone()
    broken[0, 1, 1] = math.nan
    assert bool(lanczos(dense(broken), normal(1, 5)).norm.isnan().all())
    one = lanczos(dense(torch.tensor([[[-3.0]]])), torch.tensor([[0.5]]))
    assert (float(one.low), float(one.high)) == pytest.approx((-3.0, -3.0))


def test_norm_and_one_sided_value_of_a_spectrum():
    low, high = torch.tensor([-5.0, -1.0, 2.0]), torch.tensor([2.0, 3.0, 4.0])
    empty = torch.zeros(3)
    spectrum = Spectrum(low, high, empty, empty, empty, empty)
    assert spectrum.norm.tolist() == [5.0, 3.0, 4.0] and spectrum.one_sided.tolist() == [5.0, 1.0, 0.0]


def test_the_remaining_samples_keep_their_own_matrices():
    """Whichever rows are left, and whether the operator is rebuilt for them or not."""
    matrices, vectors, sizes = symmetric(8, 3), normal(8, 3, seed=1), list[int]()
    remaining = Remaining(recording(dense(matrices), sizes), 8, vectors)
    for rows in (torch.arange(8), torch.tensor([0, 2, 3, 5, 7]), torch.tensor([2, 5, 7]), torch.tensor([5])):
        expected = torch.einsum("nij,nj->ni", matrices[rows], vectors[rows])
        assert torch.allclose(remaining(rows, vectors[rows]), expected)
    assert sizes == [8, 3, 1]
