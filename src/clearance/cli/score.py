"""`clearance score`: one model, one set of inputs, one estimated radius for each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from clearance import __version__
from clearance.cli import tables
from clearance.cli.cost import ESTIMATE_STEPS, tell_cost
from clearance.cli.flag_values import InputFlags
from clearance.cli.inputs import as_target, check_goal, load_inputs
from clearance.cli.progress import progress
from clearance.cli.summary import summarise
from clearance.estimates.clever import iterate_clever
from clearance.estimates.judgement import without_number
from clearance.estimates.scores import Score
from clearance.estimates.settings import Settings
from clearance.estimates.status import Status
from clearance.model.budgets import PASSES_PER_GRADIENT
from clearance.zoo.inputs import Inputs


@dataclass(frozen=True)
class ScoreJob:
    """One run of the command, with everything that determines its result.

    Attributes:
        inputs: The model and the inputs.
        target: The target.
        settings: All other choices.
    """

    inputs: Inputs
    target: str | int
    settings: Settings

    def passes(self) -> int:
        """The most passes of one input: those of the budget, or of all blocks, for each class in an untargeted ball."""
        chosen = self.settings
        if chosen.bound == "profile":
            return chosen.passes
        model, images = self.inputs.model, self.inputs.data.images
        others = model.logits(model.check_inputs(images[:1])).shape[1] - 1 if self.target == "untargeted" else 1
        return PASSES_PER_GRADIENT * chosen.most_blocks * chosen.size * others

    def scores(self, reached: Sequence[bool]) -> Iterator[Score]:
        """The scores, as they are finished.

        Args:
            reached: Whether each input has the target class already.

        Yields:
            One for each input; of one that has the target class already a row without a number.
        """
        data = self.inputs.data
        places = [place for place, there in enumerate(reached) if not there]
        scored: Iterator[Score] = iter(())
        if places:
            images, labels = data.images[places], data.labels[places]
            scored = iterate_clever(self.inputs.model, images, self.settings, labels=labels, target=self.target)
        for there, label in zip(reached, data.labels.tolist(), strict=True):
            yield _nothing(self.settings, label) if there else next(scored)


def _nothing(settings: Settings, label: int) -> Score:
    return without_number(settings, Status.TARGET_IS_PREDICTED, predicted=label, target=label)


def run_score(given: InputFlags, settings: Settings, *, target: str, as_json: bool) -> None:
    """Score the inputs and print a table or a JSON document.

    Args:
        given: The model and the inputs.
        settings: All choices of the estimate.
        target: The target.
        as_json: Print JSON.

    Raises:
        KeyboardInterrupt: On Ctrl-C, after what was finished has been printed.
    """
    job = ScoreJob(load_inputs(given), as_target(target), settings)
    scores: list[Score] = []
    try:
        model, images, passes = job.inputs.model, job.inputs.data.images, job.passes()
        checked, reached = check_goal(job.inputs, job.target, seed=settings.seed)
        judged = sum(not wrong for wrong in checked.misclassified) - sum(reached)
        tell_cost(model, images[:1], judged, passes=passes, steps=ESTIMATE_STEPS)
        with progress("scoring", len(images), meter=model.meter, passes=passes) as pace:
            for score in job.scores(reached):
                scores.append(score)
                pace.advance()
    except KeyboardInterrupt:
        if scores and not as_json:
            print_report(job, scores)
        raise
    if as_json:
        click.echo(json.dumps(as_document(job, scores), indent=2, allow_nan=False))
    else:
        print_report(job, scores)


def print_report(job: ScoreJob, scores: Sequence[Score]) -> None:
    """The table, what it amounts to, and how to read it."""
    inputs, settings = job.inputs, job.settings
    rows = [
        tables.ScoreRow(inputs.data.indices[index], label, score)
        for index, (label, score) in enumerate(zip(inputs.data.labels.tolist(), scores, strict=False))
    ]
    level = None if settings.bound == "profile" else settings.level
    console, nearest = tables.make_console(), job.target == "untargeted"
    distance, other = tables.unit(settings.norm, inputs.units), "another" if nearest else "the target"
    tables.print_heading(console, inputs.title(len(scores)), f"{describe(job)}{tables.scaled(inputs.unit)}")
    tables.print_scores(
        console, rows, names=inputs.data.class_names, level=level, to="nearest" if nearest else "target"
    )
    tables.print_median(console, summarise(scores))
    tables.print_cost(console, summarise(scores))
    tables.print_reading(console, scores, distance=distance, other=f"{other} class")


def describe(job: ScoreJob) -> str:
    """The choices in one line."""
    chosen = job.settings
    if chosen.bound == "profile":
        counted = "feasible directions" if chosen.feasible else "all directions"
        profile = f"Lipschitz profile ({chosen.slope}), {counted}, {chosen.passes:,} passes"
        return f"{tables.norm_name(chosen.norm)}, {tables.towards(job.target)}, {profile}, seed {chosen.seed}"
    ball = "radius chosen for each input" if chosen.radius == "auto" else f"radius {chosen.radius:g}"
    target = tables.towards(job.target)
    blocks = f"up to {chosen.most_blocks}" if chosen.blocks == "auto" else chosen.blocks
    norm = tables.norm_name(chosen.norm)
    order = f", second order ({chosen.curvature})" if chosen.order == 2 else ""
    sampler = f"{chosen.sampler} sampler, {ball}, {blocks} blocks of {chosen.size:,}"
    return f"{norm}, {target}{order}, {sampler}, seed {chosen.seed}"


def as_document(job: ScoreJob, scores: Sequence[Score]) -> dict[str, Any]:
    """Everything as plain values for JSON. Only a status that has a number keeps its radius."""
    settings = asdict(job.settings)
    settings["norm"] = "inf" if math.isinf(job.settings.norm) else job.settings.norm
    return {
        "clearance": __version__,
        **job.inputs.as_record(),
        "target": job.target,
        "settings": settings,
        "summary": summarise(scores).as_record(),
        "results": [
            as_result(job.inputs.data.indices[index], label, score)
            for index, (label, score) in enumerate(zip(job.inputs.data.labels.tolist(), scores, strict=True))
        ],
    }


def as_result(index: int, label: int, score: Score) -> dict[str, Any]:
    """One input's record, with its index and its label."""
    return {"input": index, "label": label, **score.as_record()}
