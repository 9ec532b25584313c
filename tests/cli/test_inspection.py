"""`clearance inspect`: what it says about models of every kind, as a table and as JSON, and bad input in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from clearance.cli.inspection import count_layers
from clearance.data import datasets
from clearance.model.budgets import BUDGETS, whole_passes
from clearance.zoo.specs import load_model
from command_line import run_command
from model_files import small_cnn, write_exported, write_vision_transformer
from torchvision_operators import define_torchvision_operators

NETWORKS = """
import torch
from torch import nn


def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def softmax():
    return nn.Sequential(linear(), nn.Softmax(1))


def smooth():
    return nn.Sequential(linear(), nn.Softplus(), nn.Linear(10, 10))


def unknown():
    return nn.Sequential(linear(), nn.Softmin(1))


class Broken(nn.Module):
    def forward(self, x):
        raise KeyError("no such key")


class NotFinite(nn.Module):
    def forward(self, x):
        return x.flatten(1) * float("nan")


class Rounded(nn.Module):
    def forward(self, x):
        return x.flatten(1).round()
"""


@pytest.fixture
def networks(here: Path) -> str:
    (here / "networks_of_inspection.py").write_text(NETWORKS)
    return "networks_of_inspection.py"


@pytest.fixture(autouse=True)
def short_measurement(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("clearance.cli.inspection.MEASURED_SECONDS", 0.01)


def inspected(*arguments: str) -> dict[str, Any]:
    done = run_command("inspect", *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def test_numbers_of_a_bundled_classifier():
    found = inspected("digits-standard", "digits", "--count", "all")
    loaded, data = load_model("digits-standard"), datasets.load("digits")
    correct = int((loaded.network(data.images).argmax(1) == data.labels).sum())
    parameters = sum(value.numel() for value in loaded.network.parameters())
    assert found["model"]["kind"] == "bundled" and found["model"]["parameters"] == parameters
    assert found["model"]["bytes"] == 4 * parameters and found["model"]["layers"]["Conv2d"] == 2
    assert (found["data"]["correct"], found["data"]["count"], found["data"]["total"]) == (correct, 360, 360)
    assert found["data"]["accuracy"] == correct / 360
    assert sum(found["data"]["class_counts"].values()) == 360
    assert found["input"]["shape"] == [1, 8, 8] and found["input"]["bounds"] == [0.0, 1.0]
    assert found["input"]["bounds_from"] == "model" and found["output"]["classes"] == 10
    assert not found["output"]["probabilities"] and found["second_order"]["hessian"] == "zero"
    assert found["certificates"]["refusal"] == "" and found["certificates"]["methods"]["crown"] == ""
    assert [cost["passes"] for cost in found["brackets"]] == [whole_passes(budget) for budget in BUDGETS]
    assert [cost["certificate_seconds"] for cost in found["brackets"]] == [one.seconds for one in BUDGETS.values()]
    assert all(cost["seconds"] > 0 for cost in found["brackets"]) and found["speed"]["forward"] > 0


def test_table_fits_80_columns_and_says_what_is_there():
    done = run_command("inspect", "digits-standard", "digits", columns=80)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    for words in (
        "100 of 360",
        "98.0 % (98 of 100",
        "Conv2d: 2",
        "1 x 8 x 8, from the data",
        "branch-and-bound  yes (best leaves it out",
    ):
        assert words in done.stdout, words
    assert "--order 2           no: the Hessian is zero where tested" in done.stdout


def test_without_data():
    found = inspected("digits-robust")
    assert found["data"] is None and found["input"]["shape_from"] == "model" and found["input"]["shape"] == [1, 8, 8]
    assert "Data\n" not in run_command("inspect", "digits-robust").stdout


def test_shape_is_asked_for_where_nothing_says_it(networks: str):
    done = run_command("inspect", f"{networks}:linear")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--input-shape" in done.stderr
    found = inspected(f"{networks}:linear", "--input-shape", "1,8,8")
    assert found["input"]["shape"] == [1, 8, 8] and found["input"]["shape_from"] == "--input-shape"
    assert found["input"]["bounds"] is None and found["input"]["bounds_from"] == "nowhere"
    assert found["certificates"]["methods"]["linear"] == "" and found["certificates"]["nonlinear"] == {}


def test_what_works_differs(networks: str):
    smooth = inspected(f"{networks}:smooth", "digits", "--count", "3")
    assert smooth["second_order"]["hessian"] == "curved" and smooth["data"]["count"] == 3
    assert smooth["certificates"]["methods"]["one-hidden"] == ""
    assert "softplus" in smooth["certificates"]["methods"]["exact"]
    unknown = inspected(f"{networks}:unknown", "digits", "--count", "3")
    assert unknown["certificates"]["refusal"].startswith("Softmin (1)")
    assert unknown["certificates"]["unknown"] == ["Softmin (1)"] and unknown["output"]["probabilities"]
    table = run_command("inspect", f"{networks}:softmax", "digits", "--count", "3").stdout
    assert "look like probabilities" in table
    rounded = run_command("inspect", f"{networks}:Rounded", "digits", "--count", "3").stdout
    assert "the gradient is zero" in rounded


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Broken", "digits"), "no such key"),
        (("Broken", "--input-shape", "1,8,8"), "no such key"),
        (("NotFinite", "digits"), "NaN or infinity"),
        (("linear", "--input-shape", "3,5"), "(3, 5)"),
        (("linear", "--input-shape", "1,0"), "expected sizes such as 3,224,224 or 30"),
        (("linear", "digits", "--input-shape", "1,8,8"), "expected none with DATA"),
        (("linear", "--count", "3"), "--count: expected DATA"),
        (("linear", "--skip-misclassified"), "--skip-misclassified: expected DATA"),
        (("linear", "--scale", "std"), "--scale: expected DATA"),
        (("linear", "nowhere.npz"), "nowhere.npz"),
    ],
)
def test_bad_input_is_one_line(networks: str, arguments: tuple[str, ...], said: str):
    done = run_command("inspect", f"{networks}:{arguments[0]}", *arguments[1:])
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1 and said in done.stderr


def test_table_of_features(networks: str, here: Path):
    rows = "".join(f"{k / 7:.3f},{k % 2},{k % 3}\n" for k in range(30))
    (here / "people.csv").write_text(f"age,member,label\n{rows}")
    (here / "tabular.py").write_text("from torch import nn\ndef make():\n    return nn.Linear(2, 3)\n")
    found = inspected("tabular.py:make", "people.csv", "--label", "label")
    assert found["data"]["feature_names"] == ["age", "member"] and found["data"]["fixed"] == [1]
    assert found["input"]["bounds_from"] == "data" and found["input"]["bounds_differ"]
    table = run_command("inspect", "tabular.py:make", "people.csv", "--label", "label").stdout
    assert "1 coordinate that cannot move: member" in table and "differ by feature" in table
    scaled = inspected("tabular.py:make", "people.csv", "--label", "label", "--scale", "std")
    assert "standard deviation" in scaled["data"]["unit"] and found["data"]["unit"] == "the units of the data"


def test_an_exported_program(here: Path):
    write_exported(small_cnn(), Path("n.pt2"), fixed=True)
    found = inspected("n.pt2")
    assert found["model"]["notes"] and found["input"]["shape"] == [1, 8, 8]
    assert found["model"]["layers"] == {"conv2d": 1, "relu": 1, "flatten": 1, "linear": 1}


def test_a_folder_of_hugging_face(here: Path):
    pytest.importorskip("transformers", reason="needs transformers: pip install 'clearance[hf]'")
    define_torchvision_operators()
    write_vision_transformer(Path("vit"))
    found = inspected("hf:vit")
    assert found["model"]["kind"] == "hf:FOLDER" and found["input"]["preprocessing"]
    assert found["output"]["class_names"] and found["second_order"]["hessian"] == "curved"


def test_layers_are_counted_where_they_are():
    assert count_layers(small_cnn()) == {"Conv2d": 1, "ReLU": 1, "Flatten": 1, "Linear": 1}
    assert count_layers(torch.fx.symbolic_trace(torch.nn.ReLU()))["relu"] == 1


@pytest.mark.parametrize(("model", "said"), [("digits-standard", False), ("flipped.py:make", True)])
def test_an_accuracy_no_better_than_chance_is_remarked_on(
    model: str, said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flipped.py").write_text(
        "import torch, clearance as cl\n\n"
        "class Flipped(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.network = cl.load_model('digits-standard').network\n\n"
        "    def forward(self, x):\n"
        "        return self.network(x).flip(1)\n\n"
        "def make():\n"
        "    return Flipped()\n"
    )
    shown = run_command("inspect", model, "digits", "--count", "20").stdout
    assert ("no better than chance" in shown) is said
