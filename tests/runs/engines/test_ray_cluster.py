"""Ray on two nodes, as two machines would be: the shared object goes to each once, and one node is lost in mid-run."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearance.runs.engines.local import LocalEngine
from clearance.runs.engines.ray import RayEngine
from run_tasks import attack_digit, digits_plan, load_shared
from waiting import is_running, wait_until

ray = pytest.importorskip("ray")
SIZE = 2_000_000
"""Numbers of the shared object: 16 MB, too large to travel inside a message."""


@pytest.fixture
def two_nodes() -> Iterator[tuple[Any, Any]]:
    """A cluster of a head and another node, one core each, and that other node."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.shutdown()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster, node
    ray.shutdown()
    cluster.shutdown()


def lose(cluster: Any, node: Any, folder: Path) -> None:
    """Take a node away, and say so when its worker is gone."""
    worker = int((folder / f"node-{node.node_id}").read_text())
    cluster.remove_node(node, allow_graceful=False)
    wait_until(lambda: not is_running(worker), "the worker of the lost node runs on")
    (folder / "lost").touch()


def where(shared: tuple[np.ndarray, Path], task: int) -> dict[str, Any]:
    """On which node a task runs, and whether the numbers lie in that node's store, where nobody may write them.

    The first two end as soon as both nodes are at work, the others when one of the nodes is lost.
    """
    numbers, folder = shared
    node = ray.get_runtime_context().get_node_id()
    (folder / f"node-{node}").write_text(str(os.getpid()))
    while len(list(folder.glob("node-*"))) < 2 or (task > 1 and not (folder / "lost").exists()):
        time.sleep(0.02)
    return {"node": node, "value": float(numbers[task]), "stored": not numbers.flags.writeable}


@pytest.mark.slow
def test_a_node_that_is_lost_in_mid_run_loses_no_task(two_nodes: tuple[Any, Any], tmp_path: Path):
    (cluster, node), outcomes = two_nodes, []
    shared = np.arange(SIZE, dtype=np.float64), tmp_path
    for outcome in RayEngine(cluster.address, workers=2).map(where, shared, range(12)):
        outcomes.append(outcome)
        if len(outcomes) == 2:
            lose(cluster, node, tmp_path)
    assert sorted(outcome.task for outcome in outcomes) == list(range(12))
    assert all(o.error is None and o.value["value"] == o.task and o.value["stored"] for o in outcomes)
    assert len({outcome.value["node"] for outcome in outcomes[-5:]}) == 1  # the head alone goes on
    assert len({outcome.value["node"] for outcome in outcomes[:2]}) == 2


@pytest.mark.slow
def test_two_nodes_give_the_same_bits_as_none(two_nodes: tuple[Any, Any]):
    tasks, shared = digits_plan(2).tasks(), load_shared(2)
    expected = {o.task.key: o.value for o in LocalEngine().map(attack_digit, shared, tasks)}
    for outcome in RayEngine(two_nodes[0].address, workers=2).map(attack_digit, shared, tasks):
        wanted = expected[outcome.task.key]
        assert np.array_equal(outcome.value.values["distance"], wanted.values["distance"], equal_nan=True)
        assert all(np.array_equal(outcome.value.arrays[name], wanted.arrays[name]) for name in wanted.arrays)
