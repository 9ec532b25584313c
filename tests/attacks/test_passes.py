"""Passes through the network: values and gradients of linear models, what is not finite, and the random streams."""

import torch

from attack_cases import LinearCase, linear_case
from clearance.attacks.goals import margin, soft_margin
from clearance.attacks.passes import Streams, evaluate, look
from clearance.model.classifier import Classifier


def test_the_gradient_of_a_linear_margin_is_the_difference_of_the_weights(case: LinearCase):
    seen = evaluate(case.model, case.x, case.goal)
    weight, source = case.network.weight, case.goal.source
    assert torch.allclose(seen.gradient, weight[source] - weight[1 - source])
    assert torch.allclose(seen.logits, case.network(case.x))
    assert torch.equal(seen.loss, margin(seen.logits, case.goal)) and torch.equal(seen.loss, seen.margin)
    assert not seen.reached.any()


def test_an_aim_changes_the_loss_and_not_success():
    case = linear_case(0, classes=4)
    aim = case.goal.to_class(case.model.logits(case.x).argmin(1))
    seen = evaluate(case.model, case.x, case.goal, loss=soft_margin, aim=aim)
    assert torch.allclose(seen.loss, soft_margin(case.network(case.x), aim))
    assert torch.allclose(seen.margin, margin(case.network(case.x), aim))
    assert torch.equal(seen.reached, case.goal.reached(case.network(case.x)))


def test_in_parts_it_says_the_same():
    case = linear_case(0, classes=4, count=7)
    parts = Classifier(case.network, dtype=torch.float64, micro_batch=3)
    whole, pieces = (evaluate(model, case.x, case.goal) for model in (case.model, parts))
    assert torch.allclose(whole.gradient, pieces.gradient) and torch.allclose(whole.loss, pieces.loss)


def test_what_is_not_finite_is_infinite_or_zero():
    def network(z: torch.Tensor) -> torch.Tensor:
        logits = torch.stack([2 + z[:, 0], z[:, 1]], 1)
        return torch.where((z[:, :1] > 5), torch.nan, logits)

    case = linear_case(0, size=2, count=2)
    x = torch.tensor([[0.0, 0.0], [6.0, 0.0]], dtype=torch.float64)
    seen = evaluate(Classifier(network, dtype=torch.float64), x, case.goal.rows(torch.tensor([0, 0])))
    assert torch.isinf(seen.loss).tolist() == [False, True]
    assert not seen.gradient[1].any() and seen.gradient[0].any() and not seen.reached[1]
    assert look(Classifier(network, dtype=torch.float64), x).isnan().any(1).tolist() == [False, True]


def test_a_pass_is_counted_once_for_each_point(case: LinearCase):
    model = case.model
    before = model.meter.read()
    evaluate(model, case.x, case.goal)
    look(model, case.x)
    spent = model.meter.since(before)
    assert (spent.forward, spent.backward) == (2 * len(case.x), len(case.x))


def test_streams_belong_to_the_input_and_its_purpose(case: LinearCase):
    whole, alone = Streams(case.x, 3, "a"), Streams(case.x[2:3], 3, "a")
    assert torch.equal(whole.gaussian(4)[2:3], alone.gaussian(4)) and torch.equal(
        whole.uniform(2)[2:3], alone.uniform(2)
    )
    first = Streams(case.x, 3, "a").gaussian(4)
    for other in (Streams(case.x, 4, "a"), Streams(case.x, 3, "b"), Streams(case.x.flip(0), 3, "a")):
        assert not torch.equal(first, other.gaussian(4))
    uniform = Streams(case.x, 0, "u").uniform(1000)
    assert ((uniform >= 0) & (uniform < 1)).all()
    assert (uniform.mean(1) - 0.5).abs().max() < 6 * (1 / 12 / 1000) ** 0.5  # six standard errors
