"""Tables in the paper's form, of made-up measurements."""

import math

from clearance.experiments.weng2018.groups import group
from clearance.experiments.weng2018.scores import FittedScore, Measurement
from clearance.experiments.weng2018.tables import fit_table, targeted_table, untargeted_table

FIT = FittedScore(1.0, 2.0, (1.0, 1.5), 2.0, 0.5, 3.0, 0.1, 0.9, "ok")


def made(target: str, norm: float, **values: object) -> Measurement:
    numbers = {
        "cw": 2.0,
        "ifgsm": 3.0,
        "clever": 1.0,
        "slope": 8.0,
        "estimate": 1.5,
        "witness": 1.9001,
        "proof": 0.4999,
    }
    return Measurement("MNIST-CNN", 0, target, norm, **{**numbers, "fit": FIT, **values})  # pyright: ignore


def test_paper_and_measurement_stand_side_by_side():
    records = [made("random", 2.0), made("random", 2.0, estimate=None, cw=math.inf), made("random", math.inf)]
    table = targeted_table(group(records), 2.0, "note")
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["paper CW"] == "2.005" and row["paper SLOPE"] == "5 (9.619)" and row["target"] == "Random"
    assert row["here CW"] == "2.00 (1)" and row["here SLOPE"] == "5 (8.00)" and row["inputs"] == 2
    assert row["profile (estimate)"] == "1.50 (1)"
    assert row["witness"] == "1.91" and row["proof"] == "0.499"  # rounded up, and down
    assert table.as_table().numeric == 2 and len(table.rows) == 1
    (other,) = targeted_table(group(records), math.inf, "note").rows
    assert other[2] == "0.550" and other[9] == "1 (8.00)"


def test_untargeted_and_fits():
    records = [made("untargeted", norm, slope=None, fit=None) for norm in (2.0, math.inf)]
    records += [made("random", norm) for norm in (2.0, math.inf)]
    table = untargeted_table(group(records), "note")
    assert [row[:5] for row in table.rows] == [
        ("MNIST-CNN", "l2", "1.500", "4.439", "0.721"),
        ("MNIST-CNN", "linf", "0.455", "0.288", "0.057"),
    ]
    (fits,) = fit_table(group(records), "note").rows
    assert fits == ("MNIST-CNN", "Random", "99.2", "100.0", "100.0", "100.0", 1)
