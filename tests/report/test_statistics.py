"""Averages, shares, gaps and refits against numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clearance.estimates.extremes import fit_reverse_weibull
from clearance.estimates.status import Status
from clearance.report import statistics
from clearance.report.read import read_records
from clearance.report.records import Entry, Fit
from report_runs import make_flag, make_plan, make_result, write_run


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    """One bracket of which the tests make others."""
    folder = write_run(tmp_path_factory.mktemp("one") / "run", make_plan(1))
    return read_records(folder).entries[0]


def test_averages_are_over_inputs_that_have_both_numbers(entry: Entry):
    entries = [
        replace(entry, certified=0.1, estimated=0.2, attacked=0.5),
        replace(entry, certified=0.3, estimated=0.4, attacked=0.9),
        replace(entry, certified=0.9, estimated=None, attacked=0.7, status=Status.REFUTED),
        replace(entry, certified=0.9, estimated=0.8, attacked=None),
        replace(entry, certified=None, estimated=None, attacked=None, status=Status.MISCLASSIFIED),
    ]
    (found,) = statistics.averages(entries)
    assert (found.inputs, found.paired) == (4, 2)
    assert (found.certified, found.estimated, found.attacked) == pytest.approx((0.2, 0.3, 0.7))
    (nothing,) = statistics.averages(entries[4:])
    assert (nothing.inputs, nothing.paired, nothing.estimated) == (0, 0, None)


def test_groups_are_kept_apart(entry: Entry):
    entries = [entry, replace(entry, norm=math.inf), replace(entry, target="3"), replace(entry, order=2), entry]
    assert [len(members) for members in statistics.grouped(entries).values()] == [2, 1, 1, 1]


def test_doubts_are_shares_of_correct_inputs(entry: Entry, tmp_path: Path):
    flags = {0: (make_flag("refuted", radius=1.0, witness_distance=0.8),), 1: (make_flag(share=1.0),)}
    kinds = {0: "refuted", 1: "masked", 2: "misclassified"}
    run = write_run(
        tmp_path / "run",
        make_plan(5),
        lambda task: make_result(task, status=kinds.get(task.index, "ok"), flags=flags.get(task.index, ())),
    )
    (found,) = statistics.doubts(read_records(run).entries)
    assert (found.inputs, found.exceeded, found.refuted, found.masked, found.flagged) == (4, 0.25, 0.25, 0.25, 0.5)
    (none,) = statistics.doubts([replace(entry, status=Status.MISCLASSIFIED)])
    assert none.exceeded is none.refuted is None


def test_gaps_start_at_the_share_without_an_estimate(entry: Entry):
    entries = [
        replace(entry, estimated=0.2, attacked=0.5),
        replace(entry, estimated=0.4, attacked=0.5),
        replace(entry, estimated=None, attacked=0.7, status=Status.REFUTED),
        replace(entry, estimated=0.2, attacked=None),  # no witness: no gap
        replace(entry, estimated=0.2, attacked=0.6),
    ]
    steps = statistics.gaps(entries)
    assert [step.gap for step in steps] == pytest.approx([0, 0.1, 0.3, 0.4])
    assert [step.share for step in steps] == [0.25, 0.5, 0.75, 1]
    assert statistics.gaps(entries[2:4]) == []


def test_an_estimate_above_its_witness_has_a_negative_gap(entry: Entry):
    first, second = statistics.gaps([replace(entry, estimated=0.6, attacked=0.5)])
    assert first.gap == second.gap == pytest.approx(-0.1) and (first.share, second.share) == (0, 1)


def test_equal_maxima_have_no_fit_to_judge(entry: Entry):
    def fitted(p_value: float, scale: float = 1.0) -> Entry:
        return replace(entry, fit=Fit(1.0, scale, 2.0, 0.1, p_value, "ok"))

    entries = [fitted(0.04), fitted(0.06), fitted(0.9), fitted(0.5), fitted(1.0, scale=0.0), replace(entry, fit=None)]
    (found,) = statistics.fit_shares(entries)
    assert (found.fits, found.share) == (4, 0.75)
    (none,) = statistics.fit_shares(entries[4:])
    assert (none.fits, none.share) == (0, None)


def test_refits_use_the_first_blocks(entry: Entry):
    maxima = 10 - np.random.default_rng(1).exponential(size=16) ** 0.5
    entries = [
        replace(entry, maxima=maxima, margin=5.0, ball_radius=2.0, estimated=0.5, attacked=0.8),
        replace(entry, maxima=maxima[::-1], margin=15.0, ball_radius=1.25, estimated=0.5, attacked=1.0),
        replace(entry, maxima=maxima, estimated=None, status=Status.MASKED),
        replace(entry, maxima=maxima, sampler="uniform"),
    ]
    found = statistics.refits(entries)
    assert [step.blocks for step in found] == [4, 8, 16] and {step.inputs for step in found} == {2}
    for step in found:
        ends = [float(fit_reverse_weibull(values[: step.blocks]).location) for values in (maxima, maxima[::-1])]
        expected = (5 / ends[0] + min(15 / ends[1], 1.25)) / 2
        assert step.estimated == pytest.approx(expected) and step.attacked == pytest.approx(0.9)


def test_refits_at_second_order(entry: Entry):
    """Constant curvature `a`, gradient norm `b`: `g - b r - a r² / 2 = 0`, whose root is the radius."""
    curved = replace(
        entry, order=2, maxima=np.full(8, 3.0), gradient_norm=2.0, margin=5.0, ball_radius=9.0, lipschitz=None
    )
    (four, eight) = statistics.refits([curved])
    root = np.roots([-1.5, -2.0, 5.0]).max()
    assert four.estimated == eight.estimated == pytest.approx(root)
    flat = replace(curved, maxima=np.zeros(4), gradient_norm=2.0)
    assert statistics.refits([flat])[0].estimated == pytest.approx(2.5)


def test_no_gradient_means_the_whole_ball(entry: Entry):
    (found,) = statistics.refits([replace(entry, maxima=np.zeros(4), margin=5.0, ball_radius=2.0)])
    assert found.estimated == 2.0
