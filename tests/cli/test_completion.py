"""What shells complete, asked as click's own scripts ask."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from clearance.cli import run
from clearance.cli.options import commands
from conftest import ROOT
from waiting import HANG


def completions(*words: str) -> list[str]:
    asked = BashComplete(commands, {}, "clearance", "_CLEARANCE_COMPLETE")
    found = asked.get_completions(list(words[:-1]), words[-1])
    return [one.value if one.type == "plain" else f"<{one.type}>" for one in found]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("rep",), ["report", "reproduce"]),
        (("score", "digits-r"), ["digits-robust"]),
        (("score", "net"), ["<file>"]),
        (("score", "digits-robust", "mn"), ["mnist", "mnist:"]),
        (("score", "digits-robust", "digits", "--target", "r"), ["runner-up", "random"]),
        (("bracket", "m", "d", "--norm", "2,"), ["2,1", "2,inf"]),
        (("bracket", "m", "d", "--budget", "q"), ["quick"]),
        (
            ("bracket", "m", "d", "--target", "random,"),
            ["random,untargeted", "random,runner-up", "random,least-likely"],
        ),
        (("bracket", "m", "d", "--out", "x"), ["<dir>"]),
        (("attack", "m", "d", "--method", "dd"), ["ddn"]),
        (("attack", "m", "d", "--device", "c"), ["cpu", "cuda"]),
        (("train", "digits", "--network", "strided"), ["strided_cnn"]),
        (("report", ""), ["<dir>"]),
        (("compare", "a", "b"), ["<dir>"]),
        (("reproduce", "toy"), ["toy-model"]),
        (("figure", "run", "gaps", "--out", "x"), ["<file>"]),
    ],
)
def test_words_are_completed(here: Path, words: tuple[str, ...], expected: list[str]):
    assert completions(*words) == expected


def test_files_stand_beside_names_and_follow_a_prefix(here: Path):
    (here / "digits.npz").write_text("")
    (here / "pictures").mkdir()
    (here / "pictures" / "cats").mkdir()
    assert completions("score", "m", "dig") == ["digits", "digits.npz"]
    assert completions("score", "m", "folder:pic") == ["folder:pictures/"]
    assert completions("score", "m", "folder:pictures/") == ["folder:pictures/cats/"]
    assert completions("score", "m", "folder:none/") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_asks_the_program(shell: str):
    done = ask(f"{shell}_source")
    assert done.returncode == 0 and f"_CLEARANCE_COMPLETE={shell}_complete" in done.stdout


def test_a_process_answers_without_importing_torch():
    done = ask(
        "bash_complete",
        COMP_WORDS="clearance score digits-",
        COMP_CWORD="2",
        code="; assert 'torch' not in sys.modules",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["plain,digits-standard", "plain,digits-robust"]


def test_an_unknown_shell_is_no_success(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("_CLEARANCE_COMPLETE", "tcsh_source")
    assert run([]) != 0


def ask(instruction: str, *, code: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "_CLEARANCE_COMPLETE": instruction, **variables}
    program = f"import sys; from clearance.cli import run; found = run([]){code}; sys.exit(found)"
    return subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, env=environment, timeout=HANG
    )
