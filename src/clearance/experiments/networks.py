"""The networks of the experiments in one table: bundled with the package, or trained here and kept.

A name is that of a data set and a kind, such as `mnist-dd`. A network that the package brings (`zoo.table.BUNDLED`) is
loaded; any other is trained by its recipe at the session's scale, and kept in the session's folder of networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from clearance.data.table import DATA_KINDS
from clearance.errors import InputError
from clearance.experiments.session import Session
from clearance.zoo.table import BUNDLED

if TYPE_CHECKING:
    from torch import Tensor, nn

    from clearance.model.classifier import Classifier
    from clearance.zoo.loaded import LoadedNetwork

SHOWN_DATA = {"mnist": "MNIST", "cifar10": "CIFAR"}
"""Data sets as the papers write them, where that is not their name."""
SMALLEST_FULL = 16
"""Height of a picture from which the seven-layer network has its full width: the digits of 8 × 8 pixels need less."""


@dataclass(frozen=True)
class NetworkKind:
    """One kind of network, for any data set of pictures.

    Attributes:
        shown: What the papers call it.
        make: From the shape of an input to the untrained network.
        teacher: The kind of network whose probabilities it is trained on (defensive distillation); empty for none.
        noise: Standard deviation of the Gaussian noise that it is trained with; 0 for none.
    """

    shown: str
    make: Callable[[tuple[int, int, int], int], nn.Module]
    teacher: str = ""
    noise: float = 0.0


@dataclass(frozen=True)
class PaperNetwork:
    """A network that is ready to be evaluated.

    Attributes:
        name: Its name here, such as `mnist-dd`.
        shown: What the papers call it, such as `MNIST-DD`.
        data: The data set.
        loaded: The network.
        model: The classifier.
        digest: Of its values and its code: a part of every key of the journal.
        origin: Where it comes from, in words.
        options: How its data are loaded, such as `resize`.
    """

    name: str
    shown: str
    data: str
    loaded: LoadedNetwork
    model: Classifier
    digest: str
    origin: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


def mlp(shape: tuple[int, int, int], seed: int) -> nn.Module:
    """One hidden layer of 1,024 softplus units (Hein and Andriushchenko 2017)."""
    from clearance.zoo.networks import softplus_mlp

    return softplus_mlp(shape, 10, seed=seed)


def cnn(shape: tuple[int, int, int], seed: int) -> nn.Module:
    """The seven-layer network of Carlini and Wagner (2017, table 1), of its width for the data set."""
    from clearance.zoo.networks import seven_layer_cnn

    return seven_layer_cnn(shape, 10, seed=seed, **_width(shape))


def bounded_cnn(shape: tuple[int, int, int], seed: int) -> nn.Module:
    """The same with bounded ReLU (Zantedeschi, Nicolae and Rawat 2017)."""
    from clearance.zoo.activations import bounded_relu
    from clearance.zoo.networks import seven_layer_cnn

    return seven_layer_cnn(shape, 10, seed=seed, activation=bounded_relu, **_width(shape))


class _Width(TypedDict, total=False):
    channels: tuple[int, int]
    hidden: int


def _width(shape: tuple[int, int, int]) -> _Width:
    """The paper's width for CIFAR-10 and for MNIST, and a quarter of the latter for small pictures."""
    if shape[0] == 3:
        return {"channels": (64, 128), "hidden": 256}
    return {} if shape[1] >= SMALLEST_FULL else {"channels": (8, 16), "hidden": 50}


EPOCHS = {"tiny": 20, "small": 3, "paper": 50}
"""Passes over the training inputs where a network is trained here, by scale; 50 are Carlini and Wagner's (2017)."""
NETWORK_KINDS = {
    "mlp": NetworkKind("MLP", mlp),
    "cnn": NetworkKind("CNN", cnn),
    "dd": NetworkKind("DD", cnn, teacher="cnn"),
    "brelu": NetworkKind("BReLU", bounded_cnn, noise=0.1),
}
"""Kinds of networks by the last part of a name; the noise is this project's choice."""
TEMPERATURE = 100.0
"""Of defensive distillation, for teacher and student: the strongest of Papernot et al. 2016."""
BATCH_SIZE = 128
"""Inputs in one step of training: that of Carlini and Wagner 2017, table 2."""
MOBILENET_FILE = "mobilenetv2/mobilenet_v2_1.0_224.npz"
"""The values of MobileNetV2 in the folder of data."""


def open_network(session: Session, name: str) -> PaperNetwork:
    """A network of the table, loaded or trained.

    Args:
        session: Where trained networks are kept, and at which scale.
        name: Such as `mnist-dd`.

    Returns:
        The network.

    Raises:
        InputError: If there is no such network.
    """
    from clearance.model.classifier import Classifier
    from clearance.runs.fingerprint import fingerprint
    from clearance.zoo.specs import load_model

    data, _, kind = name.rpartition("-")
    if data not in DATA_KINDS or kind not in NETWORK_KINDS:
        raise InputError(f"network: expected DATA-KIND with a kind of {', '.join(NETWORK_KINDS)}, got {name}")
    if name in BUNDLED:
        loaded = load_model(name)
        origin = f"{name} of the package (accuracy {loaded.metadata.get('clean_accuracy', 'unknown').split()[0]})"
    else:
        loaded, origin = _trained(session, name, data, NETWORK_KINDS[kind])
    model = Classifier(
        loaded.network, loaded.bounds or (0.0, 1.0), preprocessing=loaded.preprocessing, device=session.device
    )
    digest = fingerprint(loaded.network)
    return PaperNetwork(
        name,
        f"{SHOWN_DATA.get(data, data.capitalize())}-{NETWORK_KINDS[kind].shown}",
        data,
        loaded,
        model,
        digest,
        origin,
    )


def open_mobilenet(session: Session, side: int) -> PaperNetwork:
    """MobileNetV2 for ImageNet, from the folder of data.

    Args:
        session: The session.
        side: Height and width of its inputs.

    Returns:
        The network.
    """
    from clearance.data.datasets import data_folder
    from clearance.model.classifier import Classifier
    from clearance.runs.fingerprint import fingerprint
    from clearance.zoo.loaded import LoadedNetwork
    from clearance.zoo.mobilenet import mobilenet_v2

    file = data_folder() / MOBILENET_FILE
    network = mobilenet_v2(file)
    loaded = LoadedNetwork(network, "mobilenet-v2", (0.0, 1.0), file)
    model, digest = Classifier(network, (0.0, 1.0), device=session.device), fingerprint(network)
    origin = f"MobileNetV2 of width 1.0, for pictures of {side} × {side}"
    size = {"resize": (side, side)}
    return PaperNetwork("mobilenet-v2", "MobileNetV2", "imagenet-sample", loaded, model, digest, origin, size)


def _trained(session: Session, name: str, data: str, kind: NetworkKind) -> tuple[LoadedNetwork, str]:
    """A network from the session's folder, or trained now and put there."""
    from clearance.zoo.loaded import LoadedNetwork
    from clearance.zoo.weight_files import load_weights

    first = session.data(data, count=1, train=True)
    network = kind.make(_shape(first.images), session.seed)
    epochs = EPOCHS[session.scale.value]
    file = session.networks / f"{name}-{epochs}-epochs-seed-{session.seed}.safetensors"
    if not file.is_file():
        session.say(f"training {name}, {epochs} epochs")
        _train(session, network, data, kind, epochs)
        _save(network, file)
    load_weights(network, file)
    network.eval()
    return LoadedNetwork(network, name, (0.0, 1.0), file), f"{name}, trained here for {epochs} epochs"


def _train(session: Session, network: nn.Module, data: str, kind: NetworkKind, epochs: int) -> None:
    """Train a network on the training part of its data; of defensive distillation the teacher first."""
    from clearance.training import Distillation, NoiseAugmentation, Standard, TrainingSettings, train

    images, labels = (part.to(session.device) for part in _training_part(session, data))
    settings = TrainingSettings(epochs=epochs, batch_size=BATCH_SIZE, learning_rate=1e-3, seed=session.seed)
    network.to(session.device)
    if kind.teacher:
        teacher = NETWORK_KINDS[kind.teacher].make(_shape(images), session.seed).to(session.device)
        train(teacher, images, labels, settings=settings, defense=Standard(temperature=TEMPERATURE))
        defense = Distillation(teacher, temperature=TEMPERATURE)
    else:
        defense = NoiseAugmentation(kind.noise) if kind.noise else Standard()
    train(network, images, labels, settings=settings, defense=defense)
    network.cpu()


def _shape(images: Tensor) -> tuple[int, int, int]:
    """Channels, height and width."""
    _, channels, height, width = images.shape
    return channels, height, width


def _training_part(session: Session, data: str) -> tuple[Tensor, Tensor]:
    found = session.data(data, train=True)
    return found.images, found.labels


def _save(network: nn.Module, file: Path) -> None:
    from safetensors.torch import save

    from clearance.runs.files import replacing

    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file, force=True) as stream:
        stream.write(save(network.state_dict()))
