"""The table of attacks: every line can be run by name; docs, docstring and command line are read from it.

`make tables` writes what docs and docstring take from the table (`ATTACKS`) anew.
"""

import importlib
import math
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import clearance as cl
import doc_tables
from clearance.attacks import Witnesses
from clearance.attacks.ensembles import alone
from clearance.attacks.table import ATTACKS, ENSEMBLE, AttackMethod, choices
from clearance.errors import InputError
from clearance.model.budgets import BUDGETS, passes_of
from closed_forms import random_inputs, random_linear

ROOT = Path(__file__).resolve().parents[2]
PAGE, PACKAGE = ROOT / "docs" / "attacks.md", ROOT / "src" / "clearance" / "attacks" / "__init__.py"
SOURCE = "clearance.attacks.table.ATTACKS: make tables"
IN_PACKAGE = re.compile(r"(?<=can run by name:\n\n).*?(?=\n\n)", re.S)
each_name = pytest.mark.parametrize("name", ATTACKS)


def page_table() -> str:
    rows = [(f"`{name}`", line.norm_names, line.meaning) for name, line in ATTACKS.items()]
    return doc_tables.table(("method", "norms", "what it does"), rows)


def package_list() -> str:
    return "\n".join(f"    {name:19}{line.norm_names}" for name, line in ATTACKS.items())


def norm_of(line: AttackMethod) -> float:
    """One of its norms."""
    return line.norms[0] if line.norms else math.inf


def in_a_fresh_process(code: str, **more: object) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100", **more}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, timeout=300
    )


def test_docs_and_docstring_say_what_the_table_says():
    assert doc_tables.part(PAGE, SOURCE) == page_table(), "run: make tables"
    assert IN_PACKAGE.findall(PACKAGE.read_text()) == [package_list()], "run: make tables"


@each_name
def test_a_line_names_a_function(name: str):
    assert callable(ATTACKS[name].load()) and ATTACKS[name].meaning and choices()[0] == ENSEMBLE


@each_name
def test_every_attack_runs_by_name(name: str):
    norm, network, x = norm_of(ATTACKS[name]), random_linear(0, classes=2), random_inputs(0, 3, 6)
    model = cl.Classifier(network, dtype=torch.float64)
    results = cl.attack(model, x, norm=norm, method=name, budget="quick")
    exact = network.distance(x, norm).tolist()
    for result, least in zip(results, exact, strict=True):
        assert result.success and result.method in {run.method for run in alone(name, "quick")}
        assert result.distance >= least
        assert int(network(result.adversarial[None]).argmax()) == result.predicted  # confirmed
    median = sorted(result.distance / least for result, least in zip(results, exact, strict=True))[1]
    assert median <= 1.5, median  # not just any witness


@each_name
@pytest.mark.parametrize("budget", BUDGETS)
def test_alone_it_spends_what_the_budget_gives(name: str, budget: str):
    line, (*first, last) = ATTACKS[name], alone(name, budget)
    assert [run.method for run in first[: int(line.needs_witness)]] == ["fgsm"] * line.needs_witness
    runs = [*first[int(line.needs_witness) :], last]
    each = line.rounds * (line.forwards + line.backwards)
    spent = sum(run.steps for run in runs) * each
    assert BUDGETS[budget].passes - each * len(runs) < spent <= BUDGETS[budget].passes
    assert {run.method for run in runs} == {name} and len(runs) == 1 + list(BUDGETS).index(budget)


def test_passes_are_about_those_of_the_budget():
    model, x = cl.Classifier(random_linear(0, classes=2), dtype=torch.float64), random_inputs(0, 2, 6)
    for name in ("ddn", "pgd", "square"):
        for budget in ("quick", 700):
            (cost,) = {
                result.cost.forward + result.cost.backward for result in cl.attack(model, x, method=name, budget=budget)
            }
            assert passes_of(budget) <= cost <= passes_of(budget) + 50, (
                name
            )  # checks of the witness, ranking of classes


@pytest.mark.parametrize(
    ("name", "norm", "message"),
    [
        ("ddn", "inf", "norm: expected l2 for method ddn, got linf"),
        ("pdpgd", 2, "norm: expected l1 for method pdpgd, got l2"),
        ("square", 1, "norm: expected l2, linf for method square, got l1"),
        ("deepfool", 2, "method: expected one of best, fgsm, .*, got 'deepfool'"),
    ],
)
def test_misuse_is_one_clear_line(name: str, norm: float | str, message: str):
    model, x = cl.Classifier(random_linear(0), dtype=torch.float64), random_inputs(0, 1, 6)
    with pytest.raises(InputError, match=message):
        cl.attack(model, x, norm=norm, method=name)


def test_best_is_the_default():
    model, x = cl.Classifier(random_linear(0), dtype=torch.float64), random_inputs(0, 2, 6)
    default, named = (cl.attack(model, x, budget="quick", **given) for given in ({}, {"method": "best"}))
    assert [result.distances for result in default] == [result.distances for result in named]


DUMMY = '''
from clearance.attacks.table import ATTACKS, AttackMethod


def far_away(task, run, known):
    """The first corner of a huge box that is a witness, if one is."""
    from clearance.attacks import Witnesses
    from clearance.attacks.passes import look

    found = Witnesses(task.x, task.norm)
    for shift in (-50.0, 50.0):
        points = task.model.clip(task.x + shift)
        found.offer(points, task.goal.reached(look(task.model, points)))
    return found


'''
ONE_LINE = 'ATTACKS["far_away"] = AttackMethod("a corner of a huge box", "dummy_attack:far_away", norms=(2.0,))\n'


@pytest.fixture
def dummy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A module with an attack of its own, in the table through one line; both gone afterwards."""
    (tmp_path / "dummy_attack.py").write_text(DUMMY + ONE_LINE)
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(ATTACKS)
    yield importlib.import_module("dummy_attack")
    ATTACKS.clear()
    ATTACKS.update(before)
    del sys.modules["dummy_attack"]


def test_a_new_attack_is_one_line_for_python(dummy: types.ModuleType):
    network, x = random_linear(0, classes=2), random_inputs(0, 3, 6)
    results = cl.attack(cl.Classifier(network, dtype=torch.float64), x, norm=2, method="far_away", budget="quick")
    assert any(result.success for result in results)
    for result in results:
        assert result.method == ("far_away" if result.success else "none") and set(result.distances) == {"far_away"}
        assert result.distance < 50  # bisected back along its segment
    with pytest.raises(InputError, match="norm: expected l2 for method far_away, got linf"):
        cl.attack(cl.Classifier(network, dtype=torch.float64), x, norm="inf", method="far_away")
    assert "`far_away`" in page_table() and "far_away" in package_list()


@pytest.mark.slow
def test_a_new_attack_is_one_line_for_the_command_line(tmp_path: Path):
    (tmp_path / "dummy_attack.py").write_text(DUMMY + ONE_LINE)
    code = "import dummy_attack; from clearance.cli import main; main({})"
    path = f"{ROOT / 'src'}:{tmp_path}"
    said = in_a_fresh_process(code.format(["attack", "--help"]), PYTHONPATH=path)
    assert "far_away (l2)" in " ".join(said.stdout.split())
    arguments = ["attack", "digits-standard", "digits", "--count", "1", "--method", "far_away", "--budget", "quick"]
    said = in_a_fresh_process(code.format(arguments), PYTHONPATH=path)
    assert said.returncode == 0, said.stderr
    assert "method far_away" in said.stdout


def test_the_table_is_as_it_was():
    assert "far_away" not in ATTACKS


def test_help_brings_in_no_torch():
    code = (
        "import sys\nfrom clearance.cli import run\nrun(['attack', '--help'])\n"
        "assert not {'torch', 'numpy', 'scipy'} & set(sys.modules)"
    )
    said = in_a_fresh_process(code)
    assert said.returncode == 0, said.stderr
    text = " ".join(said.stdout.split())
    assert all(f"{name} ({line.norm_names})" in text for name, line in ATTACKS.items())
    assert all(name in text and f"{budget.passes:,}" in text for name, budget in BUDGETS.items())


def test_public_names_are_functions_however_they_are_imported():
    """A module and its function have one name: the function is what users get."""
    said = in_a_fresh_process(
        "import clearance.attacks.ddn, clearance.attacks as a\n"
        "assert all(not hasattr(getattr(a, name), '__file__') for name in a.__all__)\n"
        "assert set(a.__all__) <= set(dir(a)) and callable(a.ddn) and callable(a.attack)\n"
    )
    assert said.returncode == 0, said.stderr
    with pytest.raises(AttributeError, match="no attribute 'deepfool'"):
        cl.attacks.deepfool  # noqa: B018
    assert cl.attacks.Witnesses is Witnesses


def rewrite() -> None:
    """Put what the table says into the page and the docstring."""
    doc_tables.rewrite(PAGE, SOURCE, page_table())
    PACKAGE.write_text(IN_PACKAGE.sub(lambda _: package_list(), PACKAGE.read_text(), count=1))


if __name__ == "__main__":
    rewrite()
