"""Small networks of ReLU and LeakyReLU units with dense layers, convolutions and residual sums, and points in balls."""

import math

import torch
from torch import Tensor, nn

from clearance import Classifier
from clearance.certificates.graph import Graph
from clearance.certificates.region import Region
from clearance.certificates.relaxation import Relaxation, relax
from clearance.certificates.translate import translate

NORMS = [1.0, 1.5, 2.0, math.inf]


class Residual(nn.Module):
    """A convolution with a residual sum around it, and a dense layer with one around it."""

    def __init__(self, left: float) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.dense, self.last = nn.Linear(18, 18), nn.Linear(18, 3)
        self.act = nn.LeakyReLU(left) if left else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.first(x))
        h = (self.act(self.second(h) + h)).flatten(1)
        return self.last(self.act(self.dense(h)) + h)


def small_network(seed: int) -> tuple[Classifier, Tensor]:
    """A network and one input, `(1, *input)`: every third is convolutional, every second has bounds."""
    torch.manual_seed(seed)
    left = 0.2 * (seed % 2)
    if seed % 3:
        act = [nn.LeakyReLU(left) if left else nn.ReLU() for _ in range(2)]
        network: nn.Module = nn.Sequential(nn.Linear(3, 7), act[0], nn.Linear(7, 6), act[1], nn.Linear(6, 3))
        shape = (1, 3)
    else:
        network, shape = Residual(left), (1, 1, 3, 3)
    for parameter in network.parameters():
        parameter.data.mul_(1.5)
    x = torch.rand(shape, dtype=torch.float64)
    return Classifier(network.double(), (0, 1) if seed % 4 < 2 else None), x


def ball(model: Classifier, x: Tensor, radius: float, norm: float) -> Region:
    """The ball around one input, cut by the classifier's bounds."""
    bounds = None if model.bounds is None else (torch.zeros_like(x), torch.ones_like(x))
    return Region(x, torch.tensor([radius], dtype=torch.float64), norm, bounds)


def relaxed(model: Classifier, x: Tensor, radius: float, norm: float) -> Relaxation:
    """The network's bounds on that ball."""
    return relax(translate(model, tuple(x.shape[1:])), ball(model, x, radius, norm))


def points_in(region: Region, count: int, seed: int = 0) -> Tensor:
    """Random points of a ball, corners and the boundary among them, `(count, *input)`."""
    draw = torch.Generator().manual_seed(seed)
    shape = (count, *region.center.shape[1:])
    step = torch.randn(shape, generator=draw, dtype=torch.float64)
    step[::2] = step[::2].sign()
    flat = step.flatten(1)
    size = flat.abs().amax(1) if math.isinf(region.norm) else flat.abs().pow(region.norm).sum(1) ** (1 / region.norm)
    share = torch.rand(count, generator=draw, dtype=torch.float64) ** 0.3
    share[::3] = 1.0
    points = region.center + step * (share * region.radius / size).reshape(-1, *[1] * (step.ndim - 1))
    return points if region.bounds is None else points.clamp(0.0, 1.0)


def unit_values(graph: Graph, points: Tensor) -> Tensor:
    """What every unit of the activations takes, in order, `(points, all units)`."""
    values = graph.values(points)
    return torch.cat([values[graph.step(place).inputs[0]].flatten(1) for place in graph.nonlinear], 1)
