"""The auditor's page: what was proved, estimated and witnessed, what is not shown, and no claim of conformity."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from clearance.cli.report import as_document
from clearance.data.scale_names import UNIT_NAMES
from clearance.report.answer import answers
from clearance.report.auditor import article_accounts, method_accounts, outcome_table, status_table
from clearance.report.auditor_limits import LIMITS, feature_table
from clearance.report.auditor_page import render_auditor
from clearance.report.demands import Limits
from clearance.report.gate import judge
from clearance.report.median_table import median_table
from clearance.report.page import auditor_file, write_report
from clearance.report.read import read_records
from clearance.report.security_tables import remarks, shares_table
from clearance.runs.origin import Origin
from clearance.runs.threat import Feature, ThreatModel
from made_runs import CONTRADICTION, HOSTILE, MASKED, WRONG, Answer, bracket, records_of, run_of

ANSWERS: list[Answer] = [*(bracket(0.1 * k, 0.2 * k, 0.3 * k) for k in range(1, 9)), MASKED, WRONG, bracket(0.0), None]


def text_of(page: str) -> str:
    body = re.sub(r"<(style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return render_auditor(records_of(tmp_path_factory.mktemp("auditor") / "run", ANSWERS), [0.3, 0.5])


def test_nothing_on_it_asks_to_be_pressed(page: str):
    assert "zero_gradient" in page and "<button" not in page and "<script" not in page


def test_the_three_outcomes_add_up_to_all_inputs(tmp_path: Path):
    found = outcome_table(records_of(tmp_path / "run", ANSWERS), [0.3, 0.5])
    kinds = ("proof", "counterexample", "inconclusive", "misclassified", "not measured")
    assert found.columns == ("norm", "radius", *kinds, "robust accuracy, 95 %")
    assert found.note.startswith("Radii in input units. ")
    assert [row[1:7] for row in found.rows] == [
        ("0.3", "6 of 12", "1 of 12", "3 of 12", "1 of 12", "1 of 12"),
        ("0.5", "4 of 12", "1 of 12", "5 of 12", "1 of 12", "1 of 12"),
    ]
    whole = outcome_table(records_of(tmp_path / "whole", [bracket()]), [0.3])
    assert "not measured" not in whole.columns


def test_methods_are_told_apart_and_count_what_may_be_read(tmp_path: Path):
    spoiled = bracket(2.0, 0.5, 1.0, status="refuted", flags=[CONTRADICTION])
    kinds = {one.kind: one for one in method_accounts(records_of(tmp_path / "run", [*ANSWERS, spoiled]))}
    assert list(kinds) == ["Formal methods", "Statistical methods", "Empirical methods", "Audit of the above"]
    assert kinds["Formal methods"].outcome == "A radius above 0 is proved in 9 of 11 brackets."
    assert "linear (complete; 9)" in kinds["Formal methods"].here
    assert kinds["Statistical methods"].outcome == "9 of 11 brackets have an estimate that may be read."
    assert kinds["Empirical methods"].outcome == "A counterexample is known in 11 of 11 brackets."
    assert kinds["Audit of the above"].outcome.startswith("A warning, an error or a refuted estimate in 2 of 11")
    none = method_accounts(records_of(tmp_path / "none", [bracket(None)], certificate="none"))
    assert none[0].here == "No proof was asked for in this run." and none[0].outcome == "–"


def test_article_15_says_what_is_shown_and_what_is_not(tmp_path: Path):
    found = article_accounts(records_of(tmp_path / "run", ANSWERS))
    assert [one.subject.split(" ")[0] for one in found] == ["Accuracy", "Robustness", "Cybersecurity"]
    assert "Accuracy on 11 inputs: 10 of 11 (90.9 %)" in found[0].shown
    assert found[1].shown.endswith(
        "of 10 inputs nothing is proved for all of them, and the nearest witness lies at 0.300."
    )
    assert "poisoning" in found[2].not_shown and all(one.not_shown for one in found)
    empty = article_accounts(records_of(tmp_path / "none", [None]))
    assert empty[0].shown.startswith("Nothing") and empty[1].shown.startswith("Nothing")


def test_accuracy_of_so_many_of_each_class_is_no_share_of_a_population(tmp_path: Path):
    drawn = records_of(tmp_path / "drawn", [bracket()] * 2)
    assert article_accounts(drawn)[0].shown.endswith("(Clopper and Pearson), if they were drawn at random.")
    flags = ("--per-class", "1", "--label", "y")
    balanced = records_of(tmp_path / "balanced", [bracket()] * 2, origin=Origin(started="2026", flags=flags))
    assert "They were not: 1 of each class were taken" in article_accounts(balanced)[0].shown


def test_inputs_that_were_passed_over_are_said_and_accuracy_is_not_measured(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket()] * 2, passed_over=1)
    said = "2 correctly classified inputs, chosen; 1 misclassified passed over"
    page, accuracy = text_of(render_auditor(run)), article_accounts(run)[0].shown
    assert page.count(said) >= 3 and "classifies 2 of 2" not in page
    assert accuracy == f"Not measured by this run: {said}."
    assert remarks(run)[0].startswith(said) and shares_table([run], [0.5]).rows[0][1] == "0.5"
    assert any(note.startswith(said) for note in judge(run, Limits(min_certified=0.01)).notes)
    assert as_document(run, [0.5])["passed_over"] == 1
    plain = records_of(tmp_path / "plain", [bracket()] * 2)
    assert plain.plan.id != run.plan.id and [task.key for task in plain.plan.tasks()] == [
        task.key for task in run.plan.tasks()
    ]


def test_an_estimate_below_a_proof_is_in_no_median(tmp_path: Path):
    below = bracket(0.4, 0.4, 1.0, flags=[("below_certificate", "info")])
    run = records_of(tmp_path / "run", [below, below, bracket(0.1, 0.5, 1.0)])
    assert median_table(run).rows[0][-2:] == ("below proof (2 of 3)", "1.00")
    statistical = method_accounts(run)[1]
    assert statistical.outcome.endswith(
        "that may be read; 2 of these lie below what is proved and add nothing, so that 1 counts."
    )
    half = records_of(tmp_path / "half", [below, bracket(0.1, 0.5, 1.0)])
    assert median_table(half).rows[0][-2:] == ("0.500 (1 of 2)", "1.00")
    over = (
        "estimated 0.500 (no bound; over the 1 of 2 that are above what is proved, which have certified 0.100 and "
        "attacked 1.00)"
    )
    assert over in answers(half)[0].text
    alone = records_of(tmp_path / "alone", [below])
    assert (
        median_table(alone).rows[0][-2] == "below proof (1 of 1)" and "no estimate is above" in answers(alone)[0].text
    )


def test_nothing_is_witnessed_where_it_is_proved_that_there_is_no_witness(tmp_path: Path):
    none = bracket("inf", 5.0, None)
    run = records_of(tmp_path / "run", [none, none, bracket()])
    assert median_table(run).rows[0][-1] == "none exists (2 of 3 proved, 1 with a witness)"
    some = records_of(tmp_path / "some", [none, bracket(), bracket()])
    assert median_table(some).rows[0][-1] == "1.00 (2 of 3, 1 proved to have none)"
    page = render_auditor(run)
    assert "witnessed" not in page.split("Medians over")[1].split("</table>")[0]


def test_the_default_estimate_is_described_as_it_is(tmp_path: Path):
    """docs/estimate.md: a profile found by search, whose interval is about a longer search and about no fit."""
    told = method_accounts(records_of(tmp_path / "none", [MASKED]))[1]
    assert "Lipschitz profile" in told.here and "extreme" not in told.here
    assert "93 to 95 of 100" in told.means and "fit" not in told.means
    assert told.not_means.endswith("no confidence interval for the true distance.")
    ball = method_accounts(records_of(tmp_path / "ball", [bracket()]))[1]
    assert "one ball" in ball.here and "error of the fit" in ball.means and "profile" not in ball.here


def test_features_their_units_and_what_is_fixed_are_listed(tmp_path: Path):
    features = (
        Feature(name="age", unit=11.5, low=18.0, high=99.0, moves=True, whole=True),
        Feature(name="married", unit=1.0, low=0.0, high=1.0, moves=False, whole=True),
        *(Feature(name=name, unit=2.5, low=0.0, high=9.0, moves=True, whole=False) for name in ("income", "debt")),
    )
    threat = ThreatModel(
        norms=(2.0,),
        targets=("untargeted",),
        bounds=(0.0, 99.0),
        space="ab",
        unit=UNIT_NAMES["std"],
        fixed=1,
        features=features,
    )
    run = records_of(tmp_path / "run", [bracket()], threat=threat)
    assert feature_table(run).rows[0] == ("age", "11.5", "18", "99", "yes", "whole")
    assert (
        feature_table(run).rows[1][1:5] == ("–", "0", "1", "no, fixed")
        and "of this run (digits;" in feature_table(run).note
    )
    text = text_of(render_auditor(run))
    assert text.count("changes of the fixed features (married)") == 2 and "(age) move as real numbers" in text
    assert text.count("standard deviations of each feature") >= 6 and "1 coordinate cannot" in text


def test_statuses_are_counted_with_what_they_mean(tmp_path: Path):
    rows = status_table(records_of(tmp_path / "run", ANSWERS)).rows
    assert [(row[0], row[2]) for row in rows] == [("ok", "9"), ("masked", "1"), ("misclassified", "1")]


def test_the_page_states_its_limits_and_claims_nothing(page: str):
    text = text_of(page)
    assert all(" ".join(limit.split()) in text for limit in LIMITS)
    for words in ("no declaration of conformity", "ISO/IEC TR 24029-1:2021", "ISO/IEC 24029-2:2023", "2024/1689"):
        assert words in text
    claims = re.findall(r"[^.]*\b(?:conform|compl(?:y|ies|iant)|fulfil|certif(?:y|ies) that)\w*[^.]*\.", text)
    assert claims and all(re.search(r"\b(?:no|not)\b", claim) for claim in claims), claims
    assert "The audit sees signs of hidden gradients in 1 of 10 brackets" in text
    headings = [int(number) for number in re.findall(r"<h2[^>]*>(\d)\.", page)]
    assert headings == list(range(1, 9))


def test_the_page_has_no_script_and_its_drawings_share_no_id(page: str):
    assert "<script" not in page and "default-src 'none'" in page and "script-src" not in page
    assert page.count("<svg") == 2
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_a_run_without_robust_accuracy_or_results_says_so(tmp_path: Path):
    chosen = render_auditor(records_of(tmp_path / "chosen", [bracket()], targets=(1,)))
    assert "chosen classes only (target 1)" in text_of(chosen)
    nothing = text_of(render_auditor(records_of(tmp_path / "nothing", ["ValueError: broken", None])))
    assert "No task has succeeded" in nothing and "ValueError: broken" in nothing and "nothing was audited" in nothing


def test_names_are_text(tmp_path: Path):
    page = render_auditor(records_of(tmp_path / "run", [bracket(flags=[("a<b>", "warning")])], model=HOSTILE))
    assert "<script" not in page and "a&lt;b&gt;" in page and "<b>" not in page


def test_report_and_auditor_find_each_other(tmp_path: Path):
    folder = run_of(tmp_path / "run", ANSWERS)
    report = write_report(folder)
    assert auditor_file(report) == folder / "auditor.html" and 'href="auditor.html"' in report.read_text()
    assert 'href="report.html"' in (folder / "auditor.html").read_text()
    other = write_report(folder, tmp_path / "a page #1.html")
    assert 'href="a%20page%20%231-auditor.html"' in other.read_text()
    assert (tmp_path / "a page #1-auditor.html").exists()
    assert render_auditor(read_records(folder)).count('href="#') == 1  # without a report beside it there is no link
