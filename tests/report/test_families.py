"""The three extreme-value families of one input: their numbers, and what stands where there are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from clearance.report.families import FAMILY_NAMES, HOW_TO_READ, families_of
from clearance.report.payload import pack
from clearance.report.read import read_records
from clearance.report.records import Entry
from report_runs import make_plan, make_result, write_run


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    return read_records(write_run(tmp_path_factory.mktemp("families") / "run", make_plan(1))).entries[0]


def test_the_numbers_are_those_of_the_distributions(entry: Entry):
    """SciPy's likelihood and K-S test at the fitted Gumbel distribution, which SciPy fits as well."""
    maxima = np.random.default_rng(3).gumbel(5.0, 0.7, size=40)
    found = families_of(replace(entry, maxima=maxima))
    assert found is not None and [row.name for row in found.rows] == list(FAMILY_NAMES.values())
    location, scale = stats.gumbel_r.fit(maxima)
    gumbel = found.rows[0]
    likelihood = stats.gumbel_r.logpdf(maxima, location, scale).sum()
    tested = stats.kstest(maxima, "gumbel_r", args=(location, scale))
    # SciPy's optimiser stops within 1e-4 of the maximum; the texts have two decimals and three digits.
    assert float(gumbel.log_likelihood) == pytest.approx(likelihood, abs=0.006)
    assert float(gumbel.ks) == pytest.approx(tested.statistic, rel=0.006)
    assert float(gumbel.p_value) == pytest.approx(tested.pvalue, rel=0.02)


@pytest.mark.parametrize(
    ("maxima", "best"),
    [
        (stats.weibull_max.ppf(np.linspace(0.01, 0.99, 60), 2.0), "reverse Weibull"),
        (stats.invweibull.ppf(np.linspace(0.01, 0.99, 60), 1.5), "Fréchet"),
    ],
)
def test_the_largest_likelihood_is_that_of_the_family_that_was_drawn_from(entry: Entry, maxima: np.ndarray, best: str):
    found = families_of(replace(entry, maxima=maxima))
    assert found is not None and found.reading == HOW_TO_READ
    assert max(found.rows, key=lambda row: float(row.log_likelihood)).name == best


@pytest.mark.parametrize(
    ("maxima", "sentence"),
    [
        ([], "there are 0"),
        ([1.0, 2.0, 4.0], "there are 3"),
        ([1.0, 2.0, 4.0, np.nan], "there are 3"),
        ([2.0] * 8, "All block maxima are equal"),
        ([2.0] * 7 + [2.0 + 1e-12], "All block maxima are equal"),  # equal up to rounding: an infinite log-likelihood
        ([1e301, 2e301, 3e301, 4e301], "were not compared: expected block maxima up to"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(entry: Entry, maxima: list[float], sentence: str):
    found = families_of(replace(entry, maxima=np.array(maxima)))
    assert found is not None and found.rows == () and sentence in found.reading and found.reading.endswith(".")


def test_an_input_without_a_fit_has_no_table(entry: Entry):
    assert families_of(replace(entry, fit=None)) is None


def test_texts_have_no_number_that_is_not_finite(entry: Entry):
    """Two values only: a density may be infinite at one of them."""
    found = families_of(replace(entry, maxima=np.array([1.0, 1.0, 2.0, 2.0])))
    assert found is not None
    cells = [cell for row in found.rows for cell in (row.log_likelihood, row.ks, row.p_value)]
    assert len(cells) == 9 and not {"nan", "inf", "-inf"} & set(cells)


def test_the_page_has_the_table_of_each_input_and_keeps_the_sentence_once(tmp_path: Path):
    kinds = {0: "misclassified"}
    plan = make_plan(4)
    folder = write_run(tmp_path / "run", plan, lambda task: make_result(task, status=kinds.get(task.index, "ok")))
    packed = pack([read_records(folder)])
    assert "families" not in packed["details"][0]
    for details in packed["details"][1:]:
        rows, reading = details["families"]
        assert [row[0] for row in rows] == list(FAMILY_NAMES.values()) and packed["texts"][reading] == HOW_TO_READ
    assert packed["texts"].count(HOW_TO_READ) == 1
