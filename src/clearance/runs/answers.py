"""What a network answers on a few inputs: recorded in the plan of a run, and held against the network that resumes it.

A digest of a network (`runs.fingerprint`) cannot see everything that a forward pass reads: a file, a global variable, a
patched class. Its answers show that something has changed, whatever it was.

**Which inputs.** The first inputs of the run, and points drawn with a fixed seed: uniformly within the bounds, or,
where there are none, in a box around the first inputs as wide as their values spread.

**Compared how.** `runs.agreement` has the rule and its tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clearance.errors import NetworkError
from clearance.model.bounds import points_between
from clearance.model.classifier import Classifier
from clearance.model.seeds import content_key, make_generator
from clearance.runs.agreement import agree
from clearance.runs.plan import MOST_LOGITS, Answers

ASKED = 4
"""So many of the first inputs are asked, and so many points are drawn: few passes against the thousands of a task."""

RANDOM_CALLS = 16
"""How often a network is called whose answers differ from call to call: enough for a standard deviation to 20 %."""


def record_answers(model: Classifier, images: Tensor) -> Answers:
    """Ask a network, every input in a pass of its own; what it costs counts for no task.

    Args:
        model: The classifier.
        images: `(count, *input)`, the inputs of a run, in input units.

    Returns:
        What it answered.

    Raises:
        ClearanceError: If an input or the network's answer to it cannot be used.
    """
    inputs = model.check_inputs(images[:ASKED])
    points = draw_points(model, inputs)
    first = _ask(model, inputs, points)
    calls = [first, _ask(model, inputs, points)]
    if not agree(first, calls[1], str(model.dtype).removeprefix("torch.")):
        calls += [_ask(model, inputs, points) for _ in range(RANDOM_CALLS - len(calls))]
    means, spread = _statistics(calls) if len(calls) > 2 else (first, 0.0)
    return Answers(
        keys=tuple(content_key(x) for x in (*inputs, *points)),
        logits=tuple(map(tuple, means)),
        calls=len(calls),
        spread=spread,
    )


def draw_points(model: Classifier, inputs: Tensor) -> Tensor:
    """Points at which a network may be asked: the same ones for the same bounds (and inputs, where there are none).

    Args:
        model: The classifier.
        inputs: `(count, *input)`, checked inputs.

    Returns:
        `(ASKED, *input)`.
    """
    generator = make_generator("cpu", 0, "answers")
    share = torch.rand((ASKED, *inputs.shape[1:]), generator=generator, dtype=torch.float64, device="cpu").to(inputs)
    spread = inputs.std(correction=0)
    near = inputs[torch.arange(ASKED, device=inputs.device) % len(inputs)]
    around = near + (2 * share - 1) * torch.where(spread > 0, spread, torch.ones_like(spread))
    return around if model.bounds is None else model.clip(points_between(model.bounds, share, around))


def _ask(model: Classifier, inputs: Tensor, points: Tensor) -> list[list[float]]:
    """The logits of each input and each point; none of a point at which the network has no answer."""
    answers = [_kept(model.logits_of_each(x)[0]) for x in inputs.split(1)]
    for x in points.split(1):
        try:
            answers.append(_kept(model.logits_of_each(x)[0]))
        except NetworkError:
            answers.append([])
    return answers


def _kept(logits: Tensor) -> list[float]:
    """At most `MOST_LOGITS` of the logits, evenly spaced."""
    count = min(len(logits), MOST_LOGITS)
    chosen = torch.linspace(0, len(logits) - 1, count, dtype=torch.float64, device=logits.device).round().long()
    return logits.double()[chosen].tolist()


def _statistics(calls: Sequence[Sequence[Sequence[float]]]) -> tuple[list[list[float]], float]:
    """The mean answer to each input, and the largest standard deviation of a logit over the calls."""
    means, spread = list[list[float]](), 0.0
    for answers in zip(*calls, strict=True):
        if not all(answers):  # at times no answer: nothing to compare
            means.append([])
            continue
        values = torch.tensor(answers, dtype=torch.float64, device="cpu")
        means.append(values.mean(0).tolist())
        spread = max([spread, *values.std(0).tolist()])
    return means, spread
