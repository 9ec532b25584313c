"""The table of criteria: its limits are fields, its flags are on the command line, and a new one is an entry."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import click
import pytest

from clearance.cli.options import commands
from clearance.estimates.status import Status
from clearance.report import criteria, demands
from clearance.report.criteria import CRITERIA, Criterion, LimitKind, flag_of
from clearance.report.demands import Limits
from clearance.report.gate import judge
from clearance.report.paired import QUANTITIES
from made_runs import bracket, records_of


def options() -> dict[str, click.Option]:
    import clearance.cli  # noqa: F401 (registers the commands)

    return {one.name: one for one in commands.commands["gate"].params if isinstance(one, click.Option) and one.name}


def test_every_limit_is_a_criterion_and_every_criterion_a_limit():
    assert {field.name for field in fields(Limits)} - {"at", "class_inputs", "drop_of", "allow_unfinished"} == set(
        CRITERIA
    )


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_has_a_flag_that_says_what_its_limit_is(name: str):
    option = options()[name]
    assert option.opts == [f"--{flag_of(name)}"] and option.metavar == CRITERIA[name].kind.value
    if needs := CRITERIA[name].needs:
        other, metavar = needs.split()
        assert (options()[other].metavar or "").startswith(metavar)


def test_the_numbers_whose_drop_is_judged_are_those_of_a_bracket():
    choice = options()["drop_of"].type
    assert isinstance(choice, click.Choice) and tuple(choice.choices) == QUANTITIES


def test_a_class_needs_as_many_inputs_as_the_limits_say():
    assert options()["class_inputs"].default == Limits().class_inputs == demands.CLASS_INPUTS


def test_the_statuses_that_count_as_flagged_are_named():
    words = CRITERIA["max_flagged"].passes
    assert all((status.value.replace("_", " ") in words) == (not status.has_number)
               for status in Status if status.measured)  # fmt: skip


def test_a_new_criterion_is_an_entry_and_a_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Judged in its place, with no other change: a median attack distance under another name."""

    class More(Limits):
        min_again = 2.0

    again = Criterion(LimitKind.RADIUS, "again", "nothing", criteria.median_at_least("attacked"))
    monkeypatch.setitem(CRITERIA, "min_again", again)
    found = judge(records_of(tmp_path / "run", [bracket(attacked=1.0)] * 3), More(min_median=0.1))
    assert [(check.flag, check.passed) for check in found.checks[2:]] == [("min-median", True), ("min-again", False)]
    assert found.checks[3].reason == "the median attack distance is 1, below 2"


def test_a_limit_that_is_not_asked_for_is_not_judged(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket()] * 3)
    assert [check.flag for check in judge(run, Limits()).checks] == ["finished", "max-failed"]
    zero = replace(Limits(), min_certified=0.0)
    assert [check.flag for check in judge(run, zero).checks] == ["finished", "max-failed", "min-certified"]
    assert demands.Limits().of("min_certified") is None and zero.of("min_certified") == 0.0
