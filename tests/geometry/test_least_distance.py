"""Least distances against closed forms, an independent solver, and the bound that every choice of multipliers gives."""

import math

import numpy as np
import pytest
from scipy import optimize

from clearance.geometry import least_distance as module
from clearance.geometry.least_distance import Array, least_distance


@pytest.mark.parametrize(("normal", "offset"), [([3.0, 4.0], 5.0), ([-2.0, 0.0, 1.0], 7.0), ([1e-8, 0.0], 1e-3)])
def test_one_half_space(normal: list[float], offset: float):
    """The distance of `<w, d> >= h` is `D = h / ||w||`, at `w h / ||w||²`; the point loses digits as `D` grows."""
    w = np.array(normal)
    distance = offset / np.linalg.norm(w)
    bound, point = least_distance(w[None], np.array([offset]))
    assert bound == pytest.approx(distance)
    rounding = 16 * np.finfo(float).eps * (1 + distance**2)  # the point is divided by 1 / (1 + D²), a difference from 1
    assert point == pytest.approx(w * offset / (w @ w), rel=1e-12 + rounding)


def test_a_corner():
    """`d_1 >= 3` and `d_2 >= 4`: the corner itself, at distance 5."""
    bound, point = least_distance(np.eye(2), np.array([3.0, 4.0]))
    assert bound == pytest.approx(5.0) and point == pytest.approx([3.0, 4.0])


def test_the_origin_inside():
    bound, point = least_distance(np.array([[1.0, 2.0]]), np.array([-1.0]))
    assert bound == 0.0 and point is not None and not point.any()


def test_the_nearest_point_of_a_polyhedron():
    draw = np.random.default_rng(0)
    for _ in range(50):
        normals, inside = draw.normal(size=(6, 4)), draw.normal(size=4)
        offsets = normals @ inside - draw.uniform(0, 1, 6)
        bound, point = least_distance(normals, offsets)
        assert point is not None and (normals @ point >= offsets - 1e-9).all()
        assert bound <= np.linalg.norm(inside) + 1e-9
        assert np.linalg.norm(point) == pytest.approx(bound, abs=1e-9)


def quadratic_program(normals: Array, offsets: Array, start: Array) -> float:
    """The same distance by sequential quadratic programming on `½ ||d||²`."""
    constraint = {"type": "ineq", "fun": lambda d: normals @ d - offsets, "jac": lambda _: normals}
    options = {"ftol": 1e-14, "maxiter": 300}
    found = optimize.minimize(
        lambda d: 0.5 * d @ d, start, jac=lambda d: d, constraints=[constraint], method="SLSQP", options=options
    )
    assert found.success
    return float(np.linalg.norm(found.x))


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_a_quadratic_program(seed: int):
    draw = np.random.default_rng(seed)
    normals, inside = draw.normal(size=(9, 5)), 2 * draw.normal(size=5)
    offsets = normals @ inside - draw.uniform(0, 1, 9)
    assert least_distance(normals, offsets)[0] == pytest.approx(quadratic_program(normals, offsets, inside), rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_no_multipliers_prove_more(seed: int):
    """Weak duality: `h^T m / ||G^T m||` is at most the distance, whatever the multipliers `m >= 0`."""
    draw = np.random.default_rng(seed)
    normals, inside = draw.normal(size=(5, 3)), draw.normal(size=3)
    offsets = normals @ inside - draw.uniform(0, 0.1, 5)
    multipliers = draw.exponential(size=(2000, 5)) * (draw.random((2000, 5)) < 0.5)
    multipliers = multipliers[multipliers.any(1)]
    proved = (multipliers @ offsets) / np.linalg.norm(multipliers @ normals, axis=1)
    assert proved.max() <= least_distance(normals, offsets)[0] * (1 + 1e-9) + 1e-9


def test_an_empty_polyhedron_is_infinitely_far():
    assert least_distance(np.array([[1.0], [-1.0]]), np.array([1.0, 1.0]))[0] == math.inf
    assert least_distance(np.array([[0.0, 0.0]]), np.array([1.0]))[0] == math.inf  # 0 >= 1


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_rows_may_have_any_scale(factor: float):
    normals, offsets = np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([5.0, 0.9])
    scales = np.array([factor, 1.0])
    expected = least_distance(normals, offsets)[0]
    assert least_distance(normals * scales[:, None], offsets * scales)[0] == pytest.approx(expected, rel=1e-12)


def test_a_solver_that_gives_up_proves_nothing(monkeypatch: pytest.MonkeyPatch):
    def give_up(*_: object, **__: object) -> None:
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr(module.optimize, "nnls", give_up)
    assert least_distance(np.array([[3.0, 4.0]]), np.array([5.0])) == (0.0, None)
