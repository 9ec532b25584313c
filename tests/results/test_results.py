"""The list that every call returns: a list like any other, which summarises, tabulates, shows and reports itself."""

from __future__ import annotations

import copy
import math
import pickle
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import clearance as cl
from clearance.errors import InputError
from clearance.records import write_number
from clearance.report.read import read_records
from clearance.results.pages import as_run
from command_line import run_command
from result_cases import DISTANCES, KINDS, LABELS, X, linear

QUESTION: dict[str, Any] = {"budget": 1500, "certificate": "linear", "time_limit": 2}
EveryKind = Mapping[str, cl.Results[Any]]


def test_it_is_a_list(brackets: cl.Results[cl.Bracket]):
    assert isinstance(brackets, list) and len(brackets) == 4 and brackets == list(brackets)
    assert [one.label for one in brackets] == LABELS and brackets[-1] is brackets[3]
    (first, *others) = brackets
    assert first in brackets and len(others) == 3 and [*brackets, first][4] is first
    assert sorted(brackets, key=lambda one: one.lower)[-1] is brackets[3]


def test_the_same_call_again_is_equal_whatever_time_it_took(model: cl.Classifier, brackets: cl.Results[cl.Bracket]):
    again = cl.bracket(model, X, LABELS, **QUESTION)
    assert again == brackets and again[0].cost.seconds != brackets[0].cost.seconds
    assert replace(again[0].cost, forward=1) != again[0].cost
    assert cl.bracket(model, X, LABELS, **QUESTION | {"seed": 1}) != brackets


def test_a_page_in_no_folder_names_the_page(here: Path, brackets: cl.Results[cl.Bracket]):
    with pytest.raises(cl.FileError, match=r"nope/page\.html: cannot be written"):
        brackets.report(here / "nope" / "page.html")


def test_a_slice_knows_what_was_asked(brackets: cl.Results[cl.Bracket]):
    part = brackets[1:3]
    assert isinstance(part, cl.Results) and part.setup == brackets.setup and len(part) == 2
    assert part.to_dataframe()["input"].tolist() == [1, 2]


def test_batches_of_the_same_question_are_one_list(model: cl.Classifier, brackets: cl.Results[cl.Bracket]):
    first, last = (cl.bracket(model, X[rows], LABELS[rows], **QUESTION) for rows in (slice(0, 2), slice(2, 4)))
    both = first + last
    assert isinstance(both, cl.Results) and both.setup == first.setup and len(first) == 2
    assert [one.attacked.distance for one in both] == [one.attacked.distance for one in brackets]
    assert both.to_dataframe()["input"].tolist() == [0, 1, 2, 3] and last.to_dataframe()["input"].tolist() == [0, 1]
    assert sum([first, last]) == both and sum([first, last]).setup == both.setup
    first += last
    assert isinstance(first, cl.Results) and first.summary().inputs == 4
    with pytest.raises(InputError, match="expected other inputs to join, got 2 that are there already, the first"):
        first += last
    assert len(first) == 4
    assert type(first + list(last)) is list and first[:0] + last == last


@pytest.mark.parametrize(
    ("choice", "difference"),
    [
        ({"budget": "quick"}, "parameters budget=1500 and budget=quick"),
        ({"norm": "inf"}, "norm l2 and linf"),
        ({"seed": 1}, "seed 0 and 1"),
    ],
)
def test_another_question_does_not_join(model: cl.Classifier, choice: dict[str, Any], difference: str):
    first = cl.bracket(model, X[:1], LABELS[:1], **QUESTION)
    other = cl.bracket(model, X[1:2], LABELS[1:2], **QUESTION | choice)
    for join in (lambda: first + other, lambda: first.extend(other)):
        with pytest.raises(InputError, match=f"expected those of the same question to join, got others: {difference}"):
            join()
    assert len(first) == 1


@pytest.mark.parametrize("call", [cl.attack, cl.bracket])
def test_another_network_of_the_same_kind_does_not_join(call: Any):
    networks = [torch.nn.Linear(2, 2).requires_grad_(False) for _ in range(2)]
    networks[1].weight *= -1
    first, other = (call(cl.Classifier(network, bounds=(0, 1)), X[:1], budget="quick") for network in networks)
    with pytest.raises(InputError, match="model Linear"):
        first += other
    with pytest.raises(InputError, match="call attack and certify"):
        _ = cl.attack(cl.Classifier(networks[0]), X[:1]) + cl.certify(cl.Classifier(networks[0]), X[:1])


def test_first_witnesses_within_a_radius_have_no_median(model: cl.Classifier):
    """Each input is done at its first one: that distance is the radius, or less."""
    within, nearest = (cl.attack(model, X, LABELS, budget="quick", **asked) for asked in ({"radius": 3.0}, {}))
    assert within.summary().witnesses == 3 and within.summary().attacked is None and "median" not in repr(within)
    assert nearest.summary().attacked == sorted(one.distance for one in nearest if one.success)[1]


@pytest.mark.parametrize(
    ("call", "hint"), [(cl.attack, "cl.robust_accuracy"), (cl.clever, "got those of clever; .* of brackets$")]
)
def test_what_is_made_of_brackets_says_so(model: cl.Classifier, call: Any, hint: str):
    results = call(model, X[:1], LABELS[:1], budget="quick")
    for use in (
        lambda: results.robust_accuracy(0.1),
        lambda: results.report("page.html"),
        lambda: cl.compare({"a": results, "b": results}),
    ):
        with pytest.raises(InputError, match=f"expected at least one of cl.bracket.*{hint}"):
            use()


def test_a_page_names_the_features_of_a_table(here: Path):
    model = cl.Classifier(linear(), bounds=(0, 4), scale=torch.tensor([1.0, 0.5]), fixed=torch.tensor([False, True]))
    results = cl.bracket(model, X[:1], budget="quick")
    for names, shown in (((), ["feature 0", "feature 1"]), (["income", "age"], ["income", "age"])):
        results.report(here / "page.html", features=names)
        page = (here / "page-auditor.html").read_text()
        assert all(f">{name}<" in page for name in shown) and "scale) is so much of each" in page
    for wrong in (["income"], ["income", "income"], "ab", [1, 2]):
        with pytest.raises(InputError, match=r"^features: expected"):
            results.report(here / "page.html", features=wrong)
    pictures = cl.bracket(cl.Classifier(torch.nn.Sequential(torch.nn.Flatten(), linear())), X[:1, None], budget="quick")
    with pytest.raises(InputError, match=r"^features: expected none"):
        pictures.report(here / "page.html", features=["a", "b"])


def test_records_keep_their_input_whatever_their_order(brackets: cl.Results[cl.Bracket]):
    turned = cl.Results(reversed(brackets), brackets.setup)
    assert turned.to_dataframe()["input"].tolist() == [3, 2, 1, 0]
    found = turned.summary()
    assert replace(found, cost=brackets.summary().cost) == brackets.summary()  # seconds are added in another order


@pytest.mark.parametrize("travel", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_it_travels(brackets: cl.Results[cl.Bracket], travel: Any):
    there = travel(brackets)
    assert type(there) is cl.Results and there == brackets and there.setup.norm == 2.0
    assert there[1].given == brackets[1].given


@pytest.mark.parametrize("kind", KINDS)
def test_every_repr_is_short_and_shows_no_tensor(every_kind: EveryKind, kind: str):
    results = every_kind[kind]
    for shown in (repr(results), *map(repr, results)):
        assert len(shown) < 250 and "tensor" not in shown and "\n" not in shown
    assert repr(results).startswith(f"Results({results.setup.call}, Linear (in memory), l2, untargeted: ")


def test_the_summary_of_brackets(brackets: cl.Results[cl.Bracket]):
    found = brackets.summary()
    assert found.inputs == 4 and found.statuses == {"ok": 3, "misclassified": 1}
    assert found.proofs == found.readable == found.witnesses == 3
    assert found.certified == pytest.approx(1.0, rel=1e-4) and found.attacked == pytest.approx(1.0, rel=2e-3)
    assert str(found).startswith("4 inputs (3 ok, 1 misclassified): median certified ")
    assert found.cost.forward == sum(one.cost.forward for one in brackets)
    assert found.as_record()["statuses"] == {"ok": 3, "misclassified": 1}


def test_the_summary_of_each_part(every_kind: EveryKind):
    for kind in ("profile", "ball", "second"):
        found = every_kind[kind].summary()
        assert found.readable == 3 and found.estimated == pytest.approx(1.0, rel=1e-3), kind
    attacks = every_kind["attack"].summary()
    assert attacks.statuses == {"witness": 3, "misclassified": 1} and attacks.attacked == pytest.approx(1.0, rel=2e-3)
    proofs = every_kind["certify"].summary()
    assert proofs.statuses == {"certified": 3, "misclassified": 1} and proofs.certified == pytest.approx(1.0, rel=1e-4)
    assert every_kind["audit"].summary().statuses == {"no flags": 2}


def test_the_frame_of_brackets(brackets: cl.Results[cl.Bracket]):
    frame, whole = brackets.to_dataframe(), brackets.to_dataframe(columns="all")
    shown = ["certified.radius", "estimated.radius", "estimated.interval", "estimated.below_proof", "attacked.distance"]
    about = ["input", "label", "predicted", "norm", "target", "order"]
    assert list(frame) == [*about, *shown, "status", "flags", "cost.forward", "cost.backward", "cost.seconds"]
    assert set(frame) < set(whole) and "logits" in whole
    assert frame["predicted"].tolist() == whole["predicted"].tolist()
    with pytest.raises(InputError, match="columns: expected one of short, all, got 'few'"):
        brackets.to_dataframe("few")  # pyright: ignore[reportArgumentType]
    assert isinstance(frame, pd.DataFrame) and len(frame) == 4
    assert frame["attacked.distance"].dropna().tolist() == pytest.approx(DISTANCES, rel=2e-3)
    assert frame["certified.radius"].dropna().tolist() == pytest.approx(DISTANCES, rel=1e-4)
    assert frame["status"].tolist() == ["ok", "ok", "misclassified", "ok"] and frame["flags"].tolist() == [""] * 4
    assert frame["estimated.radius"].isna().tolist() == [False, False, True, False]


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_has_the_columns_that_it_has_in_a_bracket(every_kind: EveryKind, kind: str):
    frame, whole = (every_kind[one].to_dataframe(columns="all") for one in (kind, "bracket"))
    few = every_kind[kind].to_dataframe()
    assert set(few) <= set(frame) and len(few.columns) < 20
    head = ["input", "label", "norm", "target", "order"]
    assert frame.columns.tolist()[:5] == head and frame["label"].tolist() == LABELS[: len(frame)]
    if kind in ("profile", "certify"):
        assert set(frame.columns) <= set(whole.columns)
    assert not any(frame[name].map(torch.is_tensor).any() for name in frame.columns)


def test_without_pandas_one_line_names_the_extra(brackets: cl.Results[cl.Bracket], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"expected the extra 'pandas', got none; pip install 'clearance\[pandas\]'"):
        brackets.to_dataframe()


@pytest.mark.parametrize("kind", KINDS)
def test_a_notebook_shows_a_table(every_kind: EveryKind, kind: str):
    shown = every_kind[kind]._repr_html_()
    assert shown.count("<tr>") == len(every_kind[kind]) + 1 and "http" not in shown and "<script" not in shown
    assert ("data:image/svg+xml;base64," in shown) == (kind == "bracket")


def test_a_notebook_shows_at_most_twenty_rows_and_says_how_many_more(brackets: cl.Results[cl.Bracket]):
    shown = cl.Results([*brackets] * 6, brackets.setup)._repr_html_()
    assert shown.count("<tr>") == 21 and "and 4 more" in shown
    assert "<table>" not in cl.Results([], brackets.setup)._repr_html_()


def test_a_target_for_each_input_is_one_question(model: cl.Classifier):
    found = cl.bracket(model, X[:2], LABELS[:2], target=torch.tensor([1, 1]), budget=1500, certificate="linear")
    assert not found.summary().groups and "l2, one for each input" in repr(found)


def test_a_proof_in_the_place_of_an_estimate_or_of_a_witness_is_said(brackets: cl.Results[cl.Bracket]):
    flag = cl.Flag("below_certificate", cl.Severity.INFO, {}, "")
    below = [replace(one, audit=replace(one.audit, flags=(flag,))) for one in brackets]
    found = cl.Results(below, brackets.setup)
    assert repr(found[0]).count("estimate below proof") == 1 and found.html().count("<td>below proof</td>") == 3
    assert found.summary().estimated is None and "more is proved than estimated on 3" in repr(found)
    none = [_without_witness(one) for one in brackets]
    found = cl.Results(none, brackets.setup)
    assert "no witness exists" in repr(found[0]) and found.html().count("<td>none exists</td>") == 3
    assert found.summary().absent == 3 and not found.summary().witnesses
    assert "no adversarial example exists on 3" in repr(found) and "attacked" not in repr(found)


def _without_witness(one: cl.Bracket) -> cl.Bracket:
    if one.certified is None or not one.status.measured:
        return one
    attacked = replace(one.attacked, adversarial=None, distance=math.inf, success=False)
    return replace(one, certified=replace(one.certified, radius=math.inf), attacked=attacked)


def test_hostile_names_are_text():
    hostile = type("<script>alert(1)</script>", (torch.nn.Linear,), {})
    network = hostile(2, 2, bias=False)
    with torch.no_grad():
        network.weight.copy_(linear().weight)
    shown = cl.certify(cl.Classifier(network), X, LABELS, method="linear")._repr_html_()
    assert "<script" not in shown and "&lt;script&gt;" in shown


def test_the_page_is_that_of_a_run_of_the_same_inputs(
    brackets: cl.Results[cl.Bracket], model: cl.Classifier, here: Path
):
    page = brackets.report("brackets.html", radii=[0.5])
    text = page.read_text()
    assert "Linear (in memory)" in text and "inputs (in memory)</bdi>, 4 inputs" in text
    assert f"started {brackets.setup.started[:10]}." in (here / "brackets-auditor.html").read_text()
    assert "clearance bracket" not in text.split("<script")[0]  # nothing that no command can do
    choices = {"budget": 1500, "certificate": "linear", "time_limit": 2, "progress": False}
    cl.run(model, (X, LABELS), out="run", **choices)
    again = cl.bracket(model, X, LABELS, references=X, budget=1500, certificate="linear", time_limit=2)
    read, made = read_records("run"), as_run("run", again, again.setup)
    for one, other in zip(read.entries, made.entries, strict=True):
        for name in ("index", "label", "status", "certified", "estimated", "interval", "attacked", "margin", "flags"):
            assert getattr(one, name) == getattr(other, name), name
    assert (
        read.rows[0].attacked == made.rows[0].attacked and read.plan.model.weights_hash == made.plan.model.weights_hash
    )


def test_a_page_calls_what_was_made_in_memory_by_the_names_given(brackets: cl.Results[cl.Bracket], here: Path):
    page = brackets.report(here / "page.html", name="scorer 2", data="held-out").read_text()
    assert "scorer 2" in page and "held-out" in page and "Linear (in memory)" not in page
    assert "Linear (in memory)" in brackets.report(here / "page.html").read_text()


def test_a_page_of_what_is_in_memory_names_no_flag_for_more_inputs(brackets: cl.Results[cl.Bracket], here: Path):
    cl.Results(brackets[2:], brackets.setup).report(here / "page.html")
    page = (here / "page.html").read_text()
    assert "Take more inputs" in page and "--indices" not in page.split("<script")[0]


@pytest.mark.parametrize("radii", ["8/255", 0.1, ["8/255"], [-1.0], [float("nan")], [True]])
def test_radii_of_a_page_are_numbers(brackets: cl.Results[cl.Bracket], here: Path, radii: Any):
    with pytest.raises(InputError, match=r"radi(i|us): expected a (list of numbers|number) >= 0"):
        brackets.report("x.html", radii=radii)
    assert not list(here.iterdir())


def test_only_brackets_have_a_page(every_kind: EveryKind, here: Path):
    for kind in ("attack", "audit"):
        with pytest.raises(InputError, match=r"results: expected at least one of cl\.bracket, got those of"):
            every_kind[kind].report("x.html")
    with pytest.raises(InputError, match="got none"):
        cl.Results([], every_kind["bracket"].setup).report("x.html")
    assert not list(here.iterdir())


def test_a_target_for_each_input_and_misuse(model: cl.Classifier):
    found = cl.attack(model, X[:2], budget=100, target=torch.tensor([1, 1]))
    assert found.setup.target == "one for each input" and found.to_dataframe()["label"].isna().all()
    with pytest.raises(TypeError, match="unexpected keyword argument 'budgt'"):
        cl.attack(model, X, budgt=3)  # pyright: ignore
    with pytest.raises(InputError, match=r"expected a clearance\.Classifier, got Linear"):
        cl.bracket(linear(), X)  # pyright: ignore


def test_the_command_line_prints_the_same_numbers():
    """Both have them from `summarise_results`; one input at a time on the command line changes nothing."""
    model, data = cl.load_model("digits-robust"), cl.load_data("digits", count=3)
    found = cl.attack(model, data.images, data.labels, budget=100).summary()
    said = run_command("attack", "digits-robust", "digits", "--count", "3", "--budget", "100", columns=200).stdout
    said = " ".join(said.split())
    middle = write_number(found.attacked, "attacked")
    assert f"Median attack distance {middle} over {found.witnesses} of 3 inputs" in said
    assert f"{found.statuses['misclassified']} misclassified" in said
    proofs = cl.certify(model, data.images, data.labels, method="crown").summary()
    said = run_command("certify", "digits-robust", "digits", "--count", "3", "--method", "crown", columns=200).stdout
    said = " ".join(said.split())
    assert f"Median certified radius {write_number(proofs.certified, 'certified')} over {proofs.proofs} of 3" in said


def test_robust_accuracy_of_brackets_that_are_there(model: cl.Classifier, brackets: cl.Results[cl.Bracket]):
    """The same standings as the call that attacks at this radius finds, without a pass."""
    for radius in (0.0, 0.1, 0.3, 0.99, 1.01, 3.0):
        called = cl.robust_accuracy(model, X, LABELS, radius, 2, budget="quick")
        assert brackets.robust_accuracy(radius).statuses == called.statuses
    before = model.meter.forward
    found = brackets.robust_accuracy(0.1, level=0.5)
    assert found.norm == 2 and found.proved.level == 0.5 and model.meter.forward == before


def test_robust_accuracy_says_what_is_missing(model: cl.Classifier, every_kind: EveryKind):
    brackets = every_kind["bracket"]
    largest = cl.bracket(model, X, LABELS, norm="linf", budget=1500, certificate="linear", time_limit=2)
    both = cl.Results([*brackets, *largest], brackets.setup)
    assert both.robust_accuracy(0.1, norm="linf").statuses == largest.robust_accuracy(0.1).statuses
    for call, message in (
        (lambda: both.robust_accuracy(0.1), "norm: expected one of l2, linf, got none"),
        (lambda: both.robust_accuracy(0.1, norm=1), "norm: expected one of l2, linf, got l1"),
        (lambda: both.robust_accuracy(-1, norm=2), "radius: expected a number >= 0, such as 8 / 255, got -1"),
        (lambda: every_kind["attack"].robust_accuracy(0.1), "expected at least one of cl.bracket, got those of attack"),
    ):
        with pytest.raises(cl.InputError, match=message):
            call()
