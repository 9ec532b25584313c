"""Real brackets of a run in two goes and of a run in one: the same to the bit, whoever computes them."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from clearance.data import datasets
from clearance.data.dataset import Dataset
from clearance.model.classifier import Classifier
from clearance.runs.engines.local import LocalEngine
from clearance.runs.evaluate import Evaluation, evaluate, make_plan
from clearance.runs.execute import open_run
from clearance.runs.export import iterate_records
from clearance.zoo.specs import load_model
from run_tasks import without_times

NETWORK = "digits-robust"
L2: dict[str, Any] = {"norms": [2.0], "targets": ["random"]}
"""The threat model of most runs here: targets at random, so that a seed that looks at the place would show."""


@cache
def digits() -> Dataset:
    return datasets.load("digits", count=80)


def share(data: Dataset, references: torch.Tensor | None = None) -> Evaluation:
    network = load_model(NETWORK)
    model = Classifier(network.network, network.bounds)
    return Evaluation(model, data, 1500, "operator-norms", math.inf, 0, references=references)


def compute(folder: Path, shared: Evaluation, engine: Any = None, **threat: Any) -> list[str]:
    plan = make_plan(shared, load_model(NETWORK), "digits", **{**L2, **threat})
    with open_run(folder, plan, resume=True) as run:
        done = list(run.compute(evaluate, shared=shared.of(run.plan), engine=engine or LocalEngine()))
        assert not [record.error for record in done if record.error]
        return [json.dumps(without_times(record)) for record in iterate_records(run, arrays=True)]


def at(*places: int) -> Dataset:
    return digits().take(places)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three inputs in one go."""
    return compute(tmp_path_factory.mktemp("whole") / "run", share(at(3, 9, 4)))


def test_inputs_that_are_added_change_nothing_that_is_finished(tmp_path: Path, whole: list[str]):
    first = compute(tmp_path / "run", share(at(3)))
    assert first == whole[:1]
    assert compute(tmp_path / "run", share(at(4, 9, 3)))[0] == first[0]
    found = compute(tmp_path / "run", share(at(4, 9, 3)))  # in the plan's order: 3, then 4 and 9
    assert sorted(found) == sorted(whole) and len(set(whole)) == 3


@pytest.mark.slow
def test_norms_and_targets_that_are_added_change_nothing_that_is_finished(tmp_path: Path):
    data, larger = at(3), {"norms": [2.0, math.inf], "targets": ["random", "runner-up"]}
    (first,) = compute(tmp_path / "two", share(data))
    compute(tmp_path / "two", share(data), targets=larger["targets"])
    two, one = compute(tmp_path / "two", share(data), **larger), compute(tmp_path / "one", share(data), **larger)
    assert two == one and two[0] == first and len(two) == 4


@pytest.mark.slow
def test_ray_workers_go_on_with_what_this_process_began(tmp_path: Path, whole: list[str]):
    pytest.importorskip("ray", reason="needs ray: pip install 'clearance[ray]'")
    from clearance.runs.engines.ray import RayEngine

    compute(tmp_path / "run", share(at(3)))
    assert compute(tmp_path / "run", share(at(3, 9, 4)), RayEngine(workers=2)) == whole


def test_without_the_whole_set_the_references_are_those_of_the_first_sitting(tmp_path: Path):
    """Arrays that grow: what the audits walk to is in the plan, and stays."""

    def alone(places: Sequence[int]) -> Evaluation:
        return share(replace(at(*places), whole=None))

    first = compute(tmp_path / "run", alone((3, 9)))
    assert compute(tmp_path / "run", alone((3, 9, 4)))[:2] == first
    plan = make_plan(alone((3, 9, 4)), load_model(NETWORK), "digits", **L2)
    with open_run(tmp_path / "run", plan, resume=True) as run:
        assert run.plan.data.references == run.plan.data.input_keys[:2]
        assert torch.equal(alone((4, 9, 3)).of(run.plan).walked, at(3, 9).images)


def test_references_are_part_of_what_determines_a_result():
    here, there = (make_plan(share(at(3), digits().images[rows]), load_model(NETWORK), "digits", **L2)
                   for rows in ([0, 1], [1, 2]))  # fmt: skip
    assert {task.key for task in here.tasks()}.isdisjoint(task.key for task in there.tasks())
