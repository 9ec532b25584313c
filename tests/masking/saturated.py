"""Masked by saturation, or by a scale at which probabilities and cross-entropy stand still."""

import functools

import torch
from torch import nn
from torch.nn import functional

from clearance import Classifier
from clearance.model.transforms import bpda
from masking.entries import MASKED, Apply, after_standard, digits, enter, fit, fit_with, mlp, on_pixels, seeded


@enter(MASKED)
def sigmoid_units() -> Classifier:
    """Hidden sigmoids of 10⁴ times their argument: 0 or 1 in float32, and so flat (Goodfellow 2018, section 4)."""
    step = Apply(lambda h: (h > 0).to(h.dtype))
    network = fit(mlp(256, activation=lambda: bpda(step, torch.sigmoid)))
    return on_pixels(nn.Sequential(*network[:2], Apply(lambda h: (1e4 * h).sigmoid()), network[3]))  # pyright: ignore


@enter(MASKED)
def sigmoid_outputs() -> Classifier:
    """One sigmoid for each class, of 10⁴ times its logit: saturated in float32."""
    network, data = mlp(64), digits()
    wanted = functional.one_hot(data.labels, 10).float()
    fit_with(network, lambda z, rows: functional.binary_cross_entropy_with_logits(z, wanted[rows]))
    return on_pixels(nn.Sequential(network, Apply(lambda z: (1e4 * z).sigmoid())))


@enter(MASKED)
def softmax_outputs() -> Classifier:
    """Probabilities in place of logits: flat wherever the network is sure."""
    return after_standard(lambda z: z.softmax(1))


@enter(MASKED)
def cold_softmax() -> Classifier:
    """Temperature 10⁻⁴: logits × 10⁴, then a softmax that underflows to 0 and 1."""
    return after_standard(lambda z: (1e4 * z).softmax(1))


@enter(MASKED)
def cold_log_softmax() -> Classifier:
    """Logits × 10⁴, then a log-softmax: margins of 10⁵, whose probabilities underflow."""
    return after_standard(lambda z: (1e4 * z).log_softmax(1))


@enter(MASKED)
def cold_logits() -> Classifier:
    """Logits × 10⁴: every softmax or cross-entropy on top of them underflows."""
    return after_standard(lambda z: 1e4 * z)


@enter(MASKED)
def hot_logits() -> Classifier:
    """Logits × 10⁻⁴: cross-entropy hardly changes, and a search with steps of a fixed scale stands still."""
    return after_standard(lambda z: 1e-4 * z)


@functools.cache
def distilled() -> nn.Module:
    """Defensive distillation (Papernot et al. 2016) at T = 100: a student of the teacher's soft labels at that T."""
    with seeded("distilled"):
        teacher, student, temperature, data = mlp(128), mlp(128), 100.0, digits()
        fit_with(teacher, lambda z, rows: functional.cross_entropy(z / temperature, data.labels[rows]), epochs=40)
        with torch.no_grad():
            soft = (teacher(data.images) / temperature).softmax(1)
        fit_with(student, lambda z, rows: functional.cross_entropy(z / temperature, soft[rows]), epochs=40)
    return student


@enter(MASKED)
def distillation_logits() -> Classifier:
    """Defensive distillation read at T = 1: logits a hundred times as large, whose softmax underflows."""
    return on_pixels(distilled())


@enter(MASKED)
def distillation_softmax() -> Classifier:
    """The same, with the probabilities that the defence returns: 0 and 1."""
    return on_pixels(nn.Sequential(distilled(), Apply(lambda z: z.softmax(1))))
