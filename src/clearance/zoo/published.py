"""The ImageNet networks of the papers, by name: which package makes each, how it sees a picture, where its values lie.

Weng et al. (2018), section 5.1, measure ResNet-50, Inception-v3 and MobileNet; Weng et al. (2018b), section 5.2,
DenseNet-121. torchvision and timm make them without values; the values are a file of the user's in the folder of data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clearance.errors import FileError, InputError
from clearance.zoo.loaded import LoadedNetwork
from clearance.zoo.specs import load_model

VALUES_FOLDER = "imagenet-networks"
"""Folder in the folder of data with the values, `NAME.safetensors`, `NAME.pth` or `NAME.pt`."""
ENDINGS = (".safetensors", ".pth", ".pt")
"""Endings of the files of values, in the order in which they are looked for."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the channels, as torchvision trains its networks."""
HALF = (0.5, 0.5, 0.5)
"""The same mean and deviation for all channels: inputs in [-1, 1], as the networks of TensorFlow's slim see them."""


@dataclass(frozen=True)
class PublishedNetwork:
    """One network of a paper.

    Attributes:
        shown: What the papers call it.
        specs: Model specs that make it; the first whose package is installed counts.
        side: Height and width of its pictures.
        mean: Subtracted from each channel.
        std: Divided by, after that.
    """

    shown: str
    specs: tuple[str, ...]
    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


PUBLISHED = {
    "resnet-50": PublishedNetwork(
        "Resnet-50", ("torchvision:resnet50", "timm:resnet50"), 224, IMAGENET_MEAN, IMAGENET_STD
    ),
    "inception-v3": PublishedNetwork(
        "Inception-v3", ("timm:inception_v3", "torchvision:inception_v3"), 299, HALF, HALF
    ),
    "mobilenet": PublishedNetwork("MobileNet", ("timm:mobilenetv1_100",), 224, HALF, HALF),
    "densenet-121": PublishedNetwork(
        "DenseNet-121", ("torchvision:densenet121", "timm:densenet121"), 224, IMAGENET_MEAN, IMAGENET_STD
    ),
}
"""Name -> the network. `mobilenet-v2`, which stands for MobileNet where there is no such file, is `zoo.mobilenet`."""


def find_published(folder: Path) -> dict[str, Path]:
    """The networks whose values are there.

    Args:
        folder: The folder of data.

    Returns:
        Name -> the file of its values, in the order of the table.
    """
    files = {name: [folder / VALUES_FOLDER / f"{name}{ending}" for ending in ENDINGS] for name in PUBLISHED}
    return {
        name: next(file for file in each if file.is_file())
        for name, each in files.items()
        if any(file.is_file() for file in each)
    }


def open_published(name: str, values: Path) -> LoadedNetwork:
    """A network of the table with its values and its normalisation.

    Args:
        name: A name of `PUBLISHED`.
        values: The file of its values.

    Returns:
        The network; it takes pictures in [0, 1].

    Raises:
        InputError: If no package that makes it is installed and imports here, or there is no such name.
        FileError: If the values are damaged, or of no network of the table's that is installed.
    """
    from dataclasses import replace

    from clearance.model.preprocessing import Normalize

    if name not in PUBLISHED:
        raise InputError(f"network: expected one of {', '.join(PUBLISHED)}, got {name!r}")
    published, reasons = PUBLISHED[name], list[InputError | FileError]()
    for spec in published.specs:
        try:
            loaded = load_model(spec, weights=values, bounds=(0.0, 1.0))
        except (InputError, FileError) as error:
            reasons.append(error)
            continue
        return replace(
            loaded,
            preprocessing=Normalize(list(published.mean), list(published.std)),
            image_size=(published.side, published.side),
            input_shape=(3, published.side, published.side),
        )
    damaged = [reason for reason in reasons if isinstance(reason, FileError)]
    raise (damaged or reasons)[0]
