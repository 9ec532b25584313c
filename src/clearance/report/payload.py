"""Records → the compact JSON that the page's script reads: columns for the table, details for one input.

Numbers that are shown are whole: they are rounded once, where they are shown. Those that are drawn only have few
digits. JSON has no infinity: it is the text `"inf"`. Texts that recur (what a flag says, what to do about it, how to
read a table) are kept once, and named by their place in `texts`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from clearance.estimates.status import Status
from clearance.report.families import families_of
from clearance.report.figures.maxima import bin_row
from clearance.report.grey_levels import are_pictures
from clearance.report.marks import name_norm, write_apart, write_evidence, write_norm, write_number
from clearance.report.pictures import Change
from clearance.report.records import Entry, ProfileCurves, Raised, RunRecords

DRAWN_DIGITS = 6
"""Significant digits of a number that a chart draws and no text shows."""

Packed = dict[str, Any]
"""What JSON holds: name → value."""


def pack(runs: Sequence[RunRecords]) -> Packed:
    """Everything that the table, the filters and the view of one input show.

    Args:
        runs: The runs.

    Returns:
        `runs`, `statuses`, `columns` (name → one value for each entry), `details` (one for each entry), `pictures`
        (input → address) and `texts`.
    """
    texts: dict[str, int] = {}
    pairs = [(place, entry) for place, run in enumerate(runs) for entry in run.entries]
    columns = [_columns(place, entry) for place, entry in pairs]
    pictures = {entry.input_key: entry.drawing.input for _, entry in pairs if entry.drawing is not None}
    return {
        "runs": [_run(run) for run in runs],
        "statuses": {status.value: [status.meaning, status.has_number] for status in Status},
        "columns": {name: [row[name] for row in columns] for name in columns[0]} if columns else {},
        "details": [_details(entry, texts) for _, entry in pairs],
        "pictures": pictures,
        "texts": list(texts),
    }


def as_script(value: object) -> str:
    r"""JSON that may stand inside a `<script>` element: no character of it can end the element or start another.

    >>> as_script("</script>\u2028")
    '"\\u003c/script\\u003e\\u2028"'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    unsafe = {sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
    safe = text.translate(str.maketrans(unsafe))
    return "".join(f"\\u{ord(sign):04x}" if "\ud800" <= sign <= "\udfff" else sign for sign in safe)


def whole(value: float | None) -> float | str | None:
    """A number with all its digits, as JSON can hold it.

    >>> whole(0.123456789), whole(math.inf), whole(math.nan)
    (0.123456789, 'inf', None)
    """
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"


def drawn(value: float) -> float | str | None:
    """A number with few digits, as JSON can hold it, for a chart.

    >>> drawn(0.123456789), drawn(math.inf)
    (0.123457, 'inf')
    """
    return whole(float(f"{value:.{DRAWN_DIGITS}g}"))


def _run(run: RunRecords) -> Packed:
    used = {entry.label for entry in run.entries} | {entry.predicted for entry in run.entries}
    used |= {logit.index for entry in run.entries for logit in entry.logits}
    used |= {index for entry in run.entries for index in (entry.aim, entry.witness_class) if index is not None}
    classes = {index: run.class_name(index) for index in used}
    return {"name": run.name, "model": run.plan.model.name, "classes": classes, "levels": are_pictures(run)}


def _columns(place: int, entry: Entry) -> Packed:
    low, high = entry.own_interval or (None, None)
    return {
        "run": place,
        "index": entry.index,
        "label": entry.label,
        "norm": write_norm(entry.norm),
        "normName": name_norm(entry.norm),
        "target": entry.target,
        "order": entry.order,
        "status": entry.status.value,
        "doubted": int(entry.judged and entry.doubted),
        "certified": whole(entry.certified),
        "estimated": whole(entry.own_estimate),
        "below": int(entry.below_proof),
        "low": whole(low),
        "high": whole(high),
        "attacked": whole(entry.attacked),
        "absent": int(entry.absent),
        "flags": [flag.code for flag in entry.flags],
    }


def _details(entry: Entry, texts: dict[str, int]) -> Packed:
    drawing, fit = entry.drawing, entry.fit
    found: Packed = {
        "key": entry.input_key,
        "predicted": entry.predicted,
        "aim": entry.aim,
        "proof": entry.proof,
        "method": entry.method,
        "witnessClass": entry.witness_class,
        "numbers": [whole(value) for value in (entry.margin, entry.lipschitz, entry.gradient_norm, entry.ball_radius)],
        "blocks": len(entry.maxima),
        "logits": _logits(entry),
        "costs": [[s.part, s.forward, s.backward, s.hessian_vector, whole(s.seconds)] for s in entry.costs],
        "flags": [_flag(flag, texts) for flag in entry.flags],
    }
    if fit is not None:
        numbers = map(whole, (fit.location, fit.scale, fit.shape, fit.ks, fit.p_value))
        found["fit"] = [*numbers, fit.status]
        found["bins"] = _bins(entry)
        found["families"] = _families(entry, texts)
    if entry.profile is not None:
        found["profile"] = _profile(entry.profile)
    if drawing is not None:
        found["picture"] = [drawing.witness, drawing.difference, drawing.factor, *drawing.size]
    if entry.changes:
        found["changes"] = [_change(one) for one in entry.changes]
    return found


def _change(one: Change) -> list[Any]:
    """Name or place, before, after and their difference as texts, and the change in units of distance."""
    units = None if one.unit is None else whole((one.after - one.before) / one.unit)
    return [one.name or ", ".join(map(str, one.place)), *one.written, units]


def _logits(entry: Entry) -> list[list[Any]]:
    """Class, logit of the input and of the witness: texts, whose digits show which is the largest."""
    before = write_apart([logit.before for logit in entry.logits])
    known = [logit.after for logit in entry.logits if logit.after is not None]
    after = write_apart(known) if len(known) == len(entry.logits) else [write_number(None)] * len(entry.logits)
    return [[logit.index, *texts] for logit, *texts in zip(entry.logits, before, after, strict=True)]


def _profile(profile: ProfileCurves) -> list[Any]:
    """The last level, each reading as its values, its radius and its interval, and the rise."""
    curves = (profile.norm, profile.radial)
    rows = [
        [*map(whole, (one.radius, *(one.interval or (None, None)))), list(map(drawn, one.values))] for one in curves
    ]
    return [drawn(profile.levels[-1]), *rows, whole(profile.rise)]


def _families(entry: Entry, texts: dict[str, int]) -> list[Any] | None:
    found = families_of(entry)
    if found is None:
        return None
    rows = [[row.name, row.log_likelihood, row.ks, row.p_value] for row in found.rows]
    return [rows, texts.setdefault(found.reading, len(texts))]


def _bins(entry: Entry) -> list[Any] | None:
    found = bin_row(entry)
    return None if found is None else [found[0], drawn(found[1]), found[2]]


def _flag(flag: Raised, texts: dict[str, int]) -> list[Any]:
    evidence = {name: write_evidence(value, name, flag.code) for name, value in flag.evidence.items()}
    places = (texts.setdefault(text, len(texts)) for text in (flag.meaning, flag.remedy))
    return [flag.code, flag.severity, *places, evidence]
