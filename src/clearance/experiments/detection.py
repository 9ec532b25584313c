"""Detectors of adversarial examples: the gap between the largest logits, and the density of hidden features.

Each has a threshold that a stated share of clean inputs falls below: its rate of false alarms. Source: Feinman, Curtin,
Shintre and Gardner (2017) for the density; the gap is this project's simplest statistic of the logits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

FALSE_ALARMS = 0.05
"""Share of clean calibration inputs that a detector's threshold flags."""
BANDWIDTH = 0.2
"""Of the kernels, as a share of the median distance between features of training inputs: of .1, .2 and .5, tried on the
digits, the one that flags most of PGD's witnesses while about `FALSE_ALARMS` of other clean inputs are flagged."""
DETECTORS = ("logit gap", "kernel density")
"""The detectors."""
MEDIAN_OF = 500
"""Training inputs whose distances give the bandwidth: their median is known to a few per cent."""


@dataclass(frozen=True)
class Detectors:
    """Both detectors of one network.

    Attributes:
        features: Maps inputs to the last hidden layer.
        last: Maps that to logits.
        known: Features of the training inputs of each class.
        bandwidth: Of the kernels.
        thresholds: Below which an input is flagged, in the order of `DETECTORS`.
    """

    features: nn.Module
    last: nn.Module
    known: tuple[Tensor, ...]
    bandwidth: float
    thresholds: tuple[float, ...] = ()

    def scores(self, x: Tensor) -> Tensor:
        """What each detector says of each input, `(batch, 2)`: low is suspicious."""
        with torch.no_grad():
            features = self.features(x)
            logits = self.last(features)
        top = logits.topk(2).values
        density = torch.stack(
            [
                log_density(one[None], self.known[index], self.bandwidth)[0]
                for one, index in zip(features, logits.argmax(1).tolist(), strict=True)
            ]
        )
        return torch.stack([top[:, 0] - top[:, 1], density], 1)

    def flagged(self, x: Tensor) -> Tensor:
        """Whether each detector flags each input, `(batch, 2)`."""
        return self.scores(x) < torch.tensor(self.thresholds)


def log_density(points: Tensor, known: Tensor, bandwidth: float) -> Tensor:
    """The logarithm of `1/n sum_i exp(-‖z - z_i‖_2^2 / h^2)`.

    Source: Feinman, Curtin, Shintre and Gardner (2017).

    Args:
        points: `z`, `(batch, features)`.
        known: `z_i`, `(n, features)`.
        bandwidth: `h`.

    Returns:
        `(batch,)`.

    >>> log_density(torch.zeros(1, 2), torch.zeros(3, 2), 1.0)
    tensor([0.])
    """
    squares = torch.cdist(points, known) ** 2 / bandwidth**2
    return torch.logsumexp(-squares, 1) - math.log(len(known))


def calibrate(network: nn.Module, images: Tensor, labels: Tensor, clean: Tensor) -> Detectors:
    """Detectors from training inputs, and thresholds from clean inputs that were not trained on.

    Args:
        network: A sequence of layers that ends in the logits.
        images: Training inputs, `(count, *input)`.
        labels: Their classes.
        clean: Calibration inputs.

    Returns:
        The detectors.
    """
    layers = list(network.children())
    features, last = nn.Sequential(*layers[:-1]).eval(), layers[-1]
    with torch.no_grad():
        found = features(images)
        right = last(found).argmax(1) == labels
    bandwidth = BANDWIDTH * float(torch.pdist(found[:MEDIAN_OF]).median())
    known = tuple(found[right & (labels == index)] for index in range(int(labels.max()) + 1))
    detectors = Detectors(features, last, known, bandwidth)
    thresholds = detectors.scores(clean).quantile(FALSE_ALARMS, dim=0)
    return Detectors(features, last, known, bandwidth, tuple(thresholds.tolist()))
