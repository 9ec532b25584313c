"""One line says what is wrong with an answer, and what to do about it."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import clearance as cl

X = torch.rand(2, 3)


@dataclass
class ImageClassifierOutput:
    """As transformers return it."""

    logits: Tensor


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (ImageClassifierOutput(X), r"got ImageClassifierOutput; its logits are in \.logits: wrap the network"),
        ({"logits": X}, "got dict with logits; wrap the network to return one of them"),
        ((X, None), "got tuple of 2; wrap the network to return the one with the logits"),
        ([1], "got list$"),
        (None, "got NoneType$"),
    ],
)
def test_an_output_that_is_no_tensor_is_described(output: Any, said: str):
    with pytest.raises(cl.NetworkError, match=f"expected a tensor of logits, {said}"):
        cl.Classifier(lambda _: output).logits(X)


@pytest.mark.parametrize(("shape", "hint"), [((8, 8, 3), True), ((3, 2, 2), False), ((4, 8, 8), False)])
def test_channels_last_are_named(shape: tuple[int, ...], hint: bool):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    with pytest.raises(cl.NetworkError) as caught:
        cl.Classifier(network).logits(torch.rand(1, *shape))
    assert ("x.permute(0, 3, 1, 2)" in str(caught.value)) is hint
