"""The command that shows a page of the documentation: flags only; it imports what it needs when it runs."""

from __future__ import annotations

import click

from clearance.cli.options import CONTEXT, commands


@commands.command(
    context_settings=CONTEXT, short_help="Show a page of the documentation, which comes with the package."
)
@click.argument("page", required=False)
def docs(page: str | None) -> None:
    """Show PAGE: `models`, `data`, `runs`, a flag's code such as `flat`, …; without PAGE, the list of all.

    The pages are those of this version and are read from the disk. Through a pipe they are plain Markdown.
    """
    from clearance.cli.docs import run_docs

    run_docs(page)
