"""The cosine schedule against PyTorch's, and the check of a number of steps."""

import pytest
import torch

from clearance.attacks.schedule import as_steps, cosine
from clearance.errors import InputError


@pytest.mark.parametrize("steps", [2, 7, 100])
def test_the_same_values_as_torch(steps: int):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps - 1, eta_min=0.01)
    for step in range(steps):
        assert cosine(0.3, 0.01, step, steps) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        optimiser.step()
        schedule.step()


def test_one_step_has_the_first_value():
    assert cosine(0.5, 0.1, 0, 1) == 0.5
    assert as_steps(1) == 1
    with pytest.raises(InputError, match="steps: expected at least 1, got 0"):
        as_steps(0)
