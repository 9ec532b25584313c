"""Honest classifiers: their gradients integrate to their functions."""

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier, Normalize, networks
from clearance.zoo.specs import load_model
from masking.entries import HONEST, Apply, Data, cnn, digits, enter, fit, mlp, on_pixels, standard


@enter(HONEST)
def linear() -> Classifier:
    return on_pixels(fit(mlp()))


@enter(HONEST)
def mlp_relu() -> Classifier:
    return on_pixels(fit(mlp(64, 64)))


@enter(HONEST)
def mlp_softplus() -> Classifier:
    return on_pixels(fit(mlp(128, activation=nn.Softplus)))


@enter(HONEST)
def mlp_tanh() -> Classifier:
    return on_pixels(fit(mlp(64, 64, activation=nn.Tanh)))


@enter(HONEST)
def mlp_sigmoid() -> Classifier:
    return on_pixels(fit(mlp(64, activation=nn.Sigmoid), rate=1e-2))


@enter(HONEST)
def mlp_leaky_relu() -> Classifier:
    return on_pixels(fit(mlp(64, 64, activation=nn.LeakyReLU)))


@enter(HONEST)
def mlp_gelu() -> Classifier:
    return on_pixels(fit(mlp(64, 64, activation=nn.GELU)))


@enter(HONEST)
def mlp_elu() -> Classifier:
    return on_pixels(fit(mlp(64, activation=nn.ELU)))


@enter(HONEST)
def bounded_relu() -> Classifier:
    return on_pixels(fit(mlp(64, 64, activation=nn.ReLU6)))


@enter(HONEST)
def maxout() -> Classifier:
    pieces = Apply(lambda h: h.unflatten(1, (-1, 4)).amax(2))
    return on_pixels(fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 128), pieces, nn.Linear(32, 10))))


@enter(HONEST)
def cnn_max_pooling() -> Classifier:
    return on_pixels(fit(cnn(pool=nn.MaxPool2d(2))))


@enter(HONEST)
def cnn_average_pooling() -> Classifier:
    return on_pixels(fit(cnn(pool=nn.AvgPool2d(2))))


@enter(HONEST)
def batch_norm() -> Classifier:
    return on_pixels(fit(cnn(pool=nn.MaxPool2d(2), norm=nn.BatchNorm2d)))


@enter(HONEST)
def group_norm() -> Classifier:
    return on_pixels(fit(cnn(pool=nn.AvgPool2d(2), norm=lambda channels: nn.GroupNorm(4, channels))))


@enter(HONEST)
def layer_norm() -> Classifier:
    return on_pixels(fit(mlp(64, 64, norm=nn.LayerNorm)))


@enter(HONEST)
def dropout_turned_off() -> Classifier:
    return on_pixels(fit(mlp(128, activation=lambda: nn.Sequential(nn.ReLU(), nn.Dropout(0.3)))))


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.inner(x))


@enter(HONEST)
def residual() -> Classifier:
    blocks = (Residual(48) for _ in range(3))
    return on_pixels(fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 48), *blocks, nn.Linear(48, 10)), rate=2e-3))


class Attention(nn.Module):
    """One head of self-attention over the sixteen 2 × 2 patches, with a residual connection, then the mean."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.embed, self.project = nn.Linear(4, width), nn.Linear(width, 3 * width)
        self.place = nn.Parameter(0.3 * torch.randn(16, width))
        self.head = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(functional.pixel_unshuffle(x, 2).flatten(2).mT) + self.place
        query, key, value = self.project(tokens).chunk(3, dim=2)
        weights = (query @ key.mT / query.shape[2] ** 0.5).softmax(2)
        return self.head((tokens + weights @ value).relu().mean(1))


@enter(HONEST)
def attention() -> Classifier:
    return on_pixels(fit(Attention(), epochs=40, rate=1e-2))


@enter(HONEST)
def standard_training() -> Classifier:
    return on_pixels(standard())


@enter(HONEST)
def adversarially_trained() -> Classifier:
    return on_pixels(load_model("digits-robust").network)


@enter(HONEST)
def seven_layers() -> Classifier:
    return on_pixels(fit(networks.seven_layer_cnn((1, 8, 8), 10, channels=(8, 16), hidden=48), epochs=10))


@enter(HONEST)
def radial_basis() -> Classifier:
    """Gaussian bumps around 200 training digits, and a linear layer."""
    centres = digits().images[torch.randperm(1437)[:200]].flatten(1)
    bumps = Apply(lambda x: (-(x.flatten(1)[:, None] - centres.to(x)).square().sum(2) / 4).exp())
    return on_pixels(fit(nn.Sequential(bumps, nn.Linear(200, 10)), rate=0.1))


@enter(HONEST)
def tiny() -> Classifier:
    return on_pixels(fit(mlp(8), epochs=30))


@enter(HONEST)
def wide() -> Classifier:
    return on_pixels(fit(mlp(2048), epochs=8, rate=1e-3))


@enter(HONEST)
def deep_narrow() -> Classifier:
    network = networks.initialise(mlp(*[24] * 8), seed=0)
    return on_pixels(fit(network, epochs=40, rate=3e-3))


@enter(HONEST)
def over_trained() -> Classifier:
    """Trained long after every training digit is right: large logits, from nothing but training."""
    return on_pixels(fit(mlp(128), epochs=80, rate=0.1))


@enter(HONEST)
def rounded_weights() -> Classifier:
    """Weights rounded to 6 bits: the function is another one, but its gradients are its own."""
    network = fit(mlp(64))
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_((weight * 32).round() / 32)
    return on_pixels(network)


@enter(HONEST)
def soft_vote() -> Classifier:
    members = [fit(mlp(16), epochs=8) for _ in range(3)]
    return on_pixels(lambda x: sum(member(x) for member in members) / 3)


@enter(HONEST)
def double_precision() -> Classifier:
    return on_pixels(fit(mlp(64)).double())


@enter(HONEST)
def normalised() -> Classifier:
    data = digits()
    normalise = Normalize([0.3], [0.37])
    seen = Data(normalise(data.images), data.labels, data.test_images, data.test_labels)
    return on_pixels(fit(cnn(pool=nn.AvgPool2d(2)), data=seen), preprocessing=normalise)


@enter(HONEST)
def unbounded() -> Classifier:
    return Classifier(fit(mlp(64, activation=nn.SiLU)))


@functools.cache
def even_and_odd() -> Data:
    data = digits()
    return Data(data.images, data.labels % 2, data.test_images, data.test_labels % 2)


@enter(HONEST, even_and_odd)
def two_classes() -> Classifier:
    return on_pixels(fit(mlp(64, classes=2), data=even_and_odd()))


@functools.cache
def hundred_clouds() -> Data:
    """A hundred Gaussian clouds in 20 dimensions."""
    draw = torch.Generator().manual_seed(0)
    centres, labels = 2 * torch.randn(100, 20, generator=draw), torch.arange(2500) % 100
    points = centres[labels] + torch.randn(2500, 20, generator=draw)
    return Data(points[:2000], labels[:2000], points[2000:], labels[2000:])


@enter(HONEST, hundred_clouds)
def hundred_classes() -> Classifier:
    return Classifier(fit(mlp(128, inputs=20, classes=100), data=hundred_clouds()))
