"""The import rule of the design and the other habits that a reader of the source can check.

Every rule is a function from source text to a list of complaints, so that each can be shown to complain.
"""

import ast
import re
import sys
from collections.abc import Callable

import pytest

from doc_tables import part
from imports import FILES, FLOORS, MARK, PAGE, SOURCE, cycles, document, floor, imports, reach, wrong_direction

MAX_FILE_LINES, MAX_FUNCTION_LINES = 320, 60
# Of the root names two are for Python alone: results, what the calls return, and metrics, which users import by name.
MOST_ROOT_NAMES, MOST_FLOORS = 18, 13

NO_TORCH = (
    "errors",
    "attacks.table",
    "records",
    "data.table",
    "model.budgets",
    "certificates.table",
    "model.cost",
    "model.robustness",
    "model.targets",
    "zoo.table",
    "estimates.extremes",
    "estimates.samplers.table",
    "estimates.status",
    "runs.plan",
    "runs.store",
    "report",
    "experiments.table",
    "experiments.journal",
    "experiments.outcome",
    "experiments.pages",
)
# Everything else is imported where it is used.
AT_START = {"clearance", "torch", "numpy", "scipy", "safetensors", "pydantic", "click", "rich"}
BAR = "model.bars"
ONLY_IN = {"ray": ("runs.engines.ray",), "click": ("cli",), "rich": ("cli", BAR)}
# It shows the progress of a call from Python, where a person watches and nowhere else (design, section 4): it
# is imported then, and may print nothing but that bar. Everything else that prints is the command line's.

DRAWS = {"rand", "randn", "randint", "randperm", "normal", "multinomial", "bernoulli", "poisson", "_standard_gamma"}
DRAWS |= {"uniform_", "normal_", "exponential_", "random_", "bernoulli_", "cauchy_", "geometric_", "log_normal_"}
DRAWS |= {"kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_", "orthogonal_", "trunc_normal_"}
UNSEEDABLE = {"rand_like", "randn_like", "randint_like", "manual_seed_all", "set_rng_state"}
SELF_FILLING = {"Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d", "Embedding"}

SOURCES = {module: path.read_text() for module, path in FILES.items()}
"""Module -> its text. One test looks at all of them: a test for each took longer to be called than to look."""


def complaints(rule: Callable[[str, str], object]) -> dict[str, object]:
    """Module -> what a rule, given a module and its text, has to say against it."""
    return {module: found for module, source in SOURCES.items() if (found := rule(module, source))}


def misplaced_packages(module: str, source: str) -> list[str]:
    complaints = []
    for name, at_start in imports(source):
        top, homes = name.split(".")[0], ONLY_IN.get(name.split(".")[0], ())
        if homes and not any(module == home or module.startswith(f"{home}.") for home in homes):
            complaints.append(f"{top} belongs in {' and '.join(homes)}")
        elif at_start and (module == BAR or not homes) and top not in AT_START - set(ONLY_IN) | sys.stdlib_module_names:
            complaints.append(f"{top} is imported where it is used, not with the module")
    return complaints


def global_randomness(source: str) -> list[str]:
    """Calls that read or write a global random state, or take fresh entropy."""
    tree = ast.parse(source)
    forks = [
        node for node in ast.walk(tree) if isinstance(node, ast.With) and "fork_rng(" in ast.unparse(node.items[0])
    ]
    forked = {id(node) for fork in forks for node in ast.walk(fork)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and id(node) not in forked]
    found = [f"line {call.lineno}: {ast.unparse(call.func)}" for call in calls if draws_globally(call)]
    return found + [f"import {name}" for name, _ in imports(source) if name.split(".")[0] in ("random", "secrets")]


def draws_globally(call: ast.Call) -> bool:
    owner, name = dotted(call.func)
    given = {keyword.arg for keyword in call.keywords}
    if name == "default_rng":
        return not call.args and not given
    if name == "manual_seed":
        return owner in ("torch", "torch.random", "torch.cuda")
    if name == "rvs":
        return "random_state" not in given
    numpy_global = owner in ("np.random", "numpy.random") and name not in ("Generator", "PCG64", "SeedSequence")
    layer = owner in ("nn", "torch.nn") and name in SELF_FILLING
    from_generator = owner in ("generator", "random")  # a NumPy generator's own methods
    return (
        numpy_global
        or layer
        or name in UNSEEDABLE
        or (name in DRAWS and "generator" not in given and not from_generator)
    )


def dotted(function: ast.expr) -> tuple[str, str]:
    owner, _, name = ast.unparse(function).rpartition(".")
    return owner, name


def prints(source: str) -> list[int]:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if ast.unparse(call.func) in ("print", "sys.exit", "exit", "os._exit")]


def long_functions(source: str) -> list[str]:
    """Functions with too many lines, their docstrings not counted."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return [f.name for f in functions if line_count(f) - documented(f) > MAX_FUNCTION_LINES]


def line_count(node: ast.stmt) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def documented(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return line_count(function.body[0]) if ast.get_docstring(function) else 0


def test_modules_have_a_place():
    assert not [module for module in FILES if floor(module) < 0], "no floor: the design has a folder for it"


def test_imports_point_down():
    assert not complaints(wrong_direction)


def test_packages_stay_where_they_belong():
    assert not complaints(misplaced_packages)


@pytest.mark.parametrize("module", [name for name in FILES if name.startswith(NO_TORCH)])
def test_no_torch_is_brought_in(module: str):
    bringers = [
        name
        for name in reach(module)
        if any(used.split(".")[0] == "torch" for used, _ in imports(FILES[name].read_text()))
    ]
    assert not bringers


def test_no_global_random_state():
    assert not complaints(lambda _, source: global_randomness(source))


def test_only_the_command_line_prints_or_exits():
    assert not complaints(lambda module, source: module.split(".")[0] not in ("cli", "__main__") and prints(source))


def test_files_and_functions_are_short():
    assert not complaints(lambda _, source: len(source.splitlines()) > MAX_FILE_LINES)
    assert not complaints(lambda _, source: long_functions(source))


def test_the_rules_see_the_source():
    assert {"errors", "geometry.norms", "data.datasets", "zoo.networks"} <= set(FILES)
    assert "data.files" in reach("data.datasets") and "errors" in reach("data.datasets")
    assert len({name for names in FLOORS for name in names}) == sum(len(names) for names in FLOORS)


def test_the_house_is_small_enough_to_know():
    names = {path.stem for path in SOURCE.iterdir() if not path.name.startswith(("_", "."))} - {"py"}
    assert len(names) <= MOST_ROOT_NAMES and len(FLOORS) <= MOST_FLOORS


def test_no_module_is_in_a_cycle():
    assert not cycles()


def test_the_document_shows_who_imports_whom():
    assert part(PAGE, MARK) == document(), "run: make tables"


def test_the_document_names_files_that_exist():
    places = [SOURCE, SOURCE.parents[1]]
    named = set(re.findall(r"`([a-z_/]+(?:\.py|/))`", PAGE.read_text()))
    assert len(named) > 30
    assert not [name for name in named if not any((place / name).exists() for place in places)]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("geometry.norms", "from clearance.model.classifier import Classifier"),
        ("geometry.norms", "import clearance.zoo.networks"),
        ("attacks.ddn", "from clearance.estimates.clever import clever"),
        ("certificates", "from clearance.attacks.ddn import attack"),
        ("attacks.ddn", "from clearance.estimates.settings import Settings"),
        ("estimates.scores", "from clearance import attacks"),
        ("estimates.samplers.gradient_search", "def f():\n    from clearance import audit"),
        ("runs.plan", "import clearance"),
        ("errors", "from clearance import Classifier"),
    ],
)
def test_wrong_direction_is_seen(module: str, source: str):
    assert wrong_direction(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("attacks.best", "from clearance.attacks.ddn import attack"),
        (
            "estimates.clever",
            "from clearance.estimates.extremes import fit\nfrom clearance.geometry import norms",
        ),
        ("cli", "from clearance.data import datasets\nfrom clearance.zoo import specs"),
    ],
)
def test_right_direction_passes(module: str, source: str):
    assert not wrong_direction(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("audit", "import click"),
        ("report.html", "from rich.table import Table"),
        (BAR, "from rich.table import Table"),
        ("model.progress", "def f():\n    from rich.table import Table"),
        ("runs.engines.local", "def f():\n    import ray"),
        ("data.datasets", "from sklearn.datasets import load_digits"),
        ("model.transforms", "import PIL.Image"),
    ],
)
def test_misplaced_packages_are_seen(module: str, source: str):
    assert misplaced_packages(module, source)


def test_packages_in_their_place_pass():
    assert not misplaced_packages("runs.engines.ray", "import ray")
    assert not misplaced_packages("cli.tables", "from rich.table import Table")
    assert not misplaced_packages("data.datasets", "def f():\n    from sklearn.datasets import load_digits")
    assert not misplaced_packages(BAR, "def f():\n    from rich.console import Console")


@pytest.mark.parametrize(
    "source",
    [
        "torch.manual_seed(0)",
        "torch.rand(3)",
        "x.uniform_(0, 1)",
        "torch.randn_like(x)",
        "nn.init.kaiming_uniform_(w)",
        "nn.Linear(2, 3)",
        "np.random.seed(0)",
        "np.random.rand(3)",
        "np.random.default_rng()",
        "distribution.rvs(3)",
        "import random",
        "from random import choice",
    ],
)
def test_global_randomness_is_seen(source: str):
    assert global_randomness(source)


@pytest.mark.parametrize(
    "source",
    [
        "torch.rand(3, generator=g)",
        "torch.Generator().manual_seed(0)",
        "with torch.random.fork_rng(devices=[]):\n    torch.manual_seed(0)",
        "np.random.default_rng(seed)",
        "generator.normal(size=3)",
        "skip_init(nn.Linear, 2, 3)",
    ],
)
def test_explicit_randomness_passes(source: str):
    assert not global_randomness(source)


def test_other_rules_complain():
    assert prints("print(1)") == [1] and prints("sys.exit(2)") == [1] and not prints("table.print()")
    lines = "\n".join(["    x = 1"] * MAX_FUNCTION_LINES)
    assert long_functions(f"def f():\n{lines}") == ["f"]
    assert not long_functions(f"def f():\n{lines[10:]}")
    assert not long_functions(f"def f():\n    '''{lines}'''\n    return 1")
    assert floor("unheard_of") == -1
