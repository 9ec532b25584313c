"""The outcome of the gate: one check for each criterion, as JSON and as JUnit XML.

JUnit XML is what CI servers read (GitHub's test reporters, GitLab, Jenkins): one `testsuite`, one `testcase` for each
check, a `failure` in those that failed. Names are text and nothing else: characters that are no text (controls, and
those that turn the direction of writing) are shown as `?`. `outcome_markdown` writes the same for a person.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as Xml

from clearance.records import SAFE_ROUNDING
from clearance.report.marks import count
from clearance.report.row_words import distance_text


@dataclass(frozen=True)
class GateCheck:
    """One criterion, for one norm, target and order.

    Attributes:
        flag: The flag that asked for it, without dashes; `finished` for the one that needs no flag.
        criterion: What was measured, in words.
        threat: Norm, target and order in words; empty where it is about the whole run.
        wanted: What was asked, in words.
        got: What was found, in words.
        passed: Whether that is enough.
        reason: Why not, in one clause; meaningless where it passed.
        value: The number that was found; `None` where there is none.
        limit: The number that was asked; `None` where any passes.
        interval: Of `value`, where it has one.
        inputs: How many inputs `value` rests on; `None` where it is about tasks.
        worst_class: The class that `value` is of; `None` where it is of all inputs.
    """

    flag: str
    criterion: str
    threat: str
    wanted: str
    got: str
    passed: bool
    reason: str
    value: float | None
    limit: float | None
    interval: tuple[float, float] | None = None
    inputs: int | None = None
    worst_class: str | None = None

    @property
    def about(self) -> str:
        """Norm, target and order in words, or that it is about all of them."""
        return self.threat or "whole run"

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON; infinity is `"inf"`."""
        return {
            "criterion": self.flag,
            "threat": self.threat or None,
            "passed": self.passed,
            "value": _number(self.value),
            "limit": _number(self.limit),
            "interval": None if self.interval is None else [_number(end) for end in self.interval],
            "inputs": self.inputs,
            "class": self.worst_class,
            "wanted": f"{self.criterion}: {self.wanted}",
            "got": self.got,
            "reason": None if self.passed else self.reason,
        }


@dataclass(frozen=True)
class GateOutcome:
    """What the gate says about a run.

    Attributes:
        run: The run's name.
        model: The model's name.
        data: The data's name.
        baseline: Name of the run that it was compared with; `None` without one.
        checks: One for each criterion, and norm, target and order.
        notes: What a reader should know besides.
        unit: What distances are in, in words; `None`: in the units of the inputs.
    """

    run: str
    model: str
    data: str
    baseline: str | None
    checks: tuple[GateCheck, ...]
    notes: tuple[str, ...]
    unit: str | None = None

    def briefly(self, check: GateCheck) -> str:
        """What a check is about, without the unit, which a table names once for all of them."""
        return check.about.replace(f" in {self.unit}", "", 1) if self.unit else check.about

    @property
    def failed(self) -> list[GateCheck]:
        """The checks that failed."""
        return [check for check in self.checks if not check.passed]

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return not self.failed

    @property
    def sentence(self) -> str:
        """The outcome in a sentence."""
        checks = count(len(self.checks), "criterion", "criteria")
        return f"passed: {checks}" if self.passed else f"failed: {len(self.failed)} of {checks}"

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "passed": self.passed,
            "run": self.run,
            "model": self.model,
            "data": self.data,
            "baseline": self.baseline,
            "criteria": [check.as_record() for check in self.checks],
            "notes": list(self.notes),
        }


def flag_of(name: str) -> str:
    """A criterion's flag, without dashes before it.

    >>> flag_of("min_median")
    'min-median'
    """
    return name.replace("_", "-")


def precise(value: float, limit: float | None = None, kind: str = "estimated") -> str:
    """A number with four digits, or as many as it takes to tell it from its limit, rounded the safe way for its kind.

    >>> precise(0.5), precise(0.123456), precise(0.49999, 0.5), precise(math.inf)
    ('0.5', '0.1235', '0.49999', 'inf')
    >>> precise(0.123456, kind="certified"), precise(1.06541, kind="attacked"), precise(math.inf, kind="attacked")
    ('0.1234', '1.066', 'none exists')
    """
    if not math.isfinite(value):
        return distance_text(value, kind) if kind == "attacked" else f"{value:g}"
    for digits in range(4, 17):
        text = _rounded(value, digits, kind)
        if limit is None or value == limit or float(text) != limit:
            return text
    return repr(value)


def _rounded(value: float, digits: int, kind: str) -> str:
    if value == 0:
        return "0"
    exact = Decimal(repr(float(value)))
    last = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    return f"{float(exact.quantize(last, rounding=SAFE_ROUNDING[kind])):.{digits}g}"


def as_text(name: str, longest: int | None = None) -> str:
    r"""A name as text: what is no character to print becomes `?`, and more than `longest` of them are cut.

    >>> as_text("a\x1b\u202eb"), as_text("abcdef", 4)
    ('a??b', 'abc…')
    """
    text = "".join(sign if sign.isprintable() else "?" for sign in name)
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"


def as_junit(outcome: GateOutcome) -> bytes:
    """The outcome as JUnit XML, in UTF-8.

    Args:
        outcome: What the gate says.

    Returns:
        The document.
    """
    counts = {"tests": str(len(outcome.checks)), "failures": str(len(outcome.failed)), "errors": "0", "time": "0"}
    root = Xml.Element("testsuites", {"name": "clearance gate", **counts})
    suite = Xml.SubElement(root, "testsuite", {"name": as_text(outcome.run), "skipped": "0", **counts})
    properties = Xml.SubElement(suite, "properties")
    facts = {"model": outcome.model, "data": outcome.data, "baseline": outcome.baseline or "none"}
    for key, value in facts.items():
        Xml.SubElement(properties, "property", {"name": key, "value": as_text(value)})
    for check in outcome.checks:
        title, group = as_text(f"{check.criterion}: {check.wanted}"), as_text(f"clearance.gate.{check.about}")
        case = Xml.SubElement(suite, "testcase", {"name": title, "classname": group, "time": "0"})
        if not check.passed:
            told = {"message": as_text(check.reason), "type": check.flag}
            Xml.SubElement(case, "failure", told).text = as_text(
                f"{check.about}: {check.reason}. Wanted: {check.wanted}; got: {check.got}."
            )
    if outcome.notes:
        Xml.SubElement(suite, "system-out").text = "\n".join(map(as_text, outcome.notes))
    Xml.indent(root)
    document: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _number(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)
