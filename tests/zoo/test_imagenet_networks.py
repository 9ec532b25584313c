"""MobileNetV2 and SqueezeNet from a file of Python, on a folder of pictures: their accuracy is the stated one."""

from pathlib import Path

import pytest
import torch

import clearance as cl
from clearance.zoo.specs import load_model

STATED = {"mobilenet_v2": ((224, 224), 0.817), "squeezenet": ((227, 227), 0.583)}
"""Size that the pictures are brought to, and top-1 on the 120 of the sample, as its README says."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the reader leaves its file open
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", STATED)
def test_the_stated_accuracy_on_the_imagenet_sample(name: str, clearance_data: Path):
    size, accuracy = STATED[name]
    network = load_model(f"{clearance_data}/mobilenetv2/imagenet_models.py:{name}").network
    data = cl.datasets.load(f"folder:{clearance_data}/imagenet-sample", resize=size)
    logits = cl.Classifier(network, data.bounds).logits(data.images)
    assert len(data) == 120
    assert float((logits.argmax(1) == data.labels).double().mean()) == pytest.approx(accuracy, abs=5e-4)
    assert torch.isfinite(logits).all()
