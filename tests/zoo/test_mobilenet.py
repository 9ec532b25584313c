"""MobileNetV2: its size, TensorFlow's padding by hand, and its accuracy on the sample of ImageNet."""

from pathlib import Path

import numpy as np
import pytest
import torch

import clearance as cl
from clearance.errors import FileError
from clearance.zoo.mobilenet import MobileNetV2, SameConv2d, mobilenet_v2


def test_its_size_is_that_of_the_paper():
    network = MobileNetV2()
    # torchvision's has 3,504,872: two numbers a channel for batch normalisation, here one bias; no class of background.
    assert sum(value.numel() for value in network.parameters()) == 3_504_872 - 17_056 + 1_281


@pytest.mark.parametrize(("side", "stride", "first"), [(4, 2, 0), (5, 2, 1), (5, 1, 1)])
def test_zeros_are_shared_out_as_tensorflow_does(side: int, stride: int, first: int):
    # A kernel that picks its upper left corner: output (0, 0) is the input at -first.
    layer = SameConv2d(1, 1, 3, stride=stride)
    with torch.no_grad():
        layer.conv.weight.zero_()[0, 0, 0, 0] = 1
        layer.conv.bias.zero_()
    x = torch.arange(1.0, side * side + 1).reshape(1, 1, side, side)
    found = layer(x)
    assert found.shape[2:] == (-(-side // stride),) * 2
    assert found[0, 0, 0, 0] == (0 if first else 1)


def test_a_file_of_something_else_is_refused(tmp_path: Path):
    np.savez(tmp_path / "a.npz", q00=np.zeros((2, 2), np.uint8))
    (tmp_path / "b.npz").write_bytes(b"no archive")
    for name in ("a.npz", "b.npz"):
        with pytest.raises(FileError, match="expected the arrays of MobileNetV2's 53 layers"):
            mobilenet_v2(tmp_path / name)
    with pytest.raises(FileError, match="no such file"):
        mobilenet_v2(tmp_path / "c.npz")


@pytest.mark.slow
def test_the_stated_accuracy_on_the_imagenet_sample(clearance_data: Path):
    network = mobilenet_v2(clearance_data / "mobilenetv2" / "mobilenet_v2_1.0_224.npz")
    data = cl.datasets.load(f"folder:{clearance_data}/imagenet-sample", resize=(224, 224))
    found = cl.Classifier(network, data.bounds).logits(data.images).argmax(1) == data.labels
    assert float(found.double().mean()) == pytest.approx(0.817, abs=5e-4)
