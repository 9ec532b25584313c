"""The public calls, which return lists that know how to show themselves, and show progress where a person watches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from torch import Tensor

from clearance.attacks.best import attack as attack_all
from clearance.audit import audit as audit_all
from clearance.bracket import bracket as bracket_all
from clearance.bracket.robust_accuracy import robust_accuracy as robust_accuracy_of
from clearance.certificates.best import certify as certify_all
from clearance.estimates.clever import clever as estimate_all
from clearance.model.classifier import Classifier
from clearance.records import CallInput, PublicRecord
from clearance.results.results import Results
from clearance.results.setup import digest_of, setup_of
from clearance.runs.origin import now_in_utc

Arguments = ParamSpec("Arguments")
Kind = TypeVar("Kind", bound=PublicRecord)
Value = TypeVar("Value")


def with_results(call: Callable[Arguments, Sequence[Kind]]) -> Callable[Arguments, Results[Kind]]:
    """A call that returns its list as `Results`, which know what was asked.

    Args:
        call: From a classifier, inputs, labels and choices to a list with one record for each input.

    Returns:
        The same with another kind of list.
    """
    signature = inspect.signature(call)

    @wraps(call)
    def called(*arguments: Arguments.args, **choices: Arguments.kwargs) -> Results[Kind]:
        try:
            given = signature.bind(*arguments, **choices)
        except TypeError:
            given = None  # the call itself says what is wrong
        model: Any = given and given.arguments.get("model")
        # before the call, which may change attributes of the network
        digest, started = (digest_of(model) if isinstance(model, Classifier) else ""), now_in_utc()
        records = call(*arguments, **choices)
        bound = signature.bind(*arguments, **choices)
        bound.apply_defaults()
        chosen: dict[str, Any] = bound.arguments
        model, x, labels = (chosen.pop(name) for name in ("model", "x", "labels"))
        for place, record in enumerate(records):
            object.__setattr__(record, "given", CallInput(place, _label(labels, place)))
        setup = setup_of(call.__name__, model, x, chosen | chosen.pop("options", {}), digest)
        return Results(records, replace(setup, started=started))

    return watched_by_default(called, signature)


def watched_by_default(call: Callable[Arguments, Value], signature: inspect.Signature) -> Callable[Arguments, Value]:
    """A call that shows progress unless it is told not to.

    Args:
        call: It takes `progress`.
        signature: Of the call.

    Returns:
        The same, with True as the default of `progress`.
    """

    @wraps(call)
    def called(*arguments: Arguments.args, **choices: Arguments.kwargs) -> Value:
        choices.setdefault("progress", True)
        return call(*arguments, **choices)

    parts = [part.replace(default=True) if name == "progress" else part for name, part in signature.parameters.items()]
    called.__signature__ = signature.replace(parameters=parts)  # pyright: ignore[reportAttributeAccessIssue]
    called.__module__ = "clearance"
    return called


def _label(labels: Tensor | Sequence[int] | None, place: int) -> int | None:
    return None if labels is None else int(labels[place])


attack = with_results(attack_all)
audit = with_results(audit_all)
bracket = with_results(bracket_all)
certify = with_results(certify_all)
clever = with_results(estimate_all)
robust_accuracy = watched_by_default(robust_accuracy_of, inspect.signature(robust_accuracy_of))
