"""The command line: flags in, tables or JSON out. The only package that prints or exits.

Exit codes: 0 fine; 1 an audit raised a flag that `--fail-on` names, or a run falls short of what its gate asks; 2 bad
usage or bad input, with one line on stderr; 130 interrupted; 141 the reader of a pipe left, as shells have it. Only
click is imported here: torch, SciPy and rich come with the first command that needs them, so that `clearance --help`
is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from clearance.cli import model_commands, run_commands
from clearance.cli.options import commands
from clearance.cli.values import Interrupted, printable
from clearance.errors import ClearanceError

BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
COMMANDS = (model_commands, run_commands)
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
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", INTERRUPTED)
    except Interrupted as error:
        return _complain(str(error), INTERRUPTED)
    except SystemExit:  # click's own way out when the reader of a pipe has left
        return BROKEN_PIPE
    except click.ClickException as error:
        return _complain(error.format_message(), BAD_INPUT)
    except (ClearanceError, OSError) as error:
        return _complain(str(error), BAD_INPUT)
    return result if isinstance(result, int) else 0


def _complain(message: str, code: int) -> int:
    click.echo(f"clearance: {printable(' '.join(message.split()))}", err=True)
    return code
