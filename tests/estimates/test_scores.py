"""Records: plain JSON, and points at which their numbers can be computed again."""

import json
import math
from dataclasses import fields

import pytest
import torch

from clearance.estimates.clever import clever
from clearance.estimates.extremes import FitStatus
from clearance.estimates.scores import CleverScore, Score
from clearance.estimates.second_order import SecondOrderScore
from clearance.model.classifier import Classifier
from score_cases import normal, small_mlp

SMALL = {"blocks": 8, "block_size": 64}


def test_records_are_plain_json():
    model, x = Classifier(small_mlp(), dtype=torch.float64), normal(2, 6)
    labels = model.logits(x).argmax(1)
    labels[1] = (labels[1] + 1) % 4
    text = json.dumps([s.as_record() for s in clever(model, x, labels=labels, norm=math.inf, **SMALL)], allow_nan=False)
    first, second = json.loads(text)
    assert first["norm"] == "inf"
    assert first["fit"]["status"] in list(FitStatus)
    assert second["radius"] is None
    assert second["status"] == "misclassified"


def test_the_largest_gradient_is_kept_with_its_point():
    model, x = Classifier(small_mlp(4), dtype=torch.float64), normal(1, 6)
    score = clever(model, x, target="runner-up", norm=2, **SMALL)[0]
    assert score.largest_point is not None
    point = score.largest_point.clone().requires_grad_(True)
    logits = model.network(point[None])[0]
    (gradient,) = torch.autograd.grad(logits[score.predicted] - logits[score.target], point)
    assert float(gradient.norm()) == pytest.approx(score.largest_seen, rel=1e-9)
    assert float((score.largest_point - x[0]).norm()) <= score.ball_radius * (1 + 1e-6)
    assert score.lipschitz >= score.largest_seen >= max(score.maxima) * (1 - 1e-12)


@pytest.mark.parametrize(("order", "kind"), [(1, CleverScore), (2, SecondOrderScore)])
@pytest.mark.parametrize("wrong", [False, True])
def test_each_order_has_a_record_of_its_own(order: int, kind: type, wrong: bool):
    model, x = Classifier(small_mlp(), dtype=torch.float64), normal(1, 6)
    labels = (model.logits(x).argmax(1) + wrong) % 4
    (found,) = clever(model, x, labels, order=order, target="runner-up", blocks=4, block_size=32)
    record = found.as_record()
    assert type(found) is kind and found.order == record["order"] == order
    assert set(record) == {field.name for field in fields(kind)} - {"largest_point", "witness"} | {"order"}
    own = {field.name for field in fields(kind)} - {field.name for field in fields(Score)}
    assert wrong or all(record[name] is not None for name in own)
    other = CleverScore if order == 2 else SecondOrderScore
    assert not own & {field.name for field in fields(other)}
