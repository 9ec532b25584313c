"""What a reader of a run must know before anything else: what is missing from its page."""

from __future__ import annotations

from clearance.data.scale_names import ORDER_OR_INPUTS
from clearance.report.marks import count
from clearance.report.records import RunRecords


def notices(run: RunRecords) -> list[str]:
    """What a reader must know before anything else: what is missing from this page.

    Args:
        run: The run.

    Returns:
        Sentences; none for a finished run with something to show.
    """
    found: list[str] = []
    if run.finished < run.total:
        found.append(
            f"This run is unfinished: {run.finished:,} of {count(run.total, 'task')} are done. Everything here is "
            "about these; resume the run and make the page again for the rest."
        )
    if run.failures:
        failed = count(len(run.failures), "task")
        found.append(
            f"{failed} failed; the errors are listed at the end of this page. No number of theirs is on this page."
        )
    if run.target_is_predicted:
        left = count(run.target_is_predicted, "task is", "tasks are")
        found.append(f"{left} left out: the input's class is the target, so that there is nothing to measure.")
    if not run.entries and not run.target_is_predicted:
        found.append("No task has succeeded: there is nothing to show.")
    elif run.entries and not run.judged:
        found.append(
            f"Every input is misclassified: there is nothing to measure, and no bracket to show; {ORDER_OR_INPUTS}"
        )
    elif asked := mostly_misclassified(len(run.entries) - len(run.judged), len(run.entries)):
        found.append(asked)
    elif len({entry.input_key for entry in run.entries}) == 1:
        found.append("There is one input only: medians and shares below are this input's own.")
    return found


def mostly_masked(masked: int, judged: int) -> str:
    """What to do where the gradients of more than half of the correctly classified inputs are in doubt; else empty.

    >>> mostly_masked(1, 2), mostly_masked(2, 2)[:60]
    ('', '2 of 2 brackets are masked: the network may hide its gradien')
    """
    if 2 * masked <= judged:
        return ""
    some = f"{masked:,} of {count(judged, 'bracket')} {'is' if judged == 1 else 'are'}"
    return (
        f"{some} masked: the network may hide its gradients, so that estimates "
        "mean nothing and attacks find too little. Only what is proved and what was witnessed counts; each flag's page "
        "says what was seen and what to do (clearance docs FLAG)"
    )


def mostly_misclassified(wrong: int, brackets: int) -> str:
    """What to ask where more than half of the brackets are of misclassified inputs; empty where they are not.

    >>> mostly_misclassified(1, 2), mostly_misclassified(2, 3)[:43]
    ('', '2 of 3 brackets are of misclassified inputs')
    """
    if 2 * wrong <= brackets:
        return ""
    return f"{wrong:,} of {count(brackets, 'bracket')} are of misclassified inputs: {ORDER_OR_INPUTS}"
