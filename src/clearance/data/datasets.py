"""Evaluation sets by name or from files: real inputs with their labels.

    digits               8 × 8 handwritten digits, from scikit-learn (Alpaydin and Kaynak 1998); always there
    mnist                28 × 28, read from the folder `mnist` under `CLEARANCE_DATA` (default ../shared/data)
    FOLDER               idx files under MNIST's names (t10k-images-idx3-ubyte, train-labels-idx1-ubyte.gz, ...)
    IMAGES,LABELS        a pair of idx files
    FILE.npz             arrays `images` (count, *input) and `labels` (count,); optionally `bounds` (2,), `class_names`

**Units.** Images and bounds are always in the same units. uint8 images are divided by 255, and their bounds are (0, 1);
with other `bounds` in the file, such as (0, 255), they are kept as they are, as whole numbers of any other type are
(without bounds those are refused: their units are not known). Floating images keep their own units, and their bounds
are unknown unless the file names them. `Dataset.in_units_of((0, 255))` is the same set in the units that were stored.
Images of idx files become (count, 1, height, width); those of a `.npz` keep their shape.

**Split of the digits.** Every fifth image (index 0, 5, 10, ...; 360 of 1,797) is for testing, the others for training.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clearance.data.files import (
    absence,
    check_labels,
    described,
    path_kind,
    read_idx,
    read_npz,
    refuse_pickle,
    scale_images,
)
from clearance.errors import FileError, InputError

DATA_VARIABLE = "CLEARANCE_DATA"
"""The environment variable that names the folder of the data sets."""

DATASET_NAMES = ("digits", "mnist")
"""The sets that go by a name: the one that is always there, and the papers' smallest."""

Bounds = tuple[float, float]
"""The valid range of an input, `(low, high)`, in input units."""


@dataclass(frozen=True)
class Dataset:
    """Inputs with their labels.

    Attributes:
        images: `(count, *input)`, float32, in input units.
        labels: `(count,)`, int64 class indices.
        name: What it is called in results, for example `digits-test`.
        bounds: The valid range of an input, `(low, high)`; `None` where it is not known.
        class_names: A name for each class; empty where there are none.
        scale: What the stored values were divided by: 255 for uint8, 1 where they were kept.
    """

    images: Tensor
    labels: Tensor
    name: str
    bounds: Bounds | None
    class_names: tuple[str, ...] = ()
    scale: float = 1.0

    def __len__(self) -> int:
        """How many inputs there are."""
        return len(self.labels)

    def part(self, *, count: int | None = None, offset: int = 0) -> "Dataset":
        """Consecutive inputs of this set.

        Args:
            count: How many; `None` takes all that follow.
            offset: Index of the first.

        Returns:
            A set of exactly `count` inputs.

        Raises:
            InputError: If the set does not have that many.
        """
        if not 0 <= offset < len(self):
            raise InputError(f"offset: expected 0 to {len(self) - 1} for {self.name}, got {offset}")
        available = len(self) - offset
        taken = available if count is None else count
        if not 1 <= taken <= available:
            raise InputError(f"count: expected 1 to {available} for {self.name} from offset {offset}, got {count}")
        chosen = slice(offset, offset + taken)
        return replace(self, images=self.images[chosen], labels=self.labels[chosen])

    def in_units_of(self, bounds: Bounds) -> "Dataset":
        """The same set in the units of these bounds.

        Args:
            bounds: The valid range of an input, as the user gave it.

        Returns:
            A set whose images were divided by nothing where the bounds are those of the stored values, such as
            (0, 255); the set itself where nothing had been divided or its bounds are these.

        Raises:
            InputError: If the images were divided and the bounds are neither those before nor those after.

        >>> load("digits", count=1).in_units_of((0, 16)).images.max().item()
        15.0
        """
        if self.scale == 1 or bounds == self.bounds:
            return self
        if bounds != (0, self.scale):
            expected = f"0 1 (the stored values divided by {self.scale:g}) or 0 {self.scale:g} (as they are stored)"
            raise InputError(f"bounds: expected {expected} for {self.name}, got {bounds[0]:g} {bounds[1]:g}")
        return replace(self, images=(self.images * self.scale).round(), bounds=(0.0, self.scale), scale=1.0)


def load(name_or_path: str | Path, *, count: int | None = None, offset: int = 0, train: bool = False) -> Dataset:
    """Load an evaluation set by its name or from files (see the module's text for what may be given).

    Args:
        name_or_path: `digits`, `mnist`, a folder, `IMAGES,LABELS`, or a `.npz` file.
        count: How many inputs; `None` for all.
        offset: Index of the first input.
        train: The training part instead of the test part; only of sets that have both.

    Returns:
        The set.

    Raises:
        FileError: If a file is missing or damaged.
        PickleRefusedError: If a file is or holds a pickle.
        InputError: If the name is unknown, a value cannot be used, or there are not enough inputs.

    >>> digits = load("digits", count=3)
    >>> digits.images.shape, digits.labels.tolist(), digits.bounds
    (torch.Size([3, 1, 8, 8]), [0, 5, 0], (0.0, 1.0))
    """
    text = str(name_or_path)
    path = Path(text)
    if text in DATASET_NAMES:
        whole = load_digits(train=train) if text == "digits" else load_folder(data_folder() / text, train=train)
    elif path_kind(path) == "folder":
        whole = load_folder(path, train=train)
    elif train:
        raise InputError(f"train: expected one of {', '.join(DATASET_NAMES)} or a folder; {text} has no training part")
    elif "," in text and path_kind(path) == "none":
        whole = load_pair(*_two_paths(text))
    else:
        whole = load_npz(path)
    return whole.part(count=count, offset=offset)


def data_folder() -> Path:
    """The folder of the data sets: `CLEARANCE_DATA`, or `../shared/data` from the current folder."""
    return Path(os.environ.get(DATA_VARIABLE) or "../shared/data")


def load_digits(*, train: bool = False) -> Dataset:
    """Scikit-learn's 1,797 handwritten digits, 8 × 8, their grey levels 0 to 16 divided by 16.

    Args:
        train: The 1,437 training images instead of the 360 test images.

    Returns:
        Images of shape `(count, 1, 8, 8)` in [0, 1].
    """
    from sklearn.datasets import load_digits as load_bunch

    pixels, labels = load_bunch(return_X_y=True)
    images = torch.from_numpy(np.asarray(pixels, dtype=np.float32)).reshape(-1, 1, 8, 8) / 16
    chosen = (torch.arange(len(images), device="cpu") % 5 == 0) != train
    classes = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    name = "digits-train" if train else "digits-test"
    return Dataset(images[chosen], classes[chosen], name, (0.0, 1.0), tuple("0123456789"), scale=16.0)


def load_folder(folder: Path, *, train: bool = False) -> Dataset:
    """The test (`t10k`) or training (`train`) part of a folder of idx files under MNIST's names.

    Args:
        folder: Where `t10k-images-idx3-ubyte` or `t10k-images-idx3-ubyte.gz` and its companions lie.
        train: The training part.

    Returns:
        Images of shape `(count, 1, height, width)` in [0, 1], named after the folder and the part.

    Raises:
        FileError: If the folder or a file is missing or damaged.
    """
    if path_kind(folder) != "folder":
        place = os.path.realpath(folder)
        raise FileError(f"{place}: {described(folder)}; set {DATA_VARIABLE} to the folder of the data sets")
    part = "train" if train else "t10k"
    images, labels = (_find(folder, f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    return load_pair(images, labels, name=f"{folder.resolve().name}-{'train' if train else 'test'}")


def load_pair(images: Path, labels: Path, *, name: str | None = None) -> Dataset:
    """A pair of idx files, plain or .gz.

    Args:
        images: Unsigned bytes of shape `(count, height, width)` or `(count, channels, height, width)`.
        labels: Unsigned bytes of shape `(count,)`.
        name: What to call the set; by default the name of the images' file.

    Returns:
        Images of shape `(count, channels, height, width)` in [0, 1].

    Raises:
        FileError: If a file is missing or damaged.
    """
    for path in (images, labels):
        refuse_pickle(path, instead="give idx files or a .npz")
    pixels = read_idx(images)
    shaped = pixels[:, None] if pixels.ndim == 3 else pixels
    return _dataset(shaped, read_idx(labels), name=name or images.name, images_at=str(images), labels_at=str(labels))


def load_npz(path: Path) -> Dataset:
    """A `.npz` archive with `images` and `labels`, optionally `bounds` (low, high) and `class_names` (text).

    Args:
        path: The file, as `numpy.savez(path, images=..., labels=...)` writes it.

    Returns:
        The set, named after the file.

    Raises:
        FileError: If the file is missing, damaged, or of another kind.
        PickleRefusedError: If it is or holds a pickle.
        InputError: If its values cannot be used.
    """
    refuse_pickle(path, instead="save the arrays with numpy.savez(path, images=..., labels=...)")
    if path_kind(path) == "none":
        raise FileError(f"{path}: {absence(path)}, and no set of that name (there are: {', '.join(DATASET_NAMES)})")
    if path.suffix.lower() != ".npz":
        got = f"'{path.suffix}'" if path.suffix else "a name without an ending"
        raise FileError(f"{path}: expected a .npz file, a folder of idx files, or IMAGES,LABELS; got {got}")
    arrays = read_npz(path, required=("images", "labels"), optional=("bounds", "class_names"))
    bounds = _bounds(arrays["bounds"], path) if "bounds" in arrays else None
    at, names = str(path), tuple(str(name) for name in arrays.get("class_names", np.array([])))
    whole = _dataset(arrays["images"], arrays["labels"], name=path.stem, images_at=at, labels_at=at, bounds=bounds)
    return replace(whole, class_names=names)


def _dataset(
    images: NDArray[np.generic],
    labels: NDArray[np.generic],
    *,
    name: str,
    images_at: str,
    labels_at: str,
    bounds: Bounds | None = None,
) -> Dataset:
    scaled, scale = scale_images(images, source=images_at, bounds=bounds)
    classes = check_labels(labels, count=len(scaled), source=labels_at)
    known = (0.0, 1.0) if scale != 1 else bounds
    return Dataset(torch.from_numpy(scaled), torch.from_numpy(classes), name, known, scale=scale)


def _bounds(values: NDArray[np.generic], path: Path) -> Bounds:
    numbers = values.shape == (2,) and values.dtype.kind in "iuf"
    if not numbers or not values[0] < values[1] or np.abs(values.astype(np.float64)).max() > np.finfo(np.float32).max:
        raise InputError(f"{path}: expected bounds as two numbers, low < high, got {values.tolist()}")
    low, high = values.astype(np.float64).tolist()
    return low, high


def _find(folder: Path, stem: str) -> Path:
    for path in (folder / stem, folder / f"{stem}.gz"):
        if path.is_file():
            return path
    raise FileError(f"{folder.resolve()}: expected {stem} or {stem}.gz, found neither")


def _two_paths(text: str) -> tuple[Path, Path]:
    parts = text.split(",")
    if len(parts) != 2 or not all(parts):
        raise InputError(f"data: expected IMAGES,LABELS, two idx files, got {text!r}")
    return Path(parts[0]), Path(parts[1])
