"""How the network sees the inputs: precision and inputs per pass, as flags."""

import json
from pathlib import Path

import numpy as np
import pytest

from command_line import run_command

NETWORK = """
import torch
from torch import nn

def linear():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    with torch.no_grad():
        network[1].weight.copy_(torch.eye(3, 4))
        network[1].bias.zero_()
    return network

def half():
    return linear().half()

def brain():
    return linear().bfloat16()

def counted():
    network = nn.Sequential(linear())
    network.register_parameter("count", nn.Parameter(torch.ones(1, dtype=torch.int8), requires_grad=False))
    return network
"""


@pytest.fixture
def module(here: Path, request: pytest.FixtureRequest) -> str:
    images = np.array([[[0.9, 0.2, 0.1, 0.5]]], dtype=np.float32)
    np.savez("data.npz", images=images, labels=[0], bounds=[0.0, 1.0])
    name = f"inputs_{abs(hash(request.node.nodeid))}"
    Path(f"{name}.py").write_text(NETWORK)
    return name


@pytest.mark.parametrize("factory", ["half", "brain"])
def test_half_precision_needs_another_one(module: str, factory: str):
    arguments = (
        "score",
        f"{module}:{factory}",
        "data.npz",
        "--count",
        "1",
        "--budget",
        "quick",
        "--no-bounds",
        "--json",
    )
    refused = run_command(*arguments)
    assert refused.returncode == 2 and "pass one as dtype= (--dtype)" in refused.stderr
    for dtype in ("float32", "float64"):
        document = json.loads(run_command(*arguments, "--dtype", dtype).stdout)
        assert document["model"]["dtype"] == dtype
        assert document["results"][0]["radius"] == pytest.approx(0.7 / np.sqrt(2), rel=1e-5)


def test_the_first_floating_parameter_says_the_precision(module: str):
    done = run_command("score", f"{module}:counted", "data.npz", "--count", "1", "--budget", "quick", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["model"]["dtype"] == "float32"


def test_inputs_per_pass_are_part_of_the_plan(module: str):
    flags = ("--count", "1", "--budget", "1500", "--certificate", "none", "--out", "run")
    command = ("bracket", f"{module}:linear", "data.npz", *flags)
    assert run_command(*command, "--micro-batch", "1", "--dtype", "float64").returncode == 0
    plan = json.loads(Path("run/plan.json").read_text())
    assert plan["parameters"]["micro_batch"] == 1 and plan["model"]["dtype"] == "float64"
    done = run_command(*command, "--dtype", "float64", "--resume")
    assert done.returncode == 2 and "parameters.micro_batch: 1 -> nothing" in done.stderr
    for wrong in ("0", "-1", "1.5", "all"):
        assert run_command("score", f"{module}:linear", "data.npz", "--micro-batch", wrong).returncode == 2


@pytest.mark.parametrize("where", ["in the file", "as a flag"])
def test_pixels_bounds_and_the_printed_unit_go_together(module: str, where: str):
    pixels = np.array([[[200, 50, 20, 100]]], dtype=np.uint8)
    bounds = {"bounds": np.array([0, 255])} if where == "in the file" else {}
    np.savez("pixels.npz", images=pixels, labels=[0], **bounds)
    flags = ("--bounds", "0", "255") if where == "as a flag" else ()
    command = ("score", f"{module}:linear", "pixels.npz", "--budget", "quick", *flags)
    document = json.loads(run_command(*command, "--json").stdout)
    assert document["model"]["bounds"] == [0.0, 255.0]
    assert document["results"][0]["radius"] == pytest.approx(150 / np.sqrt(2), rel=1e-5)
    assert "l2 distance, input values in [0, 255]" in " ".join(run_command(*command).stdout.split())


def test_pixels_that_are_divided_have_divided_bounds(module: str):
    np.savez("pixels.npz", images=np.array([[[200, 50, 20, 100]]], dtype=np.uint8), labels=[0])
    command = ("score", f"{module}:linear", "pixels.npz", "--budget", "quick")
    document = json.loads(run_command(*command, "--json").stdout)
    assert document["model"]["bounds"] == [0.0, 1.0]
    assert document["results"][0]["radius"] == pytest.approx(150 / 255 / np.sqrt(2), rel=1e-5)
    refused = run_command(*command, "--bounds", "-1", "1")
    assert (refused.returncode, refused.stdout) == (2, "")
    expected = "0 1 (the stored values divided by 255) or 0 255 (as they are stored)"
    assert refused.stderr == f"clearance: bounds: expected {expected} for pixels, got -1 1\n"
