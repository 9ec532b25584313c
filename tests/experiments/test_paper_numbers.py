"""The papers' numbers: whole tables, and sums that a wrong digit would change."""

import math

import pytest

from clearance.experiments.paper_numbers import as_number, paper_cell, read_numbers

WENG = "weng-2018-table-"
SIZES = {"2": (8, 6), "3a": (11, 12), "3b": (11, 12), "4": (3, 12), "5": (11, 6)}


@pytest.mark.parametrize("table", SIZES)
def test_tables_are_whole(table: str):
    rows, columns = SIZES[table]
    found = read_numbers(WENG + table)
    cells = {len(row) for row in found.values()}
    assert len(found) == rows and max(cells) == columns
    assert all(math.isfinite(as_number(cell) or 0.0) for row in found.values() for cell in row.values())
    assert cells <= ({columns, columns - 3} if table.startswith("3") else {columns})  # no SLOPE on ImageNet


def test_cells_are_those_of_the_text():
    assert paper_cell(WENG + "2", "CIFAR-BReLU", "CLEVER linf") == "0.001"
    assert paper_cell(WENG + "3a", "MNIST-BReLU", "random SLOPE") == "3.907"  # above 1, printed without brackets
    assert paper_cell(WENG + "3b", "MNIST-BReLU", "least-likely SLOPE") == "5 (52.058)"
    assert paper_cell(WENG + "3b", "MobileNet", "runner-up CLEVER") == "0.144"
    assert paper_cell(WENG + "3b", "MobileNet", "runner-up SLOPE") is None
    assert paper_cell(WENG + "4", "Inception-v3", "least-likely CW l2") == "25%"
    assert paper_cell(WENG + "5", "MNIST-BReLU", "least-likely l2") == "93.3"


def test_the_papers_own_findings_follow_from_its_numbers():
    for part, norm in (("3a", "linf"), ("3b", "l2")):
        for network, row in read_numbers(WENG + part).items():
            for target in ("least-likely", "random", "runner-up"):
                value = {name: as_number(row.get(f"{target} {name}")) for name in ("CW", "I-FGSM", "CLEVER", "SLOPE")}
                nearer = min(value["CW"], value["I-FGSM"])
                if (network, target, norm) in ABOVE:
                    assert value["CLEVER"] > nearer
                    continue
                assert value["CLEVER"] < nearer
                assert value["SLOPE"] is None or value["SLOPE"] > nearer


ABOVE = {
    ("MNIST-MLP", "runner-up", "l2"),
    ("MNIST-BReLU", "least-likely", "l2"),
    ("MNIST-BReLU", "random", "l2"),
    ("MNIST-BReLU", "runner-up", "l2"),
    ("CIFAR-MLP", "runner-up", "linf"),
    ("CIFAR-MLP", "runner-up", "l2"),
}
"""Where the paper's own averages contradict it: its CLEVER exceeds its nearer attack."""
