"""Tables 1 to 3 of "On Extensions of CLEVER" (Weng et al. 2018): first against second order on a 7-layer tanh CNN.

    python experiments/second_order.py --data mnist                      # the paper's 100 blocks of 200
    python experiments/second_order.py --data cifar10 --count 8 --blocks 20 --block-size 20

The network is the seven-layer CNN of `clearance.zoo.networks` with tanh, and with average pooling, because max pooling
is not twice differentiable. It is trained here (cached under --cache). Scores: uniform samples, as many for both
orders, l_2, for the least likely, the runner-up and a random class; the distortion is that of Carlini and Wagner's
l_2 attack. The paper does not say which ball it sampled; --radius 5 is that of the first CLEVER paper, --radius auto is
the fixed point of each order. Data are read from CLEARANCE_DATA (default ../shared/data).
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import clearance as cl
from clearance.attacks import carlini_wagner, make_goal
from clearance.data.datasets import data_folder
from clearance.model.inputs import prepare
from clearance.training.train import accuracy, train
from clearance.zoo.networks import seven_layer_cnn

TARGETS = {"least-likely": "Table 1. Least likely", "runner-up": "Table 2. Runner-up", "random": "Table 3. Random"}
SETS, SIZE = ("cifar10", "mnist"), {"channels": (32, 64), "hidden": 200}
NORMALISE = cl.Normalize([0.5], [0.25])
BATCH_SIZE, LEARNING_RATE = 128, 1e-3


@dataclass(frozen=True)
class Row:
    """One input and one target: both scores and the attack's distance."""

    first: cl.CleverScore
    second: cl.SecondOrderScore
    attacked: float


def load(name: str, *, training: bool) -> tuple[Tensor, Tensor]:
    """Images in [0, 1] and labels of one of the two sets."""
    if name == "mnist":
        data = cl.datasets.load("mnist", train=training)
        return data.images, data.labels
    from PIL import Image

    folder, part = data_folder() / "cifar10", "train" if training else "test"
    sheets = [f"data_batch_{number}" for number in range(1, 6)] if training else ["test_batch"]
    tiles = [_tiles(np.asarray(Image.open(folder / f"{sheet}.webp").convert("RGB"))) for sheet in sheets]
    images = torch.from_numpy(np.concatenate(tiles)).permute(0, 3, 1, 2).float() / 255
    return images, torch.from_numpy(np.load(folder / "labels.npz")[f"y_{part}"].astype(np.int64))


def _tiles(sheet: np.ndarray) -> np.ndarray:
    """A sheet of 100 x 100 images of 32 x 32, row by row: `(10000, 32, 32, 3)`."""
    return sheet.reshape(100, 32, 100, 32, 3).transpose(0, 2, 1, 3, 4).reshape(10000, 32, 32, 3)


def tanh_cnn(name: str, *, epochs: int, cache: Path, seed: int) -> nn.Module:
    """The network with its weights, from the cache or trained."""
    images, labels = load(name, training=True)
    network = seven_layer_cnn(tuple(images.shape[1:]), 10, activation=nn.Tanh, seed=seed, **SIZE)
    network.pool1, network.pool2 = nn.AvgPool2d(2), nn.AvgPool2d(2)
    path = cache / f"tanh-{name}-{epochs}-{seed}.safetensors"
    if path.is_file():
        network.load_state_dict(load_file(path))
        return network
    train(
        network,
        NORMALISE(images),
        labels,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        seed=seed,
    )
    cache.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), path)
    return network


def compare(model: cl.Classifier, x: Tensor, target: str, settings: dict[str, object], seed: int) -> list[Row]:
    """Both scores and the attack for each input."""
    inputs = prepare(model, x, None, target=target, norm=2, seed=seed)
    logits, classes = inputs.logits, [list(chosen) for chosen in inputs.targets]
    found = carlini_wagner(model, x, make_goal(logits.argmax(1), classes, logits.shape[1]))
    rows: list[Row] = []
    for index, (row, chosen, attacked) in enumerate(zip(x, classes, found.distance.tolist(), strict=True)):
        start = time.perf_counter()
        first, second = (
            cl.clever(model, row[None], target=chosen, order=order, seed=seed, **settings)[0] for order in (1, 2)
        )
        seconds = time.perf_counter() - start
        print(
            f"{target} {index}: {first.radius:.3f} {second.radius:.3f} {attacked:.3f} ({seconds:.0f} s)",
            file=sys.stderr,
        )
        rows.append(Row(first, second, attacked))
    return rows


def print_table(title: str, rows: list[Row]) -> None:
    """One table in the form of the paper's, and what the paper leaves out."""
    both = [row for row in rows if row.first.status.has_number and row.second.status.has_number]
    scores = np.array([[row.first.radius, row.second.radius] for row in both])
    attacked = np.array([row.attacked for row in both])
    reached = np.isfinite(attacked)
    larger = [scores[:, order] > scores[:, 1 - order] for order in (0, 1)]
    gains = [scores[larger[k], k] / scores[larger[k], 1 - k] - 1 for k in (0, 1)]
    print(f"\n{title} target: {len(both)} of {len(rows)} inputs have both scores.")
    mean = attacked[reached].mean()
    print(f"The average distortion found by the CW l2 attack is {mean:.3f} ({reached.sum()} inputs).\n")
    print("|                                     | 1st order | 2nd order |")
    print("|-------------------------------------|-----------|-----------|")
    lines = {
        "avg l2 CLEVER": [f"{mean:.3f}" for mean in scores.mean(0)],
        "% of images with larger score": [f"{100 * mask.mean():.0f}" for mask in larger],
        "avg % of increase on the score": [f"{100 * gain.mean():.0f}%" if len(gain) else "-" for gain in gains],
        "median share of the CW distance": [f"{np.median(scores[:, k] / attacked):.2f}" for k in (0, 1)],
        "scores above the CW distance": [str(int((scores[:, k] > attacked).sum())) for k in (0, 1)],
    }
    for name, (first, second) in lines.items():
        print(f"| {name:<35} | {first:>9} | {second:>9} |")


def main() -> None:
    """Train or load the network, score, and print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=SETS, default="mnist")
    parser.add_argument("--count", type=int, default=100, help="correctly classified test inputs")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=100)
    parser.add_argument("--block-size", type=int, default=200)
    parser.add_argument("--sampler", choices=["uniform", "directed"], default="uniform")
    parser.add_argument("--radius", default="5", help="auto, or a number")
    parser.add_argument("--curvature", choices=["norm", "one-sided"], default="norm")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "clearance")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    network = tanh_cnn(given.data, epochs=given.epochs, cache=given.cache, seed=given.seed)
    images, labels = load(given.data, training=False)
    model = cl.Classifier(network, bounds=(0, 1), preprocessing=NORMALISE)
    right = accuracy(network, NORMALISE(images), labels)
    print(f"7-layer tanh CNN on {given.data}: test accuracy {100 * right:.1f} %, {given.epochs} epochs")
    if given.count < 1:
        return
    several = images[: 4 * given.count]
    x = several[model.logits(several).argmax(1) == labels[: 4 * given.count]][: given.count]
    radius = given.radius if given.radius == "auto" else float(given.radius)
    settings = {"bound": "ball", "clip": None, "feasible": False, "radius": radius}
    settings |= {"blocks": given.blocks, "block_size": given.block_size, "sampler": given.sampler}
    print(f"first {len(x)} test inputs classified correctly; {settings}")
    for target, title in TARGETS.items():
        print_table(title, compare(model, x, target, settings, given.seed))


if __name__ == "__main__":
    main()
