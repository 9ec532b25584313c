r"""The outcome of the gate as GitHub-flavoured Markdown, for a job's summary or a comment.

Names of models, runs, targets and classes are text and nothing else, whatever they hold: no markup, no link, nobody is
mentioned. Only what would be markup where it stands is escaped, by a backslash, so that the text can be read as it is.
The rules are those of CommonMark 0.31 and of GitHub's extensions: tables, strikethrough, links without brackets, `$`
for formulas. Mentions of people and of issues are made from the finished page, where no backslash helps: a comment
parts the sign from the name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from clearance.report.outcome import GateOutcome, as_text

LONGEST_CELL = 300
"""Characters of one piece of text; longer ones are cut."""

WITHIN = re.compile(
    r"""
    [`*\[\]<~|$]                                # code, emphasis, links, HTML, strikethrough, cells, formulas
    | \\(?=[!-/:-@\[-`{-~]|$)                   # a backslash that would escape what follows
    | &(?=\#?\w+;)                              # the beginning of an HTML character
    | (?<![^\W_])_ | _(?![^\W_])                # emphasis: an underscore that is not within a word
    | (?<=:)/(?=/) | (?<=www)\.                 # an address, which becomes a link by itself
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What is markup within a line: a backslash goes before it."""

BEGINNING = ("-", "+", "=", "#", ">")
"""What makes the beginning of a line a list, a rule, a heading or a quotation: a backslash goes before it."""

NUMBERED = re.compile(r"^([0-9]{1,9})([.)])")
"""The beginning of a numbered list."""

MENTION = re.compile(r"@(?=\w)|#(?=[0-9])")
"""What GitHub takes for the mention of a person or of an issue, and others for an address of mail."""


def as_markdown(outcome: GateOutcome) -> str:
    """The outcome as GitHub-flavoured Markdown: a heading, a table, and the reasons.

    Args:
        outcome: What the gate says.

    Returns:
        The text; no name in it is markup.
    """
    names = {"run": outcome.run, "model": outcome.model, "data": outcome.data, "baseline": outcome.baseline}
    facts = ", ".join(f"{key} {_escape(value)}" for key, value in names.items() if value is not None)
    head = ("", "criterion", "for", "wanted", "got")
    rows = [
        ("✅ passed" if check.passed else "❌ failed", check.criterion, check.about, check.wanted, check.got)
        for check in outcome.checks
    ]
    lines = [f"## Clearance gate {_escape(outcome.sentence)}", "", facts, "", _row(head), _row(["---"] * len(head))]
    lines += [_row([_escape(cell) for cell in row]) for row in rows]
    reasons = [f"- {_escape_line(check.about)}: {_escape(check.reason)}" for check in outcome.failed]
    notes = [f"- {_escape_line(note)}" for note in outcome.notes]
    lines += ["", "**It falls short:**", "", *reasons] if reasons else []
    lines += ["", "Notes:", "", *notes] if notes else []
    return "\n".join(
        [*lines, "", "An estimated radius is an estimate, not a bound; only a certified radius is proved.", ""]
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    r"""Text that is shown as it is, within a line.

    >>> print(_escape("linf at 8/255: 0.9"), _escape("digits_test"), _escape("a|b `c` <d> @e"))
    linf at 8/255: 0.9 digits_test a\|b \`c\` \<d> @<!-- -->e
    """
    safe = WITHIN.sub(r"\\\g<0>", as_text(text, LONGEST_CELL).strip())
    return MENTION.sub(r"\g<0><!-- -->", safe)


def _escape_line(text: str) -> str:
    r"""Text that is shown as it is, at the beginning of a line.

    >>> print(_escape_line("- one"), _escape_line("1. two"), _escape_line("l2, 3"))
    \- one 1\. two l2, 3
    """
    safe = NUMBERED.sub(r"\1\\\2", _escape(text))
    return f"\\{safe}" if safe.startswith(BEGINNING) else safe
