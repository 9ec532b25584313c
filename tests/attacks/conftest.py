"""The case that most attacks are measured on."""

import pytest

from attack_cases import LinearCase, linear_case


@pytest.fixture
def case() -> LinearCase:
    """Two classes split by a plane, without bounds: every distance is known exactly."""
    return linear_case()
