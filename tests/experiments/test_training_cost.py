"""The cost of training: passes counted against the definition of each method, and the experiment end to end."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from clearance.experiments.training_cost import EXPECTED_PASSES, counted_passes, defences
from clearance.training import TrainingSettings, train
from tiny_experiments import tiny


@pytest.mark.parametrize("name", EXPECTED_PASSES)
def test_passes_of_an_epoch_are_those_of_the_method(name: str):
    network, images = nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), torch.full((10, 1, 2, 2), 0.5)
    network(images)
    settings = TrainingSettings(epochs=1, batch_size=4)
    work = counted_passes(
        network,
        lambda: train(network, images, torch.zeros(10).long(), settings=settings, defense=defences(0.1)[name]),
    )
    assert (work.forward, work.backward) == (10 * EXPECTED_PASSES[name],) * 2


def test_passes_without_gradients_are_forward_only():
    layer = nn.Linear(2, 1)
    with torch.no_grad():
        found = counted_passes(layer, lambda: layer(torch.zeros(4, 2)))
    assert (found.forward, found.backward) == (4, 0)
    assert counted_passes(layer, lambda: None).forward == 0  # no hook is left behind


@pytest.mark.slow
def test_the_experiment_on_its_tiny_scale(tmp_path: Path):
    found = tiny("training-cost", tmp_path)
    assert [finding.holds for finding in found.findings] == [True, True, True, True]
    assert all(math.isfinite(row[4]) for row in found.tables[0].rows)
