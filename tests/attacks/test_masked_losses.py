"""Networks that mask one loss of Auto-PGD or two: each run with it alone fails, the sequence of stages does not.

All of them have the decision boundary of a linear classifier of two classes: the exact distances are known.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from attack_cases import INF
from clearance.attacks import fixed_radius
from clearance.attacks.fixed_radius import attack_within
from clearance.attacks.radius_stages import Stage
from clearance.attacks.result import AttackResult
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare

SIZE = 30
WAY = torch.randn(SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
"""Along it the margin `1 + <way, x>` of the first class falls or rises."""


def real(x: Tensor) -> Tensor:
    """Logits of the two classes that any input is ever predicted as, `(batch, 2)`."""
    margin = 1 + x @ WAY
    return torch.stack([margin / 2, -margin / 2], 1)


def averaged(x: Tensor) -> Tensor:
    """Logits so small that the cross-entropy sees the mean of all other classes, and 40 of these lead the wrong way."""
    low = -9 + (x @ WAY)[:, None].expand(-1, 40)
    return 1e-3 * torch.cat([real(x), low], 1)


def followed(x: Tensor) -> Tensor:
    """A class that always lies a little behind the predicted one: the margin to the nearest class is constant."""
    logits = real(x)
    return torch.cat([logits, logits.amax(1, keepdim=True) - 1e-3], 1)


def far_apart(x: Tensor) -> Tensor:
    """The same with logits so large that the cross-entropy is that margin."""
    return 1e5 * followed(x)


def squared(x: Tensor) -> Tensor:
    """Two classes that fall behind by the margin's square: the ratio `m / 10 m^2` falls as the margin grows."""
    logits = real(x)
    low = logits.amax(1) - 10 * (logits[:, 0] - logits[:, 1]).square()
    return torch.cat([logits, low[:, None].expand(-1, 2)], 1)


MASKS = [(averaged, "cross_entropy"), (followed, "margin"), (far_apart, "margin"), (far_apart, "cross_entropy")]
MASKS += [(squared, "dlr")]
each_norm = pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, INF])


def attacked(network: Callable[[Tensor], Tensor], norm: float) -> list[AttackResult]:
    x = 0.02 * torch.randn(2, SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert (real(x)[:, 0] > 0).all()
    exact = (1 + x @ WAY) / vector_norm(WAY[None], dual_norm(norm))
    inputs = prepare(
        Classifier(network, dtype=torch.float64), x, None, target="untargeted", norm=norm, seed=0, one_by_one=True
    )
    return attack_within(inputs, 1.3 * float(exact.max()), 2000)


@each_norm
@pytest.mark.parametrize("network", [real, averaged, followed, far_apart, squared])
def test_all_are_broken(network: Callable[[Tensor], Tensor], norm: float):
    assert all(result.success for result in attacked(network, norm))


@pytest.mark.parametrize("norm", [2.0, INF])
@pytest.mark.parametrize(("network", "loss"), MASKS)
@pytest.mark.thinned(3)
def test_with_the_masked_loss_alone_none_is(network, loss: str, norm: float, monkeypatch):
    rank = 0 if loss == "dlr" else None
    monkeypatch.setattr(fixed_radius, "sequence", lambda norm: iter([Stage("apgd", 50, loss=loss, rank=rank)] * 9))
    assert not any(result.success for result in attacked(network, norm))
