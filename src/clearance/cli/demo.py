"""`clearance demo`: the two bundled classifiers on real handwritten digits, side by side."""

from __future__ import annotations

from clearance import datasets
from clearance.classifier import Classifier
from clearance.clever import iterate_clever
from clearance.cli import tables
from clearance.cli.summary import summarise
from clearance.loading import BUNDLED, load_model
from clearance.scores import CleverScore
from clearance.settings import Settings

BLOCK_SIZE = 128
"""Gradients per block: fewer than usual, so that the demo takes a minute on one core."""


def run_demo(count: int) -> None:
    """Score the first test digits with both classifiers and say what came out.

    Args:
        count: How many digits.
    """
    settings, data = Settings(block_size=BLOCK_SIZE), datasets.load("digits", count=count)
    scores: dict[str, list[CleverScore]] = {name: [] for name in BUNDLED}
    with tables.progress(len(BUNDLED) * count) as advance:
        for name in BUNDLED:
            network = load_model(name)
            model = Classifier(network.network, network.bounds)
            for score in iterate_clever(model, data.images, settings, labels=data.labels):
                scores[name].append(score)
                advance()
    show(scores, data, settings)


def show(scores: dict[str, list[CleverScore]], data: datasets.Dataset, settings: Settings) -> None:
    """The table with both classifiers, their medians, and how to read them."""
    short = {name: name.removeprefix("digits-") for name in scores}
    rows = [
        tables.Row(index, label, scores[name][index], short[name])
        for index, label in enumerate(data.labels.tolist())
        for name in scores
    ]
    console = tables.make_console()
    tables.print_heading(
        console,
        "How far can a digit move before the classifier changes its mind?",
        "Real 8 x 8 digits; one classifier trained as usual, one on adversarial examples.",
    )
    tables.print_scores(console, rows, names=data.class_names, level=settings.level, to="nearest")
    console.print("Median estimated radius:")
    width = max(map(len, short.values()))
    for name, row in scores.items():
        tables.print_median(console, summarise(row), before=f"  {short[name]:<{width}}")
    everything = [score for row in scores.values() for score in row]
    tables.print_cost(console, summarise(everything))
    tables.print_reading(console, everything, distance="l2 distance, pixel values in [0, 1]", other="another class")
    console.print("\nFor scale: a distance of 0.5 is one pixel halfway from black to white, or all 64 pixels by 1/16.")
    console.print("\nNext: clearance score digits-robust digits --norm inf")
