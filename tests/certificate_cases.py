"""Networks, inputs and problems that the tests of the certificates share: every supported layer in a small network."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier, Normalize
from clearance.certificates.problem import VerificationProblem
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.certificates.translate import translate

IMAGE = (2, 6, 6)
NO_TIME = 1e-9
"""A time limit that is up at once."""


class Functional(nn.Module):
    """The functional forms of the layers, a residual addition, indexing, sizes taken from the input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 3, 3, padding=1)
        self.conv2 = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.shift = nn.Parameter(torch.randn(3, 1, 1))
        self.linear = nn.Linear(27, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.conv1(x * 2.0 - 0.5))
        x = functional.leaky_relu(self.norm(self.conv2(x)), 0.2) + x + self.shift
        x = torch.tanh(functional.max_pool2d(x, 2))
        x = functional.softplus(-x) - torch.sigmoid(x) / 3
        x = functional.dropout(x, training=self.training)
        return self.linear(x.view(x.size(0), -1).clamp(-1, 1.5))


class Shapes(nn.Module):
    """Padding, strides by indexing, concatenation, means."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.pad(x[:, :, ::2, ::2], (1, 1, 1, 1), value=0.3)
        z = functional.avg_pool2d(x, 3, stride=1, padding=1)[:, :, :5, :5]
        y = torch.cat([y, functional.relu6(8 * z), y - z], dim=1)
        return functional.hardtanh(self.conv(y)).mean((2, 3))


def head(*layers: nn.Module, features: int) -> nn.Sequential:
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 4))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: head(features=72),
    "convolution": lambda: head(nn.Conv2d(2, 3, 3, stride=2, padding=1, groups=1), nn.ReLU(), features=27),
    "grouped, dilated": lambda: head(nn.Conv2d(2, 4, 2, dilation=2, groups=2), nn.ReLU(), features=64),
    "batch norm": lambda: head(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), features=48),
    "batch norm 1d": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(72, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4)
    ),
    "leaky relu": lambda: head(nn.Conv2d(2, 3, 3), nn.LeakyReLU(0.3), features=48),
    "relu6": lambda: head(nn.Conv2d(2, 3, 3), nn.ReLU6(), features=48),
    "hardtanh": lambda: head(nn.Conv2d(2, 3, 3), nn.Hardtanh(-0.2, 0.3), features=48),
    "tanh": lambda: head(nn.Conv2d(2, 3, 3), nn.Tanh(), features=48),
    "sigmoid": lambda: head(nn.Conv2d(2, 3, 3), nn.Sigmoid(), features=48),
    "softplus": lambda: head(nn.Conv2d(2, 3, 3), nn.Softplus(beta=3), features=48),
    "average pooling": lambda: head(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.AvgPool2d(2), features=12),
    "adaptive pooling": lambda: head(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), features=12),
    "max pooling": lambda: head(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), features=12),
    "overlapping max pooling": lambda: head(nn.Conv2d(2, 3, 3), nn.MaxPool2d(3, 1, padding=1), features=48),
    "max pooling first": lambda: head(nn.MaxPool2d(2), nn.Conv2d(2, 3, 2), nn.ReLU(), features=12),
    "dropout, identity": lambda: head(nn.Dropout(0.5), nn.Identity(), nn.ReLU(inplace=True), features=72),
    "zero padding": lambda: head(nn.ZeroPad2d(1), nn.Conv2d(2, 3, 4, stride=2), nn.ReLU(), features=27),
    "activation last": lambda: head(nn.Conv2d(2, 3, 3), nn.ReLU(), features=48).append(nn.Softplus()),
    "unflatten": lambda: head(nn.Flatten(), nn.Unflatten(1, (2, 6, 6)), nn.Tanh(), features=72),
    "functional": Functional,
    "shapes": Shapes,
}


def model_of(name: str, *, bounds: tuple[float, float] | None = (0.0, 1.0)) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(sum(map(ord, name)))
        network = NETWORKS[name]()
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]
                layer.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
                layer.weight.data.normal_(1, 0.5)
                layer.bias.data.normal_(0, 0.3)
    return Classifier(network.double(), bounds, preprocessing=Normalize([0.4, 0.6], [0.5, 2.0]))


def images(count: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(count, *IMAGE, generator=draw, dtype=torch.float64)


def make_problem(
    network: nn.Module,
    x: Tensor,
    norm: float = 2.0,
    *,
    bounds: tuple[float, float] | None = None,
    deadline: float = math.inf,
) -> VerificationProblem:
    """Untargeted, in float64: every class but the predicted one is a target, in order."""
    model = Classifier(network, bounds)
    graph = translate(model, tuple(x.shape[1:]))
    source = graph(x).argmax(1)
    targets = torch.tensor([[k for k in range(graph.shape[0]) if k != own] for own in source.tolist()])
    box = None if bounds is None else (torch.full_like(x, bounds[0]), torch.full_like(x, bounds[1]))
    return VerificationProblem(model, graph, x, source, targets, norm, box, deadline=deadline)


def margin_bounds(problem: VerificationProblem, radius: Tensor, rows: Tensor) -> Tensor:
    """CROWN's lower bounds of linear functions of the logits, `(batch, rows, classes)`, on balls of these radii."""
    return relax(problem.graph, Region(problem.x, radius, problem.norm, problem.bounds)).lowest(
        problem.graph.last, rows
    )
