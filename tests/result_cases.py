"""A linear classifier with known distances, and inputs for it."""

import torch

WEIGHTS = ((3.0, 4.0), (0.0, 0.0))
X = torch.tensor([[1.0, 0.5], [0.1, 0.1], [-1.0, 0.0], [2.0, 1.0]])
LABELS = [0, 0, 0, 0]
DISTANCES = (1.0, 0.14, 2.0)
"""Of the inputs that are classified correctly: the first, the second and the last."""


def linear(scale: float = 1.0) -> torch.nn.Linear:
    network = torch.nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor(WEIGHTS) * scale)
    return network


class Named(torch.nn.Module):
    """A network of another kind with the same answers, so that it has another name."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = linear()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


KINDS = ("bracket", "profile", "ball", "second", "attack", "certify", "audit")
