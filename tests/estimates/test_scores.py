"""Records: plain JSON, and points at which their numbers can be computed again."""

import json
import math
from dataclasses import fields
from typing import Any

import pytest
import torch

from clearance.estimates.clever import clever
from clearance.estimates.extremes import FitStatus
from clearance.estimates.profile.score import ProfileScore
from clearance.estimates.scores import CleverScore, Score
from clearance.estimates.second_order import SecondOrderScore
from clearance.estimates.status import Status
from clearance.model.classifier import Classifier
from score_cases import half_hidden, normal, small_mlp

SMALL = {"bound": "ball", "blocks": 8, "block_size": 64}


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


@pytest.mark.parametrize(
    ("choices", "kind"),
    [
        ({"bound": "profile", "budget": 1000}, ProfileScore),
        ({"bound": "ball", "blocks": 4, "block_size": 32}, CleverScore),
        ({"order": 2, "blocks": 4, "block_size": 32}, SecondOrderScore),
    ],
)
@pytest.mark.parametrize("wrong", [False, True])
def test_each_estimate_has_a_record_of_its_own(choices: dict[str, Any], kind: type[Score], wrong: bool):
    model, x = Classifier(small_mlp(), dtype=torch.float64), normal(1, 6)
    labels = (model.logits(x).argmax(1) + wrong) % 4
    (found,) = clever(model, x, labels, target="runner-up", **choices)
    record = found.as_record()
    assert type(found) is kind and found.order == record["order"] == choices.get("order", 1)
    more = {"order", "bound", "lipschitz"} if kind is ProfileScore else {"order"}
    assert set(record) == {field.name for field in fields(kind)} - {"largest_point", "witness"} | more
    own = {field.name for field in fields(kind)} - {field.name for field in fields(Score)}
    assert wrong or all(record[name] is not None for name in own)
    for other in {ProfileScore, CleverScore, SecondOrderScore} - {kind}:
        assert not own & {field.name for field in fields(other)}


def test_the_record_of_a_profile_is_plain_json():
    """Both readings are records; the constant is the value of the shown reading where the radius lies."""
    model, x = Classifier(small_mlp(), dtype=torch.float64), normal(2, 6)
    labels = model.logits(x).argmax(1)
    labels[1] = (labels[1] + 1) % 4
    scores = clever(model, x, labels=labels, norm=math.inf, slope="radial", budget=2000)
    first, second = json.loads(json.dumps([score.as_record() for score in scores], allow_nan=False))
    assert (first["norm"], first["bound"], first["sampler"], first["slope"]) == ("inf", "profile", "profile", "radial")
    assert first["radius"] == first["by_radial"]["radius"] >= first["by_norm"]["radius"] > 0
    assert len(first["levels"]) == len(first["by_norm"]["values"]) == len(first["by_radial"]["upper"])
    place = next(place for place, level in enumerate(first["levels"]) if level >= first["radius"])
    assert first["lipschitz"] == first["by_radial"]["values"][place]
    assert (second["status"], second["radius"], second["by_norm"], second["lipschitz"]) == (
        "misclassified",
        *[None] * 3,
    )


def test_a_radius_that_must_not_be_read_is_in_no_part_of_a_profile():
    (score,) = clever(Classifier(half_hidden), torch.zeros(1, 3), target="runner-up", budget=2000)
    record = score.as_record()
    assert score.status is Status.REFUTED and score.by_norm is not None
    for part in (record, record["by_norm"], record["by_radial"]):
        assert part["radius"] is None and part["interval"] is None
    assert record["by_norm"]["values"] == list(score.by_norm.values)
