"""Every network that comes with the package, in one table: the bundled classifiers and the papers' architectures."""

from __future__ import annotations

from clearance.records import Choice

BUNDLED = {
    "digits-standard": Choice(
        "a small CNN trained on 8 x 8 handwritten digits as usual", "clearance.zoo.networks:digits_cnn"
    ),
    "digits-robust": Choice(
        "the same network trained on adversarial examples (l_inf, radius 0.15)", "clearance.zoo.networks:digits_cnn"
    ),
}
"""Classifiers with weights: what the command line calls MODEL -> the architecture that the weights fill."""

ARCHITECTURES = {
    "softplus_mlp": Choice(
        "one hidden layer of softplus units (Hein and Andriushchenko 2017)", "clearance.zoo.networks:softplus_mlp"
    ),
    "seven_layer_cnn": Choice(
        "the seven-layer CNN of Carlini and Wagner (2017) for MNIST and CIFAR-10",
        "clearance.zoo.networks:seven_layer_cnn",
    ),
    "digits_cnn": Choice("a small CNN for 8 x 8 digits", "clearance.zoo.networks:digits_cnn"),
}
"""Networks without weights, as functions: name -> the function."""
