"""One step by two of its names in torch: the same proof."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import clearance as cl

WEIGHT, BIAS = torch.tensor([1.0, 0.5, 2.0, 1.0]), torch.tensor([0.1, 0.0, -0.2, 0.3])
NAMES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "max_pool2d": (lambda x: torch.max_pool2d(x, 2), lambda x: functional.max_pool2d(x, 2)),
    "max_pool1d": (lambda x: torch.max_pool1d(x[:, 0], 2), lambda x: functional.max_pool1d(x[:, 0], 2)),
    "layer_norm": (
        lambda x: torch.layer_norm(x, (4,), WEIGHT, BIAS),
        lambda x: functional.layer_norm(x, (4,), WEIGHT, BIAS),
    ),
    "rms_norm": (
        lambda x: torch.rms_norm(x, (4,), WEIGHT, 1e-3),
        lambda x: functional.rms_norm(x, (4,), WEIGHT, 1e-3),
    ),
    "group_norm": (lambda x: torch.group_norm(x, 1), lambda x: functional.group_norm(x, 1)),
    "relu_": (lambda x: torch.relu_(x - 0.4), lambda x: functional.relu(x - 0.4)),
    "selu_": (lambda x: torch.selu_(x - 0.4), lambda x: functional.selu(x - 0.4)),
    "celu_": (lambda x: torch.celu_(x - 0.4), lambda x: functional.celu(x - 0.4)),
}


class Network(nn.Module):
    """A convolution, a step, and a linear layer."""

    def __init__(self, step: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.step, self.last = nn.Conv2d(1, 2, 3, padding=1), step, nn.LazyLinear(3)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.last(self.step(self.first(x)).flatten(1))


def proved(step: Callable[[Tensor], Tensor], x: Tensor) -> float:
    torch.random.manual_seed(0)
    network = Network(step)
    network(x)
    torch.random.manual_seed(1)
    nn.init.normal_(network.last.weight)
    (proof,) = cl.certify(cl.Classifier(network.eval(), bounds=(0, 1)), x, norm="inf", method="crown")
    return proof.radius


@pytest.mark.parametrize("name", NAMES)
def test_a_step_has_the_same_proof_by_either_name(name: str):
    torch.random.manual_seed(2)
    x = torch.rand(1, 1, 4, 4)
    one, other = (proved(step, x) for step in NAMES[name])
    assert one == other > 0
