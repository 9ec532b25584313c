"""Every supported layer: the graph answers as the network does, and no point of a certified ball changes the class."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier, Normalize, certify
from clearance.attacks import attack
from clearance.certificates.crown import Relaxation
from clearance.certificates.region import Region
from clearance.certificates.translate import translate
from clearance.geometry.balls import sample_ball

IMAGE = (2, 6, 6)


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
each = pytest.mark.parametrize("name", NETWORKS)


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


@each
def test_the_graph_answers_as_the_network(name: str):
    model, x = model_of(name), images(5)
    graph = translate(model, IMAGE)
    assert torch.allclose(graph(x), model.logits(x), atol=2e-8)


@each
@pytest.mark.parametrize("order", [1.0, 2.0, math.inf])
def test_bounds_of_every_node_hold(name: str, order: float):
    model, x = model_of(name), images(2)
    graph = translate(model, IMAGE)
    radius = torch.tensor([0.02, 0.3], dtype=torch.float64) * (1 if math.isinf(order) else 10)
    box = (torch.zeros_like(x), torch.ones_like(x))
    region = Region(x, radius, order, box)
    relaxed = Relaxation(graph, region)
    rows = torch.cat([torch.eye(4, dtype=torch.float64), -torch.eye(4, dtype=torch.float64)])[None]
    below = relaxed.lowest(len(graph.nodes) - 1, rows)
    draw = torch.Generator().manual_seed(1)
    for i in range(2):
        points = sample_ball(300, IMAGE, norm=order, radius=float(radius[i]), generator=draw).double() + x[i]
        points = points.clamp(0, 1)  # nearer to x in every entry
        values = [points]
        for node in graph.nodes[1:]:
            values.append(node.operation.apply(*(values[j] for j in node.inputs)))  # type: ignore[union-attr]
        for j, (low, high) in enumerate(zip(relaxed.low, relaxed.high, strict=True)):
            assert (low[i] <= values[j] + 1e-9).all() and (values[j] <= high[i] + 1e-9).all(), j
        assert (values[-1] @ rows[0].T >= below[i] - 1e-9).all()


@each
@pytest.mark.parametrize("order", [1.0, 1.7, 2.0, math.inf])
@pytest.mark.parametrize("method", ["crown", "operator-norms"])
def test_no_point_of_the_ball_changes_the_class(name: str, order: float, method: str):
    bounds = None if order == 1.7 else (0.0, 1.0)
    model, x = model_of(name, bounds=bounds), images(3)
    proofs = certify(model, x, norm=order, method=method)
    assert all(proof.status == "certified" and proof.radius > 0 for proof in proofs)
    draw = torch.Generator().manual_seed(2)
    for i, proof in enumerate(proofs):
        if math.isinf(proof.radius):
            continue
        points = sample_ball(300, IMAGE, norm=order, radius=proof.radius, generator=draw).double() + x[i]
        assert (model.logits(model.clip(points)).argmax(1) == proof.predicted).all()
    if method == "crown":
        for proof, witness in zip(proofs, attack(model, x, norm=order, budget="quick"), strict=True):
            assert proof.radius <= witness.distance


@pytest.mark.parametrize("name", ["convolution", "max pooling", "functional", "shapes"])
def test_small_chunks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch):
    model, x = model_of(name), images(4)
    whole = certify(model, x, method="crown")
    monkeypatch.setattr("clearance.certificates.graph.CHUNK", 3000)
    parts = certify(model, x, method="crown")
    assert [proof.radius for proof in parts] == pytest.approx([proof.radius for proof in whole], rel=1e-9)


class Raises(nn.Module):
    """A head of 4 logits after one step."""

    def __init__(self, step: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.step, self.linear = step, nn.Linear(72, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.step(x).flatten(1))


def hooked() -> nn.Module:
    network = head(nn.ReLU(), features=72)
    network[0].register_forward_hook(lambda *_: None)
    return network


def reused_in_place(x: Tensor) -> Tensor:
    x = x * 1.0
    return functional.relu(x, inplace=True) + x


UNSUPPORTED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "layer": (lambda: head(nn.ReLU(), nn.GELU(), features=72), "GELU (1)"),
    "nested layer": (lambda: nn.Sequential(nn.Sequential(nn.ELU()), head(features=72)), "ELU (0.0)"),
    "function": (lambda: Raises(torch.exp), "exp"),
    "product": (lambda: Raises(lambda x: x * x), "mul"),
    "control flow": (lambda: Raises(lambda x: x if x.sum() > 0 else -x), "torch.fx cannot trace"),
    "random": (lambda: Raises(lambda x: x + torch.randn(6)), "random numbers"),
    "detached": (lambda: Raises(lambda x: x.detach()), "detach"),
    "hooks": (hooked, "forward hooks"),
    "changed in place": (lambda: Raises(reused_in_place), "in place"),
    "mixes the batch": (lambda: Raises(lambda x: x - x.mean((0,), keepdim=True)), "mean"),
    "batch statistics": (lambda: head(nn.BatchNorm2d(2, track_running_stats=False), features=72), "BatchNorm2d (0)"),
    "negative slope": (lambda: head(nn.LeakyReLU(-1.0), features=72), "LeakyReLU (0)"),
    "circular padding": (lambda: head(nn.Conv2d(2, 3, 3, padding_mode="circular"), features=48), "Conv2d (0)"),
    "ceil mode": (lambda: head(nn.MaxPool2d(4, 4, ceil_mode=True), features=8), "MaxPool2d (0)"),
    "constant": (lambda: Raises(lambda x: torch.ones(len(x), 72, dtype=x.dtype)), ""),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_supported_is_named_and_has_no_radius(name: str):
    make, said = UNSUPPORTED[name]
    torch.manual_seed(0)
    network = make().double()
    (proof,) = certify(Classifier(network, (0, 1)), images(1))
    assert proof.status == "unsupported"
    assert said in proof.reason
    assert math.isnan(proof.radius) and proof.as_record()["radius"] is None


def test_a_network_that_answers_otherwise_than_its_trace_is_refused():
    two_faced = Raises(lambda x: x * (1.0 if isinstance(x, Tensor) else 1.01)).double()
    (proof,) = certify(Classifier(two_faced), images(1))
    assert proof.status == "unsupported"
    assert "logits differ" in proof.reason
