"""What the figures draw, of made-up measurements."""

import math
from typing import Any

import pytest

from clearance.estimates.extremes.reverse_weibull import fit_reverse_weibull
from clearance.experiments.weng2018 import figures
from clearance.experiments.weng2018.groups import group
from clearance.experiments.weng2018.scores import FittedScore, Measurement

MAXIMA = (1.0, 1.5, 1.8, 1.2, 1.9, 1.7, 1.4, 1.6)


def made(target: str = "random", norm: float = 2.0, **values: object) -> Measurement:
    end = float(fit_reverse_weibull(MAXIMA).location)
    fit = FittedScore(2.0 / end, 2.0, MAXIMA, end, 0.5, 3.0, 0.1, 0.9, "ok")
    numbers = {"cw": 2.0, "ifgsm": 3.0, "clever": 1.0, "slope": 8.0, "estimate": 1.5, "witness": 1.9, "proof": 0.5}
    return Measurement("MNIST-CNN", 0, target, norm, **{**numbers, "fit": fit, **values})  # pyright: ignore


def rows(specification: Any) -> list[dict[str, Any]]:
    """Every row of data in a specification."""
    if isinstance(specification, dict):
        own = specification.get("values", []) if isinstance(specification.get("values"), list) else []
        inside = [row for key, part in specification.items() if key != "values" for row in rows(part)]
        return [row for row in own if isinstance(row, dict)] + inside
    return [row for part in specification for row in rows(part)] if isinstance(specification, list) else []


def every() -> list[Measurement]:
    return [made(target, norm) for target in ("least-likely", "random", "runner-up") for norm in (2.0, math.inf)]


def test_figure_2_is_a_density_of_area_1():
    specification = figures.maxima_figure(every()).specification
    panels = specification["hconcat"] if "hconcat" in specification else specification["concat"]
    bins = [row for row in rows(panels[0]) if "density" in row]
    assert sum((row["end"] - row["start"]) * row["density"] for row in bins) == pytest.approx(1.0)


def test_figure_4_cuts_slope_to_the_largest_distance():
    found = rows(figures.distance_figure(group(every())).specification)
    values = {row["method"]: row["value"] for row in found}
    assert values == {"CW": 1.0, "I-FGSM": 1.0, "CLEVER": 1.0, "SLOPE": 1.0}
    (one,) = group([made(norm=math.inf, cw=0.5, slope=0.7)])
    assert {row["method"]: row["value"] for row in figures.methods_of(one)}["SLOPE"] == 0.7


def test_figures_7_and_9_end_at_the_score_with_all_blocks():
    (one,) = group([made()])
    found = figures.block_rows(one)
    assert [row["blocks"] for row in found] == [4, 8] and {row["cw"] for row in found} == {2.0}
    assert one.members[0].fit is not None
    assert found[-1]["clever"] == pytest.approx(one.members[0].fit.radius)


def test_figure_5_is_a_distribution_of_gaps():
    records = [made(cw=2.0), made(cw=1.5), made(cw=0.9)]
    found = rows(figures.gap_figure(group(records), "random").specification)
    assert [(round(row["gap"], 6), row["share"]) for row in found] == [(-0.1, 1 / 3), (0.5, 2 / 3), (1.0, 1.0)]


def test_figure_6_has_score_attack_witness_and_proof():
    found = rows(figures.pairs_figure(group([made(), made(proof=None)]), "random").specification)
    kinds = [row["kind"] for row in found]
    assert kinds == ["CLEVER", "CW", "witness", "proof", "CLEVER", "CW", "witness"]
