"""`clearance audit`: the table, the blocks, JSON, `--fail-on`, Ctrl-C and bad input, in this process."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clearance
from clearance.audit import CHECKS, Audit, Severity
from clearance.cli import commands, run
from clearance.cli.audit_table import MEANINGS

FACTORIES = """
import torch
from torch import nn
from clearance.model.transforms import Staircase

def linear():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(4 * torch.eye(4)[:3])
    return network

def stairs():
    return nn.Sequential(Staircase(64), linear())

class Reciprocal(nn.Module):
    def forward(self, x):
        return 1 / (1 - x.flatten(1)[:, :3])
"""
IMAGES = np.array([[[0.9, 0.2, 0.1, 0.5]], [[0.1, 0.2, 0.6, 0.5]], [[0.1, 0.7, 0.3, 0.5]]], dtype=np.float32)
LABELS = np.array([0, 1, 1])  # the second is predicted to be 2
MISCLASSIFIED = 1


@pytest.fixture
def work(here: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with a data set `data.npz` and a module of factories, whose name is returned."""
    monkeypatch.setenv("COLUMNS", "80")
    np.savez("data.npz", images=IMAGES, labels=LABELS, bounds=np.array([0.0, 1.0]))
    name = f"audited_{abs(hash(request.node.nodeid))}"
    Path(f"{name}.py").write_text(FACTORIES)
    return name


@pytest.fixture(scope="module")
def known() -> dict[object, list[Audit]]:
    """The audits that a test of this file has made."""
    return {}


@pytest.fixture(autouse=True)
def each_audit_is_made_once(known: dict[object, list[Audit]], monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about what the command does with an audit: the same network and input are audited once."""
    module = importlib.import_module("clearance.cli.audit")
    audit = module.audit

    def remembering(model: Any, x: Any, labels: Any, **options: Any) -> list[Audit]:
        key = (repr(model.network), str(model.bounds), x.numpy().tobytes(), str(labels), str(options))
        if key not in known:
            known[key] = audit(model, x, labels, **options)
        return known[key]

    monkeypatch.setattr(module, "audit", remembering)


def words(text: str) -> str:
    return " ".join(text.split())


def document(text: str) -> dict[str, Any]:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_an_honest_model_has_no_sign_of_masking(work: str, capfd: pytest.CaptureFixture[str]):
    assert run(["audit", f"{work}:linear", "data.npz", "--norm", "inf", "--fail-on", "warning"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert f"{work}:linear on data: inputs 0 to 2 of 3" in out and "audit, linf, untargeted, seed 0" in out
    assert re.search(r"^ +0 +0 +0 +\w+ +0\.0 % +[\d,]{4,} ", out, re.MULTILINE)
    assert re.search(r"^ +1 +1 +2 +- +- +- +misclassified", out, re.MULTILINE)
    text = words(out)
    assert "2 of 3 inputs audited (1 misclassified)" in text
    assert text.endswith("No sign of masking was found on 2 inputs. That is not a proof that there is none.")
    assert all(len(line) <= 80 for line in out.splitlines())


def test_a_masked_model_gets_a_block_for_each_flag(work: str, capfd: pytest.CaptureFixture[str]):
    assert run(["audit", f"{work}:stairs", "data.npz"]) == 0
    out, err = capfd.readouterr()
    text = words(out)
    assert err == "" and "Signs of masking on 2 of 2 inputs" in text and "No sign" not in text
    assert re.search(r"^ +0 +0 +0 +error +\d+\.\d % ", out, re.MULTILINE)
    assert "zero_gradient: error on 2 inputs" in text and re.search(r"input 0 share of gradients 1 ", text)
    assert all(f": {MEANINGS[level]}" in text for level in [Severity.ERROR])
    blocks = re.findall(r"^(\w+): (?:(\w+) on \d inputs?(?:, )?)+$", out, re.MULTILINE)
    assert len(blocks) >= 3
    for code, _ in blocks:
        for line in (CHECKS[code].meaning, CHECKS[code].remedy, f"clearance docs {code}"):
            assert line in text
    ranks = [Severity(severity).rank for _, severity in blocks]
    assert ranks == sorted(ranks, reverse=True)
    assert all(len(line) <= 80 for line in out.splitlines())


def test_a_budget_is_passed_on_and_told(work: str, capfd: pytest.CaptureFixture[str]):
    passes: list[int] = []
    for budget in ("quick", "3000", "standard"):
        assert run(["audit", f"{work}:linear", "data.npz", "--count", "1", "--budget", budget, "--json"]) == 0
        found = document(capfd.readouterr().out)
        cost = found["results"][0]["cost"]
        passes.append(cost["forward"] + cost["backward"])
        assert str(found["settings"]["budget"]) == budget
    assert passes[0] <= 1.1 * 2780 and passes[1] <= 1.1 * 3000 < 4500 < passes[2] <= 1.1 * 6900
    assert run(["audit", f"{work}:linear", "data.npz", "--budget", "1999"]) == 2
    assert "budget: expected at least 2,000 passes for an audit, got 1999" in capfd.readouterr().err


def test_json_says_what_the_library_says(work: str, capfd: pytest.CaptureFixture[str]):
    assert run(["audit", f"{work}:stairs", "data.npz", "--count", "2", "--seed", "3", "--json"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    found = document(out)
    assert found["clearance"] == clearance.__version__ and found["model"]["bounds"] == [0.0, 1.0]
    assert found["data"] == {"source": "data.npz", "name": "data", "offset": 0, "count": 2}
    assert (found["target"], found["settings"]) == ("untargeted", {"norm": 2.0, "budget": "standard", "seed": 3})
    audited, skipped = found["results"]
    assert (audited["input"], audited["label"], audited["predicted"]) == (0, 0, 0)
    assert audited["masked"] and not audited["misclassified"] and audited["worst"] == "error"
    assert audited["cost"]["backward"] > 0 and "path_integral" in audited["measured"]
    assert all(set(flag) == {"code", "severity", "meaning", "evidence", "remedy"} for flag in audited["flags"])
    assert (skipped["label"], skipped["predicted"], skipped["misclassified"]) == (1, 2, True)
    assert skipped["masked"] is skipped["worst"] is None and skipped["flags"] == []
    summary = found["summary"]
    assert (summary["inputs"], summary["audited"], summary["misclassified"], summary["masked"]) == (2, 1, 1, 1)
    assert summary["flags"] == dict.fromkeys(sorted(summary["flags"], key=list(CHECKS).index), 1)
    assert set(summary["flags"]) == {flag["code"] for flag in audited["flags"]}


@pytest.mark.parametrize(
    ("model", "severity", "code"), [("stairs", "error", 1), ("stairs", "info", 1), ("linear", "warning", 0)]
)
def test_fail_on(work: str, capfd: pytest.CaptureFixture[str], model: str, severity: str, code: int):
    assert run(["audit", f"{work}:{model}", "data.npz", "--count", "2", "--fail-on", severity, "--json"]) == code
    out, err = capfd.readouterr()
    assert len(document(out)["results"]) == 2
    line = f"clearance: --fail-on {severity}: 1 of 2 inputs with a flag of severity {severity} or worse\n"
    assert err == (line if code else "")


def test_flags_reach_the_audit(work: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    module, seen = importlib.import_module("clearance.cli.audit"), []
    audit = module.audit

    def remember(*arguments: Any, **options: Any) -> Any:
        seen.append((arguments[1].shape, arguments[2].tolist(), options | {"references": len(options["references"])}))
        return audit(*arguments, **options)

    monkeypatch.setattr(module, "audit", remember)
    text = "--norm inf --target 2 --seed 7 --offset 2 --count 1 --mean .1 --std 2 --no-bounds --device cpu --json"
    assert run(["audit", f"{work}:linear", "data.npz", *text.split()]) == 0
    assert seen == [
        ((1, 1, 4), [1], {"norm": float("inf"), "target": 2, "references": 1, "budget": "standard", "seed": 7})
    ]
    found = document(capfd.readouterr().out)
    assert found["settings"]["norm"] == "inf" and found["target"] == 2 and found["model"]["bounds"] is None
    assert found["results"][0]["input"] == 2


def test_nothing_but_misclassified_inputs(work: str, capfd: pytest.CaptureFixture[str]):
    arguments = ["--offset", str(MISCLASSIFIED), "--count", "1", "--fail-on", "info"]
    assert run(["audit", f"{work}:linear", "data.npz", *arguments]) == 0
    text = words(capfd.readouterr().out)
    assert "Nothing was audited: every input is misclassified." in text and "No sign" not in text


def test_what_was_finished_is_shown_on_ctrl_c(
    work: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    module, started = importlib.import_module("clearance.cli.audit"), []
    audit = module.audit

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if started:
            raise KeyboardInterrupt
        started.append(True)
        return audit(*arguments, **options)

    monkeypatch.setattr(module, "audit", interrupted)
    assert run(["audit", f"{work}:linear", "data.npz", "--fail-on", "info"]) == 130
    out, err = capfd.readouterr()
    assert "input 0 of 3; interrupted, 2 not done" in words(out) and "1 of 1 input audited" in words(out)
    assert err.strip() == "clearance: interrupted"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{m}:linear nowhere.npz", r"nowhere\.npz: no such file"),
        ("{m}:nothing data.npz", "there is nothing of that name"),
        ("{m}:linear data.npz --norm .5", "norm: expected p >= 1, got '.5'"),
        ("{m}:linear data.npz --norm 0", "norm: expected p >= 1, got '0'; l0 is no norm: only attack has an l0"),
        ("{m}:linear data.npz --target nearest", "target: expected one of untargeted"),
        ("{m}:linear data.npz --fail-on fatal", "'fatal'.*'info', 'warning', 'error'"),
        ("{m}:linear data.npz --bounds 0 .5", r"inputs: expected values in \[0, 0\.5\]"),
        ("{m}:Reciprocal one.npz", "finite"),
        ("digits-standard data.npz", r"network: its forward pass failed on inputs of shape \(1, 4\)"),
        ("{m}:linear", "DATA"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(
    work: str, capfd: pytest.CaptureFixture[str], arguments: str, message: str
):
    np.savez("one.npz", images=np.ones((1, 1, 4), dtype=np.float32), labels=[0])
    assert run(["audit", *arguments.format(m=work).split()]) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.startswith("clearance: ") and err.count("\n") == 1
    assert re.search(message, err)


def test_choices_of_fail_on_are_the_severities_and_each_has_a_meaning():
    (option,) = [option for option in commands.commands["audit"].params if option.name == "fail_on"]
    assert list(option.type.choices) == [severity.value for severity in Severity]
    assert set(MEANINGS) == set(Severity)
