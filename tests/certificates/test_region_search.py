"""The search over regions for the exact l2 distance, against all sign patterns of the units, one by one."""

import math

import numpy as np
import pytest

from clearance.certificates.integer_program import Answer
from clearance.certificates.region_search import nearest_by_regions
from exact_cases import Case, make_case


def solve(case: Case, seconds: float = 60.0) -> Answer:
    box = case.box if np.isfinite(case.box[0]).all() else None
    return nearest_by_regions(case.encoding, case.ahead, radius=case.radius, box=box, seconds=seconds)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("bounds", [False, True])
@pytest.mark.parametrize("left", [0.0, 0.3])
def test_it_is_the_nearest_of_all_sign_patterns(bounds: bool, left: float):
    reached = 0
    for seed in range(5):
        case = make_case(seed, 2.0, bounds=bounds, left=left)
        answer, wanted = solve(case), case.distance()
        assert answer.finished
        if math.isinf(wanted):
            assert math.isinf(answer.lower) and answer.point is None
            continue
        reached += 1
        assert answer.lower == pytest.approx(wanted, rel=1e-5, abs=1e-7)
        assert answer.point is not None and np.linalg.norm(answer.point) == pytest.approx(answer.upper)
        assert answer.upper >= answer.lower * (1 - 1e-9)
    assert reached


def test_without_units_it_is_the_distance_to_the_hyperplane():
    case = make_case(1, 2.0, bounds=False, sizes=(4, 3))
    effect, gap = (case.ahead @ case.encoding.logits)[0], -float((case.ahead @ case.encoding.biases)[0])
    wanted, answer = gap / np.linalg.norm(effect), solve(case)
    assert answer.finished
    assert answer.lower == (pytest.approx(wanted, rel=1e-9) if wanted <= case.radius else math.inf)


def test_without_time_it_proves_no_more_than_is_true():
    case = make_case(0, 2.0, bounds=False, sizes=(6, 8, 8, 3))
    short, full = solve(case, seconds=-1.0), solve(case)
    assert not short.finished and full.finished and 0 <= short.lower <= full.lower * (1 + 1e-9)
    assert short.point is None and math.isinf(short.upper)
