"""Interpolation and rearranged pixels: against torch and their matrices."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from clearance import Classifier, certify
from layer_cases import Function, check_affine

CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "nearest": (lambda: nn.Upsample(scale_factor=2), (2, 3, 2)),
    "nearest, exact": (lambda: nn.Upsample(size=(5, 3), mode="nearest-exact"), (1, 3, 2)),
    "nearest, smaller": (lambda: nn.Upsample(size=(2, 3)), (1, 5, 4)),
    "bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (2, 3, 2)),
    "bilinear, corners": (lambda: nn.Upsample(size=(5, 7), mode="bilinear", align_corners=True), (1, 3, 3)),
    "bilinear, not whole": (lambda: nn.Upsample(scale_factor=(1.5, 2.3), mode="bilinear"), (1, 4, 3)),
    "UpsamplingNearest2d": (lambda: nn.UpsamplingNearest2d(scale_factor=3), (1, 2, 2)),
    "UpsamplingBilinear2d": (lambda: nn.UpsamplingBilinear2d(scale_factor=2), (1, 3, 2)),
    "linear": (lambda: nn.Upsample(size=7, mode="linear"), (2, 4)),
    "area": (lambda: Function(lambda x: functional.interpolate(x, size=(2, 3), mode="area")), (1, 5, 4)),
    "as a function": (
        lambda: Function(lambda x: functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)),
        (1, 3, 4),
    ),
    "pixel shuffle": (lambda: nn.PixelShuffle(2), (8, 2, 3)),
    "pixel unshuffle": (lambda: nn.PixelUnshuffle(2), (2, 4, 6)),
    "pixel shuffle as a function": (lambda: Function(lambda x: functional.pixel_shuffle(x, 2)), (4, 2, 2)),
    "channel shuffle": (lambda: nn.ChannelShuffle(2), (4, 2, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_its_matrix(name: str):
    make, shape = CASES[name]
    check_affine(make(), shape)


@pytest.mark.parametrize("options", [{"mode": "bicubic"}, {"mode": "bilinear", "antialias": True}])
def test_weights_of_both_signs_are_refused(options: dict[str, object]):
    network = Function(lambda x: functional.interpolate(x, size=(6, 6), **options))  # type: ignore[arg-type]
    (proof,) = certify(Classifier(network), torch.rand(1, 1, 4, 4))
    assert proof.status == "unsupported" and "interpolation mode" in proof.reason
