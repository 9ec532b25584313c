"""What a run will cost: one line before it, from the speed that `inspect` shows too."""

import json
import math
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from clearance.cli import cost, train_pace
from clearance.cli.cost import AUDITED, bracket_cost, bracket_steps, own_step, tell_cost, typical_speed
from clearance.cli.progress import Pace
from clearance.cli.train_pace import FirstSteps
from clearance.model.classifier import Classifier
from clearance.model.progress import PROGRESS_VARIABLE
from clearance.model.speed import Speed
from command_line import run_command

X = torch.rand(3, 4)


@pytest.fixture
def model() -> Classifier:
    return Classifier(nn.Linear(4, 3), bounds=(0, 1))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What is said on stderr, at 100 gradients per second."""
    monkeypatch.delenv(PROGRESS_VARIABLE, raising=False)
    monkeypatch.setattr(cost, "typical_speed", lambda *_: Speed(8, 300.0, 100.0))
    monkeypatch.setattr(cost, "own_step", lambda *_: 1e-3)
    return lambda: capsys.readouterr().err


def test_a_long_run_says_tasks_passes_and_time(model: Classifier, said: Callable[[], str]):
    tell_cost(model, X, 200, passes=2000, noun="task")
    assert said() == "clearance: 200 tasks, up to 2,000 passes each: about 33 min on this machine\n"


def test_what_a_search_takes_beside_its_passes_counts(model: Classifier, said: Callable[[], str]):
    tell_cost(model, X, 100, passes=200, steps=4000)
    assert said() == "clearance: 100 inputs, up to 200 passes each: about 8.3 min on this machine\n"


def test_what_masked_gradients_cost_is_told_beside_it(model: Classifier, said: Callable[[], str]):
    tell_cost(model, X, 10, passes=2000, masked=20_000, wording=AUDITED)
    told = "10 inputs, about 2,000 passes each, 20,000 where gradients are masked: about 1.7 min (17 min where all are)"
    assert said() == f"clearance: {told} on this machine\n"


def test_a_step_of_its_own_takes_microseconds(model: Classifier):
    assert 1e-6 < own_step(model) < 1e-2
    assert bracket_steps(1500) < bracket_steps("quick") < bracket_steps("thorough")


def test_proofs_are_told_apart(model: Classifier, said: Callable[[], str]):
    tell_cost(model, X, 10, passes=2000, proof=5.0)
    assert "about 1.7 min on this machine, and at most 50 s of proofs (5 s each)" in said()
    tell_cost(model, X, 10, passes=0, proof=60.0)
    assert "10 inputs: at most 10 min of proofs on this machine (60 s each)" in said()


@pytest.mark.parametrize(("tasks", "passes", "proof"), [(1, 100, 0.0), (0, 2000, 60.0), (3, 0, math.inf)])
def test_a_short_or_endless_one_says_nothing(
    model: Classifier, said: Callable[[], str], tasks: int, passes: int, proof: float
):
    tell_cost(model, X, tasks, passes=passes, proof=proof)
    assert said() == ""


def test_quiet_measures_nothing(model: Classifier, said: Callable[[], str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(PROGRESS_VARIABLE, "none")
    monkeypatch.setattr(cost, "typical_speed", lambda *_: pytest.fail("measured"))
    tell_cost(model, X, 200, passes=2000)
    assert said() == ""


def test_a_network_that_fails_is_left_to_the_run(said: Callable[[], str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()

    def broken(x: Tensor) -> Tensor:
        raise RuntimeError("broken")

    tell_cost(Classifier(broken, bounds=(0, 1)), X, 200, passes=2000)


def test_the_measurement_leaves_the_numbers_that_a_network_draws_as_they_were():
    noisy = Classifier(lambda x: x[:, :3] + torch.rand(len(x), 3), bounds=(0, 1))
    torch.random.manual_seed(5)
    typical_speed(noisy, X, seconds=0.01)
    after = torch.rand(2)
    torch.random.manual_seed(5)
    assert torch.equal(after, torch.rand(2))


def test_inspect_takes_its_costs_from_the_same_place(monkeypatch: pytest.MonkeyPatch):
    from clearance.cli import inspection

    assert inspection.bracket_cost is bracket_cost and inspection.typical_speed is typical_speed
    found = bracket_cost("quick", Speed(8, 300.0, 100.0), 1e-3)
    assert (found.passes, found.certificate_seconds) == (7280, 5.0)
    assert found.seconds == pytest.approx(36.4 + 1e-3 * bracket_steps("quick"))
    assert bracket_cost("quick", Speed(8, 300.0, None), 1e-3).seconds is None
    document = json.loads(run_command("inspect", "digits-robust", "--json").stdout)
    assert [one["passes"] for one in document["brackets"]] == [7280, 19200, 77400]


def test_training_says_its_cost_after_its_first_steps(said: Callable[[], str], monkeypatch: pytest.MonkeyPatch):
    pace, clock = Pace("training", 10), iter(range(100))
    monkeypatch.setattr(train_pace.time, "monotonic", lambda: 0.5 * next(clock))
    steps = FirstSteps(pace, 469)
    for number in range(9):
        steps(number / 469)
    assert pace.within == pytest.approx(8 / 469)
    told = said()
    assert re.match(r"clearance: 10 epochs of 469 steps: about 39 min on this machine", told) and told.count("\n") == 1
