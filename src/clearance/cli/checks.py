"""What can be known to be wrong before torch is imported, which takes seconds: names, numbers, files and folders.

The functions that compute check the same and more; each check here raises what they would raise.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

from clearance.attacks.table import check_method
from clearance.certificates.table import check_time_limit
from clearance.cli.flag_values import AttackFlags, CertifyFlags, InputFlags
from clearance.data import datasets
from clearance.data.files import path_kind
from clearance.data.options import Options
from clearance.data.scale_names import UNIT_NAMES
from clearance.data.selection import read_indices
from clearance.errors import FileError, InputError, TargetError
from clearance.experiments.table import EXPERIMENTS
from clearance.geometry.exponents import as_distance, as_norm
from clearance.model.targets import TARGETS, unknown_target
from clearance.zoo.requests import check_bounds, check_normalisation
from clearance.zoo.specs import check_model

DEVICE_KINDS = ("auto", "cpu", "cuda", "mps", "xpu", "hpu", "xla", "meta", "mtia", "maia", "npu", "privateuseone")
"""What the name of a device begins with: those of torch that there may be."""


DATA_FLAGS = {field.name for field in fields(Options)} | {
    "count",
    "offset",
    "indices",
    "per_class",
    "classes",
    "skip_misclassified",
    "scale",
}
"""Flags that choose inputs, and say nothing without DATA."""


def check_inputs(flags: InputFlags) -> None:
    """Check what names a model and the inputs it is evaluated on.

    Args:
        flags: The flags' values; `data` is empty where there are none.
    """
    _check_numbers(flags)
    check_device(flags.device)
    check_model(flags.model, weights=flags.weights, model_args=dict(flags.model_args), trust_pickle=flags.trust_pickle)
    if flags.data:
        datasets.check_source(flags.data, reader_options(flags))
        _check_scale(flags.scale)


def _check_numbers(flags: InputFlags) -> None:
    """Bounds, normalisation, and which inputs."""  # noqa: DOC501
    check_bounds(flags.bounds, no_bounds=flags.no_bounds)
    check_normalisation(flags.mean, flags.std, flags.preset)
    check_choice(flags)
    if flags.indices is not None:
        read_indices(flags.indices)
    if flags.count != "all" and int(flags.count) < 1:
        raise InputError(f"count: expected at least 1, got {flags.count}")
    if flags.offset < 0:
        raise InputError(f"offset: expected 0 or more, got {flags.offset}")


def check_choice(flags: InputFlags) -> None:
    """Check that `--indices` and `--per-class` stand without what they replace.

    Args:
        flags: The flags' values.

    Raises:
        InputError: If they do not.
    """
    for name, replaced in (
        ("indices", {"count", "offset", "per_class", "classes"}),
        ("per_class", {"count", "offset"}),
    ):
        others = sorted(flags.given & replaced)
        if getattr(flags, name) is not None and others:
            alone, other = (f"--{one.replace('_', '-')}" for one in (name, others[0]))
            raise InputError(f"{alone}: expected to stand alone, got {other} as well")


def check_device(name: str | None) -> None:
    """Check that a device has a name that torch may know; whether it is here, torch says.

    Args:
        name: Such as `cuda:1`; `None` for none.

    Raises:
        InputError: If there is no such kind of device, or its number is none.
    """
    if name is None:
        return
    kind, colon, number = name.partition(":")
    if kind not in DEVICE_KINDS or (colon and not number.isdecimal()):
        raise InputError(f"device: expected a device that torch has here, such as cpu, got {name!r}")


def reader_options(flags: InputFlags) -> Options:
    """What the reader of the data is told by flags alone.

    Args:
        flags: The flags' values.

    Returns:
        The options.
    """
    return Options(
        train=flags.train,
        resize=flags.resize,
        crop=flags.crop,
        channels=None if flags.channels is None else int(flags.channels),
        label=flags.label,
        fixed=split_parts(flags.fixed),
        movable=split_parts(flags.movable),
        bounds_file=flags.bounds_file,
        class_names=split_parts(flags.class_names),
    )


def split_parts(text: str | None) -> tuple[str, ...]:
    """The parts of a list with commas, without empty ones."""
    return () if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _check_scale(scale: str | None) -> None:
    if scale is not None and scale not in UNIT_NAMES and path_kind(Path(scale)) != "file":
        raise InputError(f"--scale: expected {' or '.join(UNIT_NAMES)}, or a CSV file of feature,scale, got {scale!r}")


def check_target(text: str) -> str | int:
    """A target: a name, or a class index.

    Args:
        text: As it was given.

    Returns:
        The name or the index.

    Raises:
        TargetError: If there is no such target.
    """
    if not text.removeprefix("-").isdecimal():
        if text not in TARGETS:
            raise TargetError(unknown_target(text))
        return text
    if int(text) < 0:
        raise TargetError(f"target: expected a class index of 0 or more, got {text}")
    return int(text)


def check_attack(flags: AttackFlags, save: str | None) -> None:
    """Check what is attacked, and the file for the witnesses.

    Args:
        flags: The flags' values.
        save: The file; `None` for none.

    Raises:
        FileError: If its name does not end in `.npz`, its folder is not there, or it is a folder itself.
    """
    check_target(flags.target)
    check_method(flags.method, as_distance(flags.norm))
    if save is not None:
        if Path(save).suffix != ".npz":
            raise FileError(f"--save: expected a file name that ends in .npz, got {save}")
        check_out_file("--save", save)


def check_certify(flags: CertifyFlags) -> None:
    """Check what is to be proved.

    Args:
        flags: The flags' values.
    """
    check_target(flags.target)
    as_norm(flags.norm)
    check_time_limit(flags.time_limit)


def check_out_file(flag: str, name: str) -> Path:
    """Check that a file can be written: its folder is there, and it is no folder itself.

    Args:
        flag: The flag that names it.
        name: Its name.

    Returns:
        The file.

    Raises:
        FileError: If it cannot.
    """
    file = Path(name)
    if path_kind(file.parent) != "folder":
        raise FileError(f"{flag}: expected a folder that exists, got {file.parent}")
    if not os.access(file.parent, os.W_OK):
        raise FileError(f"{flag}: expected a folder that can be written, got {file.parent}")
    if path_kind(file) == "folder":
        raise FileError(f"{flag}: expected a file, got {file}, which is a folder")
    return file


def check_inspect(flags: InputFlags, input_shape: tuple[int, ...] | None) -> None:
    """Check that the flags of `inspect` go with DATA, or without them.

    Args:
        flags: The model and the inputs; `data` is empty where there are none.
        input_shape: The shape that was given.

    Raises:
        InputError: If they do not.
    """
    if flags.data and input_shape is not None:
        raise InputError(f"--input-shape: expected none with DATA, whose inputs have a shape, got {flags.data}")
    idle = sorted(flags.given & DATA_FLAGS)
    if not flags.data and idle:
        raise InputError(f"--{idle[0].replace('_', '-')}: expected DATA with it, got a model alone")
    check_inputs(flags)


def check_reproduce(name: str | None, *, every: bool, out: str) -> None:
    """Check which experiments are asked for, and their folder.

    Args:
        name: The experiment; `None` for the list of them, or with `every`.
        every: All of them.
        out: The folder.

    Raises:
        InputError: If there is no such experiment, or a name and `--all` were given.
        FileError: If the folder is a file.
    """
    if name is not None and every:
        raise InputError(f"--all: expected no NAME with it, got {name}")
    if name is not None and name not in EXPERIMENTS:
        raise InputError(f"experiment: expected one of {', '.join(EXPERIMENTS)}, got {name}")
    if path_kind(Path(out)) not in ("none", "folder"):
        raise FileError(f"--out: expected a folder, got {out}, which is a file")
