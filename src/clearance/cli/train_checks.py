"""What can be known to be wrong with training before torch is imported."""

from __future__ import annotations

from pathlib import Path

from clearance.cli.checks import check_device
from clearance.cli.train_flags import TrainFlags
from clearance.data import datasets
from clearance.data.files import path_kind
from clearance.data.options import Options
from clearance.errors import FileError, InputError
from clearance.training.defenses.table import DEFENSES, DefenseKind
from clearance.zoo.specs import check_model
from clearance.zoo.table import ARCHITECTURES

OPTIONS = {name for kind in DEFENSES.values() for name in kind.options}
"""Flags that belong to some defences only."""


def check_train(flags: TrainFlags) -> None:
    """Check what is to be trained, and whether the checkpoint can be written: what would fail after hours fails now.

    Args:
        flags: The flags' values.

    Raises:
        InputError: If a choice cannot be used, or two do not go together.
        FileError: If a file is there that would be replaced, or one is missing.
    """
    out = Path(flags.out)
    if out.suffix != ".safetensors":
        raise InputError(f"out: expected FILE.safetensors, got {flags.out}")
    for path in (out, out.with_suffix(".md")):
        if path_kind(path) != "none" and not flags.force:
            raise FileError(f"{path}: is there already; give --force to replace it")
    if path_kind(out.parent) != "folder":
        raise FileError(f"{out.parent}: expected a folder for {out.name}, there is none")
    if flags.start is not None and Path(flags.start).resolve() == out.resolve():
        raise InputError(f"start: {out} would be replaced, and the command on its card could not make it again")
    _check_flags(flags, DEFENSES[flags.defense])
    check_device(flags.device)
    for model in (flags.start, flags.labeller):
        if model is not None:
            check_model(model)
    for data in (flags.data, flags.unlabelled):
        if data is not None:
            datasets.check_source(data, Options(label=flags.label if datasets.takes(data, "label") else None))


def _check_flags(flags: TrainFlags, kind: DefenseKind) -> None:
    """Refuse flags that do not go together."""  # noqa: DOC501
    given = sorted(name for name in OPTIONS & flags.given if name not in kind.options)
    if given:
        takes = ", ".join(f"--{name.replace('_', '-')}" for name in kind.options) or "none"
        raise InputError(f"{given[0].replace('_', '-')}: --defense {flags.defense} takes {takes}")
    if kind.has_threat and not flags.radius:
        raise InputError(f"radius: --defense {flags.defense} needs --radius, such as 0.3 or 8/255")
    if flags.radius == 0:
        raise InputError("radius: expected a positive number, got 0")
    if flags.labeller is not None and flags.unlabelled is None:
        raise InputError("labeller: guesses labels of --unlabelled DATA, which is not given")
    if flags.patience is not None and flags.holdout == 0:
        raise InputError("patience: epochs are judged on the inputs kept apart, and --holdout is 0")
    able = [name for name in ARCHITECTURES if set(kind.network_arguments) <= set(ARCHITECTURES[name].parameters())]
    if flags.network not in able:
        raise InputError(f"network: --defense {flags.defense} expects one of {', '.join(able)}, got {flags.network}")
    known = ARCHITECTURES[flags.network].parameters()
    alien = [name for name, _ in flags.network_args if name not in known]
    if alien:
        raise InputError(f"network-args: {flags.network} takes {', '.join(known)}; got {alien[0]}")
