"""Steps in place: refused where another value shares the memory that they change, supported everywhere else."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier, certify
from clearance.certificates.certificate import Certificate
from clearance.certificates.translate import translate
from clearance.geometry.balls import sample_ball

Step = Callable[[Tensor], Tensor]


class Shared(nn.Module):
    """`1.5 - h` twice over, one time after a step in place on what may be `h`'s memory: at 0.3 the step does nothing.

    By hand: for |x| <= 1 the margin is 1, beyond it falls by 1 for each unit if the step changes `h`, by half if not.
    """

    def __init__(self, change: Step) -> None:
        super().__init__()
        self.first, self.last, self.change = nn.Linear(1, 2), nn.Linear(2, 2), change
        self.first.weight.data = torch.tensor([[1.0], [-1.0]])
        self.first.bias.data = torch.ones(2)
        self.last.weight.data = torch.tensor([[-0.5, -0.5], [0.0, 0.0]])
        self.last.bias.data = torch.tensor([1.5, 0.0])
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        y = self.change(h)
        return self.last(h) + self.last(y)


def relu_(x: Tensor) -> Tensor:
    return functional.relu(x, inplace=True)


def plus(x: Tensor) -> Tensor:
    other = functional.relu(-x)
    x += other
    return x


def minus(x: Tensor) -> Tensor:
    other = -functional.relu(-x)
    x -= other
    return x


SHARING: dict[str, Step] = {
    "itself": relu_,
    "dropout": lambda h: relu_(functional.dropout(h, training=False)),
    "flatten": lambda h: relu_(h.flatten(1)),
    "torch.flatten": lambda h: relu_(torch.flatten(h, 1)),
    "view": lambda h: relu_(h.view(-1, 2)),
    "reshape": lambda h: relu_(h.reshape(h.size(0), 2)),
    "contiguous": lambda h: relu_(h.contiguous()),
    "indexing": lambda h: relu_(h[:, :]),
    "there and back": lambda h: relu_(h.unsqueeze(1).squeeze(1)),
    "padding": lambda h: relu_(functional.pad(h, (0, 0))),
    "two views": lambda h: relu_(h.view(-1, 1, 2).flatten(1)[:, :2]),
    "hardtanh": lambda h: functional.hardtanh(h.view(-1, 2), 0.0, 100.0, inplace=True),
    "+=": plus,
    "-=": minus,
    "+= on a view": lambda h: plus(h.view(-1, 2)),
}


SAME_TENSOR = {"itself", "dropout", "flatten", "torch.flatten", "contiguous", "+=", "-="}
"""Those in which torch returns the very tensor that it takes."""


@pytest.mark.parametrize("name", SHARING)
def test_a_step_in_place_on_shared_memory_is_refused(name: str):
    model = Classifier(Shared(SHARING[name]))
    x = torch.tensor([[0.3]])
    assert model.logits(torch.tensor([[2.21]])).argmax() == 1 or name == "padding"  # padding by nothing copies
    (proof,) = certify(model, x)
    if proof.status.has_radius:  # recorded: the same tensor under two names, which the step has changed
        assert name in SAME_TENSOR and proof.radius == pytest.approx(1.7, abs=1e-3)
        return
    assert proof.status == "unsupported" and math.isnan(proof.radius)
    assert "in place" in proof.reason


class Layers(nn.Module):
    """As modules: what comes between is a layer."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.first, self.between, self.relu, self.last = (
            nn.Linear(2, 3),
            between,
            nn.ReLU(inplace=True),
            nn.Linear(3, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        return self.last(self.relu(self.between(h))) + self.last(h)


@pytest.mark.parametrize("between", [nn.Dropout(0.5), nn.Identity(), nn.Flatten(), nn.Unflatten(1, (3,))])
def test_a_layer_that_returns_what_it_takes_hides_nothing(between: nn.Module):
    model, x = Classifier(Layers(between), (-9, 9)), torch.full((1, 2), 0.3)
    (proof,) = certify(model, x)
    if type(between) is nn.Unflatten:
        assert proof.status == "unsupported" and "uses what ReLU (relu) has changed in place" in proof.reason
    else:  # the very tensor comes back, and the record says so
        shifts = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
        points = x + 0.999 * proof.radius * shifts / shifts.norm(dim=1, keepdim=True)
        assert proof.status.has_radius and set(model.logits(points).argmax(1).tolist()) == {proof.predicted}


class Plain(nn.Module):
    """A step on the input, then a head."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step, self.linear = step, nn.Linear(4, 3)
        self.shift = nn.Parameter(torch.zeros(1, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.step(x) + self.shift)


@pytest.mark.parametrize("step", [relu_, plus, lambda x: relu_(x.flatten(1)), lambda x: relu_(x[:, :4])])
def test_a_step_in_place_on_the_input_itself_is_refused(step: Step):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Classifier(Plain(step), micro_batch=8)  # to measure its memory would raise: no step in place on a leaf
    (proof,) = certify(model, torch.full((1, 4), 0.3))
    assert proof.status == "unsupported" and "changes the network's input or a constant in place" in proof.reason


def test_a_constant_changed_in_place_is_refused():
    class Stateful(Plain):
        def forward(self, x: Tensor) -> Tensor:
            held = self.shift
            held += self.step(x)
            return self.linear(held)

    network = Stateful(nn.Identity())
    network.shift.requires_grad_(False)
    (proof,) = certify(Classifier(network, micro_batch=8), torch.zeros(1, 4))
    assert proof.status == "unsupported" and "a constant in place" in proof.reason


def test_a_sum_with_a_view_of_itself_in_place_is_refused():
    class Part(Plain):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 1.0
            y += y.view(-1, 4)
            return self.linear(y)

    (proof,) = certify(Classifier(Part(nn.Identity())), torch.full((1, 4), 0.3))
    assert proof.status == "unsupported" and "reads in another way" in proof.reason


class Statement(nn.Module):
    """A step in place whose value nobody takes."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.step = nn.Linear(3, 8), nn.Linear(8, 2), step

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        self.step(hidden)
        return self.last(hidden)


@pytest.mark.parametrize("step", [torch.relu_, functional.relu_, lambda h: h.relu_()])
def test_a_function_in_place_whose_value_is_not_taken_is_recorded(step: Step):
    x = torch.full((1, 3), 0.5)
    (found,) = certify(Classifier(Statement(step), bounds=(0, 3)), x, method="crown")
    layers = Statement(step)
    (wanted,) = certify(
        Classifier(nn.Sequential(layers.first, nn.ReLU(), layers.last), bounds=(0, 3)), x, method="crown"
    )
    assert found.reason == wanted.reason and found.radius == pytest.approx(wanted.radius, rel=1e-6)


def test_a_sum_with_itself_in_place_is_recorded():
    class Sum(Plain):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 1.0
            y += y.flatten(1)
            return self.linear(y)

    model = Classifier(Sum(nn.Identity()).double())
    x = torch.rand(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(translate(model, (4,))(x), model.logits(x))  # flatten returns the very tensor: y + y


class Block(nn.Module):
    """A residual block as torchvision writes it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class PreActivation(nn.Module):
    """A residual block with the activation first: the shortcut takes what the step in place left."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(channels), nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out = relu_(self.bn(x))
        return self.conv(out) + out


class Dense(nn.Module):
    """Features that grow by concatenation; a size taken from what has been changed in place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(channels), nn.Conv2d(channels, 2, 3, padding=1)
        self.last = nn.BatchNorm2d(channels + 2)

    def forward(self, x: Tensor) -> Tensor:
        new = self.conv(relu_(self.bn(x)))
        features = self.last(torch.cat([x, new], 1))
        out = relu_(features)
        return functional.adaptive_avg_pool2d(out, 1).view(features.size(0), -1)


class Aside(nn.Module):
    """`h` is read before the step in place, and its own view after it."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.one(x)
        before = self.two(h)
        after = relu_(h.view(h.shape[0], 2, 4, 4))
        after *= 2.0
        after /= 3.0
        return before - after


ORDINARY: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.BatchNorm2d(2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
        nn.Conv2d(2, 2, 3, padding=1),
        nn.ReLU6(inplace=True),
        nn.Flatten(),
        nn.Dropout(0.5, inplace=True),
        nn.Linear(8, 6),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Dropout(),
        nn.Linear(6, 3),
    ),
    "residual": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.BatchNorm2d(2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        Block(2),
        Block(2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 3),
    ),
    "pre-activation": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3),
        PreActivation(2),
        PreActivation(2),
        nn.BatchNorm2d(2),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(8, 3),
    ),
    "dense": lambda: nn.Sequential(nn.Conv2d(1, 2, 3), Dense(2), nn.Linear(4, 3)),
    "aside": lambda: nn.Sequential(nn.Conv2d(1, 2, 1), Aside(), nn.Flatten(), nn.Linear(32, 3)),
    "shared layer": lambda: nn.Sequential(
        nn.Linear(4, 4), *[nn.ReLU(inplace=True), nn.Linear(4, 4)] * 2, nn.Flatten(), nn.Linear(16, 3)
    ),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_networks_with_steps_in_place_are_supported(name: str):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = ORDINARY[name]().double()
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]
                layer.weight.data.normal_(1, 0.5)
    draw = torch.Generator().manual_seed(0)
    model, x = Classifier(network), torch.rand(3, 1, 4, 4, generator=draw, dtype=torch.float64)
    assert torch.allclose(translate(model, (1, 4, 4))(x - 0.7), model.logits(x - 0.7), atol=1e-12)
    for row, proof in zip(x, proofs_of(model, x), strict=True):
        points = row + sample_ball(300, (1, 4, 4), norm=2, radius=proof.radius, generator=draw).double()
        assert (model.logits(points).argmax(1) == proof.predicted).all()


def proofs_of(model: Classifier, x: Tensor) -> list[Certificate]:
    proofs = certify(model, x)
    assert all(proof.status == "certified" and proof.radius > 0 for proof in proofs), proofs[0].reason
    return proofs


def test_a_constant_is_taken_as_it_was_when_it_was_used():
    """`relu(x - 1)` moves the logits beyond 1; with the constant as it is in the end, nothing would below 11."""

    class Moved(Plain):
        def forward(self, x: Tensor) -> Tensor:
            constant = torch.full((1, 4), -1.0)
            excess = functional.relu(x + constant)
            constant -= 10.0
            return self.linear(excess)

    network = Moved(nn.Identity())
    network.linear.weight.data = torch.tensor([[-1.0], [0.0], [0.0]]).expand(3, 4).clone()
    network.linear.bias.data = torch.tensor([1.0, 0.0, 0.0])
    (proof,) = certify(Classifier(network), torch.zeros(1, 4), norm="inf")
    assert proof.status == "certified" and 0.9 < proof.radius <= 1.25  # at 1.25 each, excess is 4 times 0.25
