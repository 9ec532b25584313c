"""What can be known to be wrong with a run before torch is imported: what it is to compute, where, and its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from clearance.certificates.table import check_time_limit
from clearance.cli.checks import check_target
from clearance.cli.flag_values import EngineFlags, RunFlags
from clearance.data.files import path_kind
from clearance.errors import FileError, InputError
from clearance.estimates.settings import Settings
from clearance.geometry.exponents import as_norm
from clearance.model.budgets import share_of_bracket
from clearance.runs.execute import PLAN_FILE, check_run_folder
from clearance.runs.plan import read_plan

Part = TypeVar("Part", float, str | int)


def check_bracket(run: RunFlags, engine: EngineFlags) -> None:
    """Check what a run is to compute, where, and whether it can lie in its folder.

    Args:
        run: What to compute.
        engine: Where to compute.

    Raises:
        InputError: If a choice cannot be used, or two do not go together.
        FileError: If the folder cannot be used.
    """
    split("target", run.target, check_target)
    norms = split("norm", run.norm, as_norm)
    for norm in norms:
        Settings(norm=norm, order=run.order, bound=run.bound)
    share_of_bracket(run.budget)
    if run.time_limit is not None:
        check_time_limit(run.time_limit)
    alien = sorted(engine.given & {"address", "workers", "gpus_per_task"})
    if engine.engine != "ray" and alien:
        raise InputError(f"--{alien[0].replace('_', '-')}: expected --engine ray with it, got --engine local")
    check_run(run)


def check_run(run: RunFlags) -> None:
    """Check that a run can be started in its folder, or resumed there.

    Args:
        run: Where the run lies, and whether it goes on.

    Raises:
        InputError: If failed tasks are to be computed again in a run that does not resume.
        FileError: If the folder cannot be used, or holds a run that is not to go on.
    """
    if run.retry_failed and not run.resume:
        raise InputError("--retry-failed: expected --resume with it: it goes on with a run that is there")
    out = Path(run.out)
    if path_kind(out / PLAN_FILE) != "none":
        if not run.resume:
            raise FileError(f"{out}: expected a new folder, got one with a run; add --resume to go on with it")
        read_plan(out / PLAN_FILE)
    check_run_folder(out, resume=run.resume)


def split(flag: str, text: str, read: Callable[[str], Part]) -> list[Part]:
    """The parts of a list with commas, each read.

    Args:
        flag: The flag.
        text: Its value.
        read: Reads one part.

    Returns:
        The parts.

    Raises:
        InputError: If a part is empty, or two mean the same.
    """
    parts = [part.strip() for part in text.split(",")]
    values = [read(part) for part in parts if part]
    if len(values) < len(parts) or len(set(values)) < len(values):
        raise InputError(f"--{flag}: expected names with commas between them, each once, got {text!r}")
    return values
