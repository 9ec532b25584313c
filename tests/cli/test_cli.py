"""The command line, as a process where the process matters, else through `run`, which is all of `main` but the exit."""

import importlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clearance
from clearance.cli import run
from clearance.estimates.samplers.table import SAMPLERS
from clearance.estimates.status import Status
from command_line import run_command, run_process
from conftest import ROOT
from waiting import HANG, wait_until

FACTORIES = """
import time
from pathlib import Path
import torch
from torch import nn

def linear():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]]))
        network[1].bias.zero_()
    return network

class Stairs(nn.Module):
    def forward(self, x):
        return (x.flatten(1)[:, :3] * 64).round()

class Slow(nn.Module):
    def forward(self, x):
        Path("started").touch()
        time.sleep(0.05)
        return x.flatten(1)

class Broken(nn.Module):
    def forward(self, x):
        raise KeyError("a defect of the network")

class TwoArguments(nn.Module):
    def forward(self, x, y):
        return x

def Quits():
    raise SystemExit(5)

def one_class():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.Unflatten(1, (1, 1)))
    torch.nn.init.ones_(network[1].weight)
    torch.nn.init.zeros_(network[1].bias)
    return network
"""
IMAGES = np.array([[[0.9, 0.2, 0.1, 0.5]], [[0.1, 0.7, 0.3, 0.5]], [[0.1, 0.2, 0.6, 0.5]]], dtype=np.float32)
LABELS = np.array([0, 1, 1])


def process(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    code = "import sys; from clearance.cli import main; main(sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], **pipes, **options)


@pytest.fixture
def work(here: Path, request: pytest.FixtureRequest) -> str:
    """A folder with a data set `data.npz` and a module of factories, whose name is returned."""
    np.savez("data.npz", images=IMAGES, labels=LABELS, bounds=np.array([0.0, 1.0]))
    name = f"factories_{abs(hash(request.node.nodeid))}"
    Path(f"{name}.py").write_text(FACTORIES)
    return name


def complaint(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a refused command leaves on stderr."""
    assert run(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("clearance: ") and err.count("\n") == 1 and err.endswith("\n")
    return err.removeprefix("clearance: ").rstrip("\n")


def test_help_and_version_import_neither_torch_nor_scipy():
    code = (
        "import sys; from clearance.cli import run\n"
        "codes = [run(a) for a in (['--help'], ['score', '--help'], ['demo', '-h'], ['--version'], [])]\n"
        "slow = {'torch', 'scipy', 'sklearn', 'rich', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'{codes} {slow}' if any(codes) or slow else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "src"},
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"clearance, version {clearance.__version__}" in done.stdout and "--paper" in done.stdout


def test_the_package_runs_as_a_module():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "clearance", "score", "no-such-model", "digits"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith("clearance: ")


def test_score_of_digits_as_json():
    done = run_command("score", "digits-robust", "digits", "--count", "2", "--target", "runner-up", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert document["clearance"] == clearance.__version__
    assert document["model"]["name"] == "digits-robust" and document["model"]["bounds"] == [0.0, 1.0]
    assert document["data"] == {"source": "digits", "name": "digits-test", "offset": 0, "count": 2}
    assert document["settings"]["norm"] == 2.0 and document["target"] == "runner-up"
    scored, skipped = document["results"]
    assert (scored["input"], scored["label"], scored["predicted"]) == (0, 0, 0)
    assert 0 <= scored["interval"][0] <= scored["radius"] <= scored["interval"][1] <= scored["ball_radius"]
    assert scored["cost"]["backward"] > 0 and scored["fit"]["location"] > 0
    assert (skipped["input"], skipped["label"], skipped["status"]) == (1, 5, "misclassified")
    assert skipped["radius"] is skipped["interval"] is skipped["margin"] is None
    assert document["summary"]["median_radius"] == scored["radius"]
    assert document["summary"]["statuses"] == {scored["status"]: 1, "misclassified": 1}


def test_the_table_has_a_row_for_each_input(work: str, capfd: pytest.CaptureFixture[str]):
    assert run(["score", f"{work}:linear", "data.npz", "--no-bounds", "--norm", "inf"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert re.search(r"^ +0 +0 +0 -> 1 +0\.350 +0\.350 to 0\.350 +ok", out, re.MULTILINE)  # (0.9 - 0.2) / ||(1, -1)||_1
    assert re.search(r"^ +1 +1 +1 -> 2 +0\.200 ", out, re.MULTILINE)
    assert re.search(r"^ +2 +1 +2 +- +- +misclassified", out, re.MULTILINE)
    assert "Median estimated radius 0.275 over 2 of 3 inputs (1 misclassified)" in out
    assert "linf distance, in the units of the data" in " ".join(out.split())
    assert Status.MISCLASSIFIED.meaning in out and Status.REFUTED.meaning not in out


@pytest.mark.parametrize("flags", ["--budget quick", "--bound ball --radius 0.5 --blocks 4"], ids=["profile", "ball"])
def test_a_number_that_must_not_be_believed_is_not_shown(flags: str, work: str, capfd: pytest.CaptureFixture[str]):
    arguments = ["score", f"{work}:Stairs", "data.npz", "--count", "1", *flags.split()]
    assert run(arguments) == 0
    out = capfd.readouterr().out
    assert re.search(r"0 -> [12] +- +- +masked", out) and "over 0 of 1 inputs (1 masked)" in out
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["results"][0]["status"] == "masked" and document["summary"]["median_radius"] is None
    assert document["results"][0]["radius"] is document["results"][0]["interval"] is None


def test_flags_reach_the_settings(work: str, capfd: pytest.CaptureFixture[str]):
    text = "--bound ball --norm 1.5 --sampler uniform --radius 2 --blocks 5 --block-size 7 --no-racing --clip project"
    text += " --tolerance .1 --level .9 --bootstrap 4 --offset 1 --count 1 --bounds -1 2 --mean .1 --std 2 --device cpu"
    text += " --seed 3"
    assert run(["score", f"{work}:linear", "data.npz", "--target", "0", "--json", *text.split()]) == 0
    document = json.loads(capfd.readouterr().out)
    settings = {
        "norm": 1.5,
        "sampler": "uniform",
        "radius": 2.0,
        "blocks": 5,
        "block_size": 7,
        "racing": False,
        "seed": 3,
    }
    settings |= {"clip": "project", "tolerance": 0.1, "level": 0.9, "bootstrap": 4, "max_blocks": None}
    settings |= {"order": 1, "curvature": "norm", "bound": "ball"}
    settings |= {"feasible": True, "slope": "norm", "budget": "standard"}
    assert document["settings"] == settings and document["target"] == 0
    assert document["model"]["bounds"] == [-1.0, 2.0] and document["data"]["offset"] == 1
    (result,) = document["results"]
    assert (result["input"], result["target"], len(result["maxima"])) == (1, 0, 5)
    assert result["fit"]["bootstrap_p_value"] is not None
    assert result["margin"] == pytest.approx((0.7 - 0.1) / 2)  # the normalisation divides by 2


def test_flags_of_a_profile_reach_the_settings(work: str, capfd: pytest.CaptureFixture[str]):
    flags = "--slope radial --budget 700 --clip none --norm inf --bounds 0 1 --count 1 --target 1"
    assert run(["score", f"{work}:linear", "data.npz", "--json", *flags.split()]) == 0
    document = json.loads(capfd.readouterr().out)
    chosen = {name: document["settings"][name] for name in ("bound", "slope", "budget", "clip", "feasible")}
    assert chosen == {"bound": "profile", "slope": "radial", "budget": 700, "clip": None, "feasible": False}
    (result,) = document["results"]
    assert result["bound"] == "profile" and result["cost"]["forward"] + result["cost"]["backward"] <= 770
    assert result["by_norm"]["radius"] == pytest.approx((0.9 - 0.2) / 2)  # over all directions, ||(1, -1)||_1
    assert result["radius"] == result["by_radial"]["radius"]


def test_paper_sets_every_choice_of_the_paper(work: str, capfd: pytest.CaptureFixture[str]):
    flags = ["--paper", "--radius", "5", "--count", "1", "--no-bounds", "--target", "1", "--json"]
    assert run(["score", f"{work}:linear", "data.npz", *flags]) == 0
    settings = json.loads(capfd.readouterr().out)["settings"]
    assert settings | clearance.PAPER == settings


def test_the_default_takes_what_there_is(work: str, capfd: pytest.CaptureFixture[str]):
    assert run(["score", f"{work}:linear", "data.npz", "--offset", "2"]) == 0
    assert "input 2 of 3" in capfd.readouterr().out


def test_class_names_cannot_drive_the_terminal(work: str, capfd: pytest.CaptureFixture[str]):
    names = np.array(["[red]cat[/red]", "\x1b[31mdog\n", "a" * 99])
    np.savez("data.npz", images=IMAGES, labels=LABELS, class_names=names)
    assert run(["score", f"{work}:linear", "data.npz", "--target", "2", "--count", "2"]) == 0
    out = capfd.readouterr().out
    assert "[red]cat[/red] ->" in " ".join(out.split()) and "?[31mdog?" in out and "\x1b" not in out
    assert "a" * 15 not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{m}:linear nowhere.npz", r"nowhere\.npz: no such file"),
        ("{m}:linear cut.npz", r"cut\.npz: expected a \.npz archive, got .* damaged"),
        ("{m}:linear data.pkl", r"data\.pkl: is a pickle"),
        ("{m}:linear empty.npz", r"empty\.npz: expected images .* not empty"),
        ("{m}:linear count.npz", r"expected one label for each of 3 images"),
        ("{m}:linear wide.npz", r"inputs: expected values in \[0, 1\], got \[0, 9\]"),
        ("{m}:linear shape.npz", r"network: expected inputs of 4 values, as it takes, got 5, of shape \(5,\)"),
        ("{m}:linear data.npz --bounds 0 .5", r"inputs: expected values in \[0, 0\.5\]"),
        ("{m}:linear data.npz --bounds 0 1 --no-bounds", "got both"),
        ("{m}:linear data.npz --bounds 1 0", "bounds: expected low < high"),
        ("{m}:linear data.npz --weights nowhere.safetensors", "no such file"),
        ("{m}:linear data.npz --weights data.pkl", "is a pickle"),
        ("{m}:one_class data.npz", r"one logit each for two classes, got \(1, 1, 1\)"),
        ("{m}:nothing data.npz", "there is nothing of that name"),
        ("digits-excellent digits", "model: expected digits-standard, digits-robust, .*, PACKAGE"),
        ("digits-standard data.npz", r"network: its forward pass failed on inputs of shape \(1, 4\)"),
        ("{m}:linear data.npz --target nearest", "target: expected one of untargeted, .*, got 'nearest'"),
        ("{m}:linear data.npz --target 7", "target: expected a class index from 0 to 2, got 7"),
        ("{m}:linear data.npz --norm .5", "norm: expected p >= 1, got '.5'"),
        ("{m}:linear data.npz --norm 0", "norm: expected p >= 1, got '0'; l0 is no norm: only attack has an l0"),
        ("{m}:linear data.npz --radius 0", r"radius: expected a positive finite number or 'auto', got 0\.0"),
        ("{m}:linear data.npz --radius wide", "'--radius': expected a number or 'auto', got 'wide'"),
        ("{m}:linear data.npz --blocks 1.5", r"'--blocks': expected a whole number or 'auto', got '1\.5'"),
        ("{m}:linear data.npz --sampler best", "'best'.*'directed', 'uniform'"),
        ("{m}:linear data.npz --radius 4", r"radius: only meaningful with bound='ball', got 4\.0"),
        ("{m}:linear data.npz --bound box", "'box'.*'profile', 'ball'"),
        (
            "{m}:linear data.npz --paper --budget quick",
            r"budget: only meaningful with bound='profile', got 'quick': in",
        ),
        ("{m}:linear data.npz --bound ball --slope radial", "slope: only meaningful with bound='profile'"),
        ("{m}:linear data.npz --bound profile --order 2", "bound: expected 'ball' with order=2"),
        ("{m}:linear data.npz --clip none --feasible", "clip: expected 'project' with feasible=True, got None"),
        ("{m}:linear data.npz --budget huge", "quick.*huge"),
        ("{m}:linear data.npz --paper --bound profile", "--paper: sets --bound to ball, got --bound profile"),
        ("{m}:linear data.npz --paper --radius 4", r"--paper: sets --radius to 5\.0, got --radius 4\.0"),
        ("{m}:linear data.npz --paper --blocks 9", "instead of --paper: --blocks 9 --bound ball --sampler uniform"),
        ("{m}:linear data.npz --paper --sampler directed", "sets --sampler to uniform, got --sampler directed"),
        ("{m}:linear data.npz --paper --block-size 5", "sets --block-size to 1024"),
        ("{m}:linear data.npz --count 4", "count: expected 1 to 3 for data from offset 0, got 4"),
        ("{m}:linear data.npz --offset 3", "offset: expected 0 to 2 for data, got 3"),
        ("{m}:linear data.npz --radius 1e39", "radius: expected at most 1e.30, got 1e.39"),
        ("{m}:linear data.npz --mean 1", "expected both mean and std, got one of them"),
        ("{m}:linear data.npz --mean 1 --std 1,x", "expected numbers with commas between them, got '1,x'"),
        ("{m}:linear data.npz --device nowhere", "device: expected a device that torch has here"),
        ("{m}:linear", "DATA"),
        ("{m}:linear data.npz --frobnicate", "--frobnicate"),
    ],
)
def test_bad_input_gets_one_clear_line(work: str, capfd: pytest.CaptureFixture[str], arguments: str, message: str):
    flat = IMAGES.reshape(3, 4)
    np.savez("empty.npz", images=IMAGES[:0], labels=LABELS[:0])
    np.savez("count.npz", images=IMAGES, labels=LABELS[:2])
    np.savez("wide.npz", images=IMAGES * 0 + np.array([0, 9, 0, 0], dtype=np.float32), labels=LABELS, bounds=[0, 1])
    np.savez("shape.npz", images=np.c_[flat, flat[:, :1]], labels=LABELS)
    Path("cut.npz").write_bytes(Path("data.npz").read_bytes()[:200])
    Path("data.pkl").write_bytes(pickle.dumps(IMAGES))
    assert re.search(message, complaint(capfd, "score", *arguments.format(m=work).split()))


@pytest.mark.parametrize("arguments", [["frobnicate"], ["--frobnicate"], ["demo", "--count", "0"], ["score"]])
def test_bad_usage_gets_one_clear_line(capfd: pytest.CaptureFixture[str], arguments: list[str]):
    complaint(capfd, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "bracket digits-standard digits --norm 2 --norm inf --out r",
            "--norm: expected once, with commas in its list, got it 2 times",
        ),
        ("attack digits-standard digits --mean 0 --std 1 --mean 1", "--mean: expected once"),
    ],
)
def test_a_flag_that_is_given_twice_is_not_dropped(capfd: pytest.CaptureFixture[str], arguments: str, message: str):
    assert re.search(message, complaint(capfd, *arguments.split()).strip())


def test_the_line_stays_one_line(capfd: pytest.CaptureFixture[str]):
    assert complaint(capfd, "score", "digits-robust", "a\nb\x1b[2J.npz").startswith("a b?[2J.npz: no such file")


def test_exit_codes_of_the_process(here: Path):
    done = run_process("score", "digits-robust", "nowhere.npz")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"clearance: nowhere\.npz: no such file.*\n", done.stderr)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Broken", "got KeyError: 'a defect of the network'"),
        ("TwoArguments", "got TypeError: "),
        ("Quits", "SystemExit"),
    ],
)
def test_a_defect_of_the_network_is_one_line(work: str, capfd: pytest.CaptureFixture[str], name: str, message: str):
    assert message in complaint(capfd, "score", f"{work}:{name}", "data.npz")


def test_a_defect_of_ours_keeps_its_traceback(work: str, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object):
        raise KeyError("a defect of ours")

    monkeypatch.setattr(importlib.import_module("clearance.cli.score"), "iterate_clever", broken)
    with pytest.raises(KeyError, match="a defect of ours"):
        run(["score", "digits-standard", "digits", "--count", "1"])


def test_ctrl_c_exits_with_130(work: str):
    started = process(
        "score", f"{work}:Slow", "data.npz", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    with started:
        wait_until(lambda: Path("started").exists() or started.poll() is not None, "the first forward pass")
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=HANG)
    assert (started.returncode, out, err.strip()) == (130, "", "clearance: interrupted")  # click ends the line of ^C


def test_what_was_finished_is_shown_on_ctrl_c(
    work: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    module = importlib.import_module("clearance.cli.score")
    iterate_clever = module.iterate_clever

    def interrupted(*arguments: Any, **options: Any):
        yield next(iter(iterate_clever(*arguments, **options)))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "iterate_clever", interrupted)
    assert run(["score", f"{work}:linear", "data.npz"]) == 130
    out, err = capfd.readouterr()
    assert "input 0 of 3; interrupted, 2 not done" in " ".join(out.split()) and err.strip() == "clearance: interrupted"


def test_a_reader_that_leaves_is_no_error():
    with process("--help") as started:
        assert started.stdout is not None and started.stderr is not None
        started.stdout.close()
        assert started.stderr.read() == ""
    assert started.returncode == 141


def test_choices_of_the_flags_are_those_of_the_library():
    from clearance.cli import commands

    options = {option.name: option for option in commands.commands["score"].params}
    assert list(options["sampler"].type.choices) == list(SAMPLERS)


def test_every_status_has_a_meaning_that_fits_a_line():
    assert all(10 < len(status.meaning) <= 64 for status in Status)
