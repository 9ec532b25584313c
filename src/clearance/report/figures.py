"""The named figures of a run, or of several: their panels, and files for papers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clearance.errors import InputError
from clearance.report import charts, statistics
from clearance.report.charts import Chart, Spec
from clearance.report.marks import KINDS, name_norm, write_number
from clearance.report.records import Entry, RunRecords
from clearance.report.statistics import Group
from clearance.runs.files import replacing

FORMATS = ("svg", "pdf", "png")
"""Kinds of files, told by the name's end."""

PNG_SCALE = 3
"""Pixels of a PNG for each unit of the figure: about 200 dots per inch at the width of a column."""

Panels = list[tuple[str, Chart]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One named figure.

    Attributes:
        name: What it is called on the command line.
        title: What it shows.
        note: How to read it.
        panels: Its titled panels, from the runs; none where there is nothing to show.
        columns: How many panels stand beside each other in a file.
    """

    name: str
    title: str
    note: str
    panels: Callable[[Sequence[RunRecords]], Panels]
    columns: int = 2


def write_figure(runs: Sequence[RunRecords], name: str, file: Path, *, force: bool = False) -> None:
    """Write a figure to a file, all at once.

    Args:
        runs: The runs; with several, each is a series of its own.
        name: A key of `FIGURES`.
        file: Its name ends in `.svg`, `.pdf` or `.png`.
        force: Replace a file that is there.

    Raises:
        InputError: If the figure or the kind of file is unknown, or there is nothing to show.
        FileError: If the file is there and `force` is false, or it cannot be written.
    """
    kind = file.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise InputError(f"--out: expected a name that ends in .{', .'.join(FORMATS)}, got {file.name}")
    if name not in FIGURES:
        raise InputError(f"figure: expected one of {', '.join(FIGURES)}, got {name}")
    panels = FIGURES[name].panels(runs)
    if not panels:
        raise InputError(f"figure {name}: expected a run with something to show, got none of its numbers")
    data = render(charts.for_file(panels, columns=FIGURES[name].columns), kind)
    with replacing(file, force=force) as stream:
        stream.write(data)


def render(spec: Spec, kind: str) -> bytes:
    """A specification as a file, without a browser and without a network.

    Args:
        spec: Of Vega-Lite; it holds its own data.
        kind: One of `FORMATS`.

    Returns:
        The file's content.
    """
    import vl_convert

    options: dict[str, Any] = {"vl_version": vega_lite_version(), "allowed_base_urls": []}
    if kind == "svg":
        return vl_convert.vegalite_to_svg(spec, **options).encode()
    if kind == "pdf":
        return vl_convert.vegalite_to_pdf(spec, **options)
    return vl_convert.vegalite_to_png(spec, scale=PNG_SCALE, **options)


def vega_lite_version() -> str:
    """The version of Vega-Lite that Altair writes for, or the newest that vl-convert has."""
    import altair as alt
    import vl_convert

    wanted = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    known = vl_convert.get_vegalite_versions()
    return wanted if wanted in known else known[-1]


def bracket_rows(entries: Iterable[Entry]) -> list[Row]:
    """What `charts.brackets` draws, ranked by attack distance; inputs without any number are left out."""
    shown = [entry for entry in entries if entry.judged]
    ranked = sorted(shown, key=lambda entry: (entry.attacked is None, entry.attacked or 0.0, entry.index))
    return [_bracket_row(rank, entry) for rank, entry in enumerate(ranked, start=1)]


def _bracket_row(rank: int, entry: Entry) -> Row:
    low, high = entry.interval or (None, None)
    return {
        "rank": rank,
        "name": f"input {entry.index}",
        "status": entry.status.value,
        "certified": entry.certified if entry.certified is not None and np.isfinite(entry.certified) else None,
        "estimated": entry.estimated,
        "low": low,
        "high": high,
        "attacked": entry.attacked,
        "unread": 0 if entry.estimated is None else None,
        "tips": _texts({kind: getattr(entry, kind) for kind in KINDS[:3]}),
    }


def bin_row(entry: Entry) -> tuple[float, float, list[int]] | None:
    """Histogram of an input's block maxima: first edge, width, counts; `None` where they are all equal."""
    values = entry.maxima[np.isfinite(entry.maxima)]
    if len(values) < 2 or np.ptp(values) <= 1e-9 * np.abs(values).max():
        return None
    counts, edges = np.histogram(values, bins=int(np.clip(np.ceil(np.sqrt(len(values))), 4, 24)))
    return float(edges[0]), float(edges[1] - edges[0]), counts.tolist()


def bin_rows(entry: Entry) -> list[Row]:
    """The same histogram as rows `start`, `end`, `density`, of area 1."""
    found = bin_row(entry)
    if found is None:
        return []
    low, width, counts = found
    area = sum(counts) * width
    starts = [low + place * width for place in range(len(counts))]
    return [{"start": s, "end": s + width, "density": n / area} for s, n in zip(starts, counts, strict=True)]


def _maxima_panels(runs: Sequence[RunRecords]) -> Panels:
    """Of each run the inputs with the smallest, the middle and the largest p-value."""
    panels: Panels = []
    for run in runs:
        fitted = [entry for entry in run.judged if entry.fit is not None and bin_rows(entry)]
        ranked = sorted(fitted, key=lambda entry: entry.fit.p_value if entry.fit else 0.0)
        chosen = dict.fromkeys((0, len(ranked) // 2, len(ranked) - 1)) if ranked else {}
        for place in chosen:
            entry, fit = ranked[place], ranked[place].fit
            assert fit is not None
            row = {"location": fit.location, "scale": fit.scale, "shape": fit.shape}
            said = f"D = {write_number(fit.ks)}, p = {write_number(fit.p_value)}"
            title = f"input {entry.index}, {name_norm(entry.norm)}: {said}"
            panels.append((_of(runs, run, title), charts.maxima(bin_rows(entry), [row] if fit.scale > 0 else [])))
    return panels


def _bracket_panels(runs: Sequence[RunRecords]) -> Panels:
    """A panel for each run, norm, target and order."""
    return [
        (_of(runs, run, _title(group, run)), charts.brackets(rows))
        for run in runs
        for group, members in statistics.grouped(run.entries).items()
        if (rows := bracket_rows(members))
    ]


def _by_norm(
    chart: Callable[..., Chart], rows: Callable[[Iterable[Entry]], Iterable[tuple[Group, Row]]]
) -> Callable[[Sequence[RunRecords]], Panels]:
    """A panel for each norm and order: distances in different norms share no scale."""

    def panels(runs: Sequence[RunRecords]) -> Panels:
        series = "run" if len(runs) > 1 else "target"
        found: dict[tuple[float, int], list[Row]] = {}
        for run in runs:
            for group, row in rows(run.entries):
                name = f"{run.name}, {group.target}" if series == "run" else group.target
                found.setdefault((group.norm, group.order), []).append({**row, series: name})
        several = len({order for _, order in found}) > 1
        return [
            (f"{name_norm(norm)}{f', order {order}' if several else ''}", chart(members, series=series))
            for (norm, order), members in found.items()
        ]

    return panels


def _gap_rows(entries: Iterable[Entry]) -> Iterable[tuple[Group, Row]]:
    return ((step.group, {"gap": step.gap, "share": step.share}) for step in statistics.gaps(entries))


def _share_rows(entries: Iterable[Entry]) -> Iterable[tuple[Group, Row]]:
    found = statistics.fit_shares(entries)
    return ((row.group, {"share": row.share, "fits": row.fits}) for row in found if row.share is not None)


def _refit_rows(entries: Iterable[Entry]) -> Iterable[tuple[Group, Row]]:
    for row in statistics.refits(entries):
        tips = _texts({"estimated": row.estimated, "attacked": row.attacked})
        yield row.group, {"blocks": row.blocks, "estimated": row.estimated, "attacked": row.attacked, "tips": tips}


def _average_rows(entries: Iterable[Entry]) -> Iterable[tuple[Group, Row]]:
    for row in statistics.averages(entries):
        values = zip(KINDS[:3], (row.certified, row.estimated, row.attacked), strict=True)
        known = [(kind, value) for kind, value in values if value is not None and np.isfinite(value)]
        for kind, value in known:
            text = write_number(value, kind)
            yield row.group, {"kind": kind, "value": value, "text": text, "inputs": row.paired}


def _texts(values: Mapping[str, float | None]) -> dict[str, str]:
    return {kind: write_number(value, kind) for kind, value in values.items()}


def _title(group: Group, run: RunRecords) -> str:
    order = f", order {group.order}" if len(run.plan.orders) > 1 else ""
    return f"{name_norm(group.norm)}, {group.target}{order}"


def _of(runs: Sequence[RunRecords], run: RunRecords, title: str) -> str:
    return f"{run.name}: {title}" if len(runs) > 1 else title


_FIGURES = (
    Figure(
        "brackets",
        "Every input as a bracket",
        "Figure 6 of Weng et al. 2018 with proofs, intervals and refusals: no adversarial example lies below the green "
        "square, one lies at the red triangle, and the blue circle is an estimate, with its interval. A grey cross: "
        "the estimate must not be read. Ordered by attack distance.",
        _bracket_panels,
    ),
    Figure(
        "averages",
        "Averages by target and norm",
        "Figure 4 of Weng et al. 2018, over the inputs that have both an estimate that may be read and a witness.",
        _by_norm(charts.averages, _average_rows),
    ),
    Figure(
        "gaps",
        "Gap between estimate and attack",
        "Figure 5 of Weng et al. 2018: the share of inputs whose attack distance exceeds the estimate by at most so "
        "much. Inputs with a witness whose estimate must not be read count as below every gap: a curve starts at "
        "their share.",
        _by_norm(charts.gaps, _gap_rows),
    ),
    Figure(
        "maxima",
        "Block maxima and the fitted reverse Weibull distribution",
        "Figure 2 of Weng et al. 2018, for the inputs with the smallest, the middle and the largest p-value. Dashed: "
        "the fitted endpoint.",
        _maxima_panels,
        columns=3,
    ),
    Figure(
        "fits",
        "Fits that the K-S test does not reject",
        "Figure 3 of Weng et al. 2018. The p-values are too large, because the distribution was fitted to the same "
        "maxima.",
        _by_norm(charts.shares, _share_rows),
    ),
    Figure(
        "blocks",
        "Estimate against the number of blocks",
        "Figures 7 and 9 of Weng et al. 2018: the average estimate when the distribution is fitted to the first block "
        "maxima only. Dashed: the average attack distance of the same inputs.",
        _by_norm(charts.blocks, _refit_rows),
    ),
)

FIGURES = {figure.name: figure for figure in _FIGURES}
"""The figures by name, in the order of the page."""
