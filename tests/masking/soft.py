"""Masked by steps that are soft: the gradient is the function's own, tiny nearly everywhere and huge in between.

Each misleads: the attack along gradients ends much farther away than a straight line to another digit does, the
estimate exceeds a witness, or it is a published defence (`test_masking_networks.py` measures it).
"""

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier
from clearance.model.transforms import bpda
from masking.entries import MASKED, Apply, Data, before, digits, enter, fit, fit_with, mlp, on_pixels


def stairs(x: Tensor, count: int, steepness: float) -> Tensor:
    """`count` soft steps from 0 to 1, each of `sigmoid(steepness t)`."""
    edges = (torch.arange(count).to(x) + 0.5) / count
    return (steepness * (x[..., None] - edges)).sigmoid().mean(-1)


def behind(encode: Apply, *widths: int) -> Classifier:
    """A network of its own, trained on encoded digits and used behind the encoding."""
    data = digits()
    seen = Data(encode(data.images), data.labels, data.test_images, data.test_labels)
    return on_pixels(nn.Sequential(encode, fit(mlp(*(widths or (64,))), data=seen)))


@enter(MASKED)
def soft_one_bit_200() -> Classifier:
    """One soft bit for each pixel, `sigmoid(200 (x - .5))`."""
    return behind(Apply(lambda x: (200 * (x - 0.5)).sigmoid()))


@enter(MASKED)
def soft_one_bit_1000() -> Classifier:
    """One bit for each pixel that is soft in the last thousandths only."""
    return behind(Apply(lambda x: (1000 * (x - 0.53)).sigmoid()))


@enter(MASKED)
def tanh_bit() -> Classifier:
    """One soft bit for each pixel by `tanh(150 t)`, in front of two hidden layers."""
    return behind(Apply(lambda x: (150 * (x - 0.47)).tanh()), 64, 64)


@enter(MASKED)
def arctan_bit() -> Classifier:
    """One soft bit with heavy tails, `arctan(1000 t)`: no gradient underflows."""
    return behind(Apply(lambda x: (1000 * (x - 0.47)).atan()))


@enter(MASKED)
def soft_staircase() -> Classifier:
    """The standard network behind 50 soft steps."""
    return on_pixels(before("conv1", Apply(lambda x: stairs(x, 50, 3000.0))))


@enter(MASKED)
def soft_thermometer() -> Classifier:
    """Thermometer encoding with soft comparisons (Buckman et al. 2018)."""
    levels = (torch.arange(8) / 8 + 0.03).reshape(1, 8, 1, 1)
    encode = Apply(lambda x: (300 * (x - levels.to(x))).sigmoid())
    return on_pixels(fit(nn.Sequential(encode, mlp(64, inputs=8 * 64))))


@enter(MASKED)
def soft_two_bits() -> Classifier:
    """Three steep soft steps for each pixel (two bits)."""
    return behind(Apply(lambda x: stairs(x, 3, 2000.0)))


@enter(MASKED)
def soft_three_bits() -> Classifier:
    """Seven steep soft steps for each pixel (three bits)."""
    return behind(Apply(lambda x: stairs(x, 7, 4000.0)))


@functools.cache
def one_for_each() -> nn.Module:
    """A network with one logit for each class that is positive where the class is seen (binary cross-entropy)."""
    network, data = mlp(64), digits()
    wanted = functional.one_hot(data.labels, 10).float()
    fit_with(network, lambda z, rows: functional.binary_cross_entropy_with_logits(z, wanted[rows]))
    return network


@enter(MASKED)
def sigmoid_of_logits_50() -> Classifier:
    """`sigmoid(50 z)` of each logit: sure of nearly everything (Goodfellow 2018, section 4)."""
    return on_pixels(nn.Sequential(one_for_each(), Apply(lambda z: (50 * z).sigmoid())))


@enter(MASKED)
def sigmoid_of_logits_200() -> Classifier:
    """`sigmoid(200 z)` of each logit."""
    return on_pixels(nn.Sequential(one_for_each(), Apply(lambda z: (200 * z).sigmoid())))


@enter(MASKED)
def tanh_of_logits() -> Classifier:
    """`tanh(30 z)` of each logit: in [-1, 1] and no probability."""
    return on_pixels(nn.Sequential(one_for_each(), Apply(lambda z: (30 * z).tanh())))


@enter(MASKED)
def scaled_sigmoid_of_logits() -> Classifier:
    """`12 sigmoid(20 z) - 5`: saturated, in a range that looks like that of logits."""
    return on_pixels(nn.Sequential(one_for_each(), Apply(lambda z: 12 * (20 * z).sigmoid() - 5)))


def binary_units(soft: Apply) -> Classifier:
    """Hidden units that were trained as steps, and are used as soft ones."""
    step = Apply(lambda h: (h > 0).to(h.dtype))
    network = fit(mlp(256, activation=lambda: bpda(step, torch.sigmoid)))
    return on_pixels(nn.Sequential(*network[:2], soft, network[3]))  # pyright: ignore


@enter(MASKED)
def soft_binary_units() -> Classifier:
    """Hidden units `sigmoid(2000 h)` in place of steps."""
    return binary_units(Apply(lambda h: (2000 * h).sigmoid()))


@enter(MASKED)
def tanh_units() -> Classifier:
    """Hidden units `(1 + tanh(3000 h)) / 2` in place of steps."""
    return binary_units(Apply(lambda h: ((3000 * h).tanh() + 1) / 2))


@enter(MASKED)
def soft_winners_take_all() -> Classifier:
    """k winners take all (Xiao et al. 2020) with a steep soft gate at the smallest winner."""

    def winners(h: Tensor) -> Tensor:
        least = h.topk(h.shape[1] // 10, dim=1).values[:, -1:]
        return h * (2e4 * (h - least)).sigmoid()

    return on_pixels(fit(mlp(512, 256, activation=lambda: Apply(winners))))


@enter(MASKED)
def soft_steps_between_layers() -> Classifier:
    """Soft rounding to thirty-seconds behind the first convolution."""

    def rounded(h: Tensor) -> Tensor:
        whole = (32 * h).floor()
        return (whole + (200 * (32 * h - whole - 0.5)).sigmoid()) / 32

    return on_pixels(before("act1", Apply(rounded)))


@enter(MASKED)
def soft_neighbours() -> Classifier:
    """Training digits vote, with cold weights of their distances."""
    known, one_hot = digits().images.flatten(1), functional.one_hot(digits().labels, 10).float()

    def forward(x: Tensor) -> Tensor:
        return (-60 * torch.cdist(x.flatten(1), known.to(x)).square()).softmax(1) @ one_hot.to(x)

    return on_pixels(forward)


@enter(MASKED)
def cold_vote() -> Classifier:
    """Nine networks vote with cold probabilities."""
    members = [fit(mlp(16), epochs=8) for _ in range(9)]
    return on_pixels(lambda x: sum((20 * member(x)).softmax(1) for member in members))


@enter(MASKED)
def purified() -> Classifier:
    """The input is replaced by a soft nearest training digit, so that noise is removed (as Defense-GAN does)."""
    known, network = digits().images.flatten(1), fit(mlp(64))

    def nearest(x: Tensor) -> Tensor:
        return (-30 * torch.cdist(x.flatten(1), known.to(x)).square()).softmax(1) @ known.to(x)

    return on_pixels(lambda x: network(nearest(x)))


@enter(MASKED)
def rounded_with_noise_removed() -> Classifier:
    """Trained with noise in front of a soft rounding to quarters, which is meant to remove it; tested without noise."""
    data = digits()
    noisy = data.images + 0.1 * torch.randn(data.images.shape)
    encode = Apply(lambda x: stairs(x, 4, 400.0))
    seen = Data(encode(noisy), data.labels, data.test_images, data.test_labels)
    return on_pixels(nn.Sequential(encode, fit(mlp(64), data=seen)))


@functools.cache
def distilled_at(temperature: float) -> nn.Module:
    """Defensive distillation (Papernot et al. 2016): teacher and student at one temperature."""
    teacher, student, data = mlp(128), mlp(128), digits()
    fit_with(teacher, lambda z, rows: functional.cross_entropy(z / temperature, data.labels[rows]), epochs=40)
    with torch.no_grad():
        soft = (teacher(data.images) / temperature).softmax(1)
    fit_with(student, lambda z, rows: functional.cross_entropy(z / temperature, soft[rows]), epochs=40)
    return student


@enter(MASKED)
def distilled_at_20() -> Classifier:
    """Defensive distillation at T = 20, read at T = 1 as probabilities."""
    return on_pixels(nn.Sequential(distilled_at(20.0), Apply(lambda z: z.softmax(1))))


@enter(MASKED)
def distilled_at_50() -> Classifier:
    """Defensive distillation at T = 50, as logits whose softmax underflows."""
    return on_pixels(distilled_at(50.0))


@enter(MASKED)
def learned_temperature() -> Classifier:
    """Probabilities at a temperature that was learned with the network and ended cold."""

    class Tempered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.coldness = mlp(64), nn.Parameter(torch.tensor(3.0))

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x) * self.coldness.exp()

    return on_pixels(nn.Sequential(fit(Tempered(), epochs=20), Apply(lambda z: z.softmax(1))))
