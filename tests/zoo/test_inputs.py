"""`load_data`: the inputs that DATA on the command line names, with the same options."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import clearance as cl
from clearance.errors import InputError
from command_line import run_command


def test_the_same_inputs_as_on_the_command_line(here: Path):
    chosen = ("--count", "3", "--skip-misclassified", "--offset", "1")
    done = run_command("attack", "digits-robust", "digits", *chosen, "--json", "--budget", "100")
    shown = json.loads(done.stdout)
    model = cl.load_model("digits-robust")
    data = cl.load_data("digits", model=model, count=3, offset=1, skip_misclassified=True)
    assert [row["input"] for row in shown["results"]] == list(data.indices) and data.source == "digits"
    assert [row["label"] for row in shown["results"]] == data.labels.tolist()


def test_counts():
    assert len(cl.load_data("digits")) == 360 and len(cl.load_data("digits", count=None)) == 10
    assert cl.load_data("digits", classes="3,4", count=5).labels.unique().tolist() == [3, 4]
    assert cl.load_data("digits", classes=[3], count=2).labels.tolist() == [3, 3]
    assert cl.load_data("digits", per_class=2).labels.bincount().tolist() == [2] * 10
    assert cl.load_data("digits", indices=[7, 3]).indices == (7, 3)
    with pytest.raises(InputError, match="indices: expected to stand alone, got count as well"):
        cl.load_data("digits", indices=[7], count=1)
    with pytest.raises(InputError, match="per-class: expected 1 to 26, the inputs of class 2 in digits-test, got 0"):
        cl.load_data("digits", per_class=0)
    with pytest.raises(InputError, match="skip_misclassified: expected a model with it"):
        cl.load_data("digits", skip_misclassified=True)
    with pytest.raises(InputError, match="count: expected 1 to 360"):
        cl.load_data("digits", count=400)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (["--count", "3"], True),
        (["--count", "2", "--skip-misclassified"], True),
        (["--count", "6"], False),
        (["--indices", "0,1,2"], False),
        (["--classes", "0"], False),
        (["--per-class", "1"], False),
        (["--count", "all"], False),
    ],
)
def test_inputs_of_few_classes_are_said(here: Path, chosen: list[str], said: bool):
    (here / "net.py").write_text("from torch import nn\n\ndef make():\n    return nn.Flatten()\n")
    labels = np.repeat([0, 1, 2], 3)
    np.savez("sorted.npz", images=np.eye(3, dtype=np.float32)[labels].reshape(9, 1, 1, 3), labels=labels)
    done = run_command("attack", "net.py:make", "sorted.npz", *chosen, "--budget", "60")
    assert done.returncode == 0, done.stderr
    assert ("of 1 of the 3 classes: the set is sorted by class" in " ".join(done.stderr.split())) is said


@pytest.mark.parametrize(("chosen", "said"), [([], True), (["--scale", "std"], False), (["--fixed", "euros"], False)])
def test_features_in_units_of_their_own_are_said(here: Path, chosen: list[str], said: bool):
    (here / "net.py").write_text("from torch import nn\n\ndef make():\n    return nn.Linear(3, 2)\n")
    rows = [f"{0.1 * k},{0.2 * k},{1000 * k},{k % 2}" for k in range(9)]
    Path("t.csv").write_text("\n".join(["share,part,euros,label", *rows]))
    done = run_command("attack", "net.py:make", "t.csv", "--count", "2", "--budget", "60", *chosen)
    assert done.returncode == 0, done.stderr
    told = "distances add up features in units of their own (euros has a range of 8000, share of 0.8); --scale std"
    assert (told in " ".join(done.stderr.split())) is said


def test_pixels_come_in_the_units_of_the_bounds_that_were_given(here: Path):
    np.savez("p.npz", images=np.array([[[[200, 50], [20, 100]]]], dtype=np.uint8), labels=[0])
    network = torch.nn.Flatten()
    assert cl.load_data("p.npz", model=cl.Classifier(network, bounds=(0, 255))).images.max() == 200
    assert cl.load_data("p.npz", model=cl.Classifier(network, bounds=(0, 1))).images.max() == pytest.approx(200 / 255)
    assert cl.load_data("p.npz").images.max() == pytest.approx(200 / 255)
    with pytest.raises(InputError, match="bounds: expected 0 1"):
        cl.load_data("p.npz", model=cl.Classifier(network, bounds=(-1, 1)))


def test_a_set_is_short_to_print_and_travels_without_the_whole():
    data = cl.load_data("digits", count=4)
    assert repr(data) == "Dataset(digits-test: 4 of 360 inputs of shape (1, 8, 8), 10 classes)"
    assert data.whole is not None and len(data.whole) == 360
    travelled = pickle.loads(pickle.dumps(data))
    assert travelled.whole is None and torch.equal(travelled.images, data.images) and travelled.source == "digits"
