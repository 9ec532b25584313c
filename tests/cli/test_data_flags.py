"""Flags that choose the inputs: which of them, in which part, of which column; and where a run and its pages say so."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clearance.data.datasets import load
from clearance.data.presets import PRESETS
from clearance.runs.plan import read_plan
from command_line import Ended, run_command

MODEL = """
import torch
from torch import nn

def diagonal():
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(torch.eye(2))
    return network

class Mean(nn.Module):
    def forward(self, x):
        means = x.mean((2, 3))
        return torch.stack([means[:, 0], means[:, 1:].mean(1)], 1)
"""
QUICK = ("--budget", "quick", "--json")


@pytest.fixture
def network(here: Path, request: pytest.FixtureRequest) -> str:
    name = f"data_flags_{abs(hash(request.node.nodeid))}"
    Path(f"{name}.py").write_text(MODEL)
    return f"{name}:diagonal"


@pytest.fixture
def table(here: Path) -> str:
    """Rows whose first value is larger where the label is 0, apart from rows 1 and 4."""
    rows = [(3, 1, "a"), (1, 3, "a"), (1, 4, "b"), (5, 1, "a"), (6, 1, "b"), (2, 7, "b")]
    Path("data.csv").write_text("p,q,kind\n" + "".join(f"{p}.5,{q}.5,{kind}\n" for p, q, kind in rows))
    return "data.csv"


def attack(*arguments: str) -> dict:
    done = run_command("attack", *arguments, *QUICK)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(*arguments: str) -> str:
    done: Ended = run_command("attack", *arguments, *QUICK)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    return done.stderr


class TestWhichInputs:
    def test_indices(self, network: str, table: str):
        document = attack(network, table, "--indices", "5,2-3")
        assert document["data"]["indices"] == [5, 2, 3] and document["data"]["count"] == 3
        assert [row["input"] for row in document["results"]] == [5, 2, 3]
        assert [row["label"] for row in document["results"]] == [1, 1, 0]

    def test_classes(self, network: str, table: str):
        document = attack(network, table, "--classes", "b", "--count", "2", "--offset", "1")
        assert [row["input"] for row in document["results"]] == [4, 5]
        assert "indices" not in document["data"] and document["data"]["offset"] == 4

    def test_misclassified_ones_are_passed_over_and_counted(self, network: str, table: str):
        document = attack(network, table, "--skip-misclassified", "--count", "3")
        assert [row["input"] for row in document["results"]] == [0, 2, 3]
        assert document["data"]["skipped_misclassified"] == 1
        document = attack(network, table, "--skip-misclassified", "--count", "all", "--offset", "1")
        assert document["data"]["indices"] == [2, 3, 5] and document["data"]["skipped_misclassified"] == 2
        document = attack(network, table, "--skip-misclassified", "--indices", "4,3,1")
        assert document["data"]["offset"] == 3 and document["data"]["skipped_misclassified"] == 1

    def test_the_first_of_each_class(self, network: str, table: str):
        document = attack(network, table, "--per-class", "2")
        assert [row["input"] for row in document["results"]] == [0, 1, 2, 4]
        assert [row["label"] for row in document["results"]] == [0, 0, 1, 1]
        document = attack(network, table, "--per-class", "1", "--classes", "b")
        assert [row["input"] for row in document["results"]] == [2]
        document = attack(network, table, "--per-class", "2", "--skip-misclassified")
        assert [row["input"] for row in document["results"]] == [0, 2, 3, 5]
        assert document["data"]["skipped_misclassified"] == 2

    def test_titles(self, network: str, table: str):
        done = run_command("attack", network, table, "--skip-misclassified", "--count", "3", "--budget", "quick")
        assert "on data: inputs 0, 2 to 3 of 6; 1 misclassified skipped" in " ".join(done.stdout.split())
        assert "clearance: the label is the column 'kind', the last, as none is called" in done.stderr

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            ("--indices 1 --count 2", "--indices: expected to stand alone, got --count as well"),
            ("--indices 1 --classes a", "got --classes as well"),
            ("--per-class 2 --count 3", "--per-class: expected to stand alone, got --count as well"),
            ("--indices 1 --per-class 2", "--indices: expected to stand alone, got --per-class as well"),
            ("--per-class 4", "per-class: expected 1 to 3, the inputs of class [01] in data, got 4"),
            ("--per-class 3 --skip-misclassified", "expected 3 inputs of class 0 .* classifies correctly, got 2 of 3"),
            ("--indices 6", "indices: expected 0 to 5 for data, got 6"),
            ("--indices x", "indices: expected places such as 3,17,40-44, got 'x'"),
            ("--classes c", "one of its 2 class names or an index that has inputs in data, got 'c', no such class"),
            ("--skip-misclassified --count 5", "5 inputs that the model classifies correctly, got 4 of 6"),
            ("--indices 1 --skip-misclassified", "at least one input that the model classifies correctly, got 0 of 1"),
            ("--train", "train: expected data of another kind .*; data.csv has no training part"),
            ("--resize 8", "resize: expected data of another kind"),
            ("--resize 0", "expected a size such as 224 or 224x320, got '0'"),
            ("--crop 8x", "expected a size such as 224 or 224x320, got '8x'"),
            ("--label p2", r"label: expected a column of data.csv \(p, q, kind\), got 'p2'"),
            ("--fixed p,z", "fixed: expected features of data.csv .*, got 'z'"),
            ("--bounds-file gone.csv", "gone.csv: no such file"),
            ("--preset mnist --mean 0", "preset: expected either a preset or mean and std, got mean as well"),
        ],
    )
    def test_misuse_is_one_line(self, network: str, table: str, flags: str, message: str):
        assert re.search(message, refused(network, table, *flags.split()))

    def test_labels_that_are_no_class_of_the_network(self, network: str, here: Path):
        Path("data.csv").write_text("p,q,y\n1,2,0\n2.5,1,7\n")
        message = "expected 0 to 1, the classes of the network, got 7 for input 1 (data.csv, line 3)"
        assert message in refused(network, "data.csv", "--skip-misclassified")

    def test_how_the_labels_were_guessed_is_told_where_that_may_be_what_is_wrong(self, network: str, here: Path):
        Path("data.csv").write_text("p,q,kind\n1,2,0\nx,1,1\n")
        assert "got 'x'" in refused(network, "data.csv") and "the label is" not in refused(network, "data.csv")
        Path("data.csv").write_text("kind,p,q\na,2,0\nb,1,1\n")
        assert "the label is the column 'q', the last" in refused(network, "data.csv")


class TestTables:
    def test_bounds_of_each_feature_hold(self, network: str, table: str):
        """The nearest point to (3.5, 1.5) with p = q is (2.5, 2.5)."""
        Path("bounds.csv").write_text("feature,low,high\np,0,9\nq,1,8\n")
        document = attack(network, table, "--count", "1", "--bounds-file", "bounds.csv", "--norm", "inf")
        assert document["model"]["bounds"] == [[0.0, 1.0], [9.0, 8.0]]
        assert document["results"][0]["distance"] == pytest.approx(1.0, rel=1e-2)

    def test_fixed_columns_do_not_move(self, network: str, here: Path):
        """The nearest point to (1, 0.5) with p = q is (0.75, 0.75); with p fixed it is (1, 1)."""
        Path("t.csv").write_text("p,q,y\n1,0.5,0\n0,2.5,1\n")
        held = attack(network, "t.csv", "--count", "1")
        assert held["results"][0]["distance"] == pytest.approx(0.5, rel=1e-2)
        moved = attack(network, "t.csv", "--count", "1", "--movable", "p")
        assert moved["results"][0]["distance"] == pytest.approx(0.25 * np.sqrt(2), rel=1e-2)
        line = refused(network, "t.csv", "--no-bounds")
        assert "no-bounds: expected bounds with 1 fixed coordinate, got none; movable: all lets" in line
        assert attack(network, "t.csv", "--no-bounds", "--movable", "all")["model"]["bounds"] is None

    def test_another_label_and_columns_that_can_move(self, network: str, here: Path):
        Path("t.csv").write_text("sick,p,q\n0,1,0.5\n1,0,2.5\n")
        done = run_command("attack", network, "t.csv", "--label", "sick", *QUICK)
        assert "fixed, as they hold two values only: p (--movable NAME,... lets them move)" in done.stderr
        done = run_command("attack", network, "t.csv", "--label", "sick", "--movable", "p", *QUICK)
        assert done.returncode == 0 and done.stderr == ""


class TestPictures:
    def test_resize_crop_and_preset(self, network: str, here: Path):
        for name, colour in (("a/1.png", (200, 0, 0)), ("b/1.png", (0, 200, 200))):
            Path(name).parent.mkdir()
            Image.new("RGB", (6, 4), colour).save(name)
        mean = network.replace("diagonal", "Mean")
        document = attack(mean, "folder:.", "--resize", "4x4", "--crop", "2", "--preset", "imagenet", "--norm", "inf")
        assert [row["label"] for row in document["results"]] == [0, 1] and document["model"]["bounds"] == [0.0, 1.0]
        # With x in [0, 1] and normalised by (x - m) / s, the margin falls by e (1 / s0 + (1 / s1 + 1 / s2) / 2).
        m, s = (np.array(part) for part in (PRESETS["imagenet"].mean, PRESETS["imagenet"].std))
        z = (np.array([200, 0, 0]) / 255 - m) / s
        exact = (z[0] - z[1:].mean()) / (1 / s[0] + (1 / s[1:]).mean())
        assert document["results"][0]["distance"] == pytest.approx(exact, rel=1e-2)

    def test_one_picture(self, network: str, here: Path):
        Image.new("RGB", (2, 2), (200, 0, 0)).save("x.png")
        document = attack(network.replace("diagonal", "Mean"), "x.png", "--label", "0")
        assert document["results"][0]["label"] == 0 and document["data"]["name"] == "x"
        assert "expected the class of x.png, by name or index (--label), got none" in refused(network, "x.png")


class TestRuns:
    FLAGS = ("--budget", "1500", "--certificate", "none", "--norm", "2")

    def run(self, *flags: str) -> Ended:
        done = run_command("bracket", "digits-standard", "digits", *self.FLAGS, *flags)
        assert done.returncode == 0, done.stderr
        return done

    @pytest.fixture
    def made(self, here: Path) -> Path:
        self.run("--indices", "9,2-3", "--out", "run")
        return Path("run")

    def test_a_run_knows_the_places_of_its_inputs(self, made: Path):
        plan = read_plan(made / "plan.json")
        assert plan.data.indices == (9, 2, 3) and [task.index for task in plan.tasks()] == [9, 2, 3]
        whole = load("digits")
        assert plan.data.labels == tuple(whole.labels[[9, 2, 3]].tolist())
        refused = run_command("export", "run", "--out", "all.xlsx")
        assert refused.returncode == 2
        assert "--out: expected a name that ends in .parquet, .csv, .json, or --format" in refused.stderr
        assert run_command("export", "run", "--out", "all.json").returncode == 0
        assert [record["input"] for record in json.loads(Path("all.json").read_text())] == [9, 2, 3]

    def test_pages_and_later_sittings_name_them(self, made: Path):
        assert run_command("report", "run").returncode == 0
        assert "3 inputs at 9, 2 to 3" in (made / "report.html").read_text()
        again = ("--out", "run", "--resume")
        printed = self.run("--indices", "9,2-3", *again).stdout
        assert "digits-test: inputs 9, 2 to 3 of 360" in " ".join(printed.split())
        other = run_command("bracket", "digits-standard", "digits", *self.FLAGS, "--count", "3", *again)
        said = "inputs: expected those of the run (3: 9, 2 to 3) and any more, got 3: 0 to 2"
        assert other.returncode == 2 and said in other.stderr


@pytest.mark.parametrize("name", ["mnist", pytest.param("cifar10", marks=pytest.mark.slow)])
def test_presets_are_those_of_the_training_images(name: str, clearance_data: Path, monkeypatch: pytest.MonkeyPatch):
    """To the digits given; the ones of ImageNet are a convention that cannot be measured here."""
    if not (clearance_data / name).is_dir():
        pytest.skip(f"no {name} at {clearance_data}")
    monkeypatch.setenv("CLEARANCE_DATA", str(clearance_data))
    channels = load(name, train=True).images.numpy().swapaxes(0, 1).reshape(len(PRESETS[name].mean), -1)
    assert channels.mean(axis=1, dtype=np.float64) == pytest.approx(PRESETS[name].mean, abs=6e-5)
    assert channels.std(axis=1, dtype=np.float64) == pytest.approx(PRESETS[name].std, abs=6e-5)
