"""Pictures of the gallery: the Altair chart that a part of an example leaves in `chart`, as files, without a browser.

Each picture is drawn twice, for the light and the dark page, as SVG, and once as PNG for the overview.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import vl_convert

FONT = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"
"""As the pages have it."""

INKS = {"light": ("#1f2328", "#8a8f98", "#e3e6ea"), "dark": ("#e6e6e6", "#9aa0a8", "#3a3f45")}
"""Colours of text, axes and grids on either page."""

_SEEN: dict[str, int] = {}


def scrape(_block: Any, variables: dict[str, Any], _settings: dict[str, Any]) -> str:
    """Draw what an example left in `chart` since its last part, and return the page's text for it.

    Args:
        _block: The part of the example.
        variables: Of sphinx-gallery: the example's own, its file, and where a picture goes.
        _settings: Of sphinx-gallery.

    Returns:
        reStructuredText; empty where there is no new picture.

    Raises:
        ValueError: If a chart has no description.
    """
    chart = variables["example_globals"].get("chart")
    source = variables["src_file"]
    if chart is None or _SEEN.get(source) == id(chart):
        return ""
    _SEEN[source] = id(chart)
    spec = chart.to_dict()
    described = spec.get("description", "")
    if not described:
        raise ValueError(f"{source}: expected a chart with a description, which is read aloud in its place")
    place = Path(next(variables["image_path_iterator"]))
    place.write_bytes(vl_convert.vegalite_to_png(in_ink(spec, "light", background="white"), scale=2))
    texts = []
    for mode in INKS:
        drawn = place.with_name(f"{place.stem}-{mode}.svg")
        drawn.write_text(vl_convert.vegalite_to_svg(in_ink(spec, mode)))
        texts.append(f".. image:: /gallery/images/{drawn.name}\n   :alt: {described}\n   :class: only-{mode} chart\n")
    return "\n" + "\n".join(texts) + "\n"


def in_ink(spec: dict[str, Any], mode: str, *, background: str = "transparent") -> dict[str, Any]:
    """A chart in the colours of one of the two pages."""
    text, axis, grid = INKS[mode]
    drawn = copy.deepcopy(spec)
    axes = {"labelColor": text, "titleColor": text, "domainColor": axis, "tickColor": axis, "gridColor": grid}
    axes |= {"titleFontWeight": "normal", "labelFontSize": 12, "titleFontSize": 12}
    legend = {"labelColor": text, "titleColor": text, "labelFontSize": 12, "titleFontWeight": "normal"}
    title = {"color": text, "subtitleColor": text, "fontSize": 14, "anchor": "start", "fontWeight": 600}
    drawn["config"] = {
        "background": background,
        "font": FONT,
        "axis": axes,
        "legend": legend,
        "header": {"labelColor": text, "titleColor": text, "labelFontSize": 12},
        "title": title,
        "text": {"color": text},
        "rule": {"color": axis},
        "view": {"stroke": "transparent"},
        "range": {"category": ["#3f7fd1", "#d1495b", "#2a8f6d", "#b07818", "#8a63d2", "#2b93a8"]},
    }
    return drawn
