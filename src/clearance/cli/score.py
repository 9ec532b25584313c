"""`clearance score`: one model, one set of inputs, one estimated radius for each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import click
import torch

from clearance import __version__, datasets
from clearance.classifier import Classifier
from clearance.clever import iterate_clever
from clearance.cli import tables
from clearance.cli.summary import summarise
from clearance.datasets import Dataset
from clearance.errors import InputError
from clearance.loading import LoadedNetwork, load_model
from clearance.preprocessing import Normalize
from clearance.scores import CleverScore
from clearance.settings import PAPER, Settings


@dataclass(frozen=True)
class Job:
    """One run of the command, with everything that determines its result.

    Attributes:
        network: The network and its name.
        model: The classifier made of it.
        data: The inputs that are scored.
        source: What the user called the data.
        offset: Index of the first input in the whole set.
        total: How many inputs the whole set has.
        target: The target.
        settings: All other choices.
    """

    network: LoadedNetwork
    model: Classifier
    data: Dataset
    source: str
    offset: int
    total: int
    target: str | int
    settings: Settings

    def scores(self) -> Iterator[CleverScore]:
        """The scores, as they are finished."""
        images, labels = self.data.images, self.data.labels
        return iterate_clever(self.model, images, self.settings, labels=labels, target=self.target)


def run_score(*, given: set[str], as_json: bool, **flags: Any) -> None:
    """Score the inputs and print a table or a JSON document.

    Args:
        given: Names of the flags that the user spelled out.
        as_json: Print JSON.
        **flags: The flags' values.

    Raises:
        KeyboardInterrupt: On Ctrl-C, after what was finished has been printed.
    """
    job = make_job(given, flags)
    scores: list[CleverScore] = []
    try:
        with tables.progress(len(job.data), shown=not as_json) as advance:
            for score in job.scores():
                scores.append(score)
                advance()
    except KeyboardInterrupt:
        if scores and not as_json:
            print_report(job, scores)
        raise
    if as_json:
        click.echo(json.dumps(as_document(job, scores), indent=2, allow_nan=False))
    else:
        print_report(job, scores)


def make_job(given: set[str], flags: dict[str, Any]) -> Job:
    """Load and check everything that the flags name, cheapest first.

    Args:
        given: Names of the flags that the user spelled out.
        flags: The flags' values.

    Returns:
        The job.
    """
    settings = make_settings(given, flags)
    whole = datasets.load(flags["data"])
    count = _count(flags["count"], len(whole) - flags["offset"], "count" in given)
    data = whole.part(count=count, offset=flags["offset"])
    network = load_model(flags["model"], weights=flags["weights"])
    bounds = choose_bounds(flags, network.bounds or whole.bounds)
    model = make_classifier(network, bounds, flags)
    return Job(
        network=network,
        model=model,
        data=data,
        source=flags["data"],
        offset=flags["offset"],
        total=len(whole),
        target=as_target(flags["target"]),
        settings=settings,
    )


def make_settings(given: set[str], flags: dict[str, Any]) -> Settings:
    """The settings that the flags ask for; `--paper` sets all of the paper's choices.

    Raises:
        InputError: If a flag contradicts `--paper`.
    """
    chosen = {field.name: flags[field.name] for field in fields(Settings)}
    if flags["paper"]:
        for name in given & PAPER.keys():
            if chosen[name] != PAPER[name]:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"--paper: sets {option} to {PAPER[name]}, got {option} {chosen[name]} as well")
        chosen |= PAPER
    return Settings(**chosen)


def as_target(text: str) -> str | int:
    """The name of a target, or a class index."""
    return int(text) if text.removeprefix("-").isdecimal() else text


def choose_bounds(flags: dict[str, Any], known: tuple[float, float] | None) -> tuple[float, float] | None:
    """The bounds that were given, else those that the model or the data are known to have.

    Raises:
        InputError: If both bounds and none were asked for.
    """
    if flags["no_bounds"] and flags["bounds"]:
        raise InputError("--bounds: expected either --bounds LOW HIGH or --no-bounds, got both")
    return None if flags["no_bounds"] else flags["bounds"] or known


def make_classifier(network: LoadedNetwork, bounds: tuple[float, float] | None, flags: dict[str, Any]) -> Classifier:
    """The classifier: network, bounds, normalisation, device.

    Raises:
        InputError: If only one of `--mean` and `--std` was given.
    """
    if (flags["mean"] is None) != (flags["std"] is None):
        raise InputError("--mean: expected both --mean and --std, got one of them")
    normalise = None if flags["mean"] is None else Normalize(flags["mean"], flags["std"])
    return Classifier(network.network, bounds, preprocessing=normalise, device=_device(flags["device"]))


def _device(name: str | None) -> torch.device | None:
    try:
        return None if name is None else torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"--device: expected one that this machine has, got {name!r} ({first})") from error


def print_report(job: Job, scores: Sequence[CleverScore]) -> None:
    """The table, what it amounts to, and how to read it."""
    last = job.offset + len(scores) - 1
    facts = f"inputs {job.offset} to {last} of {job.total:,}"
    missing = len(job.data) - len(scores)
    stopped = f"; interrupted, {missing} not scored" if missing else ""
    rows = [
        tables.Row(job.offset + index, label, score)
        for index, (label, score) in enumerate(zip(job.data.labels.tolist(), scores, strict=False))
    ]
    console, nearest = tables.make_console(), job.target == "untargeted"
    distance, other = (
        tables.unit(job.settings.norm, job.model.bounds),
        "another class" if nearest else "the target class",
    )
    tables.print_heading(console, f"{job.network.name} on {job.data.name}: {facts}{stopped}", describe(job))
    tables.print_scores(
        console, rows, names=job.data.class_names, level=job.settings.level, to="nearest" if nearest else "target"
    )
    tables.print_median(console, summarise(scores))
    tables.print_cost(console, summarise(scores))
    tables.print_reading(console, scores, distance=distance, other=other)


def describe(job: Job) -> str:
    """The choices in one line."""
    chosen = job.settings
    ball = "radius chosen for each input" if chosen.radius == "auto" else f"radius {chosen.radius:g}"
    target = f"to class {job.target}" if isinstance(job.target, int) else job.target
    blocks = f"up to {chosen.most_blocks}" if chosen.blocks == "auto" else chosen.blocks
    norm = tables.norm_name(chosen.norm)
    return f"{norm}, {target}, {chosen.sampler} sampler, {ball}, {blocks} blocks of {chosen.size:,}, seed {chosen.seed}"


def as_document(job: Job, scores: Sequence[CleverScore]) -> dict[str, Any]:
    """Everything as plain values for JSON. Only a status that has a number keeps its radius."""
    bounds = None if job.model.bounds is None else [value.item() for value in job.model.bounds]
    weights = None if job.network.weights is None else str(job.network.weights)
    settings = asdict(job.settings)
    settings["norm"] = "inf" if math.isinf(job.settings.norm) else job.settings.norm
    return {
        "clearance": __version__,
        "model": {"name": job.network.name, "weights": weights, "bounds": bounds, "device": str(job.model.device)},
        "data": {"source": job.source, "name": job.data.name, "offset": job.offset, "count": len(scores)},
        "target": job.target,
        "settings": settings,
        "summary": summarise(scores).as_record(),
        "results": [
            as_result(job.offset + index, label, score)
            for index, (label, score) in enumerate(zip(job.data.labels.tolist(), scores, strict=True))
        ],
    }


def as_result(index: int, label: int, score: CleverScore) -> dict[str, Any]:
    """One input's record, with its index and its label."""
    record = score.as_record()
    if not score.status.has_number:
        record |= {"radius": None, "interval": None}
    return {"input": index, "label": label, **record}


def _count(asked: int | str, available: int, given: bool) -> int | None:
    """How many inputs: all, as many as asked for, or by default as many as there are up to that number."""
    if asked == "all":
        return None
    return int(asked) if given or available < 1 else min(int(asked), available)
