"""Fewer uniform samples, the same score? `blocks="auto"` against the paper's 500 x 1,024, on MNIST.

Network `mnist-fmn`, the first correctly classified test images, l2, runner-up, R = 5. The paper's 512,000 gradients an
input take about an hour for 20 inputs on two cores; `--cache FOLDER` keeps its block maxima between runs.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import numpy as np
import torch
from public import correct_images, load_network
from torch import Tensor

from clearance.estimates.clever import clever
from clearance.estimates.evidence import MarginProblem
from clearance.estimates.extremes import fit_reverse_weibull
from clearance.estimates.samplers.table import SAMPLERS
from clearance.estimates.samplers.uniform import uniform_gradients
from clearance.estimates.scores import CleverScore
from clearance.estimates.settings import PAPER
from clearance.geometry.feasible import feasible_directions
from clearance.model.classifier import Classifier
from clearance.model.seeds import content_key

RADIUS, BLOCKS, BLOCK_SIZE = PAPER["radius"], PAPER["blocks"], PAPER["block_size"]


def paper_maxima(model: Classifier, x0: Tensor, score: CleverScore, file: Path | None) -> np.ndarray:
    """The 500 block maxima of the paper's scheme for one input: the same streams as `clever(..., **PAPER)`."""
    if file is not None and file.exists():
        return np.load(file)
    targets = torch.tensor([score.target])
    margins = torch.tensor([score.margin])
    every = feasible_directions(x0, None, 2.0)
    problem = MarginProblem(
        model, x0, content_key(x0), score.predicted, targets, margins, margins, 2.0, 2.0, every, clip=False, seed=0
    )
    maxima, _ = uniform_gradients(problem, RADIUS, range(BLOCKS), BLOCK_SIZE, "uniform")
    if file is not None:
        np.save(file, maxima[0].numpy())
    return maxima[0].numpy()


def main() -> None:
    """Print a line per input and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument(
        "--cache", type=Path, default=None, help="folder for the paper's block maxima, one file an input"
    )
    options = parser.parse_args()
    network = load_network("mnist-fmn")
    model = Classifier(network, (0, 1))
    x, labels = correct_images(network, options.count, "mnist-fmn")
    choices = {"bound": "ball", "sampler": "uniform", "radius": RADIUS, "clip": None, "feasible": False}
    auto = clever(model, x, labels=labels, target="runner-up", norm=2, **choices)
    differences: list[float] = []
    plain_differences: list[float] = []
    for index, score in enumerate(auto):
        maxima = paper_maxima(model, x[index], score, options.cache and options.cache / f"{index}.npy")
        assert score.maxima == tuple(maxima[: len(score.maxima)].tolist()), "the first blocks are the same ones"
        fit = fit_reverse_weibull(maxima, tail_rate=SAMPLERS["uniform"].tail_rate)
        paper = min(score.margin / max(float(fit.location), score.largest_seen), RADIUS)
        differences.append(abs(score.radius / paper - 1))
        plain = [float(fit_reverse_weibull(part).location) for part in (maxima, maxima[: len(score.maxima)])]
        plain_differences.append(abs(plain[0] / plain[1] - 1))
        print(
            f"input {index}: paper {paper:.4f} ({fit.status}), auto {score.radius:.4f} ({score.status}), "
            f"difference {differences[-1]:.2%}, gradients {score.cost.backward} against {BLOCKS * BLOCK_SIZE}",
            flush=True,
        )
    share = statistics.median(score.cost.backward for score in auto) / (BLOCKS * BLOCK_SIZE)
    print(f"median difference {statistics.median(differences):.2%} at {share:.3f} of the gradients")
    print(
        f"the same with the plain likelihood, without the prior on the tail: {statistics.median(plain_differences):.2%}"
    )


if __name__ == "__main__":
    main()
