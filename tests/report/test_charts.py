"""What all charts share: their sizes on a page and in a file, their data, their texts."""

from __future__ import annotations

import altair as alt
import pytest

from clearance.report.charts import (
    PANEL_HEIGHT,
    PANEL_WIDTH,
    Panel,
    data_of,
    for_file,
    for_page,
    names_across,
    rounded_tips,
    series_colour,
    shares_upwards,
    tips,
)

ROWS = [{"share": 0.5, "target": "a"}]


def chart() -> alt.Chart:
    return alt.Chart(data_of(ROWS)).mark_bar().encode(y=shares_upwards("share"), color=series_colour("target"))


def test_a_chart_of_a_page_is_as_wide_as_its_place_and_takes_its_colour():
    spec = for_page(chart(), height=123)
    assert (spec["width"], spec["height"]) == ("container", 123) and spec["config"]["background"] == "transparent"
    assert for_page(chart())["height"] == PANEL_HEIGHT


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_panels_of_a_file_have_sizes_titles_and_common_colours(count: int):
    spec = for_file([Panel(f"panel {place}", chart()) for place in range(count)], columns=3)
    panels = spec["concat"] if count > 1 else [spec]
    assert [panel["title"] for panel in panels] == [f"panel {place}" for place in range(count)]
    assert {(panel["width"], panel["height"]) for panel in panels} == {(PANEL_WIDTH, PANEL_HEIGHT)}
    assert spec["config"]["background"] == "white"
    assert count == 1 or (spec["columns"] == 3 and spec["resolve"] == {"scale": {"color": "shared"}})


def test_data_are_the_rows_or_a_name():
    assert data_of(ROWS).to_dict() == {"values": ROWS} and data_of([]).to_dict() == {"values": []}
    assert data_of(None, "rows").to_dict() == {"name": "rows"}


def test_numbers_beside_a_mark_are_rounded_by_the_chart_or_were_rounded_before():
    assert [tip.to_dict() for tip in tips("name:N", "gap:Q")] == [
        {"field": "name", "type": "nominal"},
        {"field": "gap", "type": "quantitative", "format": ".3g"},
    ]
    (tip,) = rounded_tips("certified")
    assert tip.to_dict() == {"field": "tips.certified", "type": "nominal", "title": "certified"}


def test_a_share_fills_its_axis():
    axis = shares_upwards("share of inputs").to_dict()
    assert axis["scale"] == {"domain": [0, 1]} and axis["axis"] == {"format": "%"}


def test_many_names_on_an_axis_are_slanted():
    few, many = ([{"run": f"network-{place}"} for place in range(count)] for count in (4, 5))
    angles = [names_across("run", rows).to_dict()["axis"]["labelAngle"] for rows in (None, few, few * 3, many)]
    assert angles == [0, 0, 0, -40]


def test_a_panels_title_may_have_two_lines():
    assert for_file([Panel("one\ntwo", chart())])["title"] == ["one", "two"]
