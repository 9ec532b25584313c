"""The code of documents: every block, what is in it, and how it is run.

A block is marked by a comment before it, where it cannot run as it stands:

    <!-- block: skip: REASON -->    not run at all
    <!-- block: parse: REASON -->   commands are parsed by the command line, and not carried out
    <!-- block: file: NAME -->      Python that a reader saves as NAME and runs by a later block

A command is parsed as it stands, then carried out with fewer inputs and passes, so that a page takes seconds.
"""

from __future__ import annotations

import ast
import doctest
import io
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from command_line import run_command
from conftest import ROOT

MARK = re.compile(r"<!-- block: (skip|parse|file): (.+?) -->", re.S)
PYTHON, SHELL, TEXT = {"python"}, {"bash", "console"}, {"text", "bibtex", "yaml", "csv"}
FORMULA = re.compile(r"[≤∫²ε∇^∞]|<=")
"""What an indented block without a language must hold, if it is neither Python nor commands."""
PROGRAMS = ("clearance", "python", "pip", "uv", "make", "ray", "cd", "eval")
FEWER = {
    "bracket": {"--count": "1", "--budget": "1500", "--time-limit": "1"},
    "score": {"--count": "1", "--budget": "400"},
    "attack": {"--count": "1", "--budget": "quick"},
    "certify": {"--count": "1", "--time-limit": "1"},
    "audit": {"--count": "1"},
    "export-vnnlib": {"--count": "1"},
    "train": {"--epochs": "1"},
}
"""Command -> flags that make it short; they come last, so that they count."""
OWN_TESTS = {"demo": "tests/cli/test_demo.py", "reproduce": "tests/cli/test_reproduce.py"}
"""Commands that are carried out by tests of their own, and only parsed here."""
VERDICTS = {"gate": {0, 1}, "audit": {0, 1}}
"""Commands whose exit code is a verdict, which fewer inputs may change; others end with 0."""
STANDS_FOR = {"MODEL": "digits-standard", "DATA": "digits", "…": None, "EPS": "0.1", "FILE": "file"}
"""What a reader replaces -> what stands there in a test; `None`: nothing."""


@dataclass(frozen=True)
class Block:
    """One block of code in a document.

    Attributes:
        line: Where it starts.
        kind: `python`, `shell` or `text`.
        code: What is in it.
        mark: `skip`, `parse`, `file`, or nothing.
        reason: Of the mark: why, or the file's name.
    """

    line: int
    kind: str
    code: str
    mark: str = ""
    reason: str = ""


def blocks(text: str) -> list[Block]:
    """Every block of a document, in order; an indented one that mixes Python and commands becomes several."""
    found: list[Block] = []
    mark = ("", "")
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "html_block":
            marked = MARK.search(token.content)
            mark = (marked[1], " ".join(marked[2].split())) if marked else mark
        elif token.type in ("fence", "code_block"):
            line = (token.map or [0])[0] + 1
            if not token.info.startswith("{"):
                found += [Block(line, kind, code, *mark) for kind, code in _parts(token.info, token.content, line)]
            mark = ("", "")
    return found


def _parts(language: str, code: str, line: int) -> list[tuple[str, str]]:
    """The kinds of a block: one for a fence, which names it; an indented one is told by what is in it."""
    if language in PYTHON | SHELL | TEXT:
        return [("python" if language in PYTHON else "shell" if language in SHELL else "text", code)]
    if language:
        raise AssertionError(f"line {line}: expected python, bash, console or text, got {language}")
    if ">>>" in code or _is_python(code):
        return [("python", code)]
    parts: list[tuple[str, str]] = []
    goes_on = False
    for own in code.splitlines(keepends=True):
        shell = goes_on or (own.split()[:1] != [] and own.split()[0] in PROGRAMS)
        goes_on = shell and own.rstrip().endswith("\\")
        kind = "shell" if shell else "python"
        if parts and (parts[-1][0] == kind or not own.strip()):
            parts[-1] = (parts[-1][0], parts[-1][1] + own)
        else:
            parts.append((kind, own))
    if any(kind == "python" and not _is_python(own) for kind, own in parts):
        if not FORMULA.search(code) or any(kind == "shell" for kind, _ in parts):
            raise AssertionError(f"line {line}: expected Python, commands or a formula, got {code!r}")
        return [("text", code)]
    return parts


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


@dataclass
class Page:
    """One document being read: its folder, and the names that its Python has made so far.

    Attributes:
        folder: Where commands run; an empty one at first.
        names: Of the Python.
        printed: By the last block of Python.
        made: What was done, for messages.
    """

    folder: Path
    names: dict[str, Any]
    printed: str = ""
    made: list[str] = field(default_factory=list[str])

    def read(self, block: Block) -> None:
        """Carry out one block."""
        if block.mark == "skip" or block.kind == "text":
            return
        if block.mark == "file":
            (self.folder / block.reason).write_text(block.code)
        elif block.kind == "shell":
            for words in commands(block.code):
                self.made.append(" ".join(words))
                self._carry_out(words, parse_only=block.mark == "parse")
        elif ">>>" in block.code:
            self._doctest(block)
        else:
            self._execute(block)

    def _execute(self, block: Block) -> None:
        out = io.StringIO()
        with redirect_stdout(out):
            exec(compile(block.code, f"line {block.line}", "exec"), self.names)
        self.printed = out.getvalue()

    def _doctest(self, block: Block) -> None:
        said: list[str] = []
        session = doctest.DocTestParser().get_doctest(block.code, self.names, f"line {block.line}", None, 0)
        result = doctest.DocTestRunner(verbose=False).run(session, out=said.append, clear_globs=False)
        self.names |= session.globs
        assert result.attempted and not result.failed, "".join(said)

    def _carry_out(self, words: list[str], *, parse_only: bool) -> None:
        words = words[: words.index(">")] if ">" in words else words  # what is printed may go to a file
        match words[0]:
            case "clearance":
                run_clearance(words[1:], self.folder, parse_only=parse_only)
            case "python":
                self._script(words[1])
            case "pip" | "uv":
                check_install(words)
            case "cd":
                assert parse_only and (ROOT / words[1]).is_dir(), words
            case "make":
                check_target(words[1:])
            case _:
                raise AssertionError(f"expected one of {', '.join(PROGRAMS[:5])}, got {' '.join(words)}")

    def _script(self, name: str) -> None:
        """Run a script of the page; scripts of the repository take minutes, and have to be there."""
        if name.startswith(("experiments/", "benchmarks/")):
            assert (ROOT / name).is_file()
            return
        known = set(sys.modules)
        sys.path.insert(0, str(self.folder))
        try:
            runpy.run_path(str(self.folder / name), run_name="__main__")
        finally:
            sys.path.remove(str(self.folder))
            for module in set(sys.modules) - known:
                if str(getattr(sys.modules[module], "__file__", "")).startswith(str(self.folder)):
                    del sys.modules[module]


def commands(code: str) -> list[list[str]]:
    """The commands of a block, as words, without prompts and comments."""
    lines = re.sub(r"\\\n\s*", " ", code).splitlines()
    parts = [part for line in lines for part in line.removeprefix("$ ").split("&&")]
    return [words for part in parts if (words := shlex.split(part, comments=True))]


def run_clearance(words: list[str], folder: Path, *, parse_only: bool) -> None:
    """Parse a command as it stands, and carry it out with fewer inputs and passes."""
    from clearance.cli import commands as group

    words = [stands for word in words if (stands := STANDS_FOR.get(word, word)) is not None]
    words = [f"{word}-2" if word == "RUN" and "RUN" in words[:place] else word for place, word in enumerate(words)]
    if words[0].startswith("-"):
        assert run_command(*words, folder=folder).returncode == 0
        return
    command = group.get_command(None, words[0])
    assert command is not None, f"expected a command, got clearance {words[0]}"
    command.make_context(words[0], words[1:])
    if parse_only or words[0] in OWN_TESTS:
        return
    fewer = FEWER.get(words[0], {})
    chosen = {"--count"} if {"--indices", "--per-class"} & set(words) else set()
    if "--per-class" in words:
        fewer = {**fewer, "--per-class": "1"}
    asked = [part for flag, value in fewer.items() if flag not in chosen for part in (flag, value)]
    done = run_command(*words, *asked, folder=folder)
    assert done.returncode in VERDICTS.get(words[0], {0}), f"clearance {' '.join(words)}: {done.stderr}{done.stdout}"


def check_install(words: list[str]) -> None:
    """What a line installs exists: the extras of this package, and the files that it names. It is not carried out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for word in words:
        extras = re.fullmatch(r"(?:\.|clearance)\[([\w,]+)\]", word)
        assert not extras or set(extras[1].split(",")) <= set(project["optional-dependencies"]), word
        assert not word.endswith(".txt") or (ROOT / word).is_file(), word


def check_target(words: list[str]) -> None:
    """What a line makes is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {word for word in words if "=" not in word} <= targets, words


def same(expected: str, got: str, *, tolerance: float = 0.05) -> bool:
    """Whether two outputs have the same words, and numbers that are near each other."""
    first, second = expected.split(), got.split()
    return len(first) == len(second) and all(map(_near(tolerance), first, second))


def _near(tolerance: float) -> Callable[[str, str], bool]:
    def near(first: str, second: str) -> bool:
        try:
            a, b = float(first.strip(",;:")), float(second.strip(",;:"))
        except ValueError:
            return first == second
        return first == second or abs(a - b) <= tolerance * max(abs(a), abs(b))

    return near
