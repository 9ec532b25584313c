"""`certify`: one certified radius for each input, by one method of the table or by the best of those that apply."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import torch
from torch import Tensor

from clearance.certificates.agreement import Claim, changed, kept_numbers
from clearance.certificates.certificate import Certificate, CertificateStatus
from clearance.certificates.graph import Graph
from clearance.certificates.many_classes import NamedProof, prove_many
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.problem import Proof, VerificationProblem, smallest_step
from clearance.certificates.table import CERTIFICATES, check_time_limit, method_names
from clearance.certificates.translate import Whole, translate
from clearance.errors import InputError
from clearance.geometry.exponents import as_norm
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.cost import Cost
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.margins import Target
from clearance.model.progress import Progress, following, unfollowed


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
    progress: Progress = False,
) -> list[Certificate]:
    """A radius within which it is proved that no adversarial example lies, for each input.

    It is a lower bound of the minimum distortion `min {‖d‖_p : argmax f(x + d) != c}`; targeted, of the smallest
    `‖d‖_p` at which the target is predicted.

    Sound up to the rounding of floating-point arithmetic: bounds are computed in float64, a share of 1e-9 of each
    radius is given away, and the network is the one with its weights as real numbers. Where the method has no proof for
    a layer, the status is `unsupported` and `reason` names it.

    Args:
        model: The classifier.
        x: Inputs `(batch, *input)`, within the bounds.
        labels: True classes, `(batch,)`; a misclassified input has no radius. `None`: predictions are right.
        norm: The `p` of distances, from 1 to infinity.
        target: Where an adversarial example would go: as `model.margins.resolve_targets` takes it. Untargeted, the
            proof covers every other class.
        method: A name of `clearance.certificates.table.CERTIFICATES`, where each has its formula and its source; or
            `"best"`, which keeps the largest radius of the methods that the table marks for it, whichever apply.
        time_limit: Seconds for each input, on average. When they are up, what was proved until then is returned.
        seed: For `target="random"`.
        progress: True: a bar where a person watches, a terminal or a notebook; a function: it is told
            `(done, total, left)`, `left` in seconds; False: neither. Inputs are proved together, and done together.

    Returns:
        One certificate per input, in order.

    Raises:
        InputError: If the method or the time limit cannot be used.
        ClearanceError: If another argument or the network's answer cannot be used.

    >>> import torch
    >>> import clearance as cl
    >>> line = torch.nn.Linear(2, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> (proof,) = cl.certify(cl.Classifier(line), torch.tensor([[1.0, 0.5]]))
    >>> round(proof.radius, 6), proof.method, proof.target
    (1.0, 'linear', 1)
    """
    check_classifier(model)
    norm, started = as_norm(norm), model.meter.read()
    if method not in method_names():
        raise InputError(f"method: expected one of {', '.join(method_names())}, got {method!r}")
    check_time_limit(time_limit)
    check_package(method)
    with torch.inference_mode(False):  # some proofs build graphs
        inputs = prepare(model, x, labels, target=target, norm=norm, seed=seed)
        with following(progress, "certifying", len(inputs.judged)) as advance:
            return certify_inputs(inputs, method=method, time_limit=time_limit, started=started, advance=advance)


def check_package(method: str) -> None:
    """Check that the package that a method needs is installed; most need none.

    Args:
        method: A name of the table; others need nothing.
    """
    if method in CERTIFICATES:
        CERTIFICATES[method].check_package()


def certify_inputs(
    inputs: CheckedInputs,
    *,
    method: str,
    time_limit: float,
    started: Cost | None = None,
    advance: Callable[[int], None] = unfollowed,
) -> list[Certificate]:
    """As `certify`, for inputs that have been checked.

    Source: as `certify`.

    Args:
        inputs: The inputs.
        method: `"best"` or a name of the table.
        time_limit: Seconds for each input, on average.
        started: What the classifier's meter read when the cost began to count; `None`: now.
        advance: Called with how many more inputs are done.

    Returns:
        One certificate per input, in order.
    """
    meter, judged = inputs.model.meter, inputs.judged
    started = meter.read() if started is None else started
    results = [(method, Proof(math.nan, -1, CertificateStatus.MISCLASSIFIED))] * len(inputs)
    if judged:
        with torch.inference_mode(False):
            for part in inputs.groups(judged, len(judged)):
                job = VerificationJob(inputs.rows(part), time_limit)
                for row, result in zip(part, job.prove(method), strict=True):
                    results[row] = result
                advance(len(part))
    results = [(name, _less(proof, drift)) for (name, proof), drift in zip_longest(results, inputs.drift)]
    cost = _share(meter.since(started), len(inputs))
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


def _less(proof: Proof, drift: float | None) -> Proof:
    """The proof about an input that lies so far from the one that is proved about."""
    if not drift or not proof.status.has_radius or math.isinf(proof.radius):
        return proof
    return replace(proof, radius=max(0.0, proof.radius - drift))


@dataclass(frozen=True)
class VerificationJob:
    """The inputs that are judged, and how long each may take.

    Source: this project.

    Attributes:
        inputs: The inputs, none of them misclassified, with their logits from the network itself.
        time_limit: Seconds for each input.
    """

    inputs: CheckedInputs
    time_limit: float = 60.0

    def prove(self, method: str) -> list[NamedProof]:
        """Each input's proof and the name of the method that found it; none where the network is not its graph."""
        model, before = self.inputs.model, kept_numbers(Whole(self.inputs.model))
        try:
            graph = translate(model, tuple(self.inputs.x.shape[1:]))
            found = self._proofs(graph, method)
        except (NotSupportedError, NotImplementedError) as error:
            return [(method, unsupported(str(error)))] * len(self.inputs)
        held = [self._held(one, graph, method, *each) for one, each in zip(self.inputs.each(), found, strict=True)]
        if name := changed(before, kept_numbers(Whole(model))):
            return [(method, unsupported(f"{name} changes from call to call"))] * len(self.inputs)
        return held

    def _proofs(self, graph: Graph, method: str) -> list[NamedProof]:
        """What the method proves about the inputs at which the graph answers as the network does."""
        said = [Claim(one, graph, 0.0).at_input() for one in self.inputs.each()]
        found = [(method, unsupported(reason)) for reason in said]
        agreeing = [place for place, reason in enumerate(said) if not reason]
        if agreeing:
            problem = replace(self, inputs=self.inputs.rows(agreeing)).problem(graph)
            for place, proof in zip(agreeing, _by(method, problem), strict=True):
                found[place] = proof
        return found

    def _held(self, one: CheckedInputs, graph: Graph, method: str, name: str, proof: Proof) -> NamedProof:
        """The proof of one input, held against the network throughout its ball."""
        if not (proof.status.has_radius and proof.radius > 0):
            return name, proof
        if proof.radius < smallest_step(one.x.dtype):
            reason = f"{proof.radius:.1e} is proved, and no other input of this precision is that near"
            return name, replace(proof, radius=0.0, status=CertificateStatus.UNPROVEN, reason=reason)
        said = Claim(one, graph, proof.radius).in_ball()
        return (method, unsupported(said)) if said else (name, proof)

    def problem(self, graph: Graph) -> VerificationProblem:
        """The problem in float64.

        Args:
            graph: The network.

        Returns:
            The problem.
        """
        inputs = self.inputs
        x, bounds = inputs.x.double(), inputs.model.bounds
        if bounds is not None and inputs.drift:  # divided by the scale they are rounded: outwards for a proof
            outwards = torch.finfo(bounds[0].dtype).eps
            low, high = (bound.double() for bound in bounds)
            bounds = (low - outwards * low.abs(), high + outwards * high.abs())
        return VerificationProblem(
            model=inputs.model,
            graph=graph,
            x=x,
            source=inputs.logits.argmax(1),
            targets=torch.tensor(inputs.targets, device=x.device),
            norm=inputs.norm,
            bounds=None if bounds is None else (bounds[0].double().expand_as(x), bounds[1].double().expand_as(x)),
            targeted=not inputs.untargeted,
            deadline=time.perf_counter() + self.time_limit * len(x),
            seconds=self.time_limit,
        )


def unsupported(reason: str) -> Proof:
    """No proof, and why."""
    return Proof(math.nan, -1, CertificateStatus.UNSUPPORTED, reason)


def _by(method: str, problem: VerificationProblem) -> list[NamedProof]:
    """The proofs of one method, or of the best of those that apply."""
    if method == "best":
        return prove_many(problem, best)
    return prove_many(problem, lambda part: [(method, proof) for proof in CERTIFICATES[method].load()(part)])


def best(problem: VerificationProblem) -> list[NamedProof]:
    """The largest radius of the methods that the table marks with `in_best`, for each input.

    They are tried in the order of the table; one that refuses the network is passed over, and so are those that another
    one includes; after one whose radius is the minimum distortion itself (`exact`) no other is tried. When the time is
    up, no more are tried for inputs that have a radius.

    Args:
        problem: What to prove.

    Returns:
        The name of the method and its proof for each input, `batch` of them.

    Raises:
        NotSupportedError: If all of them refuse.
    """
    found: list[list[NamedProof]] = []
    refusals: list[str] = []
    included: set[str] = set()
    for name, method in CERTIFICATES.items():
        if name in included or (found and problem.time_is_up() and all(_any_proved(found))):
            continue
        if not method.is_worth(problem):
            continue
        try:
            found.append([(name, proof) for proof in method.load()(problem)])
        except NotSupportedError as error:
            refusals.append(str(error))
            continue
        included.update(method.includes)
        if method.exact:
            break
    if not found:
        raise NotSupportedError("; ".join(refusals))
    return [_largest(each) for each in zip(*found, strict=True)]


def _any_proved(found: list[list[NamedProof]]) -> list[bool]:
    """For each input whether a method has proved a radius."""
    return [any(proof.radius > 0 for _, proof in each) for each in zip(*found, strict=True)]


def _largest(results: Sequence[NamedProof]) -> NamedProof:
    """The largest radius of one input; its reason says which other methods did not come to their end."""
    name, proof = max(results, key=lambda result: result[1].radius)
    unfinished = [other for other, p in results if p.status == CertificateStatus.TIME_LIMIT and other != name]
    said = [proof.reason, *(f"{other}: the time was up" for other in unfinished)]
    return name, replace(proof, reason="; ".join(part for part in said if part))


def _share(cost: Cost, inputs: int) -> Cost:
    """One input's share of the cost of all."""
    return Cost(cost.forward // inputs, cost.backward // inputs, cost.hessian_vector // inputs, cost.seconds / inputs)
