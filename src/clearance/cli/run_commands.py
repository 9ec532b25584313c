"""Commands that read runs: flags only; each imports what it needs when it runs."""

from __future__ import annotations

from typing import Any

import click

from clearance.cli.completion import complete_file, complete_folder
from clearance.cli.options import CONTEXT, commands, given_flags, with_json
from clearance.cli.values import Radii, Radius


@commands.command(context_settings=CONTEXT, short_help="Write the results of a run as Parquet, CSV or JSON.")
@click.argument("run", shell_complete=complete_folder)
@click.option(
    "--format", "kind", type=click.Choice(["parquet", "csv", "json"]), help="Kind of file.  [default: as FILE ends]"
)
@click.option("--out", required=True, metavar="FILE", shell_complete=complete_file, help="The file.")
@click.option("--arrays", is_flag=True, help="With witnesses and block maxima (json and parquet).")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def export(**flags: Any) -> None:
    """Write one record for each finished task of the run in folder RUN, in the order of its plan.

    The run may be unfinished or going on. Fields that hold times have names that end in "seconds".
    """
    from clearance.cli.run_values import require_runs

    require_runs(flags["run"])
    from clearance.cli.export import run_export

    run_export(**flags)


@commands.command(context_settings=CONTEXT, short_help="Exit with code 1 where a run falls short of what is asked.")
@click.argument("run", shell_complete=complete_folder)
@click.option(
    "--min-median", type=Radius(), metavar="R", help="Smallest median estimated radius (an estimate, no bound)."
)
@click.option("--min-certified", type=Radius(), metavar="R", help="Smallest median certified radius (proved).")
@click.option("--min-attacked", type=Radius(), metavar="R", help="Smallest median attack distance (witnessed).")
@click.option(
    "--min-readable",
    type=float,
    metavar="SHARE",
    help="Smallest share of correctly classified inputs whose estimate may be read; failed tasks count as without.",
)
@click.option(
    "--max-flagged",
    type=float,
    metavar="SHARE",
    help="Largest share of correctly classified inputs whose estimate must not be read: refuted, masked, or none.",
)
@click.option("--max-misclassified", type=float, metavar="SHARE", help="Largest share of misclassified inputs.")
@click.option(
    "--max-failed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Failed tasks."
)
@click.option(
    "--baseline",
    metavar="RUN",
    shell_complete=complete_folder,
    help="An earlier run over the same inputs; with --max-drop.",
)
@click.option(
    "--max-drop",
    type=float,
    metavar="SHARE",
    help="Largest relative drop of a median from the baseline's, paired per input: the upper end of its 95 % interval.",
)
@click.option(
    "--drop-of",
    type=click.Choice(["attacked", "estimated", "certified"]),
    multiple=True,
    default=["attacked"],
    show_default=True,
    help="Of which number; may be repeated.",
)
@click.option("--min-proved", type=float, metavar="SHARE", help="Smallest robust accuracy that is proved at --at EPS.")
@click.option(
    "--min-not-broken",
    type=float,
    metavar="SHARE",
    help="Smallest robust accuracy that no witness contradicts at --at EPS.",
)
@click.option("--at", type=Radii(), metavar="EPS[,EPS...]", help="Radii of robust accuracy, such as 8/255.")
@click.option("--min-class-median", type=Radius(), metavar="R", help="As --min-median, for the worst class.")
@click.option("--min-class-certified", type=Radius(), metavar="R", help="As --min-certified, for the worst class.")
@click.option("--min-class-attacked", type=Radius(), metavar="R", help="As --min-attacked, for the worst class.")
@click.option("--min-class-proved", type=float, metavar="SHARE", help="As --min-proved, for the worst class.")
@click.option("--min-class-not-broken", type=float, metavar="SHARE", help="As --min-not-broken, for the worst class.")
@click.option(
    "--class-inputs",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="How many inputs a class needs to be judged; one with fewer falls short.",
)
@click.option("--allow-unfinished", is_flag=True, help="Judge a run that is not finished by what there is.")
@click.option("--norm", metavar="P[,P...]", help="Judge these norms only.  [default: all of the run]")
@click.option("--target", metavar="T[,T...]", help="Judge these targets only.  [default: all of the run]")
@click.option("--junit", metavar="FILE", shell_complete=complete_file, help="Write the outcome as JUnit XML.")
@click.option(
    "--markdown", metavar="FILE", shell_complete=complete_file, help="Write the outcome as GitHub-flavoured Markdown."
)
@with_json
@click.pass_context
def gate(context: click.Context, *, as_json: bool, **flags: Any) -> int:
    """Hold the run in folder RUN against what is asked of a release: exit code 0 if it passes, 1 if it falls short.

    Each criterion is judged for each norm, target and order of the run on its own. An unfinished run and more failed
    tasks than --max-failed fall short whatever is asked. A number that must not be read counts for no criterion: where
    fewer than half of the correctly classified inputs have one that may be read, the criterion fails. Robust accuracy
    is judged for each norm and EPS, by the count over all inputs; EPS is in the units of the run's distances. FILEs are
    replaced. See `clearance docs gate`.
    """
    from clearance.cli.flag_values import GateFlags
    from clearance.cli.run_values import require_runs

    require_runs(flags["run"], flags["baseline"])
    from clearance.cli.gate import run_gate

    return run_gate(GateFlags(**flags, given=frozenset(given_flags(context))), as_json=as_json)


@commands.command(context_settings=CONTEXT, short_help="Write the page of a run, and one for an auditor: HTML.")
@click.argument("run", shell_complete=complete_folder)
@click.option(
    "--out",
    metavar="FILE",
    shell_complete=complete_file,
    help="The page.  [default: report.html in RUN; with --json none]",
)
@click.option(
    "--at",
    "radii",
    type=Radii(),
    metavar="EPS[,EPS...]",
    help="Print robust accuracy at these radii, such as 8/255, and write it on the page.  [default: round radii]",
)
@click.option("--json", "as_json", is_flag=True, help="Print robust accuracy as one JSON document.")
def report(**flags: Any) -> None:
    """Write one HTML page that shows everything about the run in folder RUN, and one for an auditor.

    The page (report.html) opens from disk in any browser and loads nothing from a network. The auditor's page
    (auditor.html; with --out X.html: X-auditor.html) is a document to be printed: threat model, method, what was
    proved, estimated and witnessed, and what the numbers do not show, in the words of ISO/IEC 24029 and of article 15
    of the EU AI Act. Older pages are replaced. The run may be unfinished or going on.

    --at gives the number that tables of robust accuracy quote, as two ends: the share of all inputs that is proved at
    EPS, and the share that is not broken there (no witness at that distance or nearer), for each norm of the run, with
    a 95 % interval (Clopper and Pearson) for all inputs that these were drawn from. EPS is in the units of the run's
    distances: those of the data, or of its --scale. It takes a run with --target untargeted, or with every class as a
    target. `clearance docs report` says how this differs from `clearance attack --radius`.
    """
    from clearance.cli.run_values import require_runs

    require_runs(flags["run"])
    from clearance.cli.report import run_report

    run_report(**flags)


@commands.command(context_settings=CONTEXT, short_help="Write one figure of a run as SVG, PDF or PNG.")
@click.argument("run", shell_complete=complete_folder)
@click.argument("name")
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    shell_complete=complete_file,
    help="The file; its name ends in .svg, .pdf or .png.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def figure(**flags: Any) -> None:
    """Write a figure of the run in folder RUN for a paper.

    NAME is brackets, security, averages, gaps, maxima, fits or blocks. security: robust accuracy at every radius; the
    others: figures 6, 4, 5, 2, 3, and 7 and 9 of the CLEVER paper.
    """
    from clearance.cli.run_values import require_runs

    require_runs(flags["run"])
    from clearance.cli.report import run_figure

    run_figure(**flags)


@commands.command(context_settings=CONTEXT, short_help="Several runs side by side: who is ahead, and by how much.")
@click.argument("runs", nargs=-1, required=True, shell_complete=complete_folder)
@click.option(
    "--out", metavar="FILE", shell_complete=complete_file, help="The page.  [default: compare.html; with --json none]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the tables.")
def compare(**flags: Any) -> None:
    """Hold the runs in the folders RUNS against the first of them, input by input, and rank all of them.

    A run may be given a name, as in before=runs/12; else it is called as its folder. Inputs are paired by their
    content. What not all runs have, such as other inputs, norms or targets, is left out and named. An input that is
    misclassified, or whose attacks the audit doubts, counts as 0 in the ranking. An older page is replaced. See
    `clearance docs compare`.
    """
    from clearance.cli.run_values import named_folder, require_runs

    require_runs(*(named_folder(run)[1] for run in flags["runs"]))
    from clearance.cli.compare import run_compare

    run_compare(**flags)
