"""`clearance bracket`: certificate, estimate, attack and audit of every input, in a run that can be resumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from clearance import __version__
from clearance.cli import bracket_tables, tables
from clearance.cli.checks import check_target
from clearance.cli.cost import AUDITED, bracket_steps, tell_cost
from clearance.cli.flag_values import EngineFlags, InputFlags, RunFlags
from clearance.cli.inputs import load_inputs, say_classes
from clearance.cli.progress import progress
from clearance.cli.run_checks import split
from clearance.cli.values import Interrupted, printable
from clearance.geometry.exponents import as_norm
from clearance.model.budgets import masked_passes, whole_passes
from clearance.report.grey_levels import has_levels
from clearance.report.marks import count
from clearance.report.notices import mostly_masked, mostly_misclassified
from clearance.report.pictures import is_picture
from clearance.runs.engines import Engine
from clearance.runs.engines.local import LocalEngine
from clearance.runs.engines.threads import limit_threads
from clearance.runs.evaluate import Evaluation
from clearance.runs.execute import Run, open_run
from clearance.runs.export import iterate_records
from clearance.runs.in_order import evaluate_tasks
from clearance.runs.plan import Plan
from clearance.runs.start import RunChoices, plan_run
from clearance.runs.summary import SummaryRow, summarise
from clearance.zoo.inputs import Inputs

EVERY_TASK_FAILED = 2
"""Exit code of a run of which nothing came: as for bad input, which is the usual cause."""

MOST_LINES = 24
"""Tasks that are shown one by one."""


def run_bracket(inputs: InputFlags, *, run: RunFlags, engine: EngineFlags, as_json: bool) -> int:
    """Start or resume a run, compute what is missing, and print what it amounts to.

    Args:
        inputs: The model and the inputs.
        run: What to compute, and where the run lies.
        engine: Where to compute.
        as_json: Print JSON.

    Returns:
        The exit code.
    """
    chosen, loaded = make_engine(engine), load_inputs(inputs)
    targets, norms = split("target", run.target, check_target), split("norm", run.norm, as_norm)
    choices = RunChoices(
        norms, targets, run.order, run.bound, run.budget, run.certificate, run.time_limit, seed=run.seed
    )
    plan, shared = plan_run(loaded, choices)
    if plan.model.answers is not None and plan.model.answers.outputs is not None:
        say_classes(loaded, plan.model.answers.outputs)
    if why := shared.references_left_out:
        click.echo(f"clearance: audits walk to inputs of this run alone: {printable(why)}", err=True)
    return compute(plan, shared, chosen, loaded, run, as_json=as_json)


def compute(plan: Plan, shared: Evaluation, engine: Engine, inputs: Inputs, flags: RunFlags, *, as_json: bool) -> int:
    """Compute what is missing of a run, and print its summary.

    Returns:
        The exit code: 0, or `EVERY_TASK_FAILED`.

    Raises:
        Interrupted: On Ctrl-C: what is finished is kept.
    """
    out, again = Path(flags.out), flags.retry_failed
    with open_run(out, plan, resume=flags.resume) as run:
        say_growth(run)
        missing = len(run.missing(retry_failed=again))
        try:
            meter = inputs.model.meter if isinstance(engine, LocalEngine) else None
            each, whole = whole_passes(flags.budget), len(run.tasks)
            _tell(shared, engine, missing)
            with progress("bracketing", whole, done=whole - missing, meter=meter, passes=each) as pace:
                for _ in run.compute(evaluate_tasks, shared=shared.of(run.plan), engine=engine, retry_failed=again):
                    pace.advance()
        except KeyboardInterrupt:
            done = run.progress()
            kept = f"{done.done} of {done.total} tasks are finished and kept in {out}"
            raise Interrupted(f"interrupted; {kept}; the same command with --resume goes on") from None
        show(run, inputs, as_json=as_json)
        return complain(run)


def _tell(shared: Evaluation, engine: Engine, missing: int) -> None:
    """Say what the missing tasks will cost, on one thread, as they are computed."""
    where = "on this machine" if isinstance(engine, LocalEngine) else "on one worker, shared out among all"
    proof = 0.0 if shared.certificate == "none" else shared.time_limit
    budget = shared.budget
    with limit_threads(engine.threads):
        tell_cost(
            shared.model,
            shared.data.images[:1],
            missing,
            passes=whole_passes(budget),
            noun="task",
            proof=proof,
            workers=where,
            wording=AUDITED,
            steps=bracket_steps(budget),
            masked=masked_passes(budget),
        )


def say_growth(run: Run) -> None:
    """Say on stderr what this sitting adds to a run that was there."""
    if run.added:
        done, more = run.progress(), ", ".join(run.added)
        said = f"{run.folder} grows by {more}; {done.done} of {count(done.total, 'task')} are finished and stay"
        click.echo(f"clearance: {printable(said)}", err=True)


def complain(run: Run) -> int:
    """Say on stderr how many tasks of a run failed, and why the first of them did.

    Args:
        run: The finished run.

    Returns:
        The exit code: `EVERY_TASK_FAILED` where nothing came of it; 0 where something did, or nothing failed.
    """
    errors = [record["error"] for record in iterate_records(run) if record["error"] is not None]
    if not errors:
        return 0
    done = run.progress()
    every = done.failed == done.total
    failed = "every task failed" if every else f"{done.failed} of {count(done.total, 'task')} failed"
    again = "--resume --retry-failed computes them again"
    click.echo(f"clearance: {failed}, the first with {printable(errors[0])}; {again}", err=True)
    return EVERY_TASK_FAILED if every else 0


def show(run: Run, inputs: Inputs, *, as_json: bool) -> None:
    """The summary of a run, as a table or as one JSON document."""
    records = list(iterate_records(run))
    rows = summarise(records)
    if as_json:
        click.echo(json.dumps(as_document(run, inputs, rows), indent=2, allow_nan=False))
        return
    console, parameters = tables.make_console(), run.plan.parameters
    about = f"budget {parameters['budget']}, seed {run.plan.seed}, run {run.folder}{tables.scaled(inputs.unit)}"
    tables.print_heading(console, inputs.title(), about)
    if len(records) <= MOST_LINES:
        bracket_tables.print_records(console, records, inputs.data.class_names)
    else:
        bracket_tables.print_flags(console, records)
    bracket_tables.print_rows(console, rows, more="--json")
    failed = sum(row.failed for row in rows)
    if failed:
        console.print(f"\n{count(failed, 'task')} failed; --resume --retry-failed computes them again", style="red")
    bracket_tables.print_reading(console, records, rows, inputs.units)
    if has_levels(run.plan.threat) and is_picture(inputs.data.images.shape[1:]):
        bracket_tables.print_grey_levels(console, rows)
    bracket_tables.print_legend(console, records)
    wrong = sum(row.misclassified for row in rows)
    masked, judged = sum(row.masked for row in rows), sum(row.judged for row in rows)
    for told in filter(None, (mostly_misclassified(wrong, wrong + judged), mostly_masked(masked, judged))):
        console.print(f"\n{told}", style="yellow")
    console.print(f"\nNext: clearance report {run.folder} (--at EPS for robust accuracy)")


def as_document(run: Run, inputs: Inputs, rows: Sequence[SummaryRow]) -> dict[str, Any]:
    """Everything as plain values for JSON."""
    finished = run.progress()
    return {
        "clearance": __version__,
        **inputs.as_record(),
        "run": str(run.folder),
        "plan": run.plan.id,
        "tasks": {"done": finished.done, "failed": finished.failed, "total": finished.total},
        "summary": [row.as_record() for row in rows],
    }


def make_engine(flags: EngineFlags) -> Engine:
    """The engine that was asked for.

    Args:
        flags: The flags' values.

    Returns:
        The engine.
    """
    if flags.engine == "ray":
        from clearance.runs.engines.ray import RayEngine

        return RayEngine(flags.address, workers=flags.workers, gpus_per_task=flags.gpus_per_task)
    return LocalEngine()
