"""What can be known to be wrong is told before torch is imported, for every command."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from made_runs import bracket, run_of
from waiting import HANG

CODE = """
import json, shlex, sys, io
from contextlib import redirect_stderr
from clearance.cli import run
for line in sys.stdin:
    said = io.StringIO()
    with redirect_stderr(said):
        code = run(shlex.split(line))
    print(json.dumps([line.strip(), code, said.getvalue(), sorted({"torch", "sklearn", "scipy"} & set(sys.modules))]))
    if "torch" in sys.modules:
        break
"""

EVALUATING = {
    "nothing digits": "model: expected digits-standard",
    "nothing.onnx digits": "no such file",
    "nothing.safetensors digits": "no such file",
    "empty.safetensors digits": "no safetensors file",
    "nothing.pt2 digits": "no such file",
    "nothing.pt digits": "no such file",
    "nothing.skops digits": "no such file",
    "nothing.py:make digits": "no such file",
    "net.py digits": "name the function in it",
    "no.such.module:make digits": "No module named 'no'",
    "hf:nowhere digits": "expected a folder that transformers saved",
    "hf:empty digits": "one without config.json",
    "empty.onnx digits": "got an empty file",
    "net.py:make digits --weights nothing.safetensors": "no such file",
    "digits-robust digits --weights nothing.safetensors": "has its own",
    "digits-robust digits --model-args x=1": "takes none, got x",
    "digits-robust nothing": "no such file",
    "digits-robust nothing.npz": "no such file",
    "digits-robust bad.npz": "expected a .npz archive",
    "digits-robust empty.csv": "empty.csv",
    "digits-robust table.csv --label nothing": "nothing",
    "digits-robust folder:nowhere": "expected a folder of pictures",
    "digits-robust mnist:nowhere": "no such folder",
    "digits-robust cifar10:nowhere": "no such folder",
    "digits-robust hf:nowhere": "no such folder",
    "digits-robust a,b": "a: no such file",
    "digits-robust digits --resize 8": "digits has no use for resize",
    "digits-robust digits --device nowhere": "device: expected a device",
    "digits-robust digits --count 0": "count: expected at least 1",
    "digits-robust digits --offset -1": "offset: expected 0 or more",
    "digits-robust digits --indices abc": "indices: expected places",
    "digits-robust digits --indices 1 --count 3": "--indices: expected to stand alone",
    "digits-robust digits --bounds 0 nan": "two finite numbers",
    "digits-robust digits --bounds 1 0": "bounds: expected low < high",
    "digits-robust digits --bounds 0 1 --no-bounds": "got both",
    "digits-robust digits --mean 0.5": "expected both mean and std",
    "digits-robust digits --mean 0.5 --std 0": "std: expected positive numbers",
    "digits-robust digits --mean 1,2 --std 1": "as many numbers as in mean",
    "digits-robust digits --mean 0.5 --std 1 --preset mnist": "preset: expected either",
    "digits-robust digits --scale nothing": "--scale: expected std or range",
}
"""MODEL, DATA and the flags that choose inputs, the same for every command that evaluates a model."""
OTHERS = {
    "score digits-robust digits --norm abc": "norm: expected a number",
    "score digits-robust digits --target nothing": "target: expected one of untargeted",
    "score digits-robust digits --target -1": "target: expected a class index",
    "score digits-robust digits --order 2 --bound profile": "bound: expected 'ball'",
    "score digits-robust digits --blocks 0 --bound ball": "blocks: expected",
    "score digits-robust digits --paper --radius 3": "--paper: sets --radius",
    "attack digits-robust digits --norm 0.5": "norm: expected p >= 1",
    "attack digits-robust digits --method ddn --norm inf": "norm: expected l2 for method ddn",
    "attack digits-robust digits --target nothing": "target: expected one of",
    "attack digits-robust digits --save nowhere/x.npz": "--save: expected a folder that exists",
    "attack digits-robust digits --save x.txt": "ends in .npz",
    "certify digits-robust digits --norm 0": "norm: expected p >= 1",
    "certify digits-robust digits --time-limit 0": "time_limit: expected a positive number",
    "audit digits-robust digits --norm 0.5": "norm: expected p >= 1",
    "audit digits-robust digits --target nothing": "target: expected one of",
    "bracket digits-robust digits --out r --norm 2,2": "--norm: expected names with commas",
    "bracket digits-robust digits --out r --target nothing": "target: expected one of",
    "bracket digits-robust digits --out r --budget 100": "budget: expected at least",
    "bracket digits-robust digits --out r --time-limit -1": "time_limit",
    "bracket digits-robust digits --out r --retry-failed": "--retry-failed: expected --resume",
    "bracket digits-robust digits --out empty/../foreign": "expected a new or empty folder",
    "bracket digits-robust digits --out net.py": "cannot be used as a folder",
    "bracket digits-robust digits --out run": "add --resume",
    "bracket digits-robust digits --out damaged --resume": "damaged/plan.json",
    "bracket digits-robust digits --out r --address x": "--address: expected --engine ray",
    "bracket nothing digits --out r": "model: expected",
    "inspect nothing": "model: expected",
    "inspect digits-robust --count 3": "--count: expected DATA with it",
    "inspect digits-robust digits --input-shape 3": "--input-shape: expected none with DATA",
    "export-vnnlib digits-robust digits --out foreign --radius 0.1": "which is not empty",
    "export-vnnlib digits-robust digits --out v --radius 0.1 --norm 2": "norm: expected inf",
    "export-vnnlib digits-robust digits --out v --radius 0.1 --timeout -1": "timeout: expected",
    "train nothing --network digits_cnn --out a.safetensors": "no such file",
    "train digits --network digits_cnn --out a.txt": "expected FILE.safetensors",
    "train digits --network digits_cnn --out nowhere/a.safetensors": "expected a folder",
    "train digits --network digits_cnn --out empty.safetensors": "is there already",
    "train digits --network digits_cnn --out a.safetensors --steps 3": "steps: --defense standard takes",
    "train digits --network digits_cnn --out a.safetensors --defense adversarial": "needs --radius",
    "train digits --network digits_cnn --out a.safetensors --defense bounded-relu --radius 1": "expects one of",
    "train digits --network digits_cnn --out a.safetensors --network-args x=1": "network-args: digits_cnn takes seed",
    "train digits --network digits_cnn --out a.safetensors --device nowhere": "device: expected a device",
    "train digits --network digits_cnn --out a.safetensors --start nothing": "model: expected",
    "train digits --network digits_cnn --out a.safetensors --unlabelled nothing": "no such file",
    "reproduce nothing": "experiment: expected one of",
    "reproduce weng-2018 --all": "--all: expected no NAME",
    "reproduce weng-2018 --device nowhere": "device: expected",
    "reproduce weng-2018 --out net.py": "--out: expected a folder",
    "report nothing": "expected the folder of a run",
    "report empty": "got one without plan.json",
    "compare run nothing": "expected the folder of a run",
    "gate nothing --min-median 1": "expected the folder of a run",
    "gate run --min-median 1 --baseline nothing --max-drop 0.1": "expected the folder of a run",
    "figure nothing gaps --out a.svg": "expected the folder of a run",
    "export nothing --format csv --out a.csv": "expected the folder of a run",
}
"""Whole commands."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands name."""
    folder = tmp_path_factory.mktemp("cheap")
    for name in ("empty", "foreign", "damaged"):
        (folder / name).mkdir()
    (folder / "foreign" / "file.txt").write_text("")
    (folder / "damaged" / "plan.json").write_text("{}")
    (folder / "net.py").write_text("def make(): raise AssertionError('called')\n")
    (folder / "bad.npz").write_text("hello")
    (folder / "table.csv").write_text("a,b,label\n1,2,0\n3,4,1\n")
    for name in ("empty.safetensors", "empty.onnx", "empty.csv"):
        (folder / name).write_text("")
    run_of(folder / "run", [bracket()])
    return folder


def told(place: Path, commands: list[str]) -> list[tuple[str, int, str, list[str]]]:
    """Each command with its exit code, what it said, and what of the slow packages was imported by then."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        check=True,
        input="\n".join(commands),
        capture_output=True,
        text=True,
        cwd=place,
        env=environment,
        timeout=HANG,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("command", ["score", "attack", "certify", "audit", "bracket --out r", "inspect"])
def test_a_wrong_model_or_wrong_data_are_told_at_once(place: Path, command: str):
    check(place, {f"{command} {line}": words for line, words in EVALUATING.items()})


def test_what_is_wrong_with_each_command_is_told_at_once(place: Path):
    check(place, OTHERS)
    assert not (place / "r").exists() and not (place / "v").exists()


def check(place: Path, expected: dict[str, str]) -> None:
    found = told(place, list(expected))
    for (command, words), (line, code, said, slow) in zip(expected.items(), found, strict=False):
        assert line == command
        assert (code, said.count("\n"), words in said) == (2, 1, True), (command, code, said)
        assert "torch" not in slow and "sklearn" not in slow, command
    assert len(found) == len(expected), f"torch was imported by {found[-1][0]}"


def test_the_list_holds_every_command_that_takes_files_or_choices():
    from clearance.cli.options import commands

    named = {shlex.split(line)[0] for line in OTHERS}
    assert set(commands.commands) - named <= {"demo", "docs"}
