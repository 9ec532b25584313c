"""Honest classifiers that were trained to be robust or certified, or have other shapes, scales and units."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier
from clearance.zoo.specs import load_model
from masking.entries import HONEST, Apply, Data, cnn, digits, enter, fit, fit_with, mlp, on_pixels, standard


def fit_against(
    network: nn.Module, change: Callable[[nn.Module, Tensor, Tensor], Tensor], epochs: int = 12
) -> nn.Module:
    """Adam on cross-entropy at changed training digits: `change(network, x, labels)`."""
    data, optimiser = digits(), torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(data.images)).split(64):
            x, labels = change(network, data.images[rows], data.labels[rows]), data.labels[rows]
            optimiser.zero_grad()
            functional.cross_entropy(network(x), labels).backward()
            optimiser.step()
    return network.eval()


def linf_steps(epsilon: float, steps: int = 5) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """Projected gradient ascent in the `l_inf` ball (Madry et al. 2018)."""

    def change(network: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
        shift = epsilon * (2 * torch.rand(x.shape) - 1)
        for _ in range(steps):
            shift.requires_grad_(True)
            (slope,) = torch.autograd.grad(functional.cross_entropy(network(x + shift), labels), shift)
            shift = (shift.detach() + 2.5 * epsilon / steps * slope.sign()).clamp(-epsilon, epsilon)
            shift = (x + shift).clamp(0, 1) - x
        return x + shift

    return change


def l2_steps(epsilon: float, steps: int = 5) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """Projected gradient ascent in the `l_2` ball."""

    def change(network: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
        shift = torch.zeros_like(x)
        for _ in range(steps):
            shift.requires_grad_(True)
            (slope,) = torch.autograd.grad(functional.cross_entropy(network(x + shift), labels), shift)
            step = slope / slope.flatten(1).norm(dim=1).clamp_min(1e-12).reshape(-1, 1, 1, 1)
            shift = shift.detach() + 2.5 * epsilon / steps * step
            length = shift.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
            shift = (x + shift * (epsilon / length.clamp_min(epsilon))).clamp(0, 1) - x
        return x + shift

    return change


@enter(HONEST)
def adversarial_linf() -> Classifier:
    return on_pixels(fit_against(mlp(64, 64), linf_steps(0.1)))


@enter(HONEST)
def adversarial_linf_strong() -> Classifier:
    return on_pixels(fit_against(mlp(128), linf_steps(0.2), epochs=20))


@enter(HONEST)
def adversarial_l2() -> Classifier:
    return on_pixels(fit_against(mlp(64, 64), l2_steps(0.5)))


@enter(HONEST)
def adversarial_cnn() -> Classifier:
    return on_pixels(fit_against(cnn(pool=nn.AvgPool2d(2)), linf_steps(0.1, steps=3), epochs=8))


@enter(HONEST)
def adversarial_gelu() -> Classifier:
    return on_pixels(fit_against(mlp(64, activation=nn.GELU), linf_steps(0.15)))


@enter(HONEST)
def noise_in_training() -> Classifier:
    """Gaussian noise on the training inputs, none at test: the base network of randomised smoothing (Cohen 2019)."""
    return on_pixels(fit_against(mlp(64, 64), lambda _, x, __: x + 0.25 * torch.randn(x.shape)))


def bounds_of(network: nn.Sequential, x: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Interval bounds of the logits over the `l_inf` ball (Gowal et al. 2018)."""
    low, high = (x - radius).clamp(0, 1).flatten(1), (x + radius).clamp(0, 1).flatten(1)
    for layer in list(network)[1:]:
        if isinstance(layer, nn.Linear):
            middle, half = layer((low + high) / 2), (high - low) / 2 @ layer.weight.abs().T
            low, high = middle - half, middle + half
        else:
            low, high = layer(low), layer(high)
    return low, high


def certified(radius: float, epochs: int = 30) -> nn.Module:
    """Interval bound propagation (Gowal et al. 2018): the radius and the weight of the worst logits grow from 0."""
    network, data = mlp(64, 64), digits()
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    for epoch in range(epochs):
        share = min(1.0, epoch / (0.6 * epochs))
        for rows in torch.randperm(len(data.images)).split(64):
            x, labels = data.images[rows], data.labels[rows]
            low, high = bounds_of(network, x, share * radius)
            worst = torch.where(functional.one_hot(labels, 10).bool(), low, high)
            plain = functional.cross_entropy(network(x), labels)
            optimiser.zero_grad()
            (plain + share * functional.cross_entropy(worst, labels)).backward()
            optimiser.step()
    return network.eval()


@enter(HONEST)
def certified_small() -> Classifier:
    return on_pixels(certified(0.03))


@enter(HONEST)
def certified_large() -> Classifier:
    return on_pixels(certified(0.05))


@enter(HONEST)
def spectral_norm() -> Classifier:
    network = mlp(64, 64)
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.utils.parametrizations.spectral_norm(layer)
    return on_pixels(fit(network, epochs=25))


@enter(HONEST)
def weight_decay() -> Classifier:
    """Small weights, and so small logits."""
    network = mlp(64)
    fit_with(network, lambda z, rows: functional.cross_entropy(z, digits().labels[rows]) + 3e-3 * z.square().mean())
    return on_pixels(network)


@enter(HONEST)
def label_smoothing() -> Classifier:
    network = mlp(64, 64)
    fit_with(network, lambda z, rows: functional.cross_entropy(z, digits().labels[rows], label_smoothing=0.2))
    return on_pixels(network)


@enter(HONEST)
def mish() -> Classifier:
    return on_pixels(fit(mlp(64, 64, activation=nn.Mish)))


@enter(HONEST)
def softsign() -> Classifier:
    return on_pixels(fit(mlp(64, 64, activation=nn.Softsign)))


@enter(HONEST)
def sharp_softplus() -> Classifier:
    return on_pixels(fit(mlp(64, 64, activation=lambda: nn.Softplus(beta=20))))


@enter(HONEST)
def cosine_activation() -> Classifier:
    return on_pixels(fit(mlp(128, activation=lambda: Apply(torch.cos))))


@enter(HONEST)
def deep_narrow_tanh() -> Classifier:
    return on_pixels(fit(mlp(*[24] * 6, activation=nn.Tanh), epochs=30))


@enter(HONEST)
def instance_norm() -> Classifier:
    return on_pixels(fit(cnn(pool=nn.MaxPool2d(2), norm=lambda channels: nn.InstanceNorm2d(channels, affine=True))))


@enter(HONEST)
def batch_norm_of_units() -> Classifier:
    return on_pixels(fit(mlp(64, 64, norm=nn.BatchNorm1d)))


@enter(HONEST)
def scaled_logits() -> Classifier:
    """Twice the logits: large, and no exponent underflows."""
    return on_pixels(nn.Sequential(standard(), Apply(lambda z: 2 * z)))


@enter(HONEST)
def shrunken_logits() -> Classifier:
    return on_pixels(nn.Sequential(load_model("digits-robust").network, Apply(lambda z: z / 50)))


@enter(HONEST)
def cosine_head() -> Classifier:
    """Logits are cosines with class directions, times a scale."""

    class Cosines(nn.Linear):
        def forward(self, h: Tensor) -> Tensor:
            return 8 * functional.linear(functional.normalize(h), functional.normalize(self.weight))

    return on_pixels(fit(nn.Sequential(*mlp(64, classes=32), Cosines(32, 10)), epochs=25))


def in_units(scale: float) -> Data:
    data = digits()
    return Data(data.images * scale, data.labels, data.test_images * scale, data.test_labels)


@enter(HONEST, lambda: in_units(255.0))
def pixels_to_255() -> Classifier:
    network = fit(mlp(64, 64))
    return Classifier(nn.Sequential(Apply(lambda x: x / 255), network).eval(), bounds=(0, 255))


@enter(HONEST, lambda: in_units(1e-3))
def thousandths() -> Classifier:
    network = fit(mlp(64, 64))
    return Classifier(nn.Sequential(Apply(lambda x: 1e3 * x), network).eval(), bounds=(0, 1e-3))
