"""`clearance bracket`: the first run in a process of its own, the others in this one."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from command_line import run_command, run_process
from run_tasks import without_times

QUICK = ("--budget", "1500", "--norm", "2", "--count", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bracket")
    done = run_process(
        "bracket", "digits-robust", "digits", *QUICK, "--target", "runner-up,3", "--out", "run", "--json", folder=place
    )
    assert done.returncode == 0, done.stderr
    (place / "first.json").write_text(done.stdout)
    return place


def test_the_document(folder: Path):
    document = json.loads((folder / "first.json").read_text())
    assert document["tasks"] == {"done": 4, "failed": 0, "total": 4}
    assert [(row["norm"], row["target"]) for row in document["summary"]] == [(2.0, "runner-up"), (2.0, 3)]
    for row in document["summary"]:
        if row["estimated"] is not None:
            assert 0 < row["certified"] <= row["attacked"] and row["estimated"] <= row["attacked"]


def test_it_is_not_computed_twice_and_the_table_fits(folder: Path):
    again = run_command(
        "bracket",
        "digits-robust",
        "digits",
        *QUICK,
        "--target",
        "runner-up,3",
        "--out",
        "run",
        "--resume",
        folder=folder,
    )
    assert again.returncode == 0 and "median" in again.stdout and "an estimate, not a bound" in again.stdout
    assert max(map(len, again.stdout.splitlines())) <= 80
    first = json.loads((folder / "first.json").read_text())
    passes = sum(row["forward"] + row["backward"] for row in first["summary"])
    assert f"{passes:,} passes" in again.stdout


@pytest.mark.parametrize(("norm", "said"), [("inf", True), ("2", False)])
def test_medians_of_pictures_are_told_in_grey_levels_in_the_maximum_norm(tmp_path: Path, norm: str, said: bool):
    flags = ("--norm", norm, "--count", "1", "--budget", "1500", "--target", "runner-up", "--out", "run")
    done = run_command("bracket", "digits-robust", "digits", *flags, folder=tmp_path)
    assert done.returncode == 0
    assert ("In grey levels of an 8-bit picture, medians of linf" in done.stdout) == said
    if said:
        told = " ".join(done.stdout.split()).partition("attacked ")[2].partition("/255.")[0].rpartition(" ")[2]
        document = run_command("bracket", "digits-robust", "digits", *flags, "--resume", "--json", folder=tmp_path)
        (row,) = json.loads(document.stdout)["summary"]
        assert float(told) == pytest.approx(255 * row["attacked"], rel=1e-2)


def test_a_run_is_not_overwritten(folder: Path):
    done = run_command("bracket", "digits-robust", "digits", *QUICK, "--out", "run", folder=folder)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "got one with a run; add --resume" in done.stderr


def test_another_plan_is_refused_and_the_difference_named(folder: Path):
    arguments = ("--target", "runner-up,3", "--out", "run", "--resume", "--seed", "7")
    done = run_command("bracket", "digits-robust", "digits", *QUICK, *arguments, folder=folder)
    assert done.returncode == 2 and "seed: 0 -> 7" in done.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--target", "runner-up,,3"), "names with commas between them"),
        (("--target", "runner-up,runner-up"), "names with commas between them"),
        (("--norm", "0.5"), "norm: expected p >= 1"),
        (("--norm", "2,0"), "norm: expected p >= 1, got '0'; l0 is no norm: only attack has an l0 distance"),
        (("--target", "sideways"), "target: expected one of"),
        (("--workers", "2"), "--workers: expected --engine ray"),
        (("--order", "3"), "order"),
        (("--budget", "100"), "budget: expected at least 1,500 passes for a bracket, got 100"),
        (("--order", "2", "--bound", "profile"), "bound: expected 'ball' with order=2"),
    ],
)
def test_bad_flags_are_one_line_and_leave_nothing(flags: tuple[str, ...], message: str, tmp_path: Path):
    done = run_command("bracket", "digits-robust", "digits", "--count", "1", "--out", "new", *flags, folder=tmp_path)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()


NETS = """
import json
from pathlib import Path
import torch
from torch import nn

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        with torch.no_grad():
            self.body[1].weight.copy_(torch.linspace(-1, 1, 640).sin().reshape(10, 64))
            self.body[1].bias.zero_()

    def forward(self, x):
        return self.body(x) * json.loads(Path("config.json").read_text())["gain"]
"""


@pytest.mark.parametrize("again", [(), ("--retry-failed",)], ids=["resume", "retry-failed"])
def test_a_network_that_answers_differently_is_not_resumed(tmp_path: Path, again: tuple[str, ...]):
    name = f"nets_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(NETS)
    command = ("bracket", f"{name}:Scaled", "digits", "--bounds", "0", "1", "--count", "1", "--budget", "1500")
    command += ("--certificate", "none", "--out", "run")
    config = tmp_path / "config.json"
    config.write_text('{"gain": 1.0}')
    assert run_command(*command, folder=tmp_path).returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    config.write_text('{"gain": 0.5}')
    done = run_command(*command, "--resume", *again, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert "run: cannot be resumed, its plan differs: model.answers: the network is another one: a logit was " in (
        done.stderr
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    config.write_text('{"gain": 1.0}')
    assert run_command(*command, "--resume", *again, folder=tmp_path).returncode == 0


FAILING = """
import torch
from torch import nn

class Fails(nn.Module):
    def forward(self, x):
        if bool(((10 * x).round() - 10 * x).abs().max() > 1e-3):
            raise ValueError("only tenths today")
        return torch.cat([x.flatten(1), 1 - x.flatten(1)], 1)
"""
"""A network that answers for the inputs and for nothing beside them."""


@pytest.mark.parametrize(("labels", "code"), [((0, 2), 2), ((0, 1), 0)], ids=["all fail", "one is misclassified"])
@pytest.mark.parametrize("as_json", [False, True])
def test_failed_tasks_are_said_on_stderr(tmp_path: Path, labels: tuple[int, ...], code: int, as_json: bool):
    name = f"failing_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(FAILING)
    images = np.array([[[[0.9, 0.6]]], [[[0.2, 0.3]]]], dtype=np.float32)
    np.savez(tmp_path / "data.npz", images=images, labels=labels, bounds=[0, 1])
    command = ("bracket", f"{name}:Fails", "data.npz", "--budget", "quick", "--certificate", "none", "--out", "run")
    command += ("--json",) if as_json else ()
    for again in ((), ("--resume",), ("--resume", "--retry-failed")):
        done = run_command(*command, *again, folder=tmp_path)
        assert done.returncode == code and done.stderr.count("\n") == 1
        count = "every task failed" if code else "1 of 2 tasks failed"
        assert done.stderr.startswith(f"clearance: {count}, the first with NetworkError: network: its f")
        assert done.stderr.rstrip().endswith("; --resume --retry-failed computes them again")
        if as_json:
            assert json.loads(done.stdout)["tasks"]["failed"] == (2 if code else 1)


GROWING = ("bracket", "digits-robust", "digits", "--budget", "1500", "--certificate", "none", "--target", "random")


def exported(place: Path, name: str) -> list[dict]:
    out = f"{name}.json"
    arguments = ("export", name, "--format", "json", "--out", out, "--arrays", "--force")
    assert run_command(*arguments, folder=place).returncode == 0
    return without_times(json.loads((place / out).read_text()))


def test_a_run_grows_by_inputs_norms_and_targets_and_is_read_by_every_command(tmp_path: Path):
    def bracket(*flags: str) -> str:
        done = run_command(*GROWING, *flags, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert bracket("--count", "2", "--out", "run") == ""
    (first, second), larger = exported(tmp_path, "run"), ("--indices", "4,1,0", "--norm", "inf,2")
    said = bracket(*larger, "--out", "run", "--resume")
    assert said == "clearance: run grows by 1 input, norm inf; 2 of 6 tasks are finished and stay\n"
    assert bracket(*larger, "--out", "run", "--resume") == ""
    bracket("--indices", "0,1,4", "--norm", "2,inf", "--out", "one")
    grown = exported(tmp_path, "run")
    assert grown == exported(tmp_path, "one") and [grown[0], grown[2]] == [first, second] and len(grown) == 6
    assert run_command("report", "run", folder=tmp_path).returncode == 0
    gate = run_command(
        "gate", "run", "--max-drop", "0", "--baseline", "one", "--max-misclassified", "1", folder=tmp_path
    )
    assert "0 of 6" in gate.stdout and gate.returncode == 1  # three inputs are too few for an interval
    compared = run_command("compare", "run", "one", "--json", folder=tmp_path)
    assert compared.returncode == 0 and json.loads(compared.stdout)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--norm", "inf"), "norms: expected those of the run (2) and any more, got inf"),
        (("--offset", "2"), "inputs: expected those of the run (2: 0 to 1) and any more, got 2: 2 to 3"),
        (("--target", "3"), "targets: expected those of the run (runner-up, 3) and any more, got 3"),
        (("--count", "5", "--seed", "1"), "seed: 0 -> 1"),
    ],
)
def test_nothing_is_taken_from_a_run(folder: Path, flags: tuple[str, ...], message: str):
    before = {path.name: path.read_bytes() for path in (folder / "run").iterdir()}
    asked = ["digits-robust", "digits", *QUICK, "--target", "runner-up,3", "--out", "run", "--resume"]
    for name, value in zip(flags[::2], flags[1::2], strict=True):
        place = asked.index(name) if name in asked else len(asked)
        asked[place : place + 2] = [name, value]
    done = run_command("bracket", *asked, folder=folder)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert {path.name: path.read_bytes() for path in (folder / "run").iterdir()} == before


def test_what_cannot_be_walked_to_is_said_and_left_out(tmp_path: Path):
    """A set in which another input lies outside the bounds: those of the run are walked to."""
    images = np.full((4, 1, 8, 8), 0.25, dtype=np.float32)
    images[3] = 2.0
    np.savez(tmp_path / "data.npz", images=images, labels=np.arange(4))
    command = (
        "bracket",
        "digits-robust",
        "data.npz",
        "--budget",
        "1500",
        "--certificate",
        "none",
        "--bounds",
        "0",
        "1",
    )
    done = run_command(*command, "--count", "2", "--out", "run", folder=tmp_path)
    assert done.returncode == 0 and done.stderr.startswith("clearance: audits walk to inputs of this run alone: ")
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["data"]["references"] == plan["data"]["input_keys"]


ROUNDED = """import torch
class Rounded(torch.nn.Linear):
    def forward(self, x):
        return super().forward((8 * x).round() / 8)
def network():
    torch.manual_seed(0)
    return Rounded(4, 2)
"""


def test_many_tasks_have_their_flags_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("clearance.cli.bracket.MOST_LINES", 1)
    (tmp_path / "rounded.py").write_text(ROUNDED)
    (tmp_path / "data.csv").write_text("a,b,c,d,label\n.1,.9,.3,.2,0\n.9,.1,.2,.7,1\n.4,.4,.8,.1,0\n")
    given = ("rounded.py:network", "data.csv", "--budget", "1500", "--certificate", "none", "--out", "run")
    done = run_command("bracket", *given, "--target", "runner-up", folder=tmp_path)
    assert done.returncode == 0
    assert "Flags, by how many brackets they are on: " in done.stdout and "zero_gradient" in done.stdout
    told = re.search(r"(\d) of (\d) brackets? (?:is|are) masked: the network may hide", " ".join(done.stdout.split()))
    assert told is not None and told[1] == told[2]


def test_a_run_of_mostly_misclassified_inputs_asks_why(tmp_path: Path):
    (tmp_path / "data.csv").write_text("a,b,c,d,label\n.1,.9,.3,.2,1\n.9,.1,.2,.7,1\n.4,.4,.8,.1,1\n.2,.4,.8,.1,0\n")
    (tmp_path / "one.py").write_text(
        "import torch\ndef network():\n    line = torch.nn.Linear(4, 2)\n    line.weight.data.zero_()\n"
        "    line.bias.data = torch.tensor([1.0, 0.0])\n    return line\n"
    )
    done = run_command("bracket", "one.py:network", "data.csv", "--budget", "1500", "--out", "run", folder=tmp_path)
    assert "3 of 4 brackets are of misclassified inputs: is the order of the classes" in done.stdout
    made = run_command("report", "run", folder=tmp_path)
    assert "clearance: 3 of 4 brackets are of misclassified inputs" in made.stderr
