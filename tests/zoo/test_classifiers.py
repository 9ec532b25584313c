"""`load_model`: a spec with the options of the command line becomes a classifier."""

from pathlib import Path

import numpy as np
import pytest
import torch

import clearance as cl
from clearance.errors import InputError
from clearance.model.preprocessing import Normalize
from clearance.zoo.classifiers import ModelOptions, load_model, make_classifier
from clearance.zoo.loaded import LoadedNetwork

TABLE = "age,member,income,label\n20,0,1.5,no\n60,1,9.5,yes\n40,1,4.0,yes\n30,0,2.0,no\n"
LINEAR = """
import torch

def make():
    network = torch.nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
    return network
"""


def test_the_models_own_normalisation_is_used_unless_another_is_given():
    loaded = LoadedNetwork(torch.nn.Flatten(), "n", preprocessing=Normalize([0.5], [0.25]))
    x = torch.ones(1, 1, 2, 2)
    assert torch.equal(make_classifier(loaded, ModelOptions()).logits(x), torch.full((1, 4), 2.0))
    other = make_classifier(loaded, ModelOptions(mean=[0.0], std=[0.5]))
    assert torch.equal(other.logits(x), torch.full((1, 4), 2.0)) and float(other.preprocessing.std) == 0.5
    with pytest.raises(InputError, match="expected both mean and std"):
        make_classifier(loaded, ModelOptions(mean=[0.0]))


def test_the_models_own_normalisation_is_for_its_own_bounds():
    """Pixels of 255 levels would be normalised as if they were in [0, 1]."""
    loaded = LoadedNetwork(torch.nn.Flatten(), "hf:n", (0.0, 1.0), preprocessing=Normalize([0.5], [0.25]))
    for options in (ModelOptions(), ModelOptions(bounds=(0.2, 0.8)), ModelOptions(no_bounds=True)):
        make_classifier(loaded, options)
    with pytest.raises(InputError, match="hf:n has a normalisation of its own, for inputs within 0 1; give mean and"):
        make_classifier(loaded, ModelOptions(bounds=(0.0, 255.0)))
    make_classifier(loaded, ModelOptions(bounds=(0.0, 255.0), mean=[127.5], std=[63.75]))


def test_a_bundled_model_by_its_name():
    model = load_model("digits-robust")
    assert repr(model) == "LoadedClassifier(digits-robust, bounds 0 to 1)" and model.loaded.weights is not None
    assert repr(cl.Classifier(torch.nn.Flatten())) == "Classifier(Flatten, no bounds)"
    assert model.dtype is torch.float32 and load_model("digits-robust", dtype="float64").dtype is torch.float64


def test_data_say_bounds_fixed_coordinates_and_what_the_scale_is_about(here: Path):
    Path("people.csv").write_text(TABLE)
    Path("net.py").write_text(LINEAR)
    model = load_model("net.py:make", data="people.csv", scale="std")
    assert model.bounds is not None and model.bounds[1].tolist() == [60.0, 1.0, 9.5]
    assert model.fixed is not None and model.fixed.tolist() == [False, True, False]
    assert model.unit == "standard deviations of each feature"
    values = np.array([[20, 0, 1.5], [60, 1, 9.5], [40, 1, 4.0], [30, 0, 2.0]])
    assert model.scale is not None and np.allclose(model.scale.numpy(), values.std(0))
    part = cl.load_data("people.csv", indices=[1, 2])  # remembers the whole set
    again = load_model("net.py:make", data=part, scale="std")
    assert again.scale is not None and torch.equal(again.scale, model.scale)
    assert (
        load_model("net.py:make").bounds is None
        and load_model("net.py:make", data=part, no_bounds=False).fixed is not None
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scale": "std"}, "scale: expected data with it, got none"),
        ({"dtype": "float33"}, "dtype: expected a floating type such as float32 or float64, got 'float33'"),
        ({"preset": "imagenat"}, "preset: expected one of imagenet, cifar10, mnist"),
        ({"bounds": (0, 1), "no_bounds": True}, "bounds: expected either bounds"),
        ({"bounds": (0, float("inf"))}, "bounds: expected two finite numbers, low < high, got 0 and inf"),
        ({"weights": "w.safetensors"}, "weights: digits-robust has its own"),
    ],
)
def test_an_argument_that_cannot_be_used_is_one_line(arguments: dict[str, object], said: str):
    with pytest.raises(InputError, match=said):
        load_model("digits-robust", **arguments)  # pyright: ignore[reportArgumentType]
