"""The integer program of the exact distance in l1 and linf, against all sign patterns of the units, one by one."""

import math

import numpy as np
import pytest

from clearance.certificates.integer_program import SOLVER_TOLERANCE, Answer, nearest_by_integer_program
from exact_cases import Case, make_case


def solve(case: Case, seconds: float = 60.0) -> Answer:
    return nearest_by_integer_program(
        case.encoding, case.ahead, radius=case.radius, norm=case.norm, box=case.box, seconds=seconds
    )


@pytest.mark.parametrize("norm", [1.0, math.inf])
@pytest.mark.parametrize("bounds", [False, True])
@pytest.mark.parametrize("left", [0.0, 0.3])
@pytest.mark.thinned(3)
def test_it_is_the_nearest_of_all_sign_patterns(norm: float, bounds: bool, left: float):
    reached = 0
    for seed in range(5):
        case = make_case(seed, norm, bounds=bounds, left=left)
        answer, wanted = solve(case), case.distance()
        assert answer.finished
        if math.isinf(wanted):
            assert math.isinf(answer.lower) and answer.point is None
            continue
        reached += 1
        # Below by what is taken off for the solver's tolerances; above by no more than those.
        assert wanted - 4 * SOLVER_TOLERANCE * case.radius <= answer.lower <= wanted * (1 + SOLVER_TOLERANCE)
        assert answer.point is not None and answer.upper == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        assert np.linalg.norm(answer.point, norm) == pytest.approx(answer.upper, rel=1e-4, abs=1e-6)
    assert reached


@pytest.mark.parametrize("norm", [1.0, math.inf])
def test_without_units_it_is_a_linear_program(norm: float):
    """`g / ||grad g||_q`."""
    case = make_case(1, norm, bounds=False, sizes=(4, 3))
    effect, gap = (case.ahead @ case.encoding.logits)[0], -float((case.ahead @ case.encoding.biases)[0])
    wanted = gap / np.linalg.norm(effect, math.inf if norm == 1 else 1)
    answer = solve(case)
    assert not case.encoding.offsets.size and answer.finished
    if wanted <= case.radius:
        assert answer.lower == pytest.approx(wanted, abs=2e-6 * case.radius) and answer.lower <= wanted
    else:
        assert math.isinf(answer.lower)


def test_without_time_it_proves_no_more_than_is_true():
    case = make_case(0, 1.0, bounds=False, sizes=(6, 12, 12, 3))
    short, full = solve(case, seconds=0.0), solve(case)
    assert full.finished and 0 <= short.lower <= full.lower * (1 + 1e-5)
