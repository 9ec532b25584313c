"""What a distance is measured in, feature by feature, so that one over age and income is a distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clearance.data.class_names import list_names
from clearance.data.csv_tables import read_csv
from clearance.data.dataset import Source
from clearance.data.files import path_kind
from clearance.data.scale_names import MOST_INPUTS, UNIT_NAMES
from clearance.errors import InputError


def choose_scale(asked: str | None, source: Source) -> tuple[Tensor | None, str | None]:
    """The scale of distances, and its unit in words.

    A feature that has one value in all inputs has scale 1: nothing is known of what is far for it.

    Args:
        asked: The flag's value; `None` for the units of the data.
        source: The whole set.

    Returns:
        The scale, of the shape of one input, and the unit; nothing where none was asked for.

    Raises:
        InputError: If it is neither a name nor a file, or the file does not fit the features.
    """
    if asked is None:
        return None, None
    if asked in UNIT_NAMES:
        found = _spread(asked, source)
        return torch.from_numpy(np.where(found > 0, found, 1.0).astype(np.float32)), UNIT_NAMES[asked]
    path = Path(asked)
    if path_kind(path) != "file":
        raise InputError(f"scale: expected {' or '.join(UNIT_NAMES)}, or a CSV file of feature,scale, got {asked!r}")
    return torch.from_numpy(_from_file(path, source)), f"the units of {path.name}"


def _spread(name: str, source: Source) -> NDArray[np.float64]:
    if name == "range" and source.bounds is not None:
        low, high = (torch.as_tensor(bound, dtype=torch.float64) for bound in source.bounds)
        if bool((high - low).isfinite().all()):
            return (high - low).expand(source.take([0]).images.shape[1:]).numpy()
    values = source.take(range(min(len(source), MOST_INPUTS))).images.double().numpy()
    return values.std(0) if name == "std" else np.ptp(values, axis=0)


def _from_file(path: Path, source: Source) -> NDArray[np.float32]:
    """One positive number for each feature that can move, by its name; 1 for a fixed one without."""  # noqa: DOC501
    table = read_csv(path)
    lacking = [column for column in ("feature", "scale") if column not in table.names]
    if lacking:
        raise InputError(f"{path}: expected columns feature and scale, got {', '.join(table.names)}")
    if not source.feature_names:
        raise InputError(f"scale: expected data whose features have names for {path}, got {source.name} without")
    given = dict(zip(table.texts("feature"), table.numbers("scale").values, strict=True))
    if source.fixed is not None:
        held = [
            name for name, fixed in zip(source.feature_names, source.fixed.flatten().tolist(), strict=True) if fixed
        ]
        given = dict.fromkeys((name for name in held if name not in given), 1.0) | given
    wrong = [name for name in source.feature_names if not given.get(name, 0) > 0]
    alien = [name for name in given if name not in source.feature_names]
    if wrong or alien:
        said = [f"no positive scale for {list_names(wrong)}"] if wrong else []
        said += [f"{list_names(alien)}, no feature of it"] if alien else []
        got = " and ".join(said)
        raise InputError(f"{path}: expected a positive scale for each feature of {source.name}, got {got}")
    shape = source.take([0]).images.shape[1:]
    return np.array([given[name] for name in source.feature_names], dtype=np.float32).reshape(shape)
