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
    "wrap",
    [
        ImageClassifierOutput,
        lambda logits: {"loss": None, "logits": logits, "hidden": logits + 1},
        lambda logits: {"only": logits},
        lambda logits: (logits, None),
        lambda logits: [logits.unsqueeze(2), logits],  # features beside logits
        lambda logits: (logits, logits.sum()),
    ],
)
def test_the_logits_are_taken_where_one_tensor_can_be_meant(wrap: Any):
    layer = nn.Linear(3, 4)
    plain, wrapped = cl.Classifier(layer), cl.Classifier(lambda x: wrap(layer(x)))
    assert torch.equal(wrapped.logits(X), plain.logits(X))


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"a": X, "b": X}, "got dict with a, b; wrap the network to return one of them"),
        ((X, X), "got tuple of 2; wrap the network to return the one with the logits"),
        ([1], "got list$"),
        (None, "got NoneType$"),
    ],
)
def test_an_output_in_which_no_tensor_or_several_may_be_meant_is_described(output: Any, said: str):
    with pytest.raises(cl.NetworkError, match=f"expected a tensor of logits, {said}"):
        cl.Classifier(lambda _: output).logits(X)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_one_logit_is_a_binary_classifier_with_the_logit_as_its_margin(shape: tuple[int, ...]):
    layer = nn.Linear(2, 1, bias=False).double()
    layer.weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    model = cl.Classifier(lambda x: layer(x).reshape(shape))
    x = torch.tensor([[1.0, 0.5], [-2.0, 0.25]])
    assert model.logits(x.double()).diff(dim=1).flatten().tolist() == [5.0, -5.0]
    found = cl.attack(cl.Classifier(layer), x, [1, 0], budget="quick")
    assert [round(one.distance, 3) for one in found] == [1.0, 1.0]


@pytest.mark.parametrize(("shape", "hint"), [((8, 8, 3), True), ((3, 2, 2), False), ((4, 8, 8), False)])
def test_channels_last_are_named(shape: tuple[int, ...], hint: bool):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    with pytest.raises(cl.NetworkError) as caught:
        cl.Classifier(network).logits(torch.rand(1, *shape))
    assert ("x.permute(0, 3, 1, 2)" in str(caught.value)) is hint


@pytest.mark.parametrize(
    "wrap", [lambda z, h: (z, h), lambda z, h: {"score": z, "embedding": h}, lambda z, h: (z[:, 0], h)]
)
def test_features_are_not_taken_for_the_logits_of_a_binary_network(wrap: Any):
    with pytest.raises(cl.NetworkError, match="expected a tensor of logits"):
        cl.Classifier(lambda x: wrap(x[:, :1], x.repeat(1, 3))).logits(X)


def test_one_logit_of_one_input_may_have_no_dimension():
    model = cl.Classifier(lambda x: x.sum(1).squeeze(), micro_batch=1)
    assert model.logits(X).shape == (2, 2)


@pytest.mark.parametrize(("taken", "given", "hint"), [(3, 1, True), (1, 3, True), (3, 2, False)])
def test_grey_pictures_for_a_network_of_colours_are_named(taken: int, given: int, hint: bool):
    network = nn.Sequential(nn.Conv2d(taken, 2, 3), nn.Flatten())
    with pytest.raises(cl.NetworkError) as caught:
        cl.Classifier(network).logits(torch.rand(1, given, 4, 4))
    assert (f"--channels {taken}, makes pictures so" in str(caught.value)) is hint
