"""More data: how parts of a set are chosen, and the experiment end to end."""

from pathlib import Path

import pytest
import torch

from clearance.experiments.extra_data import LabelledInputs
from tiny_experiments import tiny


def test_classes_are_numbered_from_zero_and_parts_do_not_overlap():
    part = LabelledInputs(torch.arange(8.0)[:, None], torch.tensor([0, 5, 9, 4, 7, 5, 1, 6]))
    small = part.of_classes(5, 9)
    assert small.labels.tolist() == [0, 4, 2, 0, 1] and small.images.flatten().tolist() == [1, 2, 4, 5, 7]
    assert part.first(3).images.flatten().tolist() == [0, 1, 2]
    assert part.after(3, 2).images.flatten().tolist() == [3, 4]


@pytest.mark.slow
def test_the_experiment_on_its_tiny_scale(tmp_path: Path):
    found = tiny("extra-data", tmp_path)
    assert [finding.holds for finding in found.findings] == [True, True, True]
    assert [table.rows[0][5] for table in found.tables] == [None, None]  # gains are over the first line
