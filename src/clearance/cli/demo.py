"""`clearance demo`: the two bundled classifiers on real handwritten digits, side by side, in runs that stay."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance.cli import bracket_tables, tables
from clearance.cli.compare import read_runs
from clearance.cli.progress import progress
from clearance.data import datasets
from clearance.model.budgets import whole_passes
from clearance.model.classifier import Classifier
from clearance.report.compare import compare
from clearance.report.compare_page import write_comparison
from clearance.report.marks import count as count_of
from clearance.report.page import REPORT_FILE, auditor_file, write_report
from clearance.runs.differences import differences
from clearance.runs.engines.local import LocalEngine
from clearance.runs.evaluate import Evaluation, make_plan
from clearance.runs.execute import PLAN_FILE, RESULTS_FILE, open_run, read_run
from clearance.runs.export import iterate_records
from clearance.runs.in_order import evaluate_tasks
from clearance.runs.plan import Plan, read_plan
from clearance.runs.summary import SummaryRow, summarise
from clearance.zoo.specs import load_model
from clearance.zoo.table import DEMO

BUDGET = "quick"
"""How hard the demo tries."""
TIMED_PARTS = {"attacked": "attacks", "estimated": "estimates", "certified": "certificates", "audit": "audits"}
"""Parts of a bracket's record -> what they are called where it is said what they took."""
FOLDER = "demo-run"
"""Where the runs and their pages go, one for each classifier."""


def run_demo(count: int, *, started: float) -> None:
    """Bracket the first test digits with both classifiers and say what came out, and where the time went.

    Args:
        count: How many digits.
        started: The clock (`time.perf_counter`) before this module was imported.
    """
    spent = {"import": time.perf_counter() - started}
    data = datasets.load("digits", count=count)
    sides = [_side(name, data) for name in DEMO]
    done = sum(side.finished(count) for side in sides)
    records: dict[str, list[dict[str, Any]]] = {}
    with progress("bracketing", len(DEMO) * count, done=done, passes=whole_passes(BUDGET)) as pace:
        for side in sides:
            with open_run(side.folder, side.plan, resume=True) as run:
                for record in run.compute(evaluate_tasks, shared=side.shared.of(run.plan), engine=LocalEngine()):
                    _add_seconds(spent, record.values)
                    pace.advance()
                records[side.name] = list(iterate_records(run))
    before = time.perf_counter()
    pages = write_pages()
    spent["pages"] = time.perf_counter() - before
    show(records, data, pages)
    print_seconds(spent, time.perf_counter() - started, found=done)


@dataclass(frozen=True)
class DemoSide:
    """One of the classifiers that are compared.

    Attributes:
        name: Its name.
        shared: What all its tasks share.
        plan: Of its run.
    """

    name: str
    shared: Evaluation
    plan: Plan

    @property
    def folder(self) -> Path:
        """Where its run lies."""
        return Path(FOLDER) / self.name

    def finished(self, count: int) -> int:
        """How many of so many brackets an earlier demo has left."""
        if not (self.folder / PLAN_FILE).is_file():
            return 0
        with read_run(self.folder) as run:
            return count - len(run.missing())


def _side(name: str, data: datasets.Dataset) -> DemoSide:
    network = load_model(name)
    model = Classifier(network.network, network.bounds)
    shared = Evaluation(model, data, budget=BUDGET, certificate="crown", time_limit=math.inf, seed=0)
    side = DemoSide(name, shared, make_plan(shared, network, "digits", norms=[2.0], targets=["untargeted"]))
    _forget_another(side.folder, side.plan)
    return side


def _add_seconds(spent: dict[str, float], values: Mapping[str, Any]) -> None:
    """Add what the parts of one bracket took."""
    for part, name in TIMED_PARTS.items():
        cost: dict[str, float] = (values.get(part) or {}).get("cost") or {}
        spent[name] = spent.get(name, 0.0) + cost.get("seconds", 0.0)


def print_seconds(spent: Mapping[str, float], whole: float, *, found: int) -> None:
    """Say where the time went: measured seconds of each part, and of all.

    Args:
        spent: Seconds by the name of a part.
        whole: Seconds of all of it.
        found: How many brackets an earlier demo had left.
    """
    parts = [f"{name} {spent[name]:.1f} s" for name in ("import", *TIMED_PARTS.values(), "pages") if name in spent]
    rest = f"the rest {max(0.0, whole - sum(spent.values())):.1f} s"
    earlier = f" ({count_of(found, 'bracket')} of an earlier demo kept)" if found else ""
    tables.make_console().print(f"\nWhere {whole:.0f} s went: {', '.join([*parts, rest])}{earlier}")


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
