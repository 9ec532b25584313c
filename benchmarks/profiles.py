"""The Lipschitz profile on public networks: how tight it is, how its interval holds, and what its parts are good for.

    python benchmarks/profiles.py tight --networks mnist-fmn --norms 2 inf        estimate over the nearest witness met
    python benchmarks/profiles.py interval --networks mnist-fmn --count 4         the radius of a longer search
    python benchmarks/profiles.py levels --networks mnist-kw-0.1                  levels, at equal passes
    python benchmarks/profiles.py starts --networks mnist-kw-0.1                  one kind of start alone

`tight` prints medians over inputs of estimate / nearest distance met by anyone here (attack of the same budget, both
searches), the largest of these ratios, and the former estimate in one ball (`--ball`: it takes minutes an input). The
nearest distance of docs/benchmarks.md is that of more attacks (`benchmarks/witnesses.py`).
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from public import correct_images, load_network
from torch import Tensor

from clearance.attacks import attack
from clearance.estimates.clever import clever, iterate_scores
from clearance.estimates.profile import estimate as profile_estimate
from clearance.estimates.profile import starts
from clearance.estimates.profile.levels import Reading
from clearance.estimates.profile.longer_search import LONGER_SEARCH
from clearance.estimates.profile.readings import profile_radius
from clearance.estimates.profile.score import ProfileScore
from clearance.estimates.profile.search import Known
from clearance.estimates.settings import Settings
from clearance.model.budgets import estimate_passes
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare


@dataclass(frozen=True)
class Case:
    """One input with what is known of it before the estimate."""

    network: str
    norm: float
    model: Classifier
    x: Tensor
    label: Tensor
    attacked: float
    known: Known

    def score(self, budget: str | int, seed: int = 0) -> ProfileScore:
        """The estimate that begins at the attack's witness."""
        inputs = prepare(self.model, self.x, self.label, target="untargeted", norm=self.norm, seed=seed)
        score = next(iter(iterate_scores(inputs, Settings(norm=self.norm, budget=budget, seed=seed), self.known)))
        assert isinstance(score, ProfileScore)
        return score


def cases(chosen: argparse.Namespace) -> Iterator[list[Case]]:
    """The inputs of each network and norm.

    Yields:
        Those of one network and norm.
    """
    for name in chosen.networks:
        model = Classifier(load_network(name), bounds=(0, 1))
        images, labels = (
            part[chosen.skip :] for part in correct_images(model.network, chosen.skip + chosen.count, name)
        )
        for text in chosen.norms:
            norm = math.inf if text == "inf" else float(text)
            found = attack(model, images, labels, norm=norm, budget=chosen.budget)
            yield [
                Case(name, norm, model, x, label, result.distance, _known(result, images, row))
                for row, (x, label, result) in enumerate(zip(images.split(1), labels.split(1), found, strict=True))
            ]


def _known(result: Any, images: Tensor, place: int) -> Known:
    others = torch.cat([images[:place], images[place + 1 :]])
    return Known(images[:0] if result.adversarial is None else result.adversarial[None], others)


def tight(rows: list[Case], chosen: argparse.Namespace) -> str:
    """Medians of estimate over the nearest distance, for both readings."""
    ratios: dict[str, list[float]] = {"norm": [], "radial": [], "ball": []}
    for case in rows:
        score = case.score(chosen.budget)
        nearest = min(case.attacked, score.witness_distance)
        ratios["norm"].append(radii(score)[0] / nearest)
        ratios["radial"].append(radii(score)[1] / nearest)
        if chosen.ball:
            (former,) = clever(case.model, case.x, case.label, norm=case.norm, bound="ball", clip=None, feasible=False)
            ratios["ball"].append(former.radius / nearest)
    parts = [f"{name} {statistics.median(v):.2f} (at most {max(v):.2f})" for name, v in ratios.items() if v]
    return ", ".join(parts)


def interval(rows: list[Case], chosen: argparse.Namespace) -> str:
    """How often the radius of a search with 25 times the passes, at as many levels, lies in the interval."""
    found: dict[str, list[tuple[bool, float, float, float]]] = {"norm": [], "radial": []}
    passes = estimate_passes(chosen.budget)
    for case in rows:
        score = case.score(chosen.budget)
        with replaced(profile_estimate, MORE_LEVELS=len(score.levels)):
            longer = case.score(LONGER_SEARCH * passes, seed=1)
        for name, radius, reading in zip(found, radii(longer), (score.by_norm, score.by_radial), strict=True):
            assert reading is not None
            low, high = reading.interval
            inside = low <= radius <= high * (1 + 1e-4)
            found[name].append((inside, 1 - low / high, radius / high, _needed(score, reading, radius)))
    return "; ".join(f"{name}: {_held(column)}" for name, column in found.items())


def _needed(score: ProfileScore, reading: Reading, radius: float) -> float:
    """The factor on what the interval adds to the values with which it would just hold that radius."""
    low, high = 0.0, 100.0
    levels, values, upper = (np.array(column) for column in (score.levels, reading.values, reading.upper))
    for _ in range(40):
        middle = (low + high) / 2
        reaches = profile_radius(levels, values + middle * (upper - values), score.margin) <= radius
        low, high = (low, middle) if reaches else (middle, high)
    return high


def _held(rows: list[tuple[bool, float, float, float]]) -> str:
    inside, widths, shares, needed = zip(*rows, strict=True)
    longer = f"the longer search's radius {statistics.median(shares):.2f} (least {min(shares):.2f}) of this one's"
    factor = f"95 % of them with what it adds times {np.quantile(needed, 0.95):.2f}"
    return f"within {sum(inside)} of {len(inside)}, median width {statistics.median(widths):.3f}, {longer}, {factor}"


def levels(rows: list[Case], chosen: argparse.Namespace) -> str:
    """The mean radius, over the nearest distance, with other numbers of levels and the same passes."""
    texts = list[str]()
    for count in (4, 8, 16, 32, 64):
        with replaced(profile_estimate, LEVELS=count, MORE_LEVELS=count):
            texts.append(f"{count}: {mean_ratios(rows, chosen)}")
    return "; ".join(texts)


def starting(rows: list[Case], chosen: argparse.Namespace) -> str:
    """The mean radius with one kind of start alone: the smaller, the more it found."""
    texts = [f"all: {mean_ratios(rows, chosen)}"]
    for kind, line in starts.STARTS.items():
        kept = dict(starts.STARTS)
        starts.STARTS.update({name: (float(name == kind), make) for name, (_, make) in kept.items()})
        texts.append(f"{kind}: {mean_ratios(rows, chosen)}")
        starts.STARTS.update(kept)
        assert starts.STARTS[kind] is line
    return "; ".join(texts)


def mean_ratios(rows: list[Case], chosen: argparse.Namespace) -> str:
    """Mean of both radii over the attack's distance."""
    found = [[radius / case.attacked for radius in radii(case.score(chosen.budget))] for case in rows]
    return " ".join(f"{statistics.mean(column):.3f}" for column in zip(*found, strict=True))


def radii(score: ProfileScore) -> tuple[float, float]:
    """The radius by the norm, and by the radial slope."""
    assert score.by_norm is not None
    assert score.by_radial is not None
    return score.by_norm.radius, score.by_radial.radius


class replaced:  # noqa: N801
    """Constants of a module, replaced for a while."""

    def __init__(self, module: Any, **values: int) -> None:
        self.module, self.values = module, values
        self.kept = {name: getattr(module, name) for name in values}

    def __enter__(self) -> None:
        for name, value in self.values.items():
            setattr(self.module, name, value)

    def __exit__(self, *_: object) -> None:
        for name, value in self.kept.items():
            setattr(self.module, name, value)


PARTS: dict[str, Callable[[list[Case], argparse.Namespace], str]] = {
    "tight": tight,
    "interval": interval,
    "levels": levels,
    "starts": starting,
}


def main() -> None:
    """Print one line for each network and norm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--networks", nargs="+", default=["mnist-fmn", "mnist-eran-6x100", "mnist-kw-0.1"])
    parser.add_argument("--norms", nargs="+", default=["1", "2", "inf"])
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--skip", type=int, default=0, help="correct inputs that are left out before the first one")
    parser.add_argument("--budget", default="standard")
    parser.add_argument("--ball", action="store_true")
    chosen = parser.parse_args()
    for rows in cases(chosen):
        print(f"{rows[0].network}, l{rows[0].norm:g}: {PARTS[chosen.part](rows, chosen)}", flush=True)


if __name__ == "__main__":
    main()
