"""`clearance report` (in a process of its own) and `clearance figure`."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from clearance.errors import FileError
from clearance.report.page import write_report
from command_line import run_command, run_process
from conftest import ROOT
from report_runs import make_plan, write_run
from waiting import HANG


def test_a_report_is_written_where_the_run_is(tmp_path: Path):
    folder = write_run(tmp_path / "run", make_plan(2))
    done = run_process("report", str(folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(folder / "report.html")) and "without a network" in done.stdout
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("name", ["plan.json", "results.sqlite", "results.sqlite-wal"])
def test_the_run_itself_is_never_the_page(tmp_path: Path, name: str):
    folder = write_run(tmp_path / "run", make_plan(2))
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for command in (("report", str(folder)), ("figure", str(folder), "gaps", "--force")):
        done = run_command(*command, "--out", str(folder / name))
        assert done.returncode == 2 and "which belongs to the run" in done.stderr and done.stderr.count("\n") == 1
    with pytest.raises(FileError, match="belongs to the run"):
        write_report(folder, folder / name)
    assert before == {file.name: file.read_bytes() for file in folder.iterdir() if file.name in before}


def test_a_figure_is_written(tmp_path: Path):
    folder = write_run(tmp_path / "run", make_plan(2))
    done = run_command("figure", str(folder), "gaps", "--out", str(tmp_path / "gaps.svg"))
    assert done.returncode == 0 and (tmp_path / "gaps.svg").read_text().startswith("<svg"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("report", "missing"), "missing: expected the folder of a run, got no such folder"),
        (("report", "RUN", "--out", "no/such/x.html"), "--out: expected a folder that exists, got no/such"),
        (("figure", "RUN", "graph", "--out", "x.svg"), "figure: expected one of brackets, security, averages"),
        (("figure", "RUN", "gaps", "--out", "x.gif"), "--out: expected a name that ends in .svg, .pdf, .png"),
    ],
)
def test_bad_usage_is_one_line(tmp_path: Path, arguments: tuple[str, ...], line: str):
    folder = write_run(tmp_path / "run", make_plan(1))
    done = run_command(*(argument.replace("RUN", str(folder)) for argument in arguments))
    assert done.returncode == 2 and line in done.stderr and len(done.stderr.splitlines()) == 1


def test_no_torch_is_loaded(tmp_path: Path):
    folder = write_run(tmp_path / "run", make_plan(1))
    code = "import sys; from clearance.report.page import write_report as write; write(sys.argv[1])"
    code += "; print('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=HANG)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_the_wheel_holds_templates_and_assets(tmp_path: Path):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, timeout=HANG)
    (wheel,) = tmp_path.glob("clearance-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    folder = ROOT / "src" / "clearance" / "report"
    held = [path for kind in ("assets", "templates") for path in (folder / kind).iterdir()]
    assert len(held) >= 9 and {str(path.relative_to(ROOT / "src")) for path in held} <= names
