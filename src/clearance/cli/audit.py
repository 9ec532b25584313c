"""`clearance audit`: one model, one set of inputs, the signs of gradient masking that are found around each."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from clearance import __version__
from clearance.audit import CHECKS, Audit, Severity, audit
from clearance.cli.audit_table import AuditJob, AuditRow, print_report
from clearance.cli.cost import AUDITED, audit_steps, tell_cost
from clearance.cli.flag_values import InputFlags
from clearance.cli.inputs import as_target, check_goal, load_inputs
from clearance.cli.progress import progress
from clearance.geometry.exponents import as_norm
from clearance.model.budgets import audit_passes, masked_audit_passes
from clearance.model.cost import Cost
from clearance.report.marks import count

FAILED = 1
"""Exit code where `--fail-on` finds a flag."""


def run_audit(
    inputs: InputFlags, *, target: str, norm: str, budget: str | int, seed: int, fail_on: str | None, as_json: bool
) -> int:
    """Audit the inputs and print a table with a block for each flag, or a JSON document.

    Args:
        inputs: The model and the inputs.
        target: The target.
        norm: The norm of distances.
        budget: A name of `model.budgets.BUDGETS`, or a number of passes.
        seed: The user's seed.
        fail_on: The severity of a flag that makes the command fail.
        as_json: Print JSON.

    Returns:
        The exit code: 1 where an input has a flag of at least the severity `fail_on`, else 0.

    Raises:
        KeyboardInterrupt: On Ctrl-C, after what was finished has been printed.
    """
    job = AuditJob(as_norm(norm), as_target(target), budget, seed, load_inputs(inputs))
    rows: list[AuditRow] = []
    try:
        _audit_all(job, rows)
    except KeyboardInterrupt:
        if rows and not as_json:
            print_report(job, rows)
        raise
    if as_json:
        click.echo(json.dumps(as_document(job, rows), indent=2, allow_nan=False))
    else:
        print_report(job, rows)
    return 0 if fail_on is None else _judge(rows, Severity(fail_on))


def _audit_all(job: AuditJob, rows: list[AuditRow]) -> None:
    """Append a row for each input as it is finished; a target that no input can have is refused before the first."""
    inputs, target, seed = job.inputs, job.target, job.seed
    images, labels = inputs.data.images, inputs.data.labels
    checked, reached = check_goal(inputs, target, seed=seed)
    judged = sum(not wrong for wrong in checked.misclassified) - sum(reached)
    passes = audit_passes(job.budget)
    tell_cost(
        inputs.model,
        images[:1],
        judged,
        passes=passes,
        wording=AUDITED,
        steps=audit_steps(job.budget),
        masked=masked_audit_passes(job.budget),
    )
    with progress("auditing", len(images), meter=inputs.model.meter, passes=passes) as pace:
        for place, (image, label) in enumerate(zip(images, labels, strict=True)):
            found = Audit((), None, Cost())
            if not reached[place]:
                (found,) = audit(
                    inputs.model,
                    image[None],
                    label[None],
                    norm=job.norm,
                    target=target,
                    references=images,
                    budget=job.budget,
                    seed=seed,
                )
            rows.append(AuditRow(inputs.data.indices[place], int(label), checked.predicted[place], found))
            pace.advance()


def _judge(rows: Sequence[AuditRow], severity: Severity) -> int:
    reached = sum(row.reaches(severity) for row in rows)
    if reached:
        found = f"{reached} of {count(len(rows), 'input')} with a flag of severity {severity} or worse"
        click.echo(f"clearance: --fail-on {severity}: {found}", err=True)
    return FAILED if reached else 0


def as_document(job: AuditJob, rows: Sequence[AuditRow]) -> dict[str, Any]:
    """Everything as plain values for JSON: a number that is not finite is `None`."""
    done = [row for row in rows if row.done]
    raised = Counter(flag.code for row in done for flag in row.audit.flags)
    return {
        "clearance": __version__,
        **job.inputs.as_record(),
        "target": job.target,
        "settings": {"norm": "inf" if math.isinf(job.norm) else job.norm, "budget": job.budget, "seed": job.seed},
        "summary": {
            "inputs": len(rows),
            "audited": len(done),
            "misclassified": sum(row.misclassified for row in rows),
            "target_is_predicted": sum(not row.done and not row.misclassified for row in rows),
            "masked": sum(row.audit.masked for row in done),
            "flags": {code: raised[code] for code in CHECKS if raised[code]},
        },
        "results": [_result(row) for row in rows],
    }


def _result(row: AuditRow) -> dict[str, Any]:
    """One input's record; `masked` is `None` where there was no audit."""
    status = {"misclassified": row.misclassified, "masked": row.audit.masked if row.done else None}
    return {"input": row.index, "label": row.label, "predicted": row.predicted, **status, **row.audit.as_record()}
