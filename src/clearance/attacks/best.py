"""The nearest witness that one attack or an ensemble of attacks finds, confirmed by a fresh forward pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from clearance.attacks.confirm import confirmed, pulled_back
from clearance.attacks.ensembles import carry_out, runs_of
from clearance.attacks.fixed_radius import attack_within, passes_within
from clearance.attacks.known import KnownWitnesses, split
from clearance.attacks.leads import groups
from clearance.attacks.result import AttackResult, Witnesses, misclassified
from clearance.attacks.table import ATTACKS, ENSEMBLE
from clearance.attacks.task import AttackRun, AttackTask, make_task
from clearance.geometry.exponents import as_distance
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.cost import Cost
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.margins import Target
from clearance.model.measured import in_input_units
from clearance.model.progress import Progress, following, unfollowed
from clearance.model.same_bits import same_bits

EXACT_POWERS = 0.0, 1.0, 2.0, math.inf
"""Norms without other powers: torch's own differ in the last bit with the place of a number in its batch."""
MOST_TOGETHER, COORDINATES_TOGETHER = 16, 2**16
"""Inputs that share batches, at most, and their coordinates together, of which each run has about ten numbers."""


def attack(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    norm: float | str = 2,
    target: Target = "untargeted",
    method: str = ENSEMBLE,
    budget: str | int = "standard",
    radius: float | None = None,
    seed: int = 0,
    progress: Progress = False,
) -> list[AttackResult]:
    """The nearest adversarial example of each input that an ensemble of attacks, or one of them, can find.

    Source: this project for the ensemble; each method of the table names its own.

    Every run's nearest witness over all its iterates is confirmed by a fresh forward pass, bisected along the segment
    back to its input, and confirmed again; the smallest is returned. Its distance is an upper bound of the minimum
    adversarial distortion, never an estimate of it. Untargeted, a witness predicts any other class than the input;
    targeted, it predicts the target.

    Args:
        model: The classifier.
        x: Inputs `(batch, *input)`, within the bounds.
        labels: True classes; an input that the network misclassifies is not attacked. `None`: predictions are right.
        norm: The `p` of distances, from 1 to infinity; or 0, for the number of coordinates that differ (each channel of
            a pixel is one).
        target: Where to go: as `model.margins.resolve_targets` takes it.
        method: `"best"`, the ensemble of the budget; or a name of `attacks.table.ATTACKS`, for that attack alone with
            about as many passes as the budget gives.
        budget: About how many passes, forward and backward together, an input may cost: a name of
            `model.budgets.BUDGETS`, such as `"quick"`, or a number.
        radius: Look for any witness within this radius, in input units, instead of the nearest one: an input leaves at
            its first, and the passes that are left go to the others (`attacks.fixed_radius`). The method is `"best"`.
        seed: With each input's content, fixes every random number.
        progress: True: a bar where a person watches, a terminal or a notebook; a function: it is told
            `(done, total, left)` after each input, `left` in seconds; False: neither.

    Returns:
        One result per input, in order.

    Raises:
        ClearanceError: If an argument or the network cannot be used.

    >>> import torch
    >>> import clearance as cl
    >>> line = torch.nn.Linear(2, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> (result,) = cl.attack(cl.Classifier(line), torch.tensor([[1.0, 0.5]]), budget="quick")
    >>> round(result.distance, 3), result.predicted
    (1.0, 1)
    """
    check_classifier(model)
    p, started = as_distance(norm), model.meter.read()
    if radius is not None:
        passes = passes_within(radius, p, method, budget)
        inputs = prepare(model, x, labels, target=target, norm=norm, seed=seed, one_by_one=True)
        with following(progress, "attacking", len(inputs.judged)) as advance:
            results = attack_within(inputs, radius, passes, started, advance)
        return [in_input_units(model, found) for found in results]
    runs = runs_of(method, p, budget)
    inputs = prepare(model, x, labels, target=target, norm=norm, seed=seed, l0=True, one_by_one=True)
    with following(progress, "attacking", len(inputs.judged)) as advance:
        results = attack_inputs(inputs, runs, started, advance)
    return [in_input_units(model, found) for found in results]


def attack_inputs(
    inputs: CheckedInputs,
    runs: Sequence[AttackRun],
    started: Cost | None = None,
    advance: Callable[[int], None] = unfollowed,
) -> list[AttackResult]:
    """As `attack`, for inputs that have been checked, `(batch, *input)`: many runs of several inputs side by side.

    Inputs share batches where that changes no bit of any of them (`model.same_bits`), else they follow one another.
    Source: as `attack`.

    Args:
        inputs: The inputs.
        runs: The runs, as `attacks.ensembles.runs_of` or `ensemble` gives them.
        started: What the classifier's meter read when the cost began to count; `None`: now.
        advance: Called with how many more inputs are done.

    Returns:
        One result per input, in order.
    """
    meter, judged = inputs.model.meter, inputs.judged
    results = [misclassified(own) for own in inputs.predicted]
    spent = Cost() if started is None or not judged else _each(meter.since(started), len(judged))
    if not judged:
        return results
    most = _most_together(inputs)
    sharing = nullcontext(enter_result=False) if most == 1 else same_bits(inputs.model, inputs.x)
    with inputs.model.frozen(), sharing as shared:
        for rows in inputs.groups(judged, most if shared else 1):
            before, task = meter.read(), make_task(inputs.rows(rows))
            found = best(task, runs)
            seconds = Cost(seconds=meter.since(before).seconds / len(rows))
            for place, row in enumerate(rows):
                results[row] = found.result(place, spent + seconds)
            advance(len(rows))
    return results


def _most_together(inputs: CheckedInputs) -> int:
    """How many inputs may share batches: their points, gradients and the like stay in a CPU's caches."""
    if inputs.norm not in EXACT_POWERS or inputs.model.fixed is not None:
        return 1
    return max(1, min(MOST_TOGETHER, COORDINATES_TOGETHER // inputs.x[0].numel()))


class Best:
    """The nearest confirmed witnesses of an ensemble, and which run found them.

    Source: this project.

    Args:
        task: What is attacked.

    Attributes:
        witnesses: The nearest of all runs.
        known: Those of every run.
        method: The name of the method that found each of them.
        distances: For each method, its smallest distances, `(batch,)`.
    """

    def __init__(self, task: AttackTask) -> None:
        self.task = task
        self.witnesses = Witnesses(task.x, task.norm)
        self.known = KnownWitnesses(task.x, task.norm)
        self._runs: list[tuple[str, Witnesses]] = []
        self.method = ["none"] * len(task.x)
        self.distances: dict[str, Tensor] = {}
        self.predicted = task.goal.source

    def take(self, names: Sequence[str], rows: AttackTask, witnesses: Witnesses, places: Tensor) -> None:
        """Confirm the witnesses of runs side by side, pull them back towards their inputs, keep the nearest.

        Args:
            names: The name of each run.
            rows: The task with a row for each run and input.
            witnesses: The witness of each row.
            places: Which of the inputs the runs attacked, in order.
        """
        sure, _ = confirmed(rows, witnesses)
        if bool(sure.success.any()):
            sure.absorb(confirmed(rows, pulled_back(rows, sure))[0])
        for name, run in zip(names, split(sure, self.task.x[places]), strict=True):
            found = Witnesses(self.task.x, self.task.norm)
            found.put(places, run)
            self.known.add(found)
            self._runs.append((name, found))
            self._keep(name, found)

    def _keep(self, method: str, run: Witnesses) -> None:
        for row in (run.distance < self.witnesses.distance).nonzero().flatten().tolist():
            self.method[row] = method
        before = self.distances.get(method, torch.full_like(run.distance, torch.inf))
        self.distances[method] = torch.minimum(before, run.distance)
        self.witnesses.absorb(run)

    def settle(self) -> None:
        """One last fresh forward pass: what it does not confirm is no witness, and what it predicts is what is said.

        At the boundary rounding may take the nearest back; then those of every run are tried, so that more runs never
        end farther.
        """
        nearest = self.witnesses.distance
        self.witnesses, self.predicted = confirmed(self.task, self.witnesses)
        if bool((self.witnesses.distance <= nearest).all()):
            return
        for name, run in self._runs:
            rows = ((nearest < run.distance) & (run.distance < self.witnesses.distance)).nonzero().flatten()
            if len(rows):
                self._settle_for(name, run.rows(rows), rows)

    def _settle_for(self, name: str, run: Witnesses, rows: Tensor) -> None:
        """Take the witnesses of a run that are confirmed, and nearer than what is left."""
        sure, said = confirmed(self.task.rows(rows), run)
        better = (sure.distance < self.witnesses.distance[rows]).nonzero().flatten()
        self.witnesses.put(rows[better], sure.rows(better))
        self.predicted = self.predicted.index_copy(0, rows[better], said[better])
        for row in rows[better].tolist():
            self.method[row] = name

    def result(self, row: int, more: Cost) -> AttackResult:
        """The public record of one input; `more` is added to the passes that were counted for it."""
        assert self.task.goal.tally is not None
        success = bool(self.witnesses.success[row])
        return AttackResult(
            adversarial=self.witnesses.adversarial[row].clone() if success else None,
            distance=float(self.witnesses.distance[row]),
            success=success,
            predicted=int(self.predicted[row]),
            method=self.method[row] if success else "none",
            cost=self.task.goal.tally.read(row) + more,
            distances={name: float(distance[row]) for name, distance in self.distances.items()},
            zero_gradient=bool(self.task.zero_gradient[row]),
        )


def best(task: AttackTask, runs: Sequence[AttackRun]) -> Best:
    """Carry out the runs in order and keep the smallest witness of each input.

    A longer sequence with the same beginning never finds a larger distance. Source: this project, by the minimum over
    runs (the worst case over attacks of Croce and Hein 2020, AutoAttack, for distances).

    Args:
        task: What is attacked.
        runs: The runs, as `attacks.ensembles.runs_of` gives them.

    Returns:
        The nearest confirmed witnesses.
    """
    found = Best(task)
    for group in groups(runs):
        line = ATTACKS[group[0].method]
        places = torch.arange(len(task.x), device=task.x.device)
        if line.only_missing:
            places = places[~found.witnesses.success]
        if len(places) == 0:
            continue
        rows, witnesses = carry_out(task.rows(places), group, found.known, places)
        if line.needs_witness:
            found.known.drop_nearest(len(group))
        found.take([run.name for run in group], rows, witnesses, places)
    found.settle()
    return found


def _each(total: Cost, count: int) -> Cost:
    """One input's share."""
    return Cost(total.forward // count, total.backward // count, 0, total.seconds / count)
