"""Passes per second: what is counted, for how long, and networks without a backward pass."""

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.errors import InputError
from clearance.model.speed import Speed, measure_speed


def test_rates_are_those_of_the_clock(monkeypatch: pytest.MonkeyPatch):
    """A clock that moves by a quarter of a second in each forward pass and by three quarters in each backward pass."""
    now, network = [0.0], nn.Linear(3, 2)
    monkeypatch.setattr("clearance.model.speed.time.perf_counter", lambda: now[0])

    def forward(x: Tensor) -> Tensor:
        now[0] += 0.25
        out = network(x)
        if out.requires_grad:
            out.register_hook(lambda _: now.__setitem__(0, now[0] + 0.75))
        return out

    model = cl.Classifier(forward, micro_batch=6)
    found = measure_speed(model, torch.rand(2, 3), seconds=8.0)
    assert found == Speed(6, 24.0, 6.0)
    assert measure_speed(model, torch.rand(2, 3), batch=2, seconds=8.0) == Speed(2, 8.0, 2.0)
    assert measure_speed(model, torch.rand(2, 3), batch=100, seconds=8.0).batch == 6
    assert found.seconds(60) == 60 / 2 / 6.0


def test_a_slow_network_is_measured_by_its_first_pass():
    calls = [0]

    def forward(x: Tensor) -> Tensor:
        calls[0] += 1
        return x

    measure_speed(cl.Classifier(forward, micro_batch=1), torch.rand(1, 2), seconds=1e-12)
    assert calls[0] == 2


def test_compiling_is_not_counted(monkeypatch: pytest.MonkeyPatch):
    """A clock that moves by 100 seconds in the first pass of each kind, by a quarter of one in later ones."""
    now, network, seen = [0.0], nn.Linear(3, 2), set[bool]()
    monkeypatch.setattr("clearance.model.speed.time.perf_counter", lambda: now[0])

    def compiled(x: Tensor) -> Tensor:
        now[0] += 0.25 if torch.is_grad_enabled() in seen else 100.0
        seen.add(torch.is_grad_enabled())
        return network(x)

    monkeypatch.setattr("clearance.model.execution.torch.compile", lambda network, backend: compiled)
    found = measure_speed(cl.Classifier(network, micro_batch=6, compiled=True), torch.rand(2, 3), seconds=8.0)
    assert found == Speed(6, 24.0, 24.0)


def test_no_backward_pass_is_said():
    def forward(x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise ValueError("no graph here")
        return x

    found = measure_speed(cl.Classifier(forward, micro_batch=4), torch.rand(1, 2), seconds=0.01)
    assert found.gradients is None and "no graph here" in found.refusal and found.seconds(10) is None


def test_seconds_are_positive():
    with pytest.raises(InputError, match="expected a positive number, got 0"):
        measure_speed(cl.Classifier(nn.Linear(2, 2)), torch.rand(1, 2), seconds=0)
