"""`hf:FOLDER`: an image classifier that transformers saved, with what its image processor does to a picture.

The processor's settings are read from its JSON: resizing and cropping happen outside, before a picture is an input;
rescaling and normalisation belong to the network's preprocessing, so that distances are in pixels from 0 to 1.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from clearance.data.files import PIXEL_LEVELS
from clearance.errors import FileError, InputError
from clearance.model.preprocessing import Normalize
from clearance.zoo.loaded import LoadedNetwork, ModelRequest, bring, import_failure, one_line

LARGEST_CONFIGURATION = 2**22
"""Bytes of a JSON file that is read: names of 21,841 classes, twice, take half of it."""

BILINEAR = 2
"""Pillow's number of the bilinear filter."""

FULL_SIZE = 384
"""The side from which on ConvNeXt's processor resizes a picture to a square and crops nothing."""


class LogitsOnly(nn.Module):
    """A classifier of transformers that returns its logits alone.

    Args:
        network: Takes `pixel_values` and returns a `ModelOutput` with `logits`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)` of pictures `(batch, channels, height, width)`."""
        return self.network(pixel_values=x).logits


@dataclass(frozen=True)
class ImageSettings:
    """What an image processor does.

    Attributes:
        image_size: Resizing: the shorter side, or exactly `(height, width)`.
        crop: Height and width of the centre that is cut out.
        preprocessing: Rescaling and normalisation of pixels in [0, 1]; `None` for nothing.
        note: What differs from how pictures are read here; empty where nothing does.
    """

    image_size: int | tuple[int, int] | None
    crop: tuple[int, int] | None
    preprocessing: Normalize | None
    note: str


def read_folder(request: ModelRequest) -> LoadedNetwork:
    """The classifier in a folder; nothing is downloaded, and no code of the folder is run.

    Args:
        request: The folder.

    Returns:
        The network with its preprocessing, picture sizes and class names; in float32 (half precision converts exactly).

    Raises:
        InputError: If the extra `hf` is not installed.
        FileError: If the folder lacks something, is damaged, or holds another kind of network.
    """
    folder = request.path
    settings = read_json(folder / "config.json", "the settings of a network that transformers saved")
    _check_sizes(settings, folder)
    transformers = bring("transformers", extra="hf", spec=request.spec)
    network = _load(transformers, folder, trust_pickle=request.trust_pickle)
    images = _image_settings(folder)
    names = cast("Mapping[int, str]", network.config.id2label)
    return LoadedNetwork(
        LogitsOnly(network),
        request.spec,
        bounds=(0.0, 1.0),
        weights=folder,
        input_shape=_input_shape(network, images),
        preprocessing=images.preprocessing,
        image_size=images.image_size,
        crop=images.crop,
        class_names=tuple(str(names[index]) for index in sorted(names)),
        notes=(f"{folder.name}: {images.note}",) if images.note else (),
    )


def read_json(path: Path, what: str) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: The file.
        what: What it should be, for messages.

    Returns:
        The object.

    Raises:
        FileError: If the file is too large, or is no JSON object.
    """
    if path.stat().st_size > LARGEST_CONFIGURATION:
        raise FileError(f"{path}: expected at most {LARGEST_CONFIGURATION:,} bytes, got {path.stat().st_size:,}")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: expected {what}, got damaged JSON ({one_line(error)})") from error
    if not isinstance(found, dict):
        raise FileError(f"{path}: expected {what}, got a JSON {type(found).__name__}")
    return cast("dict[str, Any]", found)


def _check_sizes(settings: Mapping[str, Any], folder: Path) -> None:
    """Raise where the settings ask for more layers than there are tensors, or a width above the number of values.

    Such a network would be made, for hours or in memory that is not there, before its values turned out to be missing.
    """  # noqa: DOC501
    tensors = numbers = 0
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt") as values:  # pyright: ignore[reportUnknownParameterType]
                names = list(values.keys())
                numbers += sum(_count(values.get_slice(name).get_shape()) for name in names)
                tensors += len(names)
        except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
            raise FileError(f"{file}: damaged, or no safetensors file ({one_line(error)})") from None
    if not tensors:
        return
    for name, value in _numbers(settings):
        layers = any(word in name for word in ("layer", "depth", "block", "stage"))
        most = tensors if layers else max(numbers, 2**16)
        if value > most:
            held = f"{tensors} tensors of {numbers:,} numbers"
            raise FileError(f"{folder / 'config.json'}: {name} is {value}, but the values are {held}")


def _count(shape: list[int]) -> int:
    found = 1
    for side in shape:
        found *= side
    return found


def _numbers(value: object, name: str = "") -> Generator[tuple[str, int]]:
    """The whole numbers of the settings with their names; those of classes are names, not sizes."""  # noqa: DOC402
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            if key not in ("id2label", "label2id"):
                yield from _numbers(inner, key)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _numbers(inner, name)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield name, value


def _load(transformers: ModuleType, folder: Path, *, trust_pickle: bool) -> Any:
    """The network, with plain attention: fused kernels have no second derivative."""  # noqa: DOC501
    options: dict[str, Any] = {} if trust_pickle else {"use_safetensors": True}
    try:
        with _quiet(transformers), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network, report = transformers.AutoModelForImageClassification.from_pretrained(
                str(folder),
                local_files_only=True,
                trust_remote_code=False,
                attn_implementation="eager",
                output_loading_info=True,
                **options,
            )
    except ImportError as error:
        raise InputError(
            f"model: hf:{folder} needs its network's code in transformers, {import_failure(error)}"
        ) from error
    except Exception as error:
        raise FileError(f"{folder}: expected an image classifier of transformers, got {one_line(error)}") from error
    missing = [str(name) for name in report.get("missing_keys", ())]
    wrong = [str(name) for name in report.get("mismatched_keys", ())]
    if missing or wrong:
        said = ", ".join([*sorted(missing), *sorted(wrong)][:5])
        raise FileError(f"{folder}: expected values for the whole network, got none, or of another shape, for {said}")
    return network.float()


def _input_shape(network: Any, images: ImageSettings) -> tuple[int, ...] | None:
    """Channels, height and width, where the settings name them."""
    channels = getattr(network.config, "num_channels", None)
    size = images.crop or images.image_size
    return (channels, *size) if isinstance(channels, int) and isinstance(size, tuple) else None


@contextmanager
def _quiet(transformers: ModuleType) -> Generator[None]:
    """Without the warnings and bars of progress of transformers."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _image_settings(folder: Path) -> ImageSettings:
    file = next(
        (folder / name for name in ("preprocessor_config.json", "processor_config.json") if (folder / name).is_file()),
        None,
    )
    if file is None:
        return ImageSettings(
            None, None, None, "has no preprocessor_config.json: pixels are given as they are, in [0, 1]"
        )
    settings = read_json(file, "the settings of an image processor")
    settings = cast("dict[str, Any]", settings.get("image_processor", settings))
    try:
        size, crop = _sizes(settings)
        preprocessing = _preprocessing(settings)
    except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        raise FileError(f"{file}: expected the settings of an image processor, got {one_line(error)}") from error
    filter_ = settings.get("resample", BILINEAR)
    other = size is not None and filter_ != BILINEAR
    note = f"its own image processor resizes with Pillow's filter {filter_}, not the bilinear one" if other else ""
    return ImageSettings(size, crop, preprocessing, note)


def _sizes(settings: Mapping[str, Any]) -> tuple[int | tuple[int, int] | None, tuple[int, int] | None]:
    """Resizing and cropping; ConvNeXt's processor says both by `crop_pct`."""
    size: int | tuple[int, int] | None = None
    crop = None
    if settings.get("do_resize", True) and "size" in settings:
        size = _side(settings["size"])
        share = settings.get("crop_pct")
        if share is not None and isinstance(size, int):
            size, crop = ((size, size), None) if size >= FULL_SIZE else (int(size / float(share)), (size, size))
    if settings.get("do_center_crop", False) and "crop_size" in settings:
        cut = _side(settings["crop_size"])
        crop = (cut, cut) if isinstance(cut, int) else cut
    return size, crop


def _side(size: object) -> int | tuple[int, int]:
    """The shorter side, or height and width."""  # noqa: DOC501
    if isinstance(size, Mapping):
        named = cast("Mapping[str, Any]", size)
        found = int(named["shortest_edge"]) if "shortest_edge" in named else (int(named["height"]), int(named["width"]))
    else:
        found = int(cast("Any", size))
    if min(found if isinstance(found, tuple) else (found,)) < 1:
        raise ValueError(f"the size {size}")
    return found


def _preprocessing(settings: Mapping[str, Any]) -> Normalize | None:
    """`(pixel * rescale_factor - offset - mean) / std` for a pixel from 0 to 255, as a function of pixels in [0, 1]."""
    rescaled, normalised = settings.get("do_rescale", True), settings.get("do_normalize", True)
    factor = float(settings.get("rescale_factor", 1 / PIXEL_LEVELS)) * PIXEL_LEVELS if rescaled else PIXEL_LEVELS
    factor = 1.0 if abs(factor - 1) < 1e-6 else factor
    offset = 1.0 if rescaled and settings.get("rescale_offset", False) else 0.0
    mean = settings.get("image_mean") if normalised else None
    std = settings.get("image_std") if normalised else None
    if (mean is None or std is None) and (factor, offset) == (1.0, 0.0):
        return None
    means = [0.0] if mean is None or std is None else _as_list(mean)
    stds = [1.0] if mean is None or std is None else _as_list(std)
    return Normalize([(each + offset) / factor for each in means], [each / factor for each in stds])


def _as_list(value: object) -> list[float]:
    return (
        [float(each) for each in cast("list[Any]", value)] if isinstance(value, list) else [float(cast("Any", value))]
    )
