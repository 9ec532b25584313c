"""The public names: all there, imported late, and none hidden by a module of the same name."""

import subprocess
import sys

import pytest

import clearance
from conftest import ROOT
from waiting import HANG


def in_a_fresh_process(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "src")}, timeout=HANG)


IN_FORKS = """
import os, sys, torch, scipy
for code in sys.argv[1:]:
    if not (child := os.fork()):
        exec(code, {"__name__": "__main__"})
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(code)
"""


def in_fresh_packages(*codes: str) -> None:
    """Run each code where nothing of this package is imported yet: in forks of one process, which has torch."""
    command = [sys.executable, "-c", IN_FORKS, *codes]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(ROOT / "src")}, timeout=HANG)


def test_every_public_name_is_there():
    assert all(getattr(clearance, name) is not None for name in clearance.__all__)
    assert set(clearance.__all__) <= set(dir(clearance))
    assert callable(clearance.clever) and clearance.PAPER["blocks"] == 500


@pytest.mark.parametrize("name", ["clearance", "clearance.attacks", "clearance.training"])
def test_names_that_are_not_imported_yet_are_listed(name: str):
    in_a_fresh_process(f"import {name} as package; assert set(package.__all__) <= set(dir(package))")


def test_the_metrics_are_a_module():
    in_a_fresh_process("from clearance.metrics import RobustAccuracyMetric; import clearance.metrics")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'cleverer'"):
        clearance.cleverer  # noqa: B018


def test_the_import_alone_brings_in_nothing_slow():
    in_a_fresh_process("import clearance, sys; assert not {'torch', 'scipy', 'numpy', 'click'} & set(sys.modules)")


def test_the_module_bracket_does_not_hide_the_function():
    in_fresh_packages(
        "from clearance.bracket import Bracket; import clearance; assert not hasattr(clearance.bracket, 'Bracket')",
        "import clearance.bracket; assert clearance.bracket.__name__ == 'bracket'",
        "import clearance; clearance.audit; import clearance.audit; clearance.audit.__code__",
    )


def test_the_readme_says_what_the_program_says():
    text = (ROOT / "README.md").read_text()
    rows = [f"| `{status.value}` | {status.meaning} |" for status in clearance.Status]
    assert "\n".join(rows) in text
