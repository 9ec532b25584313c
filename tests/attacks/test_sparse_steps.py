"""`SparseControl`: how many coordinates a step moves, how long it is, and when both change."""

import torch
from torch import Tensor

from clearance.attacks.passes import LossEvaluation
from clearance.attacks.sparse_steps import FIRST_DENSITY, SHORTEST, SPARSER, SparseControl
from clearance.model.classifier import Classifier

SIZE = 100
X = torch.zeros(2, SIZE, dtype=torch.float64)
RADIUS = torch.tensor([1.0, 2.0], dtype=torch.float64)
GRADIENT = -torch.arange(1.0, SIZE + 1, dtype=torch.float64).expand(2, SIZE)
FREE = Classifier(torch.nn.Flatten(), dtype=torch.float64)


def seen(loss: float) -> LossEvaluation:
    values = torch.full((2,), loss, dtype=torch.float64)
    nothing = torch.zeros(2, dtype=torch.bool)
    return LossEvaluation(values[:, None], values, values, GRADIENT, nothing)


def step(search: SparseControl, number: int, loss: float) -> Tensor:
    search.learn(number, seen(loss))
    before = search.points
    search.move(FREE, X, 1.0, RADIUS)
    return search.points - before


def test_the_first_step_shares_the_radius_among_a_fifth_of_the_coordinates():
    moved = step(SparseControl(X, X, RADIUS, 100), 0, 1.0)
    largest = int(FIRST_DENSITY * SIZE)
    assert torch.allclose(moved[:, -largest:], (RADIUS / largest)[:, None].expand(2, largest))
    assert (moved[:, :-largest] == 0).all()


def test_the_next_steps_move_as_many_as_the_best_point_has_moved_over_one_and_a_half():
    search = SparseControl(X, X, RADIUS, 25)  # judged at every step
    step(search, 0, 1.0)  # best: the input
    step(search, 1, 0.5)  # best: 20 coordinates moved
    search.learn(2, seen(0.2))
    assert torch.equal((search.best != 0).sum(1), torch.tensor([20, 20]))
    assert torch.allclose(search._count, torch.full((2,), 20 / SPARSER, dtype=torch.float64))


def test_the_step_shrinks_where_the_number_no_longer_falls_and_never_below_its_least():
    search = SparseControl(X, X, RADIUS, 25)
    step(search, 0, 0.0)
    for number in range(1, 40):
        step(search, number, 0.0)  # the best point stays the input: nothing moved, nothing falls further
    assert torch.allclose(search._length, SHORTEST * RADIUS)


def test_points_stay_in_the_ball_and_the_bounds_and_use_all_of_the_radius():
    model = Classifier(torch.nn.Flatten(), (0.0, 0.05), dtype=torch.float64)
    search = SparseControl(X, X, RADIUS, 10)
    for number in range(10):
        search.learn(number, seen(1.0 - 0.1 * number))
        search.move(model, X, 1.0, RADIUS)
        assert (search.points >= 0).all() and (search.points <= 0.05).all()
        assert (search.points.sum(1) <= RADIUS * (1 + 1e-12)).all()
    assert torch.allclose(search.points.sum(1), RADIUS)


def test_some_rows_go_on_alone():
    together, alone = SparseControl(X, X, RADIUS, 25), SparseControl(X, X, RADIUS, 25)
    for number in range(3):
        step(together, number, 1.0 - number)
        step(alone, number, 1.0 - number)
    alone.keep(torch.tensor([1]))
    together.move(FREE, X, 1.0, RADIUS)
    alone.move(FREE, X[1:], 1.0, RADIUS[1:])
    assert torch.equal(alone.points[0], together.points[1])
