"""Metrics for validation loops, held against the base class of torchmetrics itself."""

from __future__ import annotations

import copy
import pickle
import socket
import sys
import types
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, multiprocessing

import clearance as cl
from clearance.errors import InputError
from clearance.metrics import MedianRadiusMetric, RobustAccuracyMetric
from conftest import ROOT
from doc_blocks import blocks
from result_cases import LABELS, X, linear
from torchvision_operators import define_torchvision_operators
from waiting import HANG

Y = torch.tensor(LABELS)
AT = {"radius": 0.5, "norm": 2, "budget": 50}


def robust(**more: Any) -> RobustAccuracyMetric:
    return RobustAccuracyMetric(linear(), **{**AT, **more})


def numbers(found: dict[str, Tensor]) -> dict[str, float]:
    assert all(isinstance(value, Tensor) and value.dim() == 0 for value in found.values())
    return {name: round(float(value), 4) for name, value in found.items()}


def test_closed_forms():
    """Distances 1, 0.14 and 2; the third input is misclassified."""
    metric = robust(certificate="linear")
    metric.update(X, Y)
    assert numbers(metric.compute()) == {"clean": 0.75, "not_broken": 0.5, "proved": 0.5}
    shares = metric.shares()
    assert shares.proved.count == 2 and shares.not_broken.of == 4 and shares.interval[0] < 0.5 < shares.interval[1]
    for of in ("estimated", "attacked", "certified"):
        found = MedianRadiusMetric(linear(), of=of, budget="quick" if of == "estimated" else 100)(X, Y)
        assert float(found[of]) == pytest.approx(1.0, rel=2e-3) and float(found["share"]) == 1


def test_the_same_numbers_as_the_calls():
    network, data = cl.load_model("digits-robust"), cl.load_data("digits", count=12)
    metric = RobustAccuracyMetric(network, radius=0.1, norm="inf", budget=60)
    for start in (0, 6):
        metric.update(data.images[start : start + 6], data.labels[start : start + 6])
    whole = cl.robust_accuracy(network, data.images, data.labels, 0.1, "inf", budget=60, certificate="none")
    assert numbers(metric.compute()) == {
        "clean": round(whole.correct.share, 4),
        "not_broken": round(whole.not_broken.share, 4),
    }


@pytest.fixture(scope="module")
def twin() -> type[Any]:
    """The same numbers by torchmetrics' own base class, from statuses that are handed over."""
    define_torchvision_operators()
    torchmetrics = pytest.importorskip("torchmetrics")

    class Twin(torchmetrics.Metric):
        def __init__(self) -> None:
            super().__init__()
            for name in ("clean", "held", "total"):
                self.add_state(name, default=torch.tensor(0.0), dist_reduce_fx="sum")

        def update(self, x: Tensor, labels: Tensor) -> None:
            right = (x @ torch.tensor([3.0, 4.0]) > 0) == (labels == 0)
            self.clean += right.sum()
            self.held += (right & ((x @ torch.tensor([3.0, 4.0])).abs() / 5 > 0.5)).sum()
            self.total += len(x)

        def compute(self) -> dict[str, Tensor]:
            return {"clean": self.clean / self.total, "not_broken": self.held / self.total}

    return Twin


STEPS = (
    "update",
    "call",
    "compute",
    "call",
    "compute",
    "reset",
    "compute",
    "update",
    "compute",
    "clone",
    "update",
    "compute",
)


def test_it_behaves_as_the_base_class_of_torchmetrics(twin: type[Any]):
    ours, theirs, batches = robust(), twin(), iter([X[:2], X[2:], X[1:3], X, X[:1], X[2:3]])
    for step in STEPS:
        x = next(batches) if step in ("update", "call") else X
        outcome = [play(metric, step, x) for metric in (ours, theirs)]
        assert str(outcome[0]) == str(outcome[1]), step
        assert ours.update_count == theirs.update_count and ours.update_called == theirs.update_called
        if step == "clone":
            ours, theirs = ours.clone(), theirs.clone()


def play(metric: Any, step: str, x: Tensor) -> object:
    labels = torch.zeros(len(x), dtype=torch.int64)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        value = {
            "update": lambda: metric.update(x, labels),
            "call": lambda: metric(x, labels),
            "compute": metric.compute,
            "reset": metric.reset,
            "clone": lambda: None,
        }[step]()
    warned = any("before" in str(one.message) for one in said)
    return warned, None if value is None else numbers(value)


def test_what_a_caller_changes_does_not_change_the_metric():
    metric = robust()
    metric.update(X, Y)
    metric.compute().clear()
    other = metric.clone()
    other.reset()
    assert numbers(metric.compute()) == {"clean": 0.75, "not_broken": 0.5} and not other.update_called
    for travel in (copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        assert numbers(travel(metric).compute()) == numbers(metric.compute())
    assert repr(metric) == "RobustAccuracyMetric(Linear, 1 batches)"


def test_the_network_is_attacked_as_it_is_now_and_left_as_it_was():
    network = linear()
    network.train()
    metric = RobustAccuracyMetric(network, **AT)
    with torch.inference_mode():  # as a validation loop of Lightning runs
        before = metric(X, Y)
    with torch.no_grad():
        network.weight.mul_(-1)
        after = metric(X, Y)
    assert numbers(before)["clean"] == 0.75 and numbers(after)["clean"] == 0.25
    assert network.training and network.weight.grad is None and network.weight.requires_grad
    assert "network" not in dict(torch.nn.ModuleDict({"n": network}).named_modules())


def validate(rank: int, port: int, results: Any) -> None:
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    metric = robust()
    mine = slice(2 * rank, 2 * rank + 2)
    alone = metric(X[mine], Y[mine])
    results.put((rank, numbers(alone), numbers(metric.compute())))
    torch.distributed.destroy_process_group()


def test_all_processes_compute_the_whole():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=validate, args=(rank, port, results)) for rank in range(2)]
    for worker in workers:
        worker.start()
    found = sorted(results.get(timeout=HANG) for _ in workers)
    for worker in workers:
        worker.join(HANG)
    whole = {"clean": 0.75, "not_broken": 0.5}
    assert found == [(0, {"clean": 1.0, "not_broken": 0.5}, whole), (1, {"clean": 0.5, "not_broken": 0.5}, whole)]


def test_misuse_is_one_line():
    with pytest.raises(InputError, match="of: expected one of estimated, attacked, certified, got 'best'"):
        MedianRadiusMetric(linear(), of="best")
    with pytest.raises(InputError, match="bounds: expected none with a Classifier"):
        RobustAccuracyMetric(cl.Classifier(linear()), radius=1, bounds=(0, 1))
    with pytest.raises(InputError, match="radius"):
        robust(radius=-1)(X, Y)


def test_the_documents_callback_for_lightning(monkeypatch: pytest.MonkeyPatch):
    """The block of docs/python.md, with a stand-in for Lightning: the calls of one validation epoch, in their order."""
    (block,) = [one for one in blocks((ROOT / "docs" / "python.md").read_text()) if one.mark == "skip"]
    lightning = types.ModuleType("lightning.pytorch")
    lightning.Callback = object  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "lightning", types.ModuleType("lightning"))
    monkeypatch.setitem(sys.modules, "lightning.pytorch", lightning)
    names: dict[str, Any] = {}
    exec(block.code, names)
    network, logged = linear(), []
    network.log_dict = logged.append  # pyright: ignore
    callback = names["RobustAccuracyCallback"](batches=1, **AT)
    for _ in range(2):
        callback.on_validation_epoch_start(None, network)
        for index, batch in enumerate([(X, Y), (X[:1], Y[:1])]):
            callback.on_validation_batch_end(None, network, None, batch, index)
        callback.on_validation_epoch_end(None, network)
    assert [numbers(one) for one in logged] == [{"robust/clean": 0.75, "robust/not_broken": 0.5}] * 2
