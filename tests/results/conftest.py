"""Brackets of a linear classifier with known distances, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import clearance as cl
from result_cases import LABELS, X, linear


@pytest.fixture(scope="session")
def model() -> cl.Classifier:
    return cl.Classifier(linear())


@pytest.fixture(scope="session")
def brackets(model: cl.Classifier) -> cl.Results[cl.Bracket]:
    return cl.bracket(model, X, LABELS, budget=1500, certificate="linear", time_limit=2)


@pytest.fixture(scope="session")
def every_kind(model: cl.Classifier, brackets: cl.Results[cl.Bracket]) -> Mapping[str, cl.Results[Any]]:
    """The results of every call."""
    return {
        "bracket": brackets,
        "profile": cl.clever(model, X, LABELS, budget="quick"),
        "ball": cl.clever(model, X, LABELS, bound="ball", blocks=4, block_size=16),
        "second": cl.clever(model, X, LABELS, order=2, blocks=4, block_size=16),
        "attack": cl.attack(model, X, LABELS, budget=100),
        "certify": cl.certify(model, X, LABELS, method="linear"),
        "audit": cl.audit(model, X[:2], LABELS[:2]),
    }
