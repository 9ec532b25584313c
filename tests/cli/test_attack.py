"""`clearance attack`: table, JSON (in a process of its own), saved witnesses, bad input."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import clearance as cl
from clearance.data import datasets
from clearance.zoo.specs import load_model
from command_line import run_command


def test_table_and_saved_witnesses(tmp_path: Path):
    file = tmp_path / "witnesses.npz"
    arguments = ("--count", "3", "--budget", "quick", "--save", str(file))
    result = run_command("attack", "digits-standard", "digits", *arguments)
    assert result.returncode == 0, result.stderr
    assert "digits-standard on digits" in result.stdout
    assert "misclassified" in result.stdout
    assert "Median attack distance" in result.stdout
    with np.load(file) as saved:
        content = {name: saved[name] for name in saved.files}
    assert set(content) == {"images", "labels", "adversarial", "distances", "predictions"}
    assert content["adversarial"].shape == content["images"].shape == (3, 1, 8, 8)
    network, right = load_model("digits-standard").network, np.isfinite(content["distances"])
    assert right.tolist() == [True, False, True]
    gaps = (content["adversarial"] - content["images"]).reshape(3, -1)[right]
    assert np.linalg.norm(gaps, axis=1) == pytest.approx(content["distances"][right], rel=1e-5)
    images = datasets.load("digits", count=3).images.new_tensor(content["adversarial"][right])
    assert network(images).argmax(1).tolist() == content["predictions"][right].tolist()
    assert (content["predictions"][right] != content["labels"][right]).all()
    assert not list(tmp_path.glob(".*part"))


def test_json():
    arguments = ("--count", "2", "--norm", "inf", "--target", "runner-up", "--budget", "quick", "--json")
    result = run_command("attack", "digits-robust", "digits", *arguments)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    first, second = document["results"]
    assert first["success"]
    assert 0 < first["distance"] < 1
    assert first["distance"] == min(value for value in first["distances"].values() if value is not None)
    assert second["method"] == "misclassified"
    assert second["distance"] is None
    assert document["settings"]["budget"] == "quick"


def test_l0_counts_the_coordinates_that_differ(tmp_path: Path):
    file = tmp_path / "witnesses.npz"
    arguments = ("--count", "2", "--norm", "0", "--budget", "quick", "--save", str(file))
    result = run_command("attack", "digits-standard", "digits", *arguments)
    assert result.returncode == 0, result.stderr
    said = " ".join(result.stdout.split())
    assert "l0, untargeted" in said and "sigma_zero" in said and "l0 distance: how many coordinates differ" in said
    with np.load(file) as saved:
        moved = (saved["adversarial"][0] != saved["images"][0]).sum()
        assert 0 < moved == saved["distances"][0] and np.isnan(saved["distances"][1])


def test_within_a_radius():
    arguments = ("--count", "6", "--norm", "inf", "--radius", "32/255", "--budget", "quick")
    result = run_command("attack", "digits-standard", "digits", *arguments, columns=100)
    assert result.returncode == 0, result.stderr
    assert "radius 32/255" in result.stdout
    document = json.loads(run_command("attack", "digits-standard", "digits", *arguments, "--json").stdout)
    robust = document["robust_accuracy"]
    assert document["settings"]["radius"] == robust["radius"] == 32 / 255
    assert robust["inputs"] == 6 and robust["proved"] is None
    broken = [found for found in document["results"] if found["success"]]
    assert robust["broken"]["count"] == len(broken) > 0
    assert all(found["distance"] <= 32 / 255 for found in broken)
    correct = sum(found["method"] != "misclassified" for found in document["results"])
    assert robust["not_broken"]["count"] == correct - len(broken)
    share, (low, high) = robust["not_broken"]["share"], robust["not_broken"]["interval"]
    line = " ".join(result.stdout.split())
    assert f"Robust accuracy at radius 32/255: at most {share:.1%}" in line
    ends = re.search(r"interval of the share not broken is (\S+) % to (\S+) %\)", line)
    assert "gradient is zero" not in line and robust["zero_gradient"] == 0
    assert ends and 100 * low - 0.1 < float(ends[1]) <= 100 * low < 100 * high <= float(ends[2]) < 100 * high + 0.1


STEPS = """
import clearance as cl
import torch

class Steps(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = cl.load_model("digits-standard").network

    def forward(self, x):
        return self.network(torch.round(3 * x) / 3)
"""


@pytest.mark.parametrize("more", [[], ["--radius", "0.01"]])
def test_no_robustness_where_there_is_no_gradient(here: Path, more: list[str]):
    (here / "steps.py").write_text(STEPS)
    result = run_command("attack", "steps.py:Steps", "digits", "--count", "2", "--budget", "280", *more, columns=100)
    assert result.returncode == 0, result.stderr
    assert "The gradient is zero at " in result.stdout and "clearance audit" in result.stdout


def test_several_radii_are_those_of_a_run():
    done = run_command("attack", "digits-standard", "digits", "--radius", ".1,.2")
    assert done.returncode == 2 and "got '.1,.2'; robust accuracy at several radii: clearance report RUN" in done.stderr


def test_within_a_radius_towards_one_class_there_is_no_robust_accuracy():
    arguments = ("--count", "3", "--radius", "1", "--budget", "quick", "--target", "3", "--json")
    document = json.loads(run_command("attack", "digits-standard", "digits", *arguments).stdout)
    assert "robust_accuracy" not in document
    assert [found["method"] for found in document["results"]].count("target_is_predicted") == sum(
        found["label"] == 3 for found in document["results"]
    )


def test_many_inputs_within_a_radius_are_the_same_in_one_call_and_on_the_command_line():
    model, data = cl.Classifier(load_model("digits-robust").network, (0, 1)), datasets.load("digits", count=20)
    together = cl.attack(model, data.images, data.labels, norm=2, radius=0.7, budget="quick")
    arguments = ("--count", "20", "--radius", "0.7", "--budget", "quick", "--json")
    document = json.loads(run_command("attack", "digits-robust", "digits", *arguments).stdout)
    assert [found["success"] for found in document["results"]] == [found.success for found in together]


@pytest.mark.parametrize("radius", ["-1", "nan", "inf", "0/0", "1/0", "8/", "/255", "8/255/2", "wide", "", "-8/255"])
def test_a_bad_radius_is_one_line(radius: str):
    result = run_command("attack", "digits-standard", "digits", "--count", "1", f"--radius={radius}")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "--radius" in result.stderr and "a number >= 0 or a fraction such as 8/255" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits-standard", "nowhere.npz"), "nowhere.npz"),
        (("digits-standard", "digits", "--norm", "0", "--method", "pgd"), "expected p >= 1 for method pgd, got l0"),
        (("digits-standard", "digits", "--norm", "0.5"), "norm: expected p >= 1"),
        (("digits-standard", "digits", "--budget", "huge"), "--budget"),
        (("digits-standard", "digits", "--target", "nearest"), "target: expected one of"),
        (("digits-standard", "digits", "--radius", "1", "--method", "ddn"), "method: expected 'best' with a radius"),
        (("digits-standard", "digits", "--save", "out.txt"), "--save: expected a file name that ends in .npz"),
        (("digits-standard", "digits", "--save", "missing/out.npz"), "--save: expected a folder that exists"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(arguments: tuple[str, ...], message: str, tmp_path: Path):
    result = run_command("attack", *arguments, "--count", "1", folder=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("clearance: ")
    assert message in result.stderr
    assert not list(tmp_path.iterdir())
