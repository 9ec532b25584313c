"""Trained networks: certified radii against the nearest witness."""

import math
from collections import OrderedDict
from pathlib import Path
from statistics import median

import pytest
import torch
from torch import nn

from clearance import Classifier, attack, certify, datasets
from clearance.training import TrainingSettings, train
from clearance.zoo.networks import initialise
from clearance.zoo.specs import load_model


@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_bundled_digits_are_certified_below_their_witnesses(norm: float):
    data = datasets.load("digits", count=3)
    model = Classifier(load_model("digits-robust").network, (0, 1))
    proofs = certify(model, data.images, labels=data.labels, norm=norm, method="crown")
    witnesses = attack(model, data.images, data.labels, norm=norm, budget="quick")
    judged = [(p.radius, w.distance) for p, w in zip(proofs, witnesses, strict=True) if p.status == "certified"]
    assert len(judged) == 3 - sum(proof.status == "misclassified" for proof in proofs) >= 2
    assert all(0.1 * distance < radius <= distance for radius, distance in judged)


@pytest.mark.slow
@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_crown_reaches_six_tenths_of_the_witness_on_mnist(norm: float, clearance_data: Path):
    network = initialise(
        nn.Sequential(
            OrderedDict(flatten=nn.Flatten(), hidden0=nn.Linear(784, 100), relu0=nn.ReLU(), logits=nn.Linear(100, 10))
        ),
        seed=0,
    )
    folder = str(clearance_data / "mnist")
    data = datasets.load(folder, train=True)
    settings = TrainingSettings(epochs=3, batch_size=256, learning_rate=2e-3)
    train(network, data.images, data.labels, settings=settings)
    test = datasets.load(folder, count=150)
    with torch.no_grad():
        right = (network(test.images).argmax(1) == test.labels).nonzero().flatten()[:100]
    model, x = Classifier(network, (0, 1)), test.images[right]
    proofs, witnesses = certify(model, x, norm=norm, method="crown"), attack(model, x, norm=norm)
    shares = [proof.radius / witness.distance for proof, witness in zip(proofs, witnesses, strict=True)]
    assert len(shares) == 100
    assert max(shares) <= 1
    assert median(shares) >= 0.6
