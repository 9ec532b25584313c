"""What a page says first, and that it contradicts nothing that stands below it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clearance.report.answer import accuracy_sentence, answers, cautions, gradients
from clearance.report.next_steps import next_steps
from clearance.report.page import render_report
from clearance.runs.plan import Answers
from made_runs import MASKED, MASKING, REFUTED, WRONG, Answer, bracket, records_of

CALM = "no flag casts doubt"
BELOW = ("below_certificate", "info")


def to_zero(low: float = 0.0) -> dict[str, Any]:
    """A bracket whose interval reaches down to this."""
    found = bracket()
    return {**found, "estimated": {**found["estimated"], "interval": [low, 0.55]}}


@pytest.mark.parametrize(
    ("given", "text", "doubt"),
    [
        (
            [bracket()] * 2,
            "The medians of 2 inputs: certified 0.100 (proved), estimated 0.500 (no bound), attacked 1.00 (witnessed).",
            "",
        ),
        (
            [bracket(None)],
            "The one input: no proof was asked for, estimated 0.500 (no bound), attacked 1.00 (witnessed).",
            "",
        ),
        (
            [bracket(0.0, 0.5, None)],
            "The one input: certified 0 (nothing is proved), estimated 0.500 (no bound), attacked without finding an "
            "adversarial example, which proves nothing.",
            "",
        ),
        (
            [MASKED] * 3,
            "The medians of 3 inputs: certified 0.100 (proved), no estimate may be read, attacked 50.0 (witnessed).",
            "estimates: 100 % masked; a warning or an error on 100 %",
        ),
        (
            [bracket(), bracket(), WRONG, bracket(status="refuted", flags=[REFUTED]), bracket(attacked=None)],
            "The medians of 4 inputs: certified 0.100 (proved), estimated 0.500 (no bound; over the 3 of 4 that "
            "may be read, which have certified 0.100 and attacked 1.00), attacked 1.00 (witnessed for 3 of 4).",
            "estimates: 25 % refuted; a warning or an error on 25 %",
        ),
        (
            [bracket(0.4, 0.4, flags=[BELOW])] * 3 + [bracket(0.1, 0.5)],
            "The medians of 4 inputs: certified 0.400 (proved), no median of estimates: 1 of 4 count (3 are below "
            "what is proved), attacked 1.00 (witnessed).",
            "",
        ),
        (
            [bracket("inf", 5.0, None)] * 2 + [bracket(0.1)],
            "The medians of 3 inputs: certified ∞ (proved: no valid input is adversarial), estimated 5.00 (no bound), "
            "attacked without finding an adversarial example: none exists (proved for 2 of 3; 1 have a witness).",
            "",
        ),
        (
            [bracket("inf", 5.0, None)],
            "The one input: certified ∞ (proved: no valid input is adversarial), estimated 5.00 (no bound), attacked "
            "without finding an adversarial example: none exists (proved).",
            "",
        ),
    ],
)
def test_the_answer_is_made_from_the_numbers(tmp_path: Path, given: list[Answer], text: str, doubt: str):
    (found,) = answers(records_of(tmp_path / "run", given))
    assert (found.about, found.text, found.doubt) == ("l2, untargeted", text, doubt)
    assert found.text.endswith(f": {found.short}.")


def test_each_norm_and_target_has_an_answer_and_each_order_its_name(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket()], norms=(2.0, math.inf), targets=("runner-up", 3), orders=(1, 2))
    found = [one.about for one in answers(run)]
    assert len(set(found)) == 8 and found[0] == "l2, runner-up, order 1" and "linf, 3, order 2" in found
    assert answers(records_of(tmp_path / "wrong", [WRONG])) == []


def test_accuracy_counts_inputs_and_not_brackets(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket(), WRONG, bracket()], norms=(2.0, math.inf))
    assert accuracy_sentence(run) == "net classifies 2 of 3 inputs correctly."
    assert accuracy_sentence(records_of(tmp_path / "none", [None])) == ""


@pytest.mark.parametrize(
    ("proofs", "said"),
    [
        ((0.9, 0.82), "may be too large, by their proofs at most 1.22 times."),
        ((0.9, 0.0), "may be far too large."),
        ((0.9, None), "may be far too large."),
        ((0.09, 0.9), "may be far too large."),
        (("inf", 0.9), "may be too large, by their proofs at most 1.12 times."),
        (("inf", "inf"), "while it is proved that no adversarial example of theirs exists."),
    ],
)
def test_a_proof_limits_how_far_off_a_doubted_distance_is(tmp_path: Path, proofs: Any, said: str):
    masked = {"status": "masked", "flags": [("saturated", "warning")]}
    given = [bracket(proof, None, None if proof == "inf" else 1.0, **masked) for proof in proofs]
    assert gradients([records_of(tmp_path / "run", given)]).text.endswith(said)


def test_signs_of_hidden_gradients_are_said_with_their_flags(tmp_path: Path):
    clean, masked = (records_of(tmp_path / name, [one] * 2) for name, one in (("clean", bracket()), ("mask", MASKED)))
    found = gradients([masked])
    assert found.doubted and found.text.startswith(
        "The audit sees signs of hidden gradients in 2 of 2 brackets (zero_g"
    )
    assert gradients([clean]).text == "The audit found no sign of hidden gradients." and not gradients([clean]).doubted
    both = gradients([clean, masked]).text
    assert "2 of 2 brackets of mask (zero_gradient)" in both and "no sign of hidden gradients in clean." in both
    other = records_of(tmp_path / "other", [bracket()])
    assert gradients([clean, other]).text == "The audit found no sign of hidden gradients in either."
    third = records_of(tmp_path / "third", [bracket()])
    assert gradients([clean, other, third]).text.endswith(" in any of the 3 runs.")
    assert not gradients([records_of(tmp_path / "wrong", [WRONG])]).audited


def test_an_estimate_that_steps_refute_is_said_without_a_warning(tmp_path: Path):
    """`refuted` as a remark: then no flag casts doubt, and the page says neither that one does nor that all is well."""
    run = records_of(tmp_path / "run", [bracket(status="refuted", flags=[("refuted", "info")])] * 2)
    assert answers(run)[0].doubt == "estimates: 100 % refuted" and not gradients([run]).doubted
    page = render_report(run)
    assert "Estimates: 100 % refuted." in page and CALM not in page
    assert "The audit raised no warning and no error; what takes something away" in page
    assert next_steps(run)[0].why == "refuted, in 2 brackets"


def test_gradients_that_leave_out_small_steps_are_named(tmp_path: Path):
    steps, smooth = (
        records_of(tmp_path / name, [bracket(flags=flags)] * 2)
        for name, flags in (("steps", [("path_integral", "info")]), ("smooth", []))
    )
    assert "small ones against the attack distances" in gradients([steps]).text and not gradients([steps]).doubted
    assert "The gradients of steps leave out steps" in gradients([steps, smooth]).text
    assert "leave out" not in gradients([smooth]).text


def test_a_network_that_answers_at_random_is_named_beside_what_it_misclassifies(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket(), WRONG])
    answers = Answers(keys=("a",), logits=((1.0, 0.0),), calls=16, spread=0.2)
    model = run.plan.model.model_copy(update={"answers": answers})
    random = replace(run, plan=run.plan.model_copy(update={"model": model}))
    assert any("differ from call to call" in one and "may be so by chance" in one for one in cautions(random))
    assert not any("differ from call" in one for one in cautions(run))


def test_a_refuted_estimate_is_no_sign_of_hidden_gradients(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket(status="refuted", flags=[REFUTED]), bracket()])
    assert (
        not gradients([run]).doubted
        and answers(run)[0].doubt == "estimates: 50 % refuted; a warning or an error on 50 %"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([bracket()] * 3, []),
        ([to_zero(), to_zero(0.004), to_zero(0.4)], ["The interval of 2 of 3 estimates reaches down to 0"]),
        (
            [bracket(flags=[BELOW]), bracket()],
            ["1 of 2 estimates that may be read (in 2 brackets) lies below what is proved"],
        ),
        ([bracket(status="wide"), bracket()], ["1 of 2 estimates has the status wide (the interval is wide"]),
        ([bracket(status="not_converged")] * 2, ["2 of 2 estimates have the status not converged"]),
        ([MASKED, WRONG], []),
    ],
)
def test_what_takes_something_away_is_said(tmp_path: Path, given: list[Answer], said: list[str]):
    found = cautions(records_of(tmp_path / "run", given))
    assert len(found) == len(said) and all(map(str.startswith, found, said))


def columns_of(page: str) -> dict[str, list[Any]]:
    return json.loads(page.split('id="data">')[1].split("</script>", maxsplit=1)[0])["columns"]


@pytest.mark.parametrize("spoiled", [to_zero(), bracket(flags=[BELOW]), bracket(status="wide"), MASKED, None, WRONG])
def test_no_page_is_calm_over_a_number_that_is_not(tmp_path: Path, spoiled: Answer):
    """Held on the payload that the page's table and charts are drawn from."""
    page = render_report(records_of(tmp_path / "run", [spoiled, bracket(), bracket()]))
    columns = columns_of(page)
    pairs = [(low, value) for low, value in zip(columns["low"], columns["estimated"], strict=True) if value is not None]
    empty = any(low <= 0.01 * value for low, value in pairs)
    below = any("below_certificate" in flags for flags in columns["flags"])
    other = any(status not in ("ok", "misclassified") for status in columns["status"])
    shown = page.split('id="data">')[0]
    assert (CALM in shown) == ('class="lead calm"' in shown) == (not (empty or below or other))
    assert ("reaches down to 0" in shown) == empty and ("below what is proved: such an estimate" in shown) == below


def test_remarks_are_named_and_none_is_called_harmless(tmp_path: Path):
    page = render_report(records_of(tmp_path / "run", [bracket(flags=[BELOW]), bracket(flags=[BELOW]), bracket()]))
    assert "Remarks: <code>below_certificate</code> (2 brackets)" in page
    assert "cast no doubt" not in page and "take nothing away" not in page


def test_doubt_stands_before_the_numbers_and_metadata_last(tmp_path: Path):
    page = render_report(records_of(tmp_path / "run", [MASKED, bracket()]))
    parts = ["signs of hidden gradients in 1 of 2", "50 % masked", "The medians of 2", 'data-chart="brackets"']
    parts += [
        '<h2 id="next">',
        '<h2 id="doubts">',
        '<h2 id="robust">',
        '<h2 id="tables">',
        '<h2 id="asked">',
        "plan <code>",
    ]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)


def test_a_name_in_a_sentence_turns_nothing_around(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket()], model="a\u202eb" + "x" * 300)
    assert accuracy_sentence(run).startswith("a?bx") and len(accuracy_sentence(run)) < 120


def test_a_forgotten_eval_is_no_hidden_gradient(tmp_path: Path):
    late = bracket(estimated=None, status="masked", flags=[("train_mode", "warning")])
    text = gradients([records_of(tmp_path / "run", [late, bracket()])]).text
    assert "call network.eval()" in text and "1 estimate of 2 is left out" in text and "hidden" not in text
    both = bracket(estimated=None, status="masked", flags=[("train_mode", "warning"), MASKING])
    assert "signs of hidden gradients" in gradients([records_of(tmp_path / "both", [both])]).text
