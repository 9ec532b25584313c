"""The audit: signs that a network hides its gradients, or that an estimate does not mean what it seems to mean.

Each check writes to a ledger what it measured and, past its threshold, a flag with evidence and remedy. All checks are
in one table (`CHECKS`), none looks at layers or names: what counts is what the gradients and the function do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from clearance.attacks import AttackResult
from clearance.attacks.given import check_witnesses
from clearance.audit.effort import FULL, SHORT
from clearance.audit.examine import Given, audit_input
from clearance.audit.flags import CHECKS, Check
from clearance.audit.record import Audit, Flag, Severity
from clearance.errors import InputError, ShapeError
from clearance.estimates.scores import Score
from clearance.model.budgets import share_of_audit
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.margins import Target
from clearance.model.measured import in_input_units, in_scale_units, scaled
from clearance.model.progress import Progress, tracked

__all__ = ["CHECKS", "Audit", "Check", "Flag", "Severity", "audit"]


def audit(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    norm: float | str = 2.0,
    target: Target = "untargeted",
    scores: Sequence[Score] | None = None,
    attacks: Sequence[AttackResult] | None = None,
    references: Tensor | None = None,
    budget: str | int = "standard",
    seed: int = 0,
    progress: Progress = False,
) -> list[Audit]:
    """Look for signs of gradient masking around each input, with evidence and remedies.

    The checks and their thresholds are `audit.flags.CHECKS`, each with its source: Athalye, Carlini and Wagner (2018,
    section 3.1), Goodfellow (2018), Carlini et al. (2019), Pintor et al. (2022), and the test of this project, whether
    `∫ ∇g(x + s d)·d ds = g(x + d) - g(x)` (`audit.path_integral`).

    Args:
        model: The classifier.
        x: `(batch, *input)`, in input units.
        labels: True classes; a misclassified input gets an audit without flags.
        norm: The norm `p` of distances.
        target: As in `clever` and `attack`.
        scores: Estimates of these inputs, to be checked; default: a quick one is made for the nearest class.
        attacks: What `attack` said of these inputs; default: it is asked.
        references: Valid inputs, `(count, *input)`, such as those of the data set. The audit walks straight to the
            nearest that the network predicts as another class, which no mask can hide. `None`: the other inputs of
            this call; hand them over where results must not depend on how inputs are shared out among calls.
        budget: A name of `model.budgets.BUDGETS`, or a number of passes, at least 2,000: what the attack, the estimate
            and the checks cost together (`model.budgets.audit_passes`). Below 6,000 passes the checks are short ones.
            They cost more where gradients are masked: the audit tries harder before it says so.
        seed: With each input's content, fixes every random number.
        progress: True: a bar where a person watches, a terminal or a notebook; a function: it is told
            `(done, total, left)` after each input, `left` in seconds; False: neither.

    Returns:
        One `Audit` per input, in order. A network that hides its gradients gets at least one `warning` or `error`; an
        honest one gets `info` at most. No flag is a proof, and neither is its absence.

    Raises:
        InputError: If scores or attacks are something else, or an attack's witness is none for this classifier: beyond
            its bounds, or not predicted as a class that the target allows.
        ShapeError: If there is not one score or attack per input.
        ClearanceError: If an argument or the network cannot be used.

    >>> import torch
    >>> import clearance as cl
    >>> network = torch.nn.Linear(2, 2, bias=False)
    >>> with torch.no_grad():
    ...     _ = network.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> (found,) = cl.audit(cl.Classifier(network), torch.tensor([[1.0, 1.0]]))
    >>> found.worst is None, round(found.measured["path_integral"], 3)
    (True, 0.0)
    """
    check_classifier(model)
    _check_records("scores", scores, Score, x)
    _check_records("attacks", attacks, AttackResult, x)
    inputs = prepare(model, x, labels, target=target, norm=norm, seed=seed, one_by_one=True)
    others = check_references(model, references, inputs)
    asked, score_passes, short = share_of_audit(budget)
    check_witnesses(model, inputs, None if attacks is None else [one.adversarial for one in attacks], "attacks")
    scored = [score and in_scale_units(model, score) for score in scores or [None] * len(inputs)]
    attacked = [attack and in_scale_units(model, attack) for attack in attacks or [None] * len(inputs)]
    known = zip(inputs.each(), scored, attacked, strict=True)
    effort = SHORT if short else FULL
    found = (
        audit_input(one, Given(s, a, others(place), effort, asked, score_passes))
        for place, (one, s, a) in enumerate(known)
    )
    return [in_input_units(model, one) for one in tracked(progress, "auditing", found, len(inputs))]


def check_references(model: Classifier, references: Tensor | None, inputs: CheckedInputs) -> Callable[[int], Tensor]:
    """The references of each input of a call: those that were given, else its other inputs.

    Source: this project.

    Args:
        model: The classifier.
        references: As in `audit`.
        inputs: The inputs of the call.

    Returns:
        A function from an input's place to its references, `(count, *input)`.

    Raises:
        ShapeError: If they have another shape than the inputs.
        ClearanceError: If they cannot be used as inputs.
    """
    if references is None:
        return lambda place: torch.cat([inputs.x[:place], inputs.x[place + 1 :]])
    if isinstance(references, Tensor) and references.shape[:1] == (0,):  # pyright: ignore[reportUnnecessaryIsInstance]
        return lambda _: inputs.x[:0]
    checked = scaled(model, model.check_inputs(references))
    if checked.shape[1:] != inputs.x.shape[1:]:
        expected, got = (tuple(tensor.shape[1:]) for tensor in (inputs.x, checked))
        raise ShapeError(f"references: expected inputs of shape {expected}, got {got}")
    return lambda _: checked


def _check_records(name: str, given: Sequence[object] | None, kind: type, x: object) -> None:
    """Check that there is one record of this kind per input."""  # noqa: DOC501
    if given is None:
        return
    if not isinstance(given, Sequence) or not all(isinstance(one, kind) for one in given):  # pyright: ignore
        raise InputError(f"{name}: expected a list of {kind.__name__}, got {' '.join(repr(given).split())}")
    if isinstance(x, Tensor) and len(given) != len(x):
        raise ShapeError(f"{name}: expected one per input ({len(x)}), got {len(given)}")
