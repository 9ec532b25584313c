"""One target class for all inputs: those that have it already are skipped with a status, by every command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearance.report.read import read_records
from command_line import Ended, run_command

NETWORK = """
import torch
from torch import nn

def linear():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    with torch.no_grad():
        network[1].weight.copy_(torch.eye(3, 4))
        network[1].bias.zero_()
    return network
"""

WORD = "target_is_predicted"
X = np.array([[[0.9, 0.2, 0.1, 0.5]], [[0.1, 0.7, 0.3, 0.5]], [[0.8, 0.2, 0.6, 0.5]]], dtype=np.float32)
"""Predicted as 0, 1 and 0 by `linear`, which takes the first three values as logits; the last has the label 1."""
DISTANCE = 0.6 / np.sqrt(2)
"""From the second input to class 0 in l2: the margin .7 - .1 by the norm of (1, -1)."""


@pytest.fixture
def module(here: Path, request: pytest.FixtureRequest) -> str:
    np.savez("data.npz", images=X, labels=[0, 1, 1], bounds=[0.0, 1.0])
    name = f"target_{abs(hash(request.node.nodeid))}"
    Path(f"{name}.py").write_text(NETWORK)
    return name


def both(command: str, module: str, *flags: str) -> tuple[Ended, list[dict[str, Any]]]:
    """The table, and the results of the document."""
    arguments = (command, f"{module}:linear", "data.npz", "--target", "0", *flags)
    table, document = run_command(*arguments, columns=100), run_command(*arguments, "--json")
    assert (table.returncode, table.stderr, document.returncode, document.stderr) == (0, "", 0, "")
    return table, json.loads(document.stdout)["results"]


def test_score(module: str):
    table, (reached, scored, wrong) = both("score", module, "--budget", "quick", "--no-bounds")
    assert (reached["status"], reached["radius"], reached["predicted"]) == (WORD, None, 0)
    assert scored["radius"] == pytest.approx(DISTANCE, rel=1e-5) and wrong["status"] == "misclassified"
    assert f"over 1 of 3 inputs (1 {WORD}, 1 misclassified)" in table.stdout
    assert "the target is the predicted class: nothing to measure" in table.stdout


def test_attack(module: str):
    table, (reached, attacked, wrong) = both("attack", module, "--budget", "quick")
    assert (reached["method"], reached["distance"], reached["success"]) == (WORD, None, False)
    assert attacked["distance"] == pytest.approx(DISTANCE, rel=1e-3) and wrong["method"] == "misclassified"
    assert f"over 1 of 3 inputs (0 without a witness, 1 misclassified, 1 {WORD})" in " ".join(table.stdout.split())


def test_certify(module: str):
    table, (reached, proved, wrong) = both("certify", module, "--no-bounds", "--method", "linear")
    assert (reached["status"], reached["radius"]) == (WORD, None) and wrong["status"] == "misclassified"
    assert proved["radius"] == pytest.approx(DISTANCE, rel=1e-5) and proved["radius"] <= DISTANCE
    assert f"over 1 of 3 inputs (1 {WORD}, 1 misclassified)" in table.stdout


def test_audit(module: str):
    table, (reached, audited, wrong) = both("audit", module)
    assert (reached["misclassified"], reached["masked"], reached["predicted"]) == (False, None, 0)
    assert audited["masked"] is False and wrong["misclassified"] is True
    assert f"1 of 3 inputs audited (1 misclassified, 1 {WORD})" in " ".join(table.stdout.split())
    assert f"{WORD}: not audited" in " ".join(table.stdout.split())


def test_a_run_and_what_is_read_of_it(module: str):
    flags = ("--target", "0,1", "--budget", "1500", "--certificate", "linear", "--no-bounds", "--out", "run")
    done = run_command("bracket", f"{module}:linear", "data.npz", *flags, columns=100)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.count(f" {WORD}") >= 2
    again = run_command("bracket", f"{module}:linear", "data.npz", *flags, "--resume", "--json")
    first, second = json.loads(again.stdout)["summary"]
    assert (first["tasks"], first["misclassified"], first[WORD], first["readable"]) == (3, 1, 1, 1)
    assert first["certified"] <= DISTANCE <= first["attacked"] and first["certified"] == pytest.approx(DISTANCE)
    assert (second["misclassified"], second[WORD], second["readable"]) == (1, 1, 1)
    run = read_records("run")
    assert (run.finished, run.total, run.target_is_predicted, len(run.entries)) == (6, 6, 2, 4)
    assert run_command("report", "run").returncode == 0
    assert "2 tasks are left out: the input&#39;s class is the target" in Path("run/report.html").read_text()
    assert run_command("export", "run", "--format", "json", "--out", "run.json").returncode == 0
    statuses = [(r["input"], r["target"], r["status"]) for r in json.loads(Path("run.json").read_text())]
    assert [s for s in statuses if s[2] == WORD] == [(0, 0, WORD), (1, 1, WORD)]
    limits = ("--min-certified", "0.1", "--max-flagged", "0", "--max-misclassified", "0.5")
    assert run_command("gate", "run", *limits).returncode == 0
    assert run_command("gate", "run", "--max-misclassified", "0.2").returncode == 1


def test_a_run_in_which_every_input_has_the_target_class(module: str):
    flags = ("--count", "1", "--target", "0", "--budget", "1500", "--out", "run")
    done = run_command("bracket", f"{module}:linear", "data.npz", *flags)
    assert (done.returncode, done.stderr) == (0, "") and WORD in done.stdout
    assert run_command("report", "run").returncode == 0
    page = Path("run/report.html").read_text()
    assert "1 task is left out" in page and "Every input is misclassified" not in page
    judged = run_command("gate", "run", "--min-median", "0.1")
    assert judged.returncode == 1 and "there is no bracket" in " ".join(judged.stdout.split())


@pytest.mark.parametrize("command", ["score", "attack", "certify", "audit", "bracket", "export-vnnlib"])
def test_a_class_that_there_is_not(module: str, command: str):
    out = {"bracket": ("--out", "run"), "export-vnnlib": ("--out", "run", "--radius", "0.1")}.get(command, ())
    done = run_command(command, f"{module}:linear", "data.npz", "--target", "3", *out)
    assert (done.returncode, done.stdout) == (2, "") and not Path("run").exists()
    assert done.stderr == "clearance: target: expected a class index from 0 to 2, got 3\n"
