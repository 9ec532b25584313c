"""One input → one bracket: what is proved, what is estimated, what was attacked, and whether to believe it.

    certified radius  <=  minimum adversarial distortion  <=  attack distance

with the estimated radius between them, and an audit that says when the estimate must not be read. The four parts know
nothing of each other; they meet here, and here alone a contradiction between them becomes a status.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from clearance.attacks.given import check_witnesses, with_witness
from clearance.attacks.result import AttackResult
from clearance.audit import CHECKS, Audit, Flag, Severity, check_references
from clearance.audit.effort import FULL, SHORT
from clearance.audit.examine import Given, audit_judged
from clearance.audit.record import sort_flags
from clearance.bracket.parts import (
    MOST_STARTS,
    Begun,
    Choices,
    at_least,
    begin,
    estimate,
    settings_of,
    without_gradients,
)
from clearance.bracket.record import Bracket, Threat
from clearance.certificates import Certificate
from clearance.certificates.best import certify_inputs, check_package
from clearance.certificates.table import check_time_limit, method_names
from clearance.errors import InputError
from clearance.estimates.scores import Score
from clearance.estimates.settings import Bound
from clearance.estimates.status import Status
from clearance.model.budgets import certificate_seconds, share_of_bracket
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.cost import Cost
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.margins import Target
from clearance.model.measured import in_input_units
from clearance.model.progress import Progress, tracked
from clearance.model.robustness import CONTRADICTION

__all__ = ["Bracket", "Threat", "bracket", "valid_range"]


def bracket(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    norm: float | str = 2.0,
    target: Target = "untargeted",
    order: int = 1,
    bound: Bound | None = None,
    budget: str | int = "standard",
    certificate: str = "best",
    time_limit: float | None = None,
    references: Tensor | None = None,
    witnesses: Sequence[Tensor | None] | None = None,
    seed: int = 0,
    progress: Progress = False,
) -> list[Bracket]:
    """Certificate, estimate, attack and audit of each input, put together and held against each other.

    Args:
        model: The classifier.
        x: `(batch, *input)`, in input units.
        labels: True classes; a misclassified input has a row with that status and no numbers.
        norm: The norm `p` of distances, from 1 to infinity.
        target: A name of `model.targets.TARGETS`, such as `"untargeted"` (any other class), a class index, or one per
            input.
        order: Order of the estimate, 1 or 2.
        bound: How the estimate bounds the distance: as in `clever`.
        budget: How hard attack and estimate try: a name of `model.budgets.BUDGETS`, such as `"quick"`, or the number of
            passes, forward and backward together, that an input may cost, certificate apart.
        certificate: Method of `certify` (`clearance.certificates.table` lists them), or `"none"`.
        time_limit: Seconds that the certificate of one input may take; `None`: 5, 20 or 60 by the budget
            (`model.budgets.certificate_seconds`).
        references: Inputs, `(count, *input)`, that the audit walks to (see `audit`); `None`: the others of this call.
        witnesses: For each input a point `(*input)` of another class that you know of, such as what an attack of your
            own found, or `None`. It is confirmed, counts as an attack (`"given"`), and the estimate begins there.
        seed: With each input's content, fixes every random number.
        progress: True: a bar where a person watches, a terminal or a notebook; a function: it is told
            `(done, total, left)` after each input, `left` in seconds; False: neither.

    Returns:
        One `Bracket` per input, in order; with `references` given each is the same whatever else is in the batch.

    Raises:
        InputError: If the budget or the certificate is unknown, or what is handed over as a witness is none.
        ClearanceError: If another argument or the network cannot be used.

    >>> import torch
    >>> import clearance as cl
    >>> network = torch.nn.Linear(2, 2, bias=False)
    >>> with torch.no_grad():
    ...     _ = network.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> (found,) = cl.bracket(cl.Classifier(network), torch.tensor([[1.0, 1.0]]), budget="quick")
    >>> round(found.lower, 3), round(found.radius, 3), round(found.attacked.distance, 3), found.status.value
    (1.4, 1.4, 1.4, 'ok')
    """
    found = iterate_brackets(
        model,
        x,
        labels,
        norm=norm,
        target=target,
        order=order,
        bound=bound,
        budget=budget,
        certificate=certificate,
        time_limit=time_limit,
        references=references,
        witnesses=witnesses,
        seed=seed,
    )
    return list(tracked(progress, "bracketing", found, len(x)))


def iterate_brackets(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None,
    *,
    norm: float | str,
    target: Target,
    order: int,
    bound: Bound | None,
    budget: str | int,
    certificate: str,
    time_limit: float | None,
    references: Tensor | None,
    seed: int,
    witnesses: Sequence[Tensor | None] | None = None,
) -> Iterator[Bracket]:
    """As `bracket`, one after the other; arguments are checked at once.

    Source: as `bracket`.

    Args:
        model: As there, like all that follow.
        x: Inputs.
        labels: True classes.
        norm: The norm.
        target: Where to go.
        order: Of the estimate.
        bound: Of the estimate.
        budget: How hard to try.
        certificate: The method.
        time_limit: Of the certificate.
        references: What the audit walks to.
        seed: Of all random numbers.
        witnesses: Of others.

    Returns:
        The brackets, each computed when it is asked for; the attacks of a few inputs together, with the first of them.

    Raises:
        InputError: As `bracket`.
    """
    check_classifier(model)
    attack, passes, short = share_of_bracket(budget)
    if certificate not in (known := (*method_names(), "none")):
        raise InputError(f"certificate: expected one of {', '.join(known)}, got {certificate!r}")
    seconds = certificate_seconds(budget) if time_limit is None else time_limit
    check_time_limit(seconds)
    check_package(certificate)
    inputs = prepare(model, x, labels, target=target, norm=norm, seed=seed, one_by_one=True)
    choices = Choices(
        settings_of(inputs, order, bound, budget, passes),
        attack,
        budget,
        certificate,
        seconds,
        SHORT if short else FULL,
    )
    others = check_references(model, references, inputs)
    told = check_witnesses(model, inputs, witnesses, "witnesses")
    starts = inputs.x[:0] if references is None else others(0)[:MOST_STARTS]  # the same alone and in a batch
    return (
        _restored(model, _one(begun, choices, target, others(place), starts, told[place]))
        for place, begun in enumerate(begin(inputs, choices))
    )


def _restored(model: Classifier, found: Bracket) -> Bracket:
    """The witnesses of a bracket, and the valid range, in the caller's units."""
    return replace(
        found,
        estimated=in_input_units(model, found.estimated),
        attacked=in_input_units(model, found.attacked),
        audit=in_input_units(model, found.audit),
        threat=replace(found.threat, bounds=valid_range(model)),
    )


def _one(
    begun: Begun, choices: Choices, target: Target, references: Tensor, starts: Tensor, told: Tensor | None
) -> Bracket:
    """The four parts of one input, and their verdict."""
    inputs, model, start = begun.inputs, begun.inputs.model, begun.inputs.model.meter.read()
    wrong = inputs.misclassified[0]
    if begun.attacked is None:
        witness, score = without_gradients(inputs, choices)
        witness = with_witness(inputs, witness, told)
    else:  # others' inputs with this one's fixed coordinates
        attacked = with_witness(inputs, begun.attacked, told)
        witness, score = estimate(inputs, attacked, choices, model.clip(starts))
    proof = None
    if choices.certificate != "none":
        (proof,) = certify_inputs(inputs, method=choices.certificate, time_limit=choices.time_limit)
    checked = (
        Audit((), None, Cost())
        if wrong
        else audit_judged(inputs, Given(score, witness, references, choices.effort), cut=begun.cut)
    )
    witness = _nearer(model, witness, checked)
    checked = _compare(checked, proof, score, witness)
    score = at_least(score, proof)
    adversarial = witness.adversarial
    after = () if adversarial is None else tuple(model.logits(adversarial[None])[0].tolist())
    return Bracket(
        certified=proof,
        estimated=score,
        attacked=witness,
        audit=checked,
        status=_standing(score, checked),
        threat=_threat(inputs, choices, target),
        label=inputs.labels[0],
        predicted=inputs.predicted[0],
        logits=tuple(inputs.logits[0].tolist()),
        witness_logits=after,
        order=choices.settings.order,
        cost=begun.cost + model.meter.since(start),
        x0=inputs.given[0],
    )


def _threat(inputs: CheckedInputs, choices: Choices, target: Target) -> Threat:
    """The threat model in words; a target given for each input is said for this one."""
    aim = target if isinstance(target, str) else inputs.targets[0][0]
    return Threat(inputs.norm, str(aim), valid_range(inputs.model), "white-box", str(choices.budget), inputs.seed)


def _nearer(model: Classifier, witness: AttackResult, found: Audit) -> AttackResult:
    """The audit's own witness, where it is nearer than the attack's: it was met without gradients or in one step."""
    if found.witness is None or not found.nearest < witness.distance:
        return witness
    return witness.with_nearer("audit", found.witness, found.nearest, model.logits(found.witness[None]))


def _compare(found: Audit, proof: Certificate | None, score: Score, witness: AttackResult) -> Audit:
    """Hold the certificate against the witness (`contradiction`) and the estimate (`below_certificate`)."""
    if proof is None or not proof.status.has_radius:
        return found
    raised: list[Flag] = []
    if witness.success and proof.radius > witness.distance * (1 + CONTRADICTION):
        evidence = {"certified": proof.radius, "method": proof.method, "witness_distance": witness.distance}
        raised.append(Flag("contradiction", Severity.ERROR, evidence, CHECKS["contradiction"].remedy))
    if proof.radius > score.radius * (1 + CONTRADICTION):
        evidence = {"certified": proof.radius, "method": proof.method, "estimated": score.radius}
        raised.append(Flag("below_certificate", Severity.INFO, evidence, CHECKS["below_certificate"].remedy))
    flags = sort_flags([*found.flags, *raised])
    return replace(found, flags=flags, worst=flags[0].severity if flags else None)


def _standing(score: Score, found: Audit) -> Status:
    """Of everything that applies, what takes away the most."""
    applies = {score.status}
    if score.status is not Status.MISCLASSIFIED:
        contradictions = {"refuted", "contradiction"} & {flag.code for flag in found.flags}
        applies |= {Status.REFUTED} if contradictions else set()
        masked = any(flag.severity is not Severity.INFO and flag.code not in contradictions for flag in found.flags)
        applies |= {Status.MASKED} if masked else set()
    return max(applies, key=lambda status: status.severity)


def valid_range(model: Classifier) -> tuple[float, float] | None:
    """The lowest and the highest valid value of any coordinate; `None` without bounds."""
    if model.bounds is None:
        return None
    low, high = model.bounds
    return float(low.min()), float(high.max())
