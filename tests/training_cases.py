"""Two clouds of points and a linear network: training whose outcome is known."""

import torch
from torch import Tensor, nn


def two_clouds(count: int = 64) -> tuple[Tensor, Tensor]:
    """Two classes that differ by a lot in coordinate 0 (fragile scale 0.3) and by more in coordinate 1 (scale 1)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    centres = (labels * 2 - 1)[:, None] * torch.tensor([0.3, 1.0])
    return centres + 0.05 * torch.randn(count, 2, generator=generator), labels


def linear() -> nn.Sequential:
    """Logits 0 and `3 x_0 - x_1`: wrong in the coordinate that matters."""
    network = nn.Sequential(nn.Linear(2, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[0.0, 0.0], [3.0, -1.0]]))
        network[0].bias.zero_()
    return network


def weights(network: nn.Module) -> Tensor:
    """All parameters in a row."""
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
