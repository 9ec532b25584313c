"""Where the sign that there is no estimate is drawn: never over a number at the same place."""

from pathlib import Path

from clearance.report.figures.brackets import bracket_chart, bracket_rows, dot_size
from clearance.report.figures.side_by_side import panels
from made_runs import MASKED, bracket, records_of

NOTHING_PROVED = {**MASKED, "certified": {**MASKED["certified"], "radius": 0.0}}


def absent_mark(spec: dict) -> dict:
    (found,) = (
        layer["mark"]
        for layer in spec["layer"][-1]["layer"]
        if layer["transform"][-1]["filter"].startswith("datum.kind")
    )
    return found


def test_the_cross_stands_above_a_square_at_the_axis(tmp_path: Path):
    run = records_of(tmp_path / "run", [NOTHING_PROVED, bracket()])
    (row, _) = sorted(bracket_rows(run.entries), key=lambda one: one["certified"])
    assert row["certified"] == row["unread"] == 0  # both at one place
    assert absent_mark(bracket_chart([row]).to_dict())["yOffset"] == {"expr": "-1.2 * sqrt(dot)"}
    (panel,) = panels([run, run])
    assert absent_mark(panel.chart.to_dict())["yOffset"] < -(dot_size(4) ** 0.5)
