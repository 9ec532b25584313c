"""Masked by steps: flat between them, whatever a gradient says."""

import torch
from torch import Tensor, nn

from clearance import Classifier
from clearance.model.transforms import BitDepth, Jpeg, Ramp, Staircase, bpda
from masking.entries import MASKED, Apply, Data, after_standard, before, digits, enter, fit, mlp, on_pixels, standard


@enter(MASKED)
def staircase() -> Classifier:
    """Steps in the input: flat between them (Goodfellow 2018)."""
    return on_pixels(nn.Sequential(Staircase(255), standard()))


@enter(MASKED)
def coarse_staircase() -> Classifier:
    """Ten steps only, as preprocessing."""
    return on_pixels(standard(), preprocessing=Staircase(10))


@enter(MASKED)
def staircase_between_layers() -> Classifier:
    """Steps behind the first convolution: no gradient comes out of them."""
    return on_pixels(before("act1", Staircase(32)))


@enter(MASKED)
def ramp_fifth() -> Classifier:
    """Lipschitz continuous, but four gradients in five are zero and the fifth is five times too large."""
    return on_pixels(nn.Sequential(Ramp(255, 1 / 5), standard()))


@enter(MASKED)
def ramp_fiftieth() -> Classifier:
    """The same with ramps of a fiftieth of a step."""
    return on_pixels(nn.Sequential(Ramp(255, 1 / 50), standard()))


@enter(MASKED)
def ramp_five_hundredth() -> Classifier:
    """The same with ramps of a five-hundredth: hardly a pixel is on one."""
    return on_pixels(nn.Sequential(Ramp(255, 1 / 500), standard()))


@enter(MASKED)
def ramp_between_layers() -> Classifier:
    """Ramps behind the first convolution."""
    return on_pixels(before("act1", Ramp(32, 1 / 50)))


@enter(MASKED)
def jpeg() -> Classifier:
    """JPEG at quality 75: no gradient, and a coarse grid."""
    return on_pixels(nn.Sequential(Jpeg(75), standard()))


@enter(MASKED)
def jpeg_strong() -> Classifier:
    """JPEG at quality 30, trained behind it."""
    data = digits()
    seen = Data(Jpeg(30)(data.images), data.labels, data.test_images, data.test_labels)
    return on_pixels(nn.Sequential(Jpeg(30), fit(mlp(64), data=seen)))


@enter(MASKED)
def bit_depth() -> Classifier:
    """Three bits per pixel: steps of 32 / 255."""
    return on_pixels(nn.Sequential(BitDepth(3), standard()))


@enter(MASKED)
def thermometer() -> Classifier:
    """Thermometer encoding (Buckman et al. 2018): each pixel becomes 16 comparisons, which pass no gradient."""
    levels = (torch.arange(16) / 16).reshape(1, 16, 1, 1)
    encode = Apply(lambda x: (x > levels.to(x)).to(x.dtype))
    return on_pixels(fit(nn.Sequential(encode, mlp(64, inputs=16 * 64))))


@enter(MASKED)
def winners_take_all() -> Classifier:
    """Only the largest tenth of the hidden units speaks (Xiao et al. 2020): the function jumps where they change."""

    def winners(h: Tensor) -> Tensor:
        return h * (h >= h.topk(h.shape[1] // 10, dim=1).values[:, -1:])

    return on_pixels(fit(mlp(512, 256, activation=lambda: Apply(winners))))


@enter(MASKED)
def rounded_activations() -> Classifier:
    """Hidden values rounded to quarters."""
    return on_pixels(before("act3", Apply(lambda h: (4 * h).round() / 4)))


@enter(MASKED)
def rounded_logits() -> Classifier:
    """Logits rounded to one place, as an API might return them."""
    return after_standard(lambda z: (10 * z).round() / 10)


@enter(MASKED)
def binary_units() -> Classifier:
    """Hidden units that are 0 or 1, trained with a stand-in for their derivative and used without."""
    step = Apply(lambda h: (h > 0).to(h.dtype))
    network = fit(mlp(256, activation=lambda: bpda(step, torch.sigmoid)))
    return on_pixels(nn.Sequential(*network[:2], step, network[3]))  # pyright: ignore
