"""The architectures: the papers' sizes, any input size, weights from the seed alone."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from clearance.errors import InputError, ShapeError
from clearance.zoo.networks import (
    digits_cnn,
    initialise,
    linear_classifier,
    seven_layer_cnn,
    softplus_mlp,
    strided_cnn,
)


def widths(network: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(layer.weight.shape) for layer in network if isinstance(layer, nn.Linear | nn.Conv2d)]


def test_seven_layer_cnn_is_the_papers_mnist_network():
    shapes = [(32, 1, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3), (64, 64, 3, 3), (200, 1024), (200, 200), (10, 200)]
    assert widths(seven_layer_cnn((1, 28, 28), 10)) == shapes


def test_seven_layer_cnn_is_the_papers_cifar_network():
    network = seven_layer_cnn((3, 32, 32), 10, channels=(64, 128), hidden=256)
    assert widths(network)[:2] == [(64, 3, 3, 3), (64, 64, 3, 3)]
    assert widths(network)[4:] == [(256, 128 * 25), (256, 256), (10, 256)]


@settings(max_examples=30, deadline=None)
@given(channels=st.integers(1, 4), height=st.integers(1, 40), width=st.integers(1, 40))
def test_seven_layer_cnn_takes_any_size(channels: int, height: int, width: int):
    network = seven_layer_cnn((channels, height, width), 5, channels=(2, 3), hidden=4)
    assert network(torch.ones(2, channels, height, width)).shape == (2, 5)
    features = network[: list(dict(network.named_children())).index("flatten")](torch.ones(1, channels, height, width))
    assert features.numel() > 0


def test_the_smallest_unpadded_size_is_where_padding_stops():
    assert seven_layer_cnn((1, 16, 16), 2).get_submodule("conv1").padding == (0, 0)
    assert seven_layer_cnn((1, 16, 15), 2).get_submodule("conv1").padding == (1, 1)


def test_seven_layer_cnn_uses_the_activation_everywhere():
    network = seven_layer_cnn((1, 8, 8), 10, activation=nn.Softplus)
    assert sum(isinstance(layer, nn.Softplus) for layer in network) == 6
    assert not any(isinstance(layer, nn.ReLU) for layer in network)


def test_softplus_mlp_computes_its_formula():
    network = softplus_mlp((2, 3), 4, hidden=5, seed=3).double()
    x = torch.arange(12.0, dtype=torch.float64).reshape(2, 2, 3)
    hidden, logits = network.get_submodule("hidden"), network.get_submodule("logits")
    expected = torch.log1p(torch.exp(x.flatten(1) @ hidden.weight.T + hidden.bias)) @ logits.weight.T + logits.bias
    torch.testing.assert_close(network(x), expected)


def test_layers_are_named():
    assert list(dict(softplus_mlp((4,), 2).named_children())) == ["flatten", "hidden", "softplus", "logits"]
    assert list(dict(digits_cnn().named_children()))[:4] == ["conv1", "act1", "conv2", "act2"]
    assert {"pool1", "pool2", "hidden2"} <= set(dict(seven_layer_cnn((1, 8, 8), 10).named_children()))


def test_weights_follow_from_the_seed_alone():
    torch.manual_seed(1)
    first, state = digits_cnn(seed=5).state_dict(), torch.get_rng_state()
    torch.manual_seed(2)
    second = digits_cnn(seed=5).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], digits_cnn(seed=6).state_dict()["conv1.weight"])
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


def test_initialise_is_he_uniform_with_zero_biases():
    network = initialise(nn.Sequential(nn.Linear(600, 500)), seed=0)
    weight, limit = network[0].weight, math.sqrt(6 / 600)
    assert weight.abs().max() <= limit
    assert weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.01)
    assert not network[0].bias.any()


def test_initialise_accepts_a_layer_without_bias():
    assert initialise(nn.Sequential(nn.Linear(3, 2, bias=False)), seed=0)[0].weight.any()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: softplus_mlp((), 10), ShapeError, "positive sizes"),
        (lambda: softplus_mlp((3, 0), 10), ShapeError, r"got \(3, 0\)"),
        (lambda: softplus_mlp((3,), 1), InputError, "classes: expected at least 2, got 1"),
        (lambda: softplus_mlp((3,), 2, hidden=0), InputError, "hidden: expected a positive number, got 0"),
        (lambda: seven_layer_cnn((28, 28), 10), ShapeError, r"\(channels, height, width\), got \(28, 28\)"),
        (lambda: seven_layer_cnn((1, 8, 8), 10, channels=(0, 4)), InputError, "first_channels"),
    ],
)
def test_misuse_says_what_was_expected(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_names_of_activations_and_poolings():
    network = seven_layer_cnn((1, 28, 28), 10, activation="bounded-relu", pooling="average")
    kinds = [type(layer).__name__ for layer in network]
    assert kinds.count("Hardtanh") == 6 and kinds.count("AvgPool2d") == 2 and "ReLU" not in kinds
    assert torch.equal(
        seven_layer_cnn((1, 28, 28), 10, activation="tanh").conv1.weight,
        seven_layer_cnn((1, 28, 28), 10, activation=torch.nn.Tanh).conv1.weight,
    )
    with pytest.raises(InputError, match="activation: expected one of relu, tanh, softplus, bounded-relu, got 'step'"):
        seven_layer_cnn((1, 28, 28), 10, activation="step")
    with pytest.raises(InputError, match="pooling: expected one of max, average, got 'min'"):
        seven_layer_cnn((1, 28, 28), 10, pooling="min")


def test_the_small_certified_network_has_the_size_of_wong_and_kolters():
    assert sum(value.numel() for value in strided_cnn((1, 28, 28), 10).parameters()) == 166_406
    assert strided_cnn((3, 5, 9), 2)(torch.zeros(1, 3, 5, 9)).shape == (1, 2)
    with pytest.raises(ShapeError, match="sides of at least 4"):
        strided_cnn((1, 3, 8), 2)


def test_softmax_regression_is_linear():
    network = linear_classifier((2, 3), 4)
    x, y = torch.rand(2, 5, 2, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(x) + network(y), network(x + y) + network(torch.zeros(1, 2, 3)))


@pytest.mark.parametrize("make", [seven_layer_cnn, strided_cnn])
@pytest.mark.parametrize("channels", [(2,), (2, 3, 4), 2])
def test_channels_are_of_two_blocks(make, channels):
    with pytest.raises(InputError, match=r"channels: expected two numbers, such as 32,64, got"):
        make((1, 16, 16), 10, channels=channels)
