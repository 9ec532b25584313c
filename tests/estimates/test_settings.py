"""Choices of the papers, and choices that cannot be used."""

import inspect
from dataclasses import fields
from typing import Any

import pytest
import torch

from clearance.errors import InputError
from clearance.estimates.clever import clever
from clearance.estimates.settings import (
    PAPER,
    PAPER_SECOND_ORDER,
    BallOptions,
    ScoreOptions,
    SecondOrderOptions,
    Settings,
)
from clearance.estimates.status import Status
from clearance.model.classifier import Classifier
from closed_forms import random_linear
from score_cases import normal


def test_paper_settings():
    settings = Settings(**PAPER)
    assert (settings.sampler, settings.radius, settings.schedule(9), settings.size) == ("uniform", 5.0, [500], 1024)
    model, x = Classifier(random_linear(0), dtype=torch.float64), normal(1, 6)
    assert clever(model, x, **{**PAPER, "blocks": 5, "block_size": 8})[0].status in (Status.OK, Status.AT_RADIUS)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"order": 3}, "order: expected 1 or 2, got 3"),
        ({**PAPER, "budget": "quick"}, "budget: only meaningful with bound='profile', got 'quick': in one ball"),
        ({"order": 2, "budget": 4000}, "budget: only meaningful with bound='profile'"),
        ({"order": 2, "curvature": "trace"}, "curvature: expected 'norm' or 'one-sided'"),
        ({"curvature": "one-sided"}, "only meaningful with order=2"),
        ({"order": 2, "curvature": "one-sided", "norm": 1}, "expected norm 2"),
        ({"order": 2, "block_size": 4}, "block_size: expected at least 16"),
    ],
)
def test_choices_that_cannot_be_used(choice: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        Settings(**choice)


def test_the_papers_settings():
    chosen = Settings(**PAPER_SECOND_ORDER)
    assert (chosen.order, chosen.sampler, chosen.schedule(9), chosen.size) == (2, "uniform", [100], 200)
    assert (Settings(order=2).size, Settings(order=2).most_blocks) == (96, 24)


def test_options_are_named_once_for_all():
    """What `**PAPER` may give, what `Settings` holds and what `clever` takes are the same names."""
    names = {field.name for field in fields(Settings)}
    assert set(SecondOrderOptions.__annotations__) == names
    assert set(ScoreOptions.__annotations__) == names - {"order", "bound"}
    assert set(BallOptions.__annotations__) == names - {"order"}
    assert set(inspect.signature(clever).parameters) - {"model", "x", "labels", "target", "progress"} == names


@pytest.mark.parametrize(
    ("blocks", "most", "steps"), [("auto", None, [24, 48]), ("auto", 30, [24, 30]), (10, None, [10])]
)
def test_blocks_are_doubled_up_to_the_most(blocks: Any, most: int | None, steps: list[int]):
    assert Settings(bound="ball", blocks=blocks, max_blocks=most).schedule(1) == steps


def test_with_several_candidates_a_given_number_of_blocks_is_reached_in_steps():
    raced, plain = (Settings(bound="ball", blocks=60, racing=racing) for racing in (True, False))
    assert raced.schedule(3) == [24, 48, 60] and plain.schedule(3) == [60]
