"""The table of experiments: each names a function, a paper, and data that there is."""

import pytest

from clearance.data.table import DATA_KINDS
from clearance.experiments.session import IN_THE_FOLDER_OF_DATA
from clearance.experiments.table import EXPERIMENTS, Scale
from conftest import ROOT


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_line_is_whole(name: str):
    experiment = EXPERIMENTS[name]
    assert callable(experiment.load()) and experiment.meaning and not experiment.meaning.endswith(".")
    assert experiment.paper and set(experiment.data) <= {*DATA_KINDS, *IN_THE_FOLDER_OF_DATA}
    assert f"<!-- from clearance reproduce {name}: " in (ROOT / "docs" / "reproduction.md").read_text()


def test_scales_are_in_order():
    assert [scale.value for scale in Scale] == ["tiny", "small", "paper"] and all(scale.meaning for scale in Scale)
