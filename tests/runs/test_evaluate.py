"""Brackets in runs: the same records whoever computes them, and what the plan says about them."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor, nn

from clearance.data import datasets
from clearance.estimates.settings import Bound
from clearance.model.classifier import Classifier
from clearance.model.preprocessing import Normalize
from clearance.runs.engines.local import LocalEngine
from clearance.runs.evaluate import Evaluation, evaluate, make_plan
from clearance.runs.execute import open_run
from clearance.runs.export import iterate_records
from clearance.runs.fingerprint import fingerprint
from clearance.runs.plan import Plan
from clearance.runs.summary import summarise
from clearance.zoo.specs import load_model
from run_tasks import without_times

COUNT = 2


def share(**changes: object) -> Evaluation:
    network = load_model("digits-robust")
    fields = {"model": Classifier(network.network, network.bounds), "data": datasets.load("digits", count=COUNT)}
    chosen = {"budget": 1500, "certificate": "operator-norms", "time_limit": math.inf, "seed": 0}
    return Evaluation(**{**fields, **chosen, **changes})  # type: ignore[arg-type]


def plan_of(shared: Evaluation) -> Plan:
    network = load_model("digits-robust")
    return make_plan(shared, network, "digits", norms=[2.0], targets=["runner-up", "least-likely"])


def records_of(folder: Path, engine: object) -> list[dict[str, object]]:
    shared = share()
    with open_run(folder, plan_of(shared)) as run:
        list(run.compute(evaluate, shared=shared.of(run.plan), engine=engine))  # type: ignore[arg-type]
        return list(iterate_records(run, arrays=True))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    return records_of(tmp_path_factory.mktemp("local") / "run", LocalEngine())


@pytest.mark.slow
def test_two_ray_workers_give_the_same_records_bit_for_bit(local: list[dict[str, object]], tmp_path: Path):
    pytest.importorskip("ray", reason="needs ray: pip install 'clearance[ray]'")
    from clearance.runs.engines.ray import RayEngine

    ray = records_of(tmp_path / "run", RayEngine(workers=2))
    assert json.dumps(without_times(ray)) == json.dumps(without_times(local)) and len(local) == 2 * COUNT


def test_a_record_has_all_four_parts_and_its_threat(local: list[dict[str, object]]):
    for record in local:
        assert {"certified", "estimated", "attacked", "audit", "threat", "status", "cost"} <= set(record)
        assert record["error"] is None and "input" in str(list(record))


def test_the_summary(local: list[dict[str, object]]):
    rows = summarise(local)
    assert [(row.norm, row.target, row.tasks) for row in rows] == [(2.0, "runner-up", 2), (2.0, "least-likely", 2)]
    for row in rows:
        assert row.misclassified == sum(
            record["status"] == "misclassified" for record in local if record["target"] == row.target
        )
        assert row.certified is None or row.certified <= (row.attacked or math.inf)


def test_an_exception_in_a_task_is_a_row_of_the_summary():
    failed = {"norm": 2.0, "target": 3, "order": 1, "error": "TargetError: expected a class to move to"}
    (row,) = summarise([failed])
    assert row.failed == 1 and row.estimated is None and row.attacked is None


def test_medians_are_over_the_inputs_that_have_the_number():
    def record(certified: float | str, attacked: float | None) -> dict[str, object]:
        about = {"norm": 2.0, "target": 3, "order": 1, "error": None, "status": "ok"}
        parts = {"certified": {"radius": certified}, "estimated": {"radius": 0.1}, "attacked": {"distance": attacked}}
        return {**about, **parts, "cost": {"forward": 1, "backward": 1, "seconds": 0.0}}

    (row,) = summarise([record(0.0, distance) for distance in (0.3, 0.4, 0.5, None, None, None)])
    assert (row.attacked, row.witnesses) == (0.4, 3)
    (row,) = summarise([record("inf", None), record(0.1, 0.4), record(0.1, 0.5), record(0.1, 0.7)])
    assert (row.attacked, row.witnesses, row.absent, row.certified) == (0.6, 3, 1, 0.1)
    (row,) = summarise([record("inf", None)] * 2)
    assert row.as_record()["certified"] == row.as_record()["attacked"] == "inf"
    assert json.dumps(row.as_record(), allow_nan=False)


def test_the_plan_knows_what_determines_the_results():
    plan = plan_of(share())
    assert plan.parameters == {"budget": 1500, "certificate": "operator-norms", "certificate_seconds": None}
    assert plan.threat.bounds == (0.0, 1.0) and plan.model.dtype == "float32" and plan.data.count == COUNT
    assert plan.id == plan_of(share()).id != plan_of(share(seed=1)).id
    other = make_plan(share(), load_model("digits-standard"), "digits", norms=[2.0], targets=["runner-up"])
    assert plan.model.weights_hash != other.model.weights_hash
    assert plan.model.weights_hash == plan_of(share()).model.weights_hash


def test_the_bound_is_part_of_the_plan_where_it_is_chosen():
    plan, other = plan_of(share(bound="ball")), plan_of(share(bound="profile"))
    assert plan.parameters["bound"] == "ball" and len({plan.id, other.id, plan_of(share()).id}) == 3


@pytest.mark.thinned(3)
@pytest.mark.parametrize(("bound", "sampler"), [(None, "profile"), ("profile", "profile"), ("ball", "directed")])
def test_a_task_is_computed_with_the_bound_of_its_run(bound: Bound | None, sampler: str):
    shared = share(bound=bound, certificate="none")
    task = next(task for task in plan_of(shared).tasks() if task.index == 0)
    estimated = evaluate(shared, task).values["estimated"]
    assert estimated["sampler"] == sampler and ("levels" in estimated) is (sampler == "profile")


def test_normalisation_is_part_of_the_plan():
    network = load_model("digits-robust")
    model = Classifier(network.network, network.bounds, preprocessing=Normalize(0.5, 0.25))
    assert plan_of(share(model=model)).model.mean == (0.5,) and plan_of(share(model=model)).model.std == (0.25,)


def test_a_preprocessing_that_is_no_normalisation_is_part_of_the_plan():
    network = load_model("digits-robust")

    def plan_with(power: float) -> Plan:
        model = Classifier(network.network, network.bounds, preprocessing=lambda x: x**power)
        return plan_of(share(model=model))

    assert plan_with(1.0).model.weights_hash == plan_with(1.0).model.weights_hash
    assert plan_with(1.0).model.weights_hash != plan_with(2.0).model.weights_hash


def test_the_digest_is_taken_before_the_network_is_called():
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return x.flatten(1)[:, :10]

    loaded = replace(load_model("digits-robust"), network=Counting())
    shared = share(model=Classifier(loaded.network, (0, 1)))
    plan = make_plan(shared, loaded, "digits", norms=[2.0], targets=["runner-up"])
    assert loaded.network.calls > 0 and plan.model.weights_hash == fingerprint(Counting())  # pyright: ignore


def test_a_worker_with_another_network_computes_nothing(tmp_path: Path):
    other = load_model("digits-standard")
    with open_run(tmp_path / "run", plan_of(share())) as run:
        changed = share(model=Classifier(other.network, other.bounds)).of(run.plan)
        done = list(run.compute(evaluate, shared=changed, engine=LocalEngine()))
    assert len(done) == 2 * COUNT
    for record in done:
        assert record.error is not None and not record.values
        assert record.error.startswith("NetworkError: network: expected the answers that the plan holds, got others: a")
