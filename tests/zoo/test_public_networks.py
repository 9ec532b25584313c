"""Ten checkpoints of others load by their spec and reach the accuracy that is stated for them."""

import importlib.util
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from clearance.data import datasets
from clearance.model.classifier import Classifier
from clearance.model.preprocessing import Normalize
from clearance.zoo.loaded import LoadedNetwork
from clearance.zoo.specs import load_model
from public_networks import PUBLIC
from torchvision_operators import define_torchvision_operators

FACTORIES = Path(__file__).parents[1] / "public_networks.py"
FAST = ("mnist-eran-6x100", "mnist-kw-0.1", "mnist-dnnv-convsmall-point", "cifar10-captum")
"""Those that evaluate 10,000 images in a second or two."""


def load(name: str, data: Path) -> LoadedNetwork:
    define_torchvision_operators()
    checkpoint = PUBLIC[name]
    file = data / "checkpoints" / checkpoint.file
    if not checkpoint.factory:
        return load_model(str(file))
    return load_model(f"{FACTORIES}:{checkpoint.factory}", weights=file, model_args=checkpoint.arguments)


def classifier(name: str, data: Path) -> Classifier:
    given = PUBLIC[name].normalisation
    normalise = None if given is None else Normalize(*map(list, given))
    return Classifier(load(name, data).network, (0, 1), preprocessing=normalise)


@cache
def images(name: str, data: Path) -> tuple[Tensor, Tensor]:
    """All test images of a checkpoint's data, in [0, 1], with their labels."""
    if name.startswith("mnist"):
        found = datasets.load(data / "mnist")
        return found.images, found.labels
    spec = importlib.util.spec_from_file_location("load_data_of_tests", data / "load_data.py")
    assert spec is not None and spec.loader is not None
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    pixels, labels = reader.cifar10("test")
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(labels)


def accuracy(name: str, data: Path) -> float:
    x, labels = images(name, data)
    model = classifier(name, data)
    right = sum(
        int((model.logits(part).argmax(1) == own).sum())
        for part, own in zip(x.split(1000), labels.split(1000), strict=True)
    )
    return 100 * right / len(x)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in PUBLIC]
)
def test_the_stated_accuracy(clearance_data: Path, name: str):
    """To 0.01 percentage points: one image of 10,000."""
    found = accuracy(name, clearance_data)
    assert found == pytest.approx(PUBLIC[name].accuracy, abs=0.0101)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_loads_and_gives_ten_finite_logits(clearance_data: Path, name: str):
    side, channels = (28, 1) if name.startswith("mnist") else (32, 3)
    assert classifier(name, clearance_data).logits(torch.zeros(2, channels, side, side)).shape == (2, 10)


def test_the_graph_answers_as_onnxruntime_on_real_images(clearance_data: Path):
    import onnxruntime

    name = "mnist-dnnv-convsmall-point"
    x = images(name, clearance_data)[0][:200]
    session = onnxruntime.InferenceSession(clearance_data / "checkpoints" / PUBLIC[name].file)
    mean, std = (value[0] for value in PUBLIC[name].normalisation or ())
    rows = ((x - mean) / std).numpy()
    wanted = np.concatenate([session.run(None, {session.get_inputs()[0].name: row[None]})[0] for row in rows])
    found = classifier(name, clearance_data).logits(x).numpy()
    # Sums of up to 800 float32 terms, in another order: 1e-5 of the largest logit is ten times what they round to.
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert math.isfinite(float(wanted.sum()))
