"""Certified radii beside the nearest witness, and what they cost.

    python benchmarks/certificates.py                   100 inputs of MNIST, l2 and linf, budget standard
    python benchmarks/certificates.py --images 20 --budget quick

Three ReLU networks: two that are trained here as usual (784-100-10 and 784-100-100-10, three epochs of Adam on MNIST,
fixed seeds) and the public mnist-eran-6x100. Bounds are [0, 1]. `share` is the certified radius divided by the distance
of the nearest witness of the same input: 1 would be a proof that meets the attack. It never exceeds 1; the benchmark
stops if it does. Needs `CLEARANCE_DATA`.
"""

from __future__ import annotations

import argparse
import math
from collections import OrderedDict
from statistics import median

import torch
from public import correct_images, load_network
from torch import Tensor, nn

from clearance import Classifier, attack, certify, datasets
from clearance.certificates.table import CERTIFICATES
from clearance.training import TrainingSettings, train
from clearance.zoo.networks import initialise

METHODS = tuple(name for name, method in CERTIFICATES.items() if method.in_best and name != "linear")
"""What `best` tries on these networks, none of which is affine."""


def relu_network(*hidden: int) -> nn.Sequential:
    """A ReLU network on MNIST, trained as usual."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    sizes = (784, *hidden)
    for place, (inputs, outputs) in enumerate(zip(sizes, hidden, strict=False)):
        layers |= {f"hidden{place}": nn.Linear(inputs, outputs), f"relu{place}": nn.ReLU()}
    layers["logits"] = nn.Linear(sizes[-1], 10)
    network = initialise(nn.Sequential(layers), seed=0)
    data = datasets.load("mnist", train=True)
    settings = TrainingSettings(epochs=3, batch_size=256, learning_rate=2e-3)
    train(network, data.images, data.labels, settings=settings)
    return network.eval()


NETWORKS = {
    "784-100-10": lambda: relu_network(100),
    "784-100-100-10": lambda: relu_network(100, 100),
    "mnist-eran-6x100": lambda: load_network("mnist-eran-6x100"),
}


def report(name: str, model: Classifier, x: Tensor, labels: Tensor, budget: str) -> None:
    """One line for each norm and method."""
    for norm in (2.0, math.inf):
        witnesses = attack(model, x, labels, norm=norm, budget=budget)
        distances = [witness.distance for witness in witnesses]
        for method in METHODS:
            # One input at a time: seconds are those of a single input.
            proofs = [certify(model, x[[i]], labels=labels[[i]], norm=norm, method=method)[0] for i in range(len(x))]
            if proofs[0].status == "unsupported":
                continue
            shares = [proof.radius / distance for proof, distance in zip(proofs, distances, strict=True)]
            assert max(shares) <= 1, "a certified radius exceeds the distance of a witness"
            radius, seconds = (
                median(values) for values in zip(*((p.radius, p.cost.seconds) for p in proofs), strict=True)
            )
            print(
                f"{name:18}{'l2' if norm == 2 else 'linf':6}{method:16}{radius:10.4f}{median(distances):10.4f}"
                f"{median(shares):8.3f}{min(shares):8.3f}{max(shares):8.3f}{seconds:10.3f}",
                flush=True,
            )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--budget", default="standard", choices=["quick", "standard", "thorough"])
    options = parser.parse_args()
    print(f"{options.images} correctly classified MNIST test images; attacks with budget {options.budget}")
    columns = ("radius", "witness"), ("share", "least", "most")
    print(f"{'network':18}{'norm':6}{'method':16}" + "".join(f"{c:>10}" for c in columns[0]), end="")
    print("".join(f"{c:>8}" for c in columns[1]) + f"{'seconds':>10}")
    for name, make in NETWORKS.items():
        network = make()
        x, labels = correct_images(network, options.images, name)
        report(name, Classifier(network, bounds=(0, 1)), x, labels, options.budget)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
