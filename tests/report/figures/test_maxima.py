"""Block maxima: the histogram's area, the fitted density, and which inputs are shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clearance.report.figures.maxima import DENSITY, QUANTILE, bin_row, bin_rows, panels
from clearance.report.records import RunRecords


def test_the_histogram_has_area_one(run: RunRecords):
    rows = bin_rows(run.entries[0])
    area = sum((row["end"] - row["start"]) * row["density"] for row in rows)
    assert area == pytest.approx(1)
    assert rows[0]["start"] == run.entries[0].maxima.min()
    assert rows[-1]["end"] == pytest.approx(run.entries[0].maxima.max())


@pytest.mark.parametrize("maxima", [[], [3.0], [2.0] * 8, [1.0, 1.0 + 1e-12], [np.inf, np.nan, 1.0]])
def test_maxima_that_are_all_equal_have_no_histogram(run: RunRecords, maxima: list[float]):
    entry = replace(run.entries[0], maxima=np.array(maxima))
    assert bin_row(entry) is None and bin_rows(entry) == []


def test_the_smallest_the_middle_and_the_largest_p_value_are_shown(run: RunRecords):
    values = {1: 0.9, 2: 0.1, 3: 0.5, 4: 0.3, 5: 0.7}
    entries = [
        replace(entry, index=place, fit=replace(entry.fit, p_value=values[place]))
        for place, entry in enumerate([run.judged[0]] * 5, start=1)
        if entry.fit
    ]
    titles = [panel.title for panel in panels([replace(run, entries=tuple(entries))])]
    assert [title.split(",")[0] for title in titles] == ["input 2", "input 3", "input 1"]
    assert titles[0].endswith("p = 0.100")


def test_the_fitted_density_is_that_of_the_distribution():
    """The expressions that Vega evaluates, evaluated here: against the derivative of `exp(-((a - y) / b)**c)`."""

    class Datum:
        location, scale, shape = 3.0, 0.5, 2.5

    def evaluate(expression: str) -> np.ndarray:
        return eval(expression, {"datum": Datum, "pow": np.power, "log": np.log, "exp": np.exp})

    Datum.u = np.linspace(0.002, 0.998, 200)
    Datum.value = evaluate(QUANTILE)
    below = (Datum.location - Datum.value) / Datum.scale
    assert np.exp(-(below**Datum.shape)) == pytest.approx(Datum.u)
    step = 1e-6
    later = np.exp(-(((Datum.location - Datum.value - step) / Datum.scale) ** Datum.shape))
    earlier = np.exp(-(((Datum.location - Datum.value + step) / Datum.scale) ** Datum.shape))
    assert evaluate(DENSITY) == pytest.approx((later - earlier) / (2 * step), rel=1e-4)
