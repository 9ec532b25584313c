"""Figures as files for papers: SVG, PDF and PNG, without a browser and without a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clearance.errors import InputError
from clearance.report.charts import Spec, for_file
from clearance.report.figures.table import FIGURES, figures_of
from clearance.report.records import RunRecords
from clearance.runs.files import replacing

PNG_SCALE = 3
"""Pixels of a PNG for each unit of the figure: about 200 dots per inch at the width of a column."""


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
    if kind not in FIGURE_FORMATS:
        raise InputError(f"--out: expected a name that ends in .{', .'.join(FIGURE_FORMATS)}, got {file.name}")
    known = figures_of(len(runs))
    if name not in known:
        raise InputError(f"figure: expected one of {', '.join(known)}, got {name}")
    panels = FIGURES[name].panels(runs)
    if not panels:
        missing = FIGURES[name].missing
        why = f". {missing(runs[0])}" if missing else ", got none of its numbers"
        raise InputError(f"figure {name}: expected a run with something to show{why}")
    data = render_figure(for_file(panels, columns=FIGURES[name].columns, unit=runs[0].plan.threat.unit), kind)
    with replacing(file, force=force) as stream:
        stream.write(data)


def render_figure(spec: Spec, kind: str) -> bytes:
    """A specification as a file's content.

    Args:
        spec: Of Vega-Lite; it holds its own data.
        kind: A key of `FIGURE_FORMATS`.

    Returns:
        The content.
    """
    return FIGURE_FORMATS[kind](spec, vl_version=vega_lite_version(), allowed_base_urls=[])


def _svg(spec: Spec, **options: Any) -> bytes:
    import vl_convert

    return vl_convert.vegalite_to_svg(spec, **options).encode()


def _pdf(spec: Spec, **options: Any) -> bytes:
    import vl_convert

    return vl_convert.vegalite_to_pdf(spec, **options)


def _png(spec: Spec, **options: Any) -> bytes:
    import vl_convert

    return vl_convert.vegalite_to_png(spec, scale=PNG_SCALE, **options)


FIGURE_FORMATS: dict[str, Callable[..., bytes]] = {"svg": _svg, "pdf": _pdf, "png": _png}
"""Kinds of files, told by the end of the name, and what writes each."""


def vega_lite_version() -> str:
    """The version of Vega-Lite that Altair writes for, or the newest that vl-convert has."""
    import altair as alt
    import vl_convert

    wanted = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    known = vl_convert.get_vegalite_versions()
    return wanted if wanted in known else known[-1]
