"""`clearance ...` for tests: in this process, or in one of its own where the process is what is tested."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from clearance.cli import run
from conftest import ROOT
from waiting import HANG


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit code and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def run_command(*arguments: str, folder: Path | None = None, columns: int = 80) -> Ended:
    """Run a command in this process, which spares it the import of torch."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("CLEARANCE_PROGRESS", "none")  # lines that only a slow machine would write
        if folder is not None:
            patch.chdir(folder)
        code = run(arguments)
    return Ended(code, out.getvalue(), err.getvalue())


def run_process(*arguments: str, folder: Path | None = None, columns: int = 80) -> Ended:
    """Run a command in a fresh process: what it imports and its exit code are those of a user."""
    command = [sys.executable, "-c", "from clearance.cli import main; main()", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": str(columns)}
    environment["CLEARANCE_PROGRESS"] = "none"
    done = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG
    )
    return Ended(done.returncode, done.stdout, done.stderr)
