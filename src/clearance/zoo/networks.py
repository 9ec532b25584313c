"""The papers' architectures, for any input size, with weights drawn from an explicit seed.

Each function returns an `nn.Sequential` with named layers, from `(batch, *input_shape)` to logits `(batch, classes)`.
No global random state is read or written: the layers are made without values and filled by `initialise`.
"""

import math
from collections import OrderedDict

import torch
from torch import nn
from torch.nn.utils import skip_init

from clearance.errors import InputError, ShapeError
from clearance.model.seeds import make_generator
from clearance.zoo.activations import Activation, known_activation, known_pooling

SMALLEST_UNPADDED = 16
"""The smallest height and width that the two unpadded blocks of the seven-layer network leave 2 × 2 before the last
pooling: 16, 12, 6, 2."""


def softplus_mlp(input_shape: tuple[int, ...], classes: int, *, hidden: int = 1024, seed: int = 0) -> nn.Sequential:
    """One hidden layer with softplus: the MLP of Hein and Andriushchenko (2017), as in Weng et al. (2018), section 5.1.

    Layers: `flatten`, `hidden`, `softplus`, `logits`. Its second derivatives exist everywhere.

    Args:
        input_shape: Shape of one input, without the batch dimension.
        classes: How many classes, at least 2.
        hidden: Width of the hidden layer.
        seed: Fixes the weights.

    Returns:
        The network, on the CPU, in training mode.

    Raises:
        ShapeError: If the input shape holds no number.
        InputError: If there are fewer than two classes or no hidden unit.

    >>> import torch
    >>> softplus_mlp((1, 8, 8), 10)(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    """
    _check(input_shape, classes, hidden=hidden)
    layers: dict[str, nn.Module] = {
        "flatten": nn.Flatten(),
        "hidden": _linear(math.prod(input_shape), hidden),
        "softplus": nn.Softplus(),
        "logits": _linear(hidden, classes),
    }
    return initialise(_named(layers), seed=seed)


def seven_layer_cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    activation: Activation | str = "relu",
    pooling: str = "max",
    channels: tuple[int, int] = (32, 64),
    hidden: int = 200,
    seed: int = 0,
) -> nn.Sequential:
    """The AlexNet-like network of Carlini and Wagner (2017), table 1, as in Weng et al. (2018), section 5.1.

    Two blocks of two 3 × 3 convolutions and a 2 × 2 max pooling, then two hidden layers and the logits: seven layers
    with weights. The defaults are the MNIST network; for CIFAR-10 the paper has `channels=(64, 128), hidden=256`.

    Inputs of at least 16 × 16 are convolved without padding, as in the paper. On smaller ones (the 8 × 8 digits) that
    would leave nothing, so the convolutions are padded to keep the size, and a pooling leaves a side of length 1 as it
    is: no size collapses to zero.

    Args:
        input_shape: `(channels, height, width)`, any positive sizes.
        classes: How many classes, at least 2.
        activation: Makes the activation after every layer but the last, or its name in `ACTIVATION_LAYERS`; ReLU is the
            paper's.
        pooling: One of `POOLINGS`; `"max"` is the paper's.
        channels: Channels of the first and of the second block.
        hidden: Width of the two hidden layers.
        seed: Fixes the weights.

    Returns:
        The network, on the CPU, in training mode. Layers: `conv1`, `act1`, `conv2`, `act2`, `pool1`, ... `logits`.

    Raises:
        ShapeError: If the input shape is not three positive numbers.
        InputError: If there are fewer than two classes, a width is not positive, or a name is unknown.

    >>> import torch
    >>> seven_layer_cnn((1, 8, 8), 10)(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    """
    _check_image(input_shape)
    _check(input_shape, classes, hidden=hidden, **_two(channels))
    activate, pool = known_activation(activation), known_pooling(pooling)
    padding = 0 if min(input_shape[1:]) >= SMALLEST_UNPADDED else 1
    sizes, sides = input_shape[0], input_shape[1:]
    layers: dict[str, nn.Module] = {}
    for block, width in enumerate(channels):
        for layer in (2 * block + 1, 2 * block + 2):
            layers[f"conv{layer}"] = _convolution(sizes, width, padding=padding)
            layers[f"act{layer}"] = activate()
            sizes, sides = width, tuple(side + 2 * padding - 2 for side in sides)
        window = tuple(min(2, side) for side in sides)
        layers[f"pool{block + 1}"] = pool((window[0], window[1]))
        sides = tuple(side // step for side, step in zip(sides, window, strict=True))
    layers |= {
        "flatten": nn.Flatten(),
        "hidden1": _linear(sizes * math.prod(sides), hidden),
        "act5": activate(),
        "hidden2": _linear(hidden, hidden),
        "act6": activate(),
        "logits": _linear(hidden, classes),
    }
    return initialise(_named(layers), seed=seed)


def strided_cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    activation: Activation | str = "relu",
    channels: tuple[int, int] = (16, 32),
    hidden: int = 100,
    seed: int = 0,
) -> nn.Sequential:
    """The small network of certified training (Wong and Kolter 2018): no pooling, strides instead.

    Two 4 × 4 convolutions of stride 2 with padding 1, a hidden layer, the logits.

    Args:
        input_shape: `(channels, height, width)`, sides of at least 4.
        classes: How many classes, at least 2.
        activation: Makes the activation after every layer but the last, or its name in `ACTIVATION_LAYERS`.
        channels: Channels of the two convolutions.
        hidden: Width of the hidden layer.
        seed: Fixes the weights.

    Returns:
        The network, on the CPU, in training mode. Layers: `conv1`, `act1`, `conv2`, `act2`, `flatten`, `hidden`,
        `act3`, `logits`.

    Raises:
        ShapeError: If the input shape is not three numbers with sides of at least 4.
        InputError: If there are fewer than two classes, a width is not positive, or the activation's name is unknown.

    >>> import torch
    >>> strided_cnn((1, 28, 28), 10)(torch.zeros(3, 1, 28, 28)).shape
    torch.Size([3, 10])
    """
    _check_image(input_shape)
    _check(input_shape, classes, hidden=hidden, **_two(channels))
    if min(input_shape[1:]) < 4:
        raise ShapeError(f"input_shape: expected sides of at least 4, got {tuple(input_shape)}")
    activate = known_activation(activation)
    sides = [side // 2 // 2 for side in input_shape[1:]]
    layers: dict[str, nn.Module] = {
        "conv1": _convolution(input_shape[0], channels[0], size=4, padding=1, stride=2),
        "act1": activate(),
        "conv2": _convolution(channels[0], channels[1], size=4, padding=1, stride=2),
        "act2": activate(),
        "flatten": nn.Flatten(),
        "hidden": _linear(channels[1] * math.prod(sides), hidden),
        "act3": activate(),
        "logits": _linear(hidden, classes),
    }
    return initialise(_named(layers), seed=seed)


def linear_classifier(input_shape: tuple[int, ...], classes: int, *, seed: int = 0) -> nn.Sequential:
    """Softmax regression: logits `W x + b`, whose minimum distortions are known exactly.

    Args:
        input_shape: Shape of one input, without the batch dimension.
        classes: How many classes, at least 2.
        seed: Fixes the weights.

    Returns:
        The network, on the CPU, in training mode. Layers: `flatten`, `logits`.

    Raises:
        ShapeError: If the input shape holds no number.
        InputError: If there are fewer than two classes.

    >>> import torch
    >>> linear_classifier((1, 8, 8), 10)(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    """
    _check(input_shape, classes)
    layers = {"flatten": nn.Flatten(), "logits": _linear(math.prod(input_shape), classes)}
    return initialise(_named(layers), seed=seed)


def digits_cnn(*, seed: int = 0) -> nn.Sequential:
    """The small ReLU network of the bundled digits classifiers: `(batch, 1, 8, 8)` to 10 logits, 38,282 parameters.

    A 3 × 3 convolution to 16 channels, another of stride 2 to 32 channels (4 × 4), a hidden layer of 64, the logits. It
    has no pooling, so that it is piecewise linear with one kind of kink only.

    Args:
        seed: Fixes the weights.

    Returns:
        The network, on the CPU, in training mode. Layers: `conv1`, `act1`, `conv2`, `act2`, `flatten`, `hidden`,
        `act3`, `logits`.

    >>> sum(parameter.numel() for parameter in digits_cnn().parameters())
    38282
    """
    layers: dict[str, nn.Module] = {
        "conv1": _convolution(1, 16, padding=1),
        "act1": nn.ReLU(),
        "conv2": _convolution(16, 32, padding=1, stride=2),
        "act2": nn.ReLU(),
        "flatten": nn.Flatten(),
        "hidden": _linear(32 * 4 * 4, 64),
        "act3": nn.ReLU(),
        "logits": _linear(64, 10),
    }
    return initialise(_named(layers), seed=seed)


def initialise(network: nn.Sequential, *, seed: int) -> nn.Sequential:
    """Fill a network's linear and convolutional layers: He-uniform weights (He et al. 2015, equation 10), zero biases.

    Args:
        network: The network, changed in place. Layers of other kinds, and those on `meta`, are left as they are.
        seed: With the layer's name, fixes its weights.

    Returns:
        The same network.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and not layer.weight.is_meta:
            generator = make_generator(layer.weight.device, seed, "initialise", name)
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
                nn.init.zeros_(layer.bias)
    return network


def new_device() -> str:
    """Where networks are made: on the CPU; under `with torch.device("meta")` there, without values or memory."""
    return "meta" if torch.get_default_device().type == "meta" else "cpu"


def _linear(inputs: int, outputs: int) -> nn.Module:
    return skip_init(nn.Linear, inputs, outputs, device=new_device())


def _convolution(inputs: int, outputs: int, *, padding: int, stride: int = 1, size: int = 3) -> nn.Module:
    return skip_init(nn.Conv2d, inputs, outputs, kernel_size=size, padding=padding, stride=stride, device=new_device())


def _named(layers: dict[str, nn.Module]) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def _check_image(input_shape: tuple[int, ...]) -> None:
    if len(input_shape) != 3:
        raise ShapeError(f"input_shape: expected (channels, height, width), got {tuple(input_shape)}")


def _two(channels: tuple[int, ...]) -> dict[str, int]:
    """The channels of both blocks, by the names that messages have for them."""  # noqa: DOC501
    if not isinstance(channels, tuple | list) or len(channels) != 2:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"channels: expected two numbers, such as 32,64, got {channels}")
    return {"first_channels": channels[0], "second_channels": channels[1]}


def _check(input_shape: tuple[int, ...], classes: int, **widths: int) -> None:
    if not input_shape or min(input_shape) < 1:
        raise ShapeError(f"input_shape: expected positive sizes without the batch dimension, got {tuple(input_shape)}")
    if classes < 2:
        raise InputError(f"classes: expected at least 2, got {classes}")
    for name, width in widths.items():
        if width < 1:
            raise InputError(f"{name}: expected a positive number, got {width}")
