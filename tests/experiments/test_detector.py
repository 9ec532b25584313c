"""Detectors: the density and the thresholds against closed forms, and the experiment end to end."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from clearance.experiments.detection import FALSE_ALARMS, calibrate, log_density
from clearance.experiments.detector import AttackRow, examined
from tiny_experiments import tiny


def test_the_density_is_the_mean_of_kernels():
    known = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    expected = math.log((1 + math.exp(-25 / 4)) / 2)
    assert float(log_density(torch.zeros(1, 2), known, 2.0)) == pytest.approx(expected)


def two_classes() -> tuple[nn.Sequential, torch.Tensor, torch.Tensor]:
    """Features are the inputs; class 1 right of 0; a cluster of training inputs on each side."""
    last = nn.Linear(2, 2)
    last.load_state_dict({"weight": torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), "bias": torch.zeros(2)})
    generator = torch.Generator().manual_seed(0)
    spread = torch.randn(400, 2, generator=generator)
    labels = (torch.arange(400) % 2).long()
    centres = torch.tensor([[-5.0, 0.0], [5.0, 0.0]])
    return nn.Sequential(nn.Identity(), last), centres[labels] + spread, labels


def test_thresholds_flag_the_stated_share_and_what_lies_between_the_clusters():
    network, images, labels = two_classes()
    detectors = calibrate(network, images[:200], labels[:200], images[200:])
    assert detectors.flagged(images[200:]).double().mean(0).tolist() == pytest.approx([FALSE_ALARMS] * 2, abs=0.01)
    assert detectors.scores(torch.tensor([[3.0, 7.0]]))[0, 0] == pytest.approx(6.0)
    assert detectors.flagged(torch.tensor([[0.1, 0.0]])).tolist() == [[True, True]]  # on the boundary, far from both
    assert detectors.flagged(torch.tensor([[5.0, 9.0]])).tolist() == [[False, True]]  # sure, far from the cluster


def test_what_passes_is_a_witness_without_an_alarm():
    network, images, labels = two_classes()
    detectors = calibrate(network, images[:200], labels[:200], images[200:])
    x = torch.tensor([[-5.0, 0.0], [-5.0, 0.0], [-5.0, 0.0]])
    row = AttackRow("moved", 1.0, **examined(detectors, x, torch.tensor([[5.0, 0.0], [0.1, 0.0], [-5.0, 0.0]])))
    assert row.passing == [[True, True], [False, False], [False, False]]
    assert row.witnesses == pytest.approx(2 / 3) and row.passed == pytest.approx([1 / 3] * 2)
    assert row.flagged == pytest.approx([0.5, 0.5])


@pytest.mark.slow
def test_the_experiment_on_its_tiny_scale(tmp_path: Path):
    assert [finding.holds for finding in tiny("detector", tmp_path).findings] == [True, True, True, True]
