"""What a network is asked before a run, and what is recorded."""

import pytest
import torch
from torch import Tensor

from clearance.errors import NetworkError
from clearance.model.classifier import Classifier
from clearance.runs.agreement import changed_answer
from clearance.runs.answers import ASKED, RANDOM_CALLS, draw_points, record_answers
from clearance.runs.plan import MOST_LOGITS

INPUTS = torch.linspace(0.1, 0.9, 24).reshape(6, 4)


def noisy(scale: float, gain: float = 1.0):
    return Classifier(lambda x: gain * x + scale * torch.randn_like(x), (0, 1))


def test_the_first_inputs_and_points_within_the_bounds():
    bounds = (torch.tensor([0.0, 0.1, 0.2, 0.5]), torch.tensor([1.0, 0.9, 0.95, 0.9]))
    model = Classifier(lambda x: 2 * x, bounds)
    found = record_answers(model, INPUTS.clamp(*bounds))
    assert torch.equal(torch.tensor(found.logits[:ASKED]), 2 * INPUTS.clamp(*bounds)[:ASKED])
    points = torch.tensor(found.logits[ASKED:]) / 2
    assert len(points) == ASKED and bool(((points >= bounds[0]) & (points <= bounds[1])).all())
    assert points.std(0).min() > 0 and (found.calls, found.spread) == (2, 0.0)
    assert record_answers(model, INPUTS.clamp(*bounds)) == found


def test_without_bounds_points_lie_around_the_inputs():
    model = Classifier(lambda x: x)
    points = draw_points(model, INPUTS[:1])
    assert float((points - INPUTS[0]).abs().max()) <= float(INPUTS[0].std(correction=0)) * (1 + 1e-6)
    assert float((draw_points(model, torch.zeros(1, 4)) - 0).abs().max()) > 0


def test_a_network_may_have_no_answer_at_a_drawn_point():
    def only_near_the_inputs(x: Tensor) -> Tensor:
        return x if torch.equal(x.detach(), INPUTS[:1]) else x * torch.nan

    found = record_answers(Classifier(only_near_the_inputs, (0, 1)), INPUTS[:1])
    assert found.logits[1:] == ((),) * ASKED and len(found.logits[0]) == 4
    with pytest.raises(NetworkError, match="expected finite logits"):
        record_answers(Classifier(only_near_the_inputs, (0, 1)), INPUTS)


def test_many_classes_are_kept_in_part():
    found = record_answers(Classifier(lambda x: x.repeat(1, 2000), (0, 1)), INPUTS[:1])
    assert {len(row) for row in found.logits} == {MOST_LOGITS}
    assert (found.logits[0][0], found.logits[0][-1]) == (INPUTS[0, 0].item(), INPUTS[0, -1].item())


def test_a_random_network_is_compared_by_what_its_noise_allows():
    torch.manual_seed(0)
    then = record_answers(noisy(0.1), INPUTS)
    assert then.calls == RANDOM_CALLS and 0.1 < then.spread < 0.25  # the largest of 32 estimates of 0.1
    for _ in range(20):
        assert not changed_answer(then, record_answers(noisy(0.1), INPUTS), "float32")
    assert changed_answer(then, record_answers(noisy(0.1, gain=3.0), INPUTS), "float32")
    assert changed_answer(then, record_answers(noisy(0.0), INPUTS), "float32")


def test_every_input_is_asked_alone():
    sizes: list[int] = []

    def network(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return x

    record_answers(Classifier(network, (0, 1), micro_batch=8), INPUTS)
    assert set(sizes) == {1} and len(sizes) == 2 * 2 * ASKED
