"""Masked by randomness, or by gradients that are blocked, altered or not finite."""

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier
from clearance.model.transforms import GaussianNoise, RandomCropResize, RandomDrop
from masking.entries import MASKED, Apply, before, cnn, digits, enter, fit, mlp, on_pixels, standard


@enter(MASKED)
def random_drop() -> Classifier:
    """A tenth of the pixels is dropped, others in each pass."""
    return on_pixels(nn.Sequential(RandomDrop(0.1), standard()))


@enter(MASKED)
def random_resize() -> Classifier:
    """Another window of the image in each pass, enlarged."""
    crop = RandomCropResize(0.75)
    network = fit(nn.Sequential(crop, mlp(128)), epochs=30)
    crop.restart()
    return on_pixels(network)


@enter(MASKED)
def noise() -> Classifier:
    """Noise on the input, other noise in each pass."""
    return on_pixels(standard(), preprocessing=GaussianNoise(0.1))


@enter(MASKED)
def noise_between_layers() -> Classifier:
    """Noise on the hidden values."""
    return on_pixels(before("act3", GaussianNoise(1.0)))


@enter(MASKED)
def dropout_left_on() -> Classifier:
    """Dropout of hidden units that evaluation mode does not turn off; it draws from torch's global generator."""
    dropout = Apply(lambda h: functional.dropout(h, 0.3, training=True))
    return on_pixels(fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), dropout, nn.Linear(128, 10))))


@enter(MASKED)
def batch_statistics() -> Classifier:
    """Normalisation by the batch at hand, even in evaluation mode: an answer depends on its neighbours."""
    norm = functools.partial(nn.BatchNorm2d, track_running_stats=False)
    return on_pixels(fit(cnn(pool=nn.MaxPool2d(2), norm=norm)))


@enter(MASKED)
def detached_branch() -> Classifier:
    """Nineteen parts in twenty of the logits come from a branch that autograd does not see."""
    seen, hidden = fit(mlp()), standard()
    return on_pixels(lambda x: 0.05 * seen(x) + 0.95 * hidden(x.detach()))


@enter(MASKED)
def no_grad_inside() -> Classifier:
    """The first layers run under `no_grad`."""
    network = standard()

    def forward(x: Tensor) -> Tensor:
        with torch.no_grad():
            features = network[:2](x)
        return network[2:](features)

    return on_pixels(forward)


@enter(MASKED)
def numpy_network() -> Classifier:
    """Computed in NumPy, out of autograd's sight."""
    network = fit(mlp(64))
    first, second = network[1], network[3]  # pyright: ignore
    weights = [t.detach().numpy() for t in (first.weight, first.bias, second.weight, second.bias)]

    def forward(x: Tensor) -> Tensor:
        a, b, c, d = weights
        return torch.from_numpy(np.maximum(x.detach().flatten(1).numpy() @ a.T + b, 0) @ c.T + d)

    return on_pixels(forward)


class AlterGradient(torch.autograd.Function):
    """The identity, with another function of the gradient backwards."""

    @staticmethod
    def forward(ctx, x: Tensor, alter: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.alter = alter
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.alter(gradient), None


def with_gradient(alter: Callable[[Tensor], Tensor]) -> Classifier:
    network = standard()
    return on_pixels(lambda x: network(AlterGradient.apply(x, alter)))


@enter(MASKED)
def scaled_gradient() -> Classifier:
    """The backward pass returns a thousandth of the gradient."""
    return with_gradient(lambda gradient: 1e-3 * gradient)


@enter(MASKED)
def flipped_gradient() -> Classifier:
    """The backward pass returns minus the gradient: its norm is right, its direction wrong."""
    return with_gradient(lambda gradient: -gradient)


@enter(MASKED)
def shuffled_gradient() -> Classifier:
    """The backward pass returns the gradient with its pixels in another order."""
    order = torch.randperm(64)
    return with_gradient(lambda gradient: gradient.flatten(1)[:, order].reshape(gradient.shape))


@enter(MASKED)
def shrunk_gradient() -> Classifier:
    """The backward pass returns 70 % of the gradient: a mild lie."""
    return with_gradient(lambda gradient: 0.7 * gradient)


@enter(MASKED)
def nan_gradients_square_root() -> Classifier:
    """Square roots of the pixels: at black pixels the derivative is infinite, or NaN behind the clamp."""
    return on_pixels(fit(nn.Sequential(Apply(lambda x: x.clamp(min=0).sqrt()), mlp(64))))


@enter(MASKED)
def nan_gradients_division() -> Classifier:
    """Rows divided by their length, empty ones left alone by `where`: 0 / 0 comes back in the backward pass."""

    def unit_rows(x: Tensor) -> Tensor:
        length = x.square().sum(-1, keepdim=True).sqrt()
        return torch.where(length > 0, x / length, x)

    return on_pixels(fit(nn.Sequential(Apply(lambda x: unit_rows(x.mT)), mlp(64))))


@enter(MASKED)
def hard_vote() -> Classifier:
    """Votes of nine networks, one each: a count has no gradient."""
    members = [fit(mlp(16), epochs=8) for _ in range(9)]
    return on_pixels(lambda x: sum(functional.one_hot(member(x).argmax(1), 10) for member in members).to(x.dtype))


@enter(MASKED)
def nearest_neighbours() -> Classifier:
    """Votes of the five nearest training digits, nearer ones counting a little more."""
    data, weights = digits(), torch.tensor([1.3, 1.2, 1.1, 1.05, 1.0])
    known, one_hot = data.images.flatten(1), functional.one_hot(data.labels, 10).float()

    def forward(x: Tensor) -> Tensor:
        nearest = torch.cdist(x.flatten(1), known).topk(5, largest=False).indices
        return (one_hot[nearest] * weights[:, None]).sum(1)

    return on_pixels(forward)
