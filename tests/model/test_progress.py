"""Progress of calls from Python: a bar where a person watches, a function that is told, or nothing."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import clearance as cl
from clearance.errors import InputError
from clearance.model.progress import PROGRESS_VARIABLE, following, watched
from conftest import ROOT
from result_cases import LABELS, X, linear
from waiting import HANG

MODEL = cl.Classifier(linear())
CALLS: dict[str, Callable[..., object]] = {
    "bracket": lambda **more: cl.bracket(MODEL, X, LABELS, budget=1500, certificate="none", **more),
    "clever": lambda **more: cl.clever(MODEL, X, LABELS, budget="quick", **more),
    "attack": lambda **more: cl.attack(MODEL, X, LABELS, budget=100, **more),
    "attack within": lambda **more: cl.attack(MODEL, X, LABELS, budget=100, radius=0.1, **more),
    "certify": lambda **more: cl.certify(MODEL, X, LABELS, method="linear", **more),
    "audit": lambda **more: cl.audit(MODEL, X[:2], LABELS[:2], **more),
    "robust_accuracy": lambda **more: cl.robust_accuracy(
        MODEL, X, LABELS, 0.1, 2, budget=100, certificate="none", **more
    ),
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def watching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS_VARIABLE, raising=False)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.thinned(3)
def test_a_function_is_told_of_every_input(call: str):
    told: list[tuple[int, int, float | None]] = []
    CALLS[call](progress=lambda *now: told.append(now))
    assert told and all(a[0] < b[0] and a[1] == b[1] for a, b in pairwise(told))
    done, total, left = told[-1]
    assert done == total and left == 0 and total in (2, 3, 4)


@pytest.mark.parametrize("call", ["bracket", "audit"])
def test_a_terminal_shows_one_bar(call: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    CALLS[call]()
    shown = stream.getvalue()
    assert {"bracket": "bracketing", "audit": "auditing"}[call] in shown
    assert "attacking" not in shown and "scoring" not in shown  # what a call does inside is not shown once more


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.thinned(3)
def test_nothing_is_written_where_nobody_watches(call: str, capfd: pytest.CaptureFixture[str]):
    CALLS[call]()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("off", ["argument", "variable"])
def test_it_can_be_turned_off(off: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    if off == "variable":
        monkeypatch.setenv(PROGRESS_VARIABLE, "none")
    CALLS["attack"](**({"progress": False} if off == "argument" else {}))
    assert stream.getvalue() == ""


def test_a_log_has_lines_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    monkeypatch.setenv(PROGRESS_VARIABLE, "lines")
    clock = iter([0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 7.0, 7.0, 7.0, 7.0, 7.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0])
    monkeypatch.setattr("clearance.model.progress_count.time.monotonic", lambda: next(clock, 9.0))
    with following(True, "scoring", 4) as advance:
        for _ in range(4):
            advance(1)
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith("scoring: 1 of 4, ") and lines[-1].startswith("scoring: 4 of 4, ")
    assert len(lines) < 4  # no more than one in five seconds


def test_an_error_of_the_function_ends_the_call_and_leaves_no_bar():
    with pytest.raises(ZeroDivisionError):
        CALLS["attack"](progress=lambda *_: 1 / 0)
    with pytest.raises(InputError, match=r"progress: expected True, False or a function \(done, total, left\), got 3"):
        CALLS["attack"](progress=3)


def test_a_notebook_shows_an_element_that_ends_as_a_line(monkeypatch: pytest.MonkeyPatch):
    shown: list[str] = []

    class Handle:
        def update(self, what: Any) -> None:
            shown.append(what.data)

    def display(what: Any, *, display_id: bool) -> Handle:
        assert display_id
        shown.append(what.data)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("clearance.model.progress.in_notebook", lambda: True)
    with following(True, "<b>", 2) as advance:
        advance(1)
        advance(1)
    assert shown[0].startswith('<progress value="0" max="2">') and "&lt;b&gt;: 1 of 2" in shown[1]
    assert shown[-1].startswith("<small>") and "2 of 2" in shown[-1] and "<b>" not in "".join(shown)


def test_a_kernel_is_a_notebook_and_an_interactive_shell_is_none(monkeypatch: pytest.MonkeyPatch):
    class Shell:
        kernel = None

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr("IPython.get_ipython", Shell)
    assert watched() == ""
    Shell.kernel = object()  # pyright: ignore
    assert watched() == "notebook"


def test_rich_and_ipython_are_not_imported_where_nobody_watches():
    code = (
        "import clearance as cl, sys, torch\n"
        "cl.attack(cl.Classifier(torch.nn.Linear(2, 2)), torch.ones(1, 2), budget=50)\n"
        "assert not {'rich', 'IPython', 'pandas'} & set(sys.modules)"
    )
    environment = {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=HANG, stderr=subprocess.PIPE)
