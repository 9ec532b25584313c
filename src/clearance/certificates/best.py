"""`certify`: one certified radius for each input, by one method or by the best of those that apply."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from clearance.certificates.auto_lirpa import auto_lirpa, import_auto_lirpa
from clearance.certificates.certificate import Certificate, CertificateStatus
from clearance.certificates.crown import crown
from clearance.certificates.exact import exact
from clearance.certificates.graph import Graph
from clearance.certificates.linear import linear
from clearance.certificates.one_hidden import check_one_hidden, one_hidden
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.operator_norms import operator_norms
from clearance.certificates.problem import Proof, VerificationProblem
from clearance.certificates.translate import Whole, translate
from clearance.errors import InputError
from clearance.geometry.norms import as_norm
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.cost import Cost
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.margins import Target

CLOSED = {"linear": linear, "operator-norms": operator_norms, "one-hidden": one_hidden, "crown": crown}
METHODS = ("best", *CLOSED, "exact", "auto-lirpa")
CROWN_NEURONS = 10_000
"""`best` leaves CROWN out of larger networks, where it takes minutes for each input; it runs when asked for by name."""
AGREEMENT = 1e-4
"""How far the graph's logits may lie from the network's, relative to the largest of them."""


def certify(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    norm: float | str = 2.0,
    target: Target = "untargeted",
    method: str = "best",
    time_limit: float = 60.0,
    seed: int = 0,
) -> list[Certificate]:
    """A radius within which it is proved that no adversarial example lies, for each input.

    Sound up to the rounding of floating-point arithmetic: bounds are computed in float64, a share of 1e-9 of each
    radius is given away, and the network is the one with its weights as real numbers. Where the method has no proof for
    a layer, the status is `unsupported` and `reason` names it.

    Args:
        model: The classifier.
        x: Inputs `(batch, *input)`, within the bounds.
        labels: True classes; a misclassified input has no radius. `None`: predictions are right.
        norm: The `p` of distances, from 1 to infinity.
        target: Where an adversarial example would go: as `model.margins.resolve_targets` takes it. Untargeted, the
            proof covers every other class.
        method: `"best"` keeps the largest radius of `linear`, `operator-norms`, `one-hidden` and `crown`, whichever
            apply (`crown` up to 10,000 neurons). `"exact"` (tiny ReLU networks) and `"auto-lirpa"` (if installed) run
            only when asked for by name.
        time_limit: Seconds for each input, on average. When they are up, what was proved until then is returned.
        seed: For `target="random"`.

    Returns:
        One certificate per input, in order.

    Raises:
        InputError: If the method or the time limit cannot be used.
        ClearanceError: If another argument or the network's answer cannot be used.

    >>> line = torch.nn.Linear(2, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> (proof,) = certify(Classifier(line), torch.tensor([[1.0, 0.5]]))
    >>> round(proof.radius, 6), proof.method, proof.target
    (1.0, 'linear', 1)
    """
    check_classifier(model)
    norm, started = as_norm(norm), model.meter.read()
    if method not in METHODS:
        raise InputError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    check_time_limit(time_limit)
    package = import_auto_lirpa() if method == "auto-lirpa" else None
    with torch.inference_mode(False):  # some proofs build graphs
        inputs = prepare(model, x, labels, target=target, norm=norm, seed=seed)
        return certify_inputs(inputs, method=method, time_limit=time_limit, package=package, started=started)


def check_time_limit(seconds: float) -> None:
    """Check the seconds that a certificate may take.

    Args:
        seconds: For each input; may be infinite.

    Raises:
        InputError: If they are no positive number.
    """
    if not (isinstance(seconds, int | float) and seconds > 0):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"time_limit: expected a positive number of seconds, got {seconds!r}")


def certify_inputs(
    inputs: CheckedInputs, *, method: str, time_limit: float, package: Any = None, started: Cost | None = None
) -> list[Certificate]:
    """As `certify`, for inputs that have been checked.

    Args:
        inputs: The inputs.
        method: Name of the method.
        time_limit: Seconds for each input, on average.
        package: The package of auto_LiRPA, for that method.
        started: What the classifier's meter read when the cost began to count; `None`: now.

    Returns:
        One certificate per input, in order.
    """
    meter, judged = inputs.model.meter, inputs.judged
    started = meter.read() if started is None else started
    results = [(method, Proof(math.nan, -1, CertificateStatus.MISCLASSIFIED))] * len(inputs)
    if judged:
        with torch.inference_mode(False):
            job = VerificationJob(inputs.rows(judged), time_limit)
            for row, result in zip(judged, job.prove(method, package), strict=True):
                results[row] = result
    cost = _each(meter.since(started), len(inputs))
    return [
        Certificate(
            radius=proof.radius,
            method=name,
            status=proof.status,
            reason=proof.reason,
            predicted=own,
            target=proof.target,
            norm=inputs.norm,
            gap=proof.gap,
            cost=cost,
        )
        for (name, proof), own in zip(results, inputs.predicted, strict=True)
    ]


Result = tuple[str, Proof]


@dataclass(frozen=True)
class VerificationJob:
    """The inputs that are judged, and how long each may take.

    Attributes:
        inputs: The inputs, none of them misclassified, with their logits from the network itself.
        time_limit: Seconds for each input.
    """

    inputs: CheckedInputs
    time_limit: float = 60.0

    def prove(self, method: str, package: Any) -> list[Result]:
        """Each input's proof and the name of the method that found it."""
        try:
            problem = self.problem(translate(self.inputs.model, tuple(self.inputs.x.shape[1:])))
            methods = self._applying(problem) if method == "best" else [method]
            found = [[(name, proof) for proof in self._by(name, problem, package)] for name in methods]
        except NotSupportedError as error:
            return [(method, Proof(math.nan, -1, CertificateStatus.UNSUPPORTED, str(error)))] * len(self.inputs)
        left_out = self._left_out(problem) if method == "best" else ""
        return [_largest(each, left_out) for each in zip(*found, strict=True)]

    def problem(self, graph: Graph) -> VerificationProblem:
        """The problem in float64, once the graph has been seen to answer as the network does.

        Args:
            graph: The network.

        Returns:
            The problem.

        Raises:
            NotSupportedError: If the graph's logits are not the network's.
        """
        inputs, logits = self.inputs, self.inputs.logits
        x, bounds = inputs.x.double(), inputs.model.bounds
        wide = None if bounds is None else (bounds[0].double().expand_as(x), bounds[1].double().expand_as(x))
        difference = (graph(x) - logits).abs().amax(1)
        if bool((difference > AGREEMENT * (1 + logits.abs().amax(1))).any()):
            off = float(difference.max())
            raise NotSupportedError(f"the traced network's logits differ from the network's by {off:.3g}")
        source, targets = logits.argmax(1), torch.tensor(inputs.targets, device=x.device)
        deadline = time.perf_counter() + self.time_limit * len(x)
        return VerificationProblem(graph, x, source, targets, inputs.norm, wide, not inputs.untargeted, deadline)

    def _applying(self, problem: VerificationProblem) -> list[str]:
        """The methods that `best` tries: the exact one where the network is affine, else all that apply."""
        bent = problem.graph.bent
        if not bent:
            return ["linear"]
        crown = [] if self._left_out(problem) else ["crown"]
        try:
            check_one_hidden(problem.graph)
        except NotSupportedError:
            return [*crown, "operator-norms"]
        return [*crown, "one-hidden", "operator-norms"]

    def _left_out(self, problem: VerificationProblem) -> str:
        """Why `best` does without CROWN, if it does."""
        neurons = problem.graph.neurons
        if not problem.graph.bent or neurons <= CROWN_NEURONS:
            return ""
        return f"crown was left out: {neurons:,} neurons, more than {CROWN_NEURONS:,}; ask for it by name"

    def _by(self, name: str, problem: VerificationProblem, package: Any) -> list[Proof]:
        if name == "exact":
            return exact(problem, seconds=self.time_limit)
        if name == "auto-lirpa":
            return auto_lirpa(problem, Whole(self.inputs.model), package)
        return CLOSED[name](problem)


def _largest(results: Sequence[Result], left_out: str) -> Result:
    """The largest radius of one input; its reason says which other methods did not come to their end."""
    name, best = max(results, key=lambda result: result[1].radius)
    cut = [other for other, proof in results if proof.status == CertificateStatus.TIME_LIMIT and other != name]
    said = [best.reason or left_out, *(f"{other}: the time was up" for other in cut)]
    return name, replace(best, reason="; ".join(part for part in said if part))


def _each(cost: Cost, inputs: int) -> Cost:
    """One input's share."""
    return Cost(cost.forward // inputs, cost.backward // inputs, cost.hessian_vector // inputs, cost.seconds / inputs)
