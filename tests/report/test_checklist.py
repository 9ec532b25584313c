"""The checklist of a claim: an item is met only where the run shows it, and each can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearance.attacks.table import ATTACKS
from clearance.audit import CHECKS
from clearance.report.checklist import (
    BLIND_CHECKS,
    FORWARD_CHECK,
    GRADIENTS_CHECK,
    GUIDELINES,
    RANDOM_FLAG,
    STAND_IN,
    ChecklistItem,
    Met,
    checklist,
)
from clearance.report.page import render_report
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from clearance.runs.plan import Answers
from made_runs import WRONG, Answer, bracket, records_of, run_of

SAME = Answers(keys=("a", "b"), logits=((1.0, 0.0), (0.0, 1.0)), calls=2, spread=0.0)
MEASURED = {"path_integral": 0.01, "blind_wins": 1.2, "reference_wins": 1.3}


def good(**changes: Any) -> dict[str, Any]:
    """A bracket with everything that the checklist looks for."""
    found = bracket(0.1, 0.2, 0.3)
    found["attacked"]["distances"] = {"deep_ddn": 0.4, "ddn": 0.3, "apgd": None, "square": 0.9}
    found["audit"] = {**found["audit"], "measured": MEASURED}
    return found | changes


def flagged(code: str, severity: str, remedy: str) -> dict[str, Any]:
    flag = {"code": code, "severity": severity, "meaning": code, "evidence": {}, "remedy": remedy}
    return good(audit={**good()["audit"], "worst": severity, "flags": [flag]})


def answered(run: RunRecords, answers: Answers | None = SAME, **model: Any) -> RunRecords:
    spec = run.plan.model.model_copy(update={"answers": answers, **model})
    return replace(run, plan=run.plan.model_copy(update={"model": spec}))


def made(folder: Path, answers: list[Answer], **changes: Any) -> RunRecords:
    return answered(records_of(folder / "run", answers, **changes))


NAMES = {
    "Concrete and reproducible claims": ("threat", "access", "claim", "finished", "repeat", "published"),
    "Attacks aimed at this very defence": ("gradient", "other", "own", "random", "audit", "adaptive", "settled"),
}
"""A short name for each item, in order."""


def items(run: RunRecords, radii: tuple[float, ...] = ()) -> dict[str, ChecklistItem]:
    """The items by their short names."""
    found = checklist(run, radii)
    pairs = [zip(NAMES[guideline], members, strict=True) for guideline, members in found.items()]
    return {name: item for pair in pairs for name, item in pair}


def test_a_whole_run_earns_what_it_shows_and_no_more(tmp_path: Path):
    weights = "/opt/clearance/zoo/weights/net.safetensors"
    run = answered(made(tmp_path, [good()] * 3 + [WRONG]), weights=weights)
    found = items(run, (0.1, 0.3))
    assert {name for name, item in found.items() if item.met is not Met.YES} == {"adaptive"}
    assert found["adaptive"].met is Met.UNKNOWN
    assert "radius 0.1: at most 3 of 4 (75 %) robust, at least 3 of 4 (75 %)" in found["claim"].evidence
    said = found["repeat"].evidence
    assert (
        run.plan.id[:12] in said and "seed 0" in said and "code c0de" in said and "clearance bracket net digits" in said
    )
    assert found["gradient"].evidence == "in 3 of 3 brackets: apgd, ddn; budget quick"
    assert found["other"].evidence.startswith("in 3 of 3 brackets: square, the audit's attack without gradients")


def test_without_a_radius_there_is_no_claim_and_nothing_is_settled(tmp_path: Path):
    found = items(made(tmp_path, [good()] * 2))
    assert found["claim"].met is found["settled"].met is Met.UNKNOWN and "--at" in found["claim"].evidence


def test_what_lies_between_proof_and_witness_remains_open(tmp_path: Path):
    found = items(made(tmp_path, [good(), good(), bracket(0.0, 0.2, None), WRONG]), (0.2, 0.4))
    assert found["settled"].met is Met.NO
    assert found["settled"].evidence == (
        "neither proved nor broken: l2, radius 0.2: 3 of 4 inputs; l2, radius 0.4: 1 of 4 inputs"
    )


def test_chosen_targets_are_no_claim_of_robust_accuracy(tmp_path: Path):
    run = replace(made(tmp_path, [good()] * 2, targets=("runner-up",)), classes=3)
    found = items(run, (0.1,))
    assert found["claim"].met is Met.NO and "chosen classes" in found["claim"].evidence
    assert found["settled"].met is Met.UNKNOWN and found["threat"].met is Met.YES


@pytest.mark.parametrize(
    ("answer", "said"), [(None, "2 of 3 tasks finished"), ("X: y", "3 of 3 tasks finished, 1 of them failed")]
)
def test_unfinished_and_failed_tasks_are_not_evaluated(tmp_path: Path, answer: Answer, said: str):
    found = items(made(tmp_path, [good(), good(), answer]))
    assert found["finished"].met is Met.NO and said in found["finished"].evidence


def test_a_random_network_cannot_be_repeated_and_owes_eot(tmp_path: Path):
    run = made(tmp_path, [good()] * 2)
    unsteady = answered(run, SAME.model_copy(update={"calls": 16, "spread": 0.2}))
    for name in ("repeat", "random"):
        assert items(unsteady)[name].met is Met.NO and "differ from call to call" in items(unsteady)[name].evidence
        assert items(answered(run, None))[name].met is Met.UNKNOWN
    asked = good(audit={**good()["audit"], "measured": {**MEASURED, FORWARD_CHECK: 0.001}})
    found = items(answered(made(tmp_path / "asked", [asked] * 2), None))  # in memory: no plan asked, the audit did
    assert found["random"].met is Met.YES and found["random"].evidence.endswith("the same answer (2 brackets)")
    raised = made(tmp_path / "flag", [flagged("random", "warning", "average: clearance.eot(model, samples)"), good()])
    assert items(raised)["random"].met is Met.NO and "clearance.eot" in items(raised)["random"].evidence


def test_published_is_what_comes_with_the_package_and_else_not_known(tmp_path: Path):
    assert items(answered(made(tmp_path, [good()]), weights="/home/net.safetensors"))["published"].met is Met.UNKNOWN


def test_attacks_count_where_they_were_carried_out(tmp_path: Path):
    """Cut off from its input a network has no attack along gradients; older results do not say what was carried out."""
    cut = good(attacked={**good()["attacked"], "distance": None, "success": False, "distances": {}})
    found = items(made(tmp_path, [good(), {**cut, "witness_logits": []}]))
    assert found["gradient"].met is Met.NO and found["gradient"].evidence.startswith("in 1 of 2 brackets")
    assert found["other"].met is Met.YES
    silent = bracket()
    del silent["attacked"]["distances"]
    found = items(made(tmp_path / "silent", [silent] * 2))
    assert found["gradient"].met is found["other"].met is found["own"].met is Met.UNKNOWN
    found = items(made(tmp_path / "wrong", [WRONG] * 2))
    assert {found[name].met for name in ("gradient", "other", "own", "audit")} == {Met.UNKNOWN}
    blind = good(audit={**good()["audit"], "measured": {"path_integral": 0.0}})
    blind["attacked"]["distances"] = {"ddn": 0.3}
    assert items(made(tmp_path / "blind", [blind] * 2))["other"].met is Met.NO


def test_gradients_of_another_function_owe_bpda_and_earn_no_tick_for_attacks_along_them(tmp_path: Path):
    masked = flagged("zero_gradient", "error", CHECKS["zero_gradient"].remedy)
    found = items(made(tmp_path, [masked, good()]))
    assert found["own"].met is found["gradient"].met is found["audit"].met is Met.NO
    assert "zero_gradient (1 bracket)" in found["own"].evidence and "clearance.bpda" in found["own"].evidence
    assert found["audit"].evidence.endswith("(of 2): zero_gradient 1")
    noted = flagged("locally_constant", "info", CHECKS["locally_constant"].remedy)
    calm = items(made(tmp_path / "calm", [noted, good()]))
    assert calm["own"].met is calm["gradient"].met is calm["audit"].met is Met.YES
    assert "noted without doubt: locally_constant" in calm["own"].evidence


def test_the_checklist_names_checks_and_attacks_that_there_are():
    assert {*BLIND_CHECKS, RANDOM_FLAG, FORWARD_CHECK, GRADIENTS_CHECK} <= set(CHECKS)
    assert sum(STAND_IN in check.remedy for check in CHECKS.values()) >= 5
    assert [name for name, line in ATTACKS.items() if not line.backwards] == ["square", "box_points"]
    assert len(GUIDELINES) == 2


def test_the_page_shows_every_item_with_its_word(tmp_path: Path):
    folder = run_of(tmp_path / "run", [good()] * 2)
    page = render_report(answered(read_records(folder)), [0.2])
    for members in checklist(answered(read_records(folder)), [0.2]).values():
        for item in members:
            assert f">{item.met.value}</span>" in page and f"<strong>{item.demand}</strong>" in page
