"""Tasks that follow one another: attacks in shared batches, the same records as each task by itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from clearance.data import datasets
from clearance.model.classifier import Classifier
from clearance.runs.engines.local import LocalEngine
from clearance.runs.evaluate import Evaluation, evaluate, make_plan
from clearance.runs.execute import open_run
from clearance.runs.export import iterate_records
from clearance.runs.in_order import evaluate_tasks
from clearance.zoo.loaded import LoadedNetwork
from run_tasks import without_times


class Counted(nn.Module):
    """A network with a hidden layer; it keeps how many rows each pass had, and may fail beside one point."""

    def __init__(self, refused: Tensor | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10)).requires_grad_(False)
        self.refused, self.sizes = refused, list[int]()

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        if self.refused is not None:
            distance = (x.detach() - self.refused).flatten(1).norm(dim=1)
            if bool(((distance > 0) & (distance < 0.05)).any()):
                raise RuntimeError("refused")
        return self.layers(x)


def records_of(
    folder: Path, network: Counted, function: Callable[..., object], targets: tuple[str | int, ...]
) -> list[dict[str, object]]:
    digits = datasets.load("digits", count=5)
    labels = network.layers(digits.images).argmax(1)  # nothing is misclassified
    shared = Evaluation(Classifier(network, (0, 1)), replace(digits, labels=labels), 1500, "none", math.inf, 0)
    loaded = LoadedNetwork(network, "counted", (0, 1))
    plan = make_plan(shared, loaded, "digits", norms=[2.0, math.inf], targets=targets)
    with open_run(folder, plan) as run:
        network.sizes.clear()
        list(run.compute(function, shared=shared.of(run.plan), engine=LocalEngine()))  # type: ignore[arg-type]
        return list(iterate_records(run, arrays=True))


@pytest.mark.parametrize("targets", [("untargeted",), ("runner-up", 3)])
def test_neighbours_share_batches_and_the_records_are_the_same(tmp_path: Path, targets: tuple[str | int, ...]) -> None:
    apart, together = Counted(), Counted()
    expected = records_of(tmp_path / "apart", apart, evaluate, targets)
    found = records_of(tmp_path / "together", together, evaluate_tasks, targets)
    assert json.dumps(without_times(found)) == json.dumps(without_times(expected))
    assert len(found) == 5 * 2 * len(targets) and len(together.sizes) < len(apart.sizes)


def test_a_task_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    """The network fails at points right beside one of the digits: that task fails, and its neighbours do not."""
    refused = datasets.load("digits", count=5).images[2:3]
    expected = records_of(tmp_path / "apart", Counted(refused), evaluate, ("untargeted",))
    found = records_of(tmp_path / "together", Counted(refused), evaluate_tasks, ("untargeted",))
    assert [record["input"] for record in found if record["error"] is not None] == [2, 2]  # in either norm
    assert json.dumps(without_times(found)) == json.dumps(without_times(expected))
