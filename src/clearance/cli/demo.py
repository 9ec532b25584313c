"""`clearance demo`: the two bundled classifiers on real handwritten digits, side by side, in runs that stay."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from clearance.cli import bracket_tables, tables
from clearance.cli.compare import read_runs
from clearance.cli.progress import progress
from clearance.data import datasets
from clearance.model.classifier import Classifier
from clearance.report.compare import compare
from clearance.report.compare_page import write_comparison
from clearance.report.page import REPORT_FILE, auditor_file, write_report
from clearance.runs.differences import differences
from clearance.runs.engines.local import LocalEngine
from clearance.runs.evaluate import Evaluation, evaluate, make_plan
from clearance.runs.execute import PLAN_FILE, RESULTS_FILE, open_run
from clearance.runs.export import iterate_records
from clearance.runs.plan import Plan, read_plan
from clearance.runs.summary import SummaryRow, summarise
from clearance.zoo.specs import load_model
from clearance.zoo.table import DEMO

FOLDER = "demo-run"
"""Where the runs and their pages go, one for each classifier."""


def run_demo(count: int) -> None:
    """Bracket the first test digits with both classifiers and say what came out.

    Args:
        count: How many digits.
    """
    data = datasets.load("digits", count=count)
    records: dict[str, list[dict[str, Any]]] = {}
    with progress("bracketing", len(DEMO) * count) as advance:
        for name in DEMO:
            network = load_model(name)
            model = Classifier(network.network, network.bounds)
            shared = Evaluation(model, data, budget="quick", certificate="best", time_limit=math.inf, seed=0)
            plan = make_plan(shared, network, "digits", norms=[2.0], targets=["untargeted"])
            folder = Path(FOLDER) / name
            _forget_another(folder, plan)
            with open_run(folder, plan, resume=True) as run:
                for _ in range(count - len(run.missing())):
                    advance()
                for _ in run.compute(evaluate, shared=shared.of(run.plan), engine=LocalEngine()):
                    advance()
                records[name] = list(iterate_records(run))
    show(records, data, write_pages())


def _forget_another(folder: Path, plan: Plan) -> None:
    """Remove an earlier demo of another version or count: its files alone, and only where it is one."""
    if not (folder / PLAN_FILE).is_file() or not differences(read_plan(folder / PLAN_FILE), plan):
        return
    pages = (folder / REPORT_FILE, auditor_file(folder / REPORT_FILE))
    for file in (folder / PLAN_FILE, *folder.glob(f"{RESULTS_FILE}*"), *pages):
        file.unlink(missing_ok=True)


def write_pages() -> list[Path]:
    """The page that compares both runs, and the report of each."""
    runs = read_runs([str(Path(FOLDER) / name) for name in DEMO], pictures=True)
    together = Path(FOLDER) / "compare.html"
    write_comparison(compare(runs), together)
    return [together, *(write_report(Path(FOLDER) / name) for name in DEMO)]


def show(records: dict[str, list[dict[str, Any]]], data: datasets.Dataset, pages: list[Path]) -> None:
    """The table with both classifiers, their medians, how to read them, and where the pages are."""
    short = {name: name.removeprefix("digits-") for name in records}
    console = tables.make_console()
    tables.print_heading(
        console,
        "How far can a digit move before the classifier changes its mind?",
        "Real 8 x 8 digits; one classifier trained as usual, one on adversarial examples. l2 distance, budget quick.",
    )
    pairs = zip(*records.values(), strict=True)
    lines = [{**record, "group": short[name]} for pair in pairs for name, record in zip(records, pair, strict=True)]
    bracket_tables.print_records(console, lines, data.class_names, group="classifier")
    rows: list[SummaryRow] = [row for name in records for row in summarise(records[name])]
    bracket_tables.print_rows(console, rows, names=list(short.values()))
    bracket_tables.print_reading(console, lines, rows, "pixel values in [0, 1]")
    bracket_tables.print_legend(console, lines)
    console.print("\nFor scale: a distance of 0.5 is one pixel halfway from black to white, or all 64 pixels by 1/16.")
    console.print("\nTo look at in a browser, without a network:")
    for page in pages:
        console.print(f"  {page}")
