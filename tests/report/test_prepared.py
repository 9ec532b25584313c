"""What was done to inputs before the network saw them."""

from pathlib import Path

from clearance.report.page import render_report
from clearance.report.prepared import prepared
from clearance.runs.origin import Origin
from made_runs import bracket, make_plan, records_of


def test_sizes_and_normalisation_are_said_where_they_were_given():
    plan = make_plan(1)
    flags = ("--resize", "256", "--crop", "224x200", "--preset", "imagenet", "--count", "1")
    model = plan.model.model_copy(update={"mean": (0.485, 0.456), "std": (0.229, 0.224)})
    given = plan.model_copy(update={"model": model, "origin": Origin(started="2026", flags=flags)})
    assert prepared(plan) == ""
    assert prepared(given) == (
        "pictures resized to 256 and cropped to 224x200: distances are of these; values normalised inside the network "
        "by mean 0.485, 0.456 and standard deviation 0.229, 0.224 (preset imagenet): distances are of the values "
        "before that"
    )


def test_the_page_says_what_an_older_plan_does_not_know(tmp_path: Path):
    said = "whether misclassified inputs were passed over is not known"
    assert said in render_report(records_of(tmp_path / "old", [bracket()]))
    assert said not in render_report(records_of(tmp_path / "counted", [bracket()], passed_over=1))
