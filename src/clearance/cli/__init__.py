"""The command line: flags in, tables or JSON out. The only package that prints or exits.

Exit codes: 0 fine; 1 an audit raised a flag that `--fail-on` names, or a run falls short of what its gate asks; 2 bad
usage or bad input, or a run of which every task failed, with one line on stderr; 130 interrupted; 141 the reader of a
pipe left, as shells have it. Only click is imported here: torch, SciPy and rich come with the first command that needs
them, so that `clearance --help` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from clearance.cli import (
    bracket_commands,
    docs_commands,
    inspection_commands,
    model_commands,
    prover_commands,
    reproduce_commands,
    run_commands,
    training_commands,
)
from clearance.cli.options import commands
from clearance.cli.values import Interrupted, printable
from clearance.errors import ClearanceError

BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
COMMANDS = (
    bracket_commands,
    model_commands,
    inspection_commands,
    prover_commands,
    training_commands,
    reproduce_commands,
    run_commands,
    docs_commands,
)
"""Importing them puts their commands into the group."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: What follows the program's name; by default those of the process.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: an error that a user can mend becomes one line on stderr, any other a traceback.

    Args:
        arguments: What follows the program's name; by default those of the process.

    Returns:
        The exit code.
    """
    try:
        result: object = commands.main(arguments, prog_name="clearance", standalone_mode=False)
    except BaseException as error:
        message, code = _explain(error)
        if code is None:
            raise
        if message:
            click.echo(f"clearance: {printable(' '.join(message.split()))}", err=True)
        return code
    return result if isinstance(result, int) else 0


def _explain(error: BaseException) -> tuple[str, int | None]:
    """The line and the exit code of an error that a user can mend; no code for a defect of ours."""
    match error:
        case click.Abort() | KeyboardInterrupt():
            found = "interrupted", INTERRUPTED
        case Interrupted():
            found = str(error), INTERRUPTED
        case SystemExit(code=0) if _raised_by(error).startswith("click."):  # what a shell may complete has been said
            found = "", 0
        case SystemExit() if _raised_by(error).startswith(("click.", "rich.")):  # when the reader of a pipe has left
            found = "", BROKEN_PIPE
        case SystemExit():
            found = f"expected the network to return, got an end of the program (SystemExit: {error})", BAD_INPUT
        case click.ClickException():
            found = error.format_message(), BAD_INPUT
        case ClearanceError() | OSError():
            found = str(error), BAD_INPUT
        case MemoryError() | RuntimeError() if _is_out_of_memory(error):
            found = f"memory ran out with one input at a time: {error}", BAD_INPUT
        case _:
            found = "", None
    return found


def _raised_by(error: BaseException) -> str:
    """The module that raised an error."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return "" if place is None else str(place.tb_frame.f_globals.get("__name__", ""))


def _is_out_of_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from clearance.model.memory import is_out_of_memory

    return is_out_of_memory(error)
