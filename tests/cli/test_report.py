"""`clearance report` (in a process of its own) and `clearance figure`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from clearance.errors import FileError
from clearance.report.page import write_report
from command_line import run_command
from conftest import ROOT
from made_runs import WRONG, bracket, run_of
from report_runs import make_plan, write_run
from waiting import HANG


def test_a_report_is_written_where_the_run_is(tmp_path: Path):
    folder = write_run(tmp_path / "run", make_plan(2))
    done = run_command("report", str(folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(folder / "report.html")) and "without a network" in done.stdout
    assert f"\n{folder / 'auditor.html'} written: the same run for an auditor" in done.stdout
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


def test_the_help_says_where_the_auditors_page_is():
    help_text = " ".join(run_command("report", "--help").stdout.split())
    assert "auditor.html" in help_text and "ISO/IEC 24029" in help_text and "X-auditor.html" in help_text


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


def test_robust_accuracy_at_radii_is_printed_and_stands_on_the_page(tmp_path: Path):
    """Witnesses at .1, .2 to 1 and proofs of half of that: counts are known."""
    answers = [bracket(0.05 * k, 0.07 * k, 0.1 * k) for k in range(1, 10)] + [WRONG]
    folder = run_of(tmp_path / "run", answers)
    done = run_command("report", str(folder), "--at", "0.21, 8/255,0.21")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("l2 ")]
    assert [row[:4] for row in rows] == [["l2", "0", "9", "of"], ["l2", "8/255", "9", "of"], ["l2", "0.21", "5", "of"]]
    assert (
        "7 of 10 (70 %)" in done.stdout and "Clopper" in done.stdout and "input units, inputs in [0, 1]" in done.stdout
    )
    page = (folder / "report.html").read_text()
    assert "8/255" in page and page.count("0.21") >= 1 and "without a network" in done.stdout


def test_robust_accuracy_as_json_writes_no_page_unless_one_is_asked_for(tmp_path: Path):
    folder = run_of(tmp_path / "run", [bracket("inf", 0.5, None), bracket(0.1, 0.2, 0.3), None])
    document = json.loads(run_command("report", str(folder), "--json", "--at", "0.2").stdout)
    assert not (folder / "report.html").exists()
    (curve,) = document["robust_accuracy"]
    assert [found["radius"] for found in curve["at"]] == [0.0, 0.2]
    assert (curve["at"][1]["proved"]["count"], curve["at"][1]["not_broken"]["count"]) == (1, 3)
    assert curve["proved_radii"] == [0.1, "inf"] and curve["witness_distances"] == [0.3]
    assert document["missing"] is None and document["units"] == "input units" and len(document["notes"]) == 1
    page = tmp_path / "page.html"
    assert json.loads(run_command("report", str(folder), "--json", "--out", str(page)).stdout) and page.exists()


def test_a_run_to_chosen_classes_says_in_one_line_that_it_has_no_robust_accuracy(tmp_path: Path):
    folder = write_run(tmp_path / "run", make_plan(2))
    done = run_command("report", str(folder), "--at", "0.1")
    assert done.returncode == 0 and "chosen classes only (target runner-up)" in " ".join(done.stdout.split())
    document = json.loads(run_command("report", str(folder), "--json").stdout)
    assert document["robust_accuracy"] == [] and "every class" in document["missing"]


@pytest.mark.parametrize("radii", ["0", "-1", "8/0", "abc", "0.1,,0.2", "inf"])
def test_a_radius_that_is_none_is_one_line(tmp_path: Path, radii: str):
    folder = run_of(tmp_path / "run", [bracket()])
    done = run_command("report", str(folder), "--at", radii)
    assert done.returncode == 2 and "--at" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (folder / "report.html").exists()


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
