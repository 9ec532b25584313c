"""A network of radial basis functions, which answers near what it was trained on and nowhere else."""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from clearance.errors import InputError, ShapeError
from clearance.model.seeds import make_generator
from clearance.zoo.networks import initialise, new_device


class RadialBasis(nn.Module):
    """Gaussian units `exp(-b_j |x - c_j|^2)`, from `(batch, features)` to `(batch, units)`.

    Source: Broomhead and Lowe (1988). Goodfellow, Shlens and Szegedy (2015), section 7, use units of this form to show
    a model family that is unsure where it was not trained, and so resists small linear perturbations better.

    Attributes:
        centres: `c`, `(units, features)`.
        log_rates: Logarithms of `b`, `(units,)`.
    """

    def __init__(self, features: int, units: int) -> None:
        """Units around the origin with the rate `1 / features`; see `place_centres`."""
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(units, features))
        self.log_rates = nn.Parameter(torch.full((units,), -math.log(features)))

    def forward(self, x: Tensor) -> Tensor:
        """The answers of the units, `(batch, units)`."""
        squares = (x * x).sum(1, keepdim=True) - 2 * x @ self.centres.T + (self.centres * self.centres).sum(1)
        return (-self.log_rates.exp() * squares).exp()


def rbf_network(input_shape: tuple[int, ...], classes: int, *, units: int = 300, seed: int = 0) -> nn.Sequential:
    """A layer of Gaussian units and a linear one: `logits = W exp(-b |x - c|^2) + bias`.

    The centres are drawn in [0, 1]; `place_centres` puts them at training inputs, which training needs.

    Args:
        input_shape: Shape of one input, without the batch dimension.
        classes: How many classes, at least 2.
        units: How many Gaussian units.
        seed: Fixes the centres and the weights.

    Returns:
        The network, on the CPU, in training mode. Layers: `flatten`, `units`, `logits`.

    Raises:
        ShapeError: If the input shape holds no number.
        InputError: If there are fewer than two classes or no unit.

    >>> rbf_network((1, 8, 8), 10)(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 10])
    """
    if not input_shape or min(input_shape) < 1:
        raise ShapeError(f"input_shape: expected positive sizes without the batch dimension, got {tuple(input_shape)}")
    if classes < 2 or units < 1:
        raise InputError(f"rbf_network: expected at least 2 classes and 1 unit, got {classes} and {units}")
    layer = RadialBasis(math.prod(input_shape), units)
    if not layer.centres.is_meta:
        with torch.no_grad():
            layer.centres.copy_(torch.rand(layer.centres.shape, generator=make_generator("cpu", seed, "centres")))
    logits = skip_init(nn.Linear, units, classes, device=new_device())
    return initialise(nn.Sequential(OrderedDict(flatten=nn.Flatten(), units=layer, logits=logits)), seed=seed)


def place_centres(network: nn.Module, images: Tensor, *, seed: int) -> int:
    """Put the centres of every `RadialBasis` layer at training inputs, with rates that suit their distances.

    The rate of a unit is 1 over the mean squared distance of the inputs from its centre, so that it answers about `1/e`
    to a usual input and 1 to its own.

    Args:
        network: Changed in place; a network without such a layer is left as it is.
        images: `(count, *input)`: what the layer sees, but for its shape.
        seed: Fixes which inputs.

    Returns:
        How many layers there were.

    Raises:
        InputError: If there are fewer inputs than units.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, RadialBasis)]
    for layer in layers:
        units = len(layer.centres)
        if len(images) < units:
            raise InputError(f"place_centres: expected at least {units} inputs, one for each unit, got {len(images)}")
        order = torch.randperm(len(images), generator=make_generator("cpu", seed, "centres")).to(images.device)
        centres, some = images[order[:units]].flatten(1), images[order[:1000]].flatten(1)
        with torch.no_grad():
            layer.centres.copy_(centres)
            layer.log_rates.copy_(-(torch.cdist(centres, some) ** 2).mean(1).clamp(min=1e-12).log())
    return len(layers)
