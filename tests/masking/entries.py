"""What both sets are made of: entries, the registers that hold them, the digits, and layers and networks to combine."""

import functools
import zlib
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clearance import Classifier, datasets
from clearance.training import TrainingSettings, train
from clearance.zoo.specs import load_model

PASSES = 8
"""An input counts as classified correctly if it is so in that many passes, on its own: some classifiers are random."""
REFERENCES = slice(20, 120)
"""Test inputs that audits walk to."""


@dataclass(frozen=True)
class Data:
    """A training and a test set."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


@dataclass(frozen=True)
class Entry:
    """A classifier, the first 5 test inputs that it classifies correctly, its accuracy, and some other test inputs."""

    name: str
    model: Classifier
    inputs: Tensor
    labels: Tensor
    accuracy: float
    references: Tensor


Builder = Callable[[], Classifier]
Zoo = dict[str, Callable[[], Entry]]
MASKED: Zoo = {}
HONEST: Zoo = {}


@functools.cache
def digits() -> Data:
    training, test = datasets.load("digits", train=True), datasets.load("digits")
    return Data(training.images, training.labels, test.images, test.labels)


def enter(zoo: Zoo, data: Callable[[], Data] = digits) -> Callable[[Builder], Builder]:
    """Put a builder into a set under its own name, with `-` for `_`."""

    def register(build: Builder) -> Builder:
        name = build.__name__.replace("_", "-")

        @functools.cache
        def entry() -> Entry:
            with seeded(name):
                return make_entry(name, build(), data())

        zoo[name] = entry
        return build

    return register


def make_entry(name: str, model: Classifier, data: Data) -> Entry:
    accuracy = (model.logits(data.test_images.to(model.dtype)).argmax(1) == data.test_labels).double().mean().item()
    rows: list[int] = []
    for row, label in enumerate(data.test_labels.tolist()):
        alone = data.test_images[row : row + 1].to(model.dtype)
        if all(int(model.logits(alone).argmax()) == label for _ in range(PASSES)):
            rows.append(row)
        if len(rows) == 5:
            break
    references = data.test_images[REFERENCES].to(model.dtype)
    return Entry(name, model, data.test_images[rows], data.test_labels[rows], accuracy, references)


@contextmanager
def seeded(name: str) -> Generator[None]:
    """Layers made within it are filled from a seed of that name; the global generator is put back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(zlib.crc32(name.encode()))
        yield


def fit(network: nn.Module, *, epochs: int = 15, rate: float = 3e-3, data: Data | None = None) -> nn.Module:
    data = data or digits()
    settings = TrainingSettings(epochs=epochs, batch_size=64, learning_rate=rate)
    train(network, data.images, data.labels, settings=settings)
    return network.eval()


class Apply(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def standard() -> nn.Sequential:
    """The bundled convolutional network of the digits: `conv1`, `act1`, `conv2`, `act2`, `flatten`, `hidden`, ..."""
    network = load_model("digits-standard").network
    assert isinstance(network, nn.Sequential)
    return network


def before(layer: str, inserted: nn.Module, network: nn.Sequential | None = None) -> nn.Sequential:
    """The standard network with another layer in front of one of its own."""
    layers: list[tuple[str, nn.Module]] = []
    for name, module in (network or standard()).named_children():
        layers += [("inserted", inserted), (name, module)] if name == layer else [(name, module)]
    return nn.Sequential(OrderedDict(layers))


def mlp(
    *widths: int,
    activation: Callable[[], nn.Module] = nn.ReLU,
    inputs: int = 64,
    classes: int = 10,
    norm: Callable[[int], nn.Module] | None = None,
) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for width in widths:
        layers += [nn.Linear(inputs, width), *([norm(width)] if norm else []), activation()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, classes))


def cnn(*, pool: nn.Module, norm: Callable[[int], nn.Module] = lambda _: nn.Identity()) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 12, 3, padding=1), norm(12), nn.ReLU(), pool),
        *(nn.Conv2d(12, 24, 3, padding=1), norm(24), nn.ReLU(), pool),
        *(nn.Flatten(), nn.Linear(96, 10)),
    )


def on_pixels(network: Callable[[Tensor], Tensor], preprocessing: nn.Module | None = None) -> Classifier:
    """A classifier of inputs in [0, 1], its modules in evaluation mode."""
    for part in (network, preprocessing):
        if isinstance(part, nn.Module):
            part.eval()
    return Classifier(network, bounds=(0, 1), preprocessing=preprocessing)


def after_standard(function: Callable[[Tensor], Tensor]) -> Classifier:
    return on_pixels(nn.Sequential(standard(), Apply(function)))


def fit_with(
    network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], *, epochs: int = 20, rate: float = 5e-3
) -> None:
    """Adam on a loss of the logits and the numbers of the training digits they belong to."""
    data, optimiser = digits(), torch.optim.Adam(network.parameters(), lr=rate)
    for _ in range(epochs):
        for rows in torch.randperm(len(data.images)).split(64):
            optimiser.zero_grad()
            loss(network(data.images[rows]), rows).backward()
            optimiser.step()
