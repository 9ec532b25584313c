"""Every table of every command on terminals of 40 to 120 columns: no number is cut, and what is left out is named."""

import io
import math
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import fields
from pathlib import Path

import pytest

from clearance.cli import attack, audit, bracket_tables, certify, demo, inspection, score, tables
from clearance.cli.reproduce import print_table
from clearance.experiments.outcome import PaperTable
from clearance.report.marks import write_number
from clearance.runs.summary import SummaryRow
from command_line import run_command
from made_runs import bracket, run_of

WIDTHS = (40, 60, 80, 120)
NUMBER = re.compile(r"(?<![\w.,])[\d.,]*\d(?:e[+-]?\d+)?(?![\w.])")
MODEL = ("digits-robust", "digits", "--count", "3")


def at_widths(monkeypatch: pytest.MonkeyPatch, show: Callable[[], object]) -> dict[int, str]:
    """What is printed on each terminal."""
    found: dict[int, str] = {}
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        with redirect_stdout(io.StringIO()) as out:
            show()
        found[width] = out.getvalue()
    return found


def check(found: dict[int, str]) -> None:
    """Nothing is cut; a number on a narrow terminal is one of those on the widest; what is left out is said."""
    whole = set(NUMBER.findall(found[120]))
    for width, text in found.items():
        assert "…" not in text, text
        told = re.sub(r"Left out at \d+ columns: .*?\)", "", text, flags=re.S)
        cut = {number for number in NUMBER.findall(told) if number not in whole}
        assert not cut, (width, cut, text)
        assert all(len(line.rstrip()) <= width for line in text.splitlines()), (width, text)


def kept(monkeypatch: pytest.MonkeyPatch, module: object, name: str, *arguments: str) -> Callable[[], object]:
    """What a command hands to the function that prints: the command runs once, and its result is printed often."""
    real, calls = getattr(module, name), list[tuple[object, ...]]()
    monkeypatch.setattr(module, name, lambda *given: calls.append(given))
    done = run_command(*arguments)
    assert done.returncode == 0, done.stderr
    (given,) = calls
    return lambda: real(*given)


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        (score, "print_report", ("score", *MODEL, "--budget", "400")),
        (score, "print_report", ("score", *MODEL, "--budget", "400", "--scale", "std")),
        (attack, "print_results", ("attack", *MODEL, "--budget", "quick")),
        (certify, "print_proofs", ("certify", *MODEL, "--method", "operator-norms")),
        (audit, "print_report", ("audit", *MODEL)),
        (inspection, "print_inspection", ("inspect", "digits-robust")),
    ],
    ids=["score", "score-scale", "attack", "certify", "audit", "inspect"],
)
def test_tables_of_one_model(monkeypatch: pytest.MonkeyPatch, module: object, name: str, arguments: tuple[str, ...]):
    check(at_widths(monkeypatch, kept(monkeypatch, module, name, *arguments)))


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Two runs with small, large and missing numbers, in two norms."""
    answers = [
        bracket(attacked=1.234e-5, estimated=1.1e-5, certified=1.05e-6),
        bracket(attacked=123456.0, estimated=99999.0, certified=1234.0),
        bracket(attacked=0.5),
    ]
    return [
        str(run_of(tmp_path / name, answers, norms=(2.0, float("inf")))) for name in ("first", "second-with-a-name")
    ]


@pytest.mark.parametrize(
    "command",
    [
        ("compare", "RUN", "OTHER", "--out", "page.html"),
        ("gate", "RUN", "--min-median", "0.5", "--max-misclassified", "0.5", "--min-attacked", "1/255"),
        ("report", "RUN", "--at", "0.001,0.1234,100", "--out", "page.html"),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.thinned(4)
def test_tables_of_runs(here: Path, runs: list[str], command: tuple[str, ...]):
    words = [runs[0] if word == "RUN" else runs[1] if word == "OTHER" else word for word in command]
    found = {width: run_command(*words, columns=width) for width in WIDTHS}
    assert all(done.returncode in (0, 1) and done.stderr == "" for done in found.values())
    check({width: re.sub(r"^(gate, run|page).*$", "", done.stdout, flags=re.M) for width, done in found.items()})


def test_the_tables_of_the_demo(monkeypatch: pytest.MonkeyPatch, runs: list[str]):
    from clearance.data import datasets
    from clearance.runs.execute import read_run
    from clearance.runs.export import iterate_records

    records: dict[str, list[dict[str, object]]] = {}
    for name, folder in zip(("digits-standard", "digits-robust"), runs, strict=True):
        with read_run(folder) as run:
            records[name] = [record for record in iterate_records(run) if record["norm"] == 2.0]
    data = datasets.load("digits", count=3)
    check(at_widths(monkeypatch, lambda: demo.show(records, data, [])))
    check(
        at_widths(
            monkeypatch, lambda: bracket_tables.print_records(tables.make_console(), records["digits-robust"], ())
        )
    )


def test_a_table_of_a_paper_goes_on_below(monkeypatch: pytest.MonkeyPatch):
    columns = ("network", "target", *(f"a column {place}" for place in range(9)))
    rows = tuple((f"mnist-{row}", "random", *(row + place / 8 for place in range(9))) for row in range(3))
    table = PaperTable("Table 1", columns, rows)
    found = at_widths(monkeypatch, lambda: print_table(tables.make_console(), table))
    check(found)
    for text in found.values():
        assert all(write_number(number) in text for row in rows for number in row[2:])


def summary(norm: float, **counts: int) -> SummaryRow:
    """A row whose numbers are as wide as they come."""
    empty = dict.fromkeys((field.name for field in fields(SummaryRow)), 0)
    numbers = {"certified": 0.000123, "estimated": 0.000456, "attacked": 0.000789, "seconds": 1.0}
    return SummaryRow(**{**empty, **numbers, "norm": norm, "target": "untargeted", "order": 1, **counts})  # pyright: ignore


def test_wrong_is_the_last_count_to_go(monkeypatch: pytest.MonkeyPatch):
    row = summary(math.inf, tasks=100, misclassified=17, witnesses=80, readable=70, below_proof=5)
    found = at_widths(monkeypatch, lambda: bracket_tables.print_rows(tables.make_console(), [row]))
    assert "wrong" in found[80].partition("Left out")[0]
    usual = summary(math.inf, tasks=100, misclassified=17, witnesses=80, readable=83)
    found = at_widths(monkeypatch, lambda: bracket_tables.print_rows(tables.make_console(), [usual]))
    assert "Left out" not in found[80]


@pytest.mark.parametrize(("severity", "said"), [("info", True), ("warning", False)])
def test_that_flags_are_not_shown_is_said(severity: str, said: bool, capsys: pytest.CaptureFixture[str]):
    record = {**bracket(flags=[("plain_code", severity)]), "error": None, "norm": 2.0, "target": "untargeted"}
    record |= {"input": 3, "label": 0}
    record["estimated"] = {**record["estimated"], "below_proof": False}
    bracket_tables.print_records(tables.make_console(), [record], ())
    text = " ".join(capsys.readouterr().out.split())
    assert ("Remarks (flags of severity info) on 1 of 1 bracket: see clearance report" in text) == said
    assert ("plain_code" in text) != said
