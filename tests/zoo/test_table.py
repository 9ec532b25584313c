"""The table of networks: each line makes a network, and every bundled classifier has its weights."""

import pytest
import torch

from clearance.zoo.specs import WEIGHTS_FOLDER, load_model
from clearance.zoo.table import ARCHITECTURES, BUNDLED

SHAPES = {"softplus_mlp": (1, 28, 28), "seven_layer_cnn": (1, 28, 28)}


@pytest.mark.parametrize("name", BUNDLED)
def test_each_bundled_classifier_has_weights_and_classifies_digits(name: str):
    assert (WEIGHTS_FOLDER / f"{name}.safetensors").is_file()
    assert load_model(name).network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_no_weights_lie_there_without_a_line():
    assert {file.stem for file in WEIGHTS_FOLDER.iterdir()} == set(BUNDLED)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_makes_a_network(name: str):
    shape = SHAPES.get(name)
    made = ARCHITECTURES[name].load()
    assert made.__name__ == name
    network = made() if shape is None else made(shape, 10)
    assert network(torch.zeros(1, *(shape or (1, 8, 8)))).shape == (1, 10)
