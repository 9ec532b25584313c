"""The import rule of the design and the other habits that a reader of the source can check.

Every rule is a function from source text to a list of complaints, so that each can be shown to complain.
"""

import ast
import sys
from collections.abc import Iterator

import pytest

from conftest import ROOT

SOURCE = ROOT / "src" / "clearance"
MAX_FILE_LINES, MAX_FUNCTION_LINES = 320, 60

# From the bottom up. A module imports from lower levels only; inside a package, from its own package as well.
LEVELS = (
    {"errors"},
    {"status", "seeds", "costs", "plain", "weibull", "datafiles"},
    {"norms", "networks", "families", "tails", "memory", "least_distance", "preprocessing", "bounds", "placement"},
    {"extremes", "answers", "autodiff", "eigenvalues", "facets"},
    {"induced"},
    {"classifier"},
    {"transforms", "margins", "balls"},
    {"evidence", "derivatives", "curvature"},
    {"block_rules", "search", "smoothness"},
    {"bends"},
    {"blocks"},
    {"settings"},
    {"radius"},
    {"scores"},
    {"clever", "certified", "attacks", "slope", "integral"},
    {"audit"},
    {"bracket", "training"},
    {"datasets", "loading", "engines"},  # engines compute any function: they know nothing of runs, which are given one
    {"runs"},
    {"report"},
    {""},
    {"cli"},
    {"__main__"},
)
NO_TORCH = (
    "extremes",
    "weibull",
    "families",
    "tails",
    "status",
    "errors",
    "costs",
    "runs.plan",
    "runs.store",
    "report",
)
# Scores, certificates and attacks never import each other: no module of one row imports a module of another.
APART = (
    {"bends", "block_rules", "blocks", "settings", "radius", "scores", "clever"},
    {"certified"},
    {"attacks"},
    {"slope"},
    {"integral"},
)
# Everything else is imported where it is used.
AT_START = {"clearance", "torch", "numpy", "scipy", "safetensors", "pydantic", "click", "rich"}
ONLY_IN = {"ray": "engines.ray", "click": "cli", "rich": "cli"}

DRAWS = {"rand", "randn", "randint", "randperm", "normal", "multinomial", "bernoulli", "poisson", "_standard_gamma"}
DRAWS |= {"uniform_", "normal_", "exponential_", "random_", "bernoulli_", "cauchy_", "geometric_", "log_normal_"}
DRAWS |= {"kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_", "orthogonal_", "trunc_normal_"}
UNSEEDABLE = {"rand_like", "randn_like", "randint_like", "manual_seed_all", "set_rng_state"}
SELF_FILLING = {"Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d", "Embedding"}

FILES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").removesuffix("."): path
    for path in sorted(SOURCE.rglob("*.py"))
}
each_file = pytest.mark.parametrize("module", FILES)


def level(module: str) -> int:
    top = module.split(".", maxsplit=1)[0]
    return next((rank for rank, names in enumerate(LEVELS) if top in names), -1)


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """Each imported module's full name, and whether the import runs with the module (top level, no TYPE_CHECKING)."""
    tree = ast.parse(source)
    late = {id(node) for scope in ast.walk(tree) if is_late(scope) for node in ast.walk(scope)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((f"{node.module}.{alias.name}", id(node) not in late) for alias in node.names)


def is_late(node: ast.AST) -> bool:
    checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    return checking or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def own_modules(source: str) -> Iterator[str]:
    """The modules of this package that a source imports: `clearance.norms.project` is `norms`, `clearance` is ``."""
    for name, _ in imports(source):
        top, _, rest = name.partition(".")
        if top == "clearance":
            parts = rest.split(".")
            names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
            yield next((name for name in names if name in FILES), parts[0] if level(parts[0]) >= 0 else "")


def wrong_direction(module: str, source: str) -> list[str]:
    here, package = level(module), module.split(".", maxsplit=1)[0]
    used = set(own_modules(source))
    apart = set().union(*(row for row in APART if package not in row)) if package in set().union(*APART) else set()
    others = {name: name.split(".")[0] for name in used if name.split(".")[0] != package or not package}
    return [name for name, top in others.items() if level(name) >= here or top in apart]


def misplaced_packages(module: str, source: str) -> list[str]:
    complaints = []
    for name, at_start in imports(source):
        top, home = name.split(".")[0], ONLY_IN.get(name.split(".")[0])
        if home and module != home and not module.startswith(f"{home}."):
            complaints.append(f"{top} belongs in {home}")
        elif at_start and not home and top not in AT_START and top not in sys.stdlib_module_names:
            complaints.append(f"{top} is imported where it is used, not with the module")
    return complaints


def reach(module: str) -> set[str]:
    """Every module of this package that importing `module` may bring in."""
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name in FILES and name not in seen:
            seen.add(name)
            waiting.extend(own_modules(FILES[name].read_text()))
    return seen


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


@each_file
def test_module_has_a_place(module: str):
    assert level(module) >= 0, f"{module} has no level: add it to LEVELS, where the design puts it"


@each_file
def test_imports_point_down(module: str):
    assert not wrong_direction(module, FILES[module].read_text())


@each_file
def test_packages_stay_where_they_belong(module: str):
    assert not misplaced_packages(module, FILES[module].read_text())


@pytest.mark.parametrize("module", [name for name in FILES if name.startswith(NO_TORCH)])
def test_no_torch_is_brought_in(module: str):
    bringers = [
        name
        for name in reach(module)
        if any(used.split(".")[0] == "torch" for used, _ in imports(FILES[name].read_text()))
    ]
    assert not bringers


@each_file
def test_no_global_random_state(module: str):
    assert not global_randomness(FILES[module].read_text())


@pytest.mark.parametrize("module", [name for name in FILES if name.split(".")[0] not in ("cli", "__main__")])
def test_only_the_command_line_prints_or_exits(module: str):
    assert not prints(FILES[module].read_text())


@each_file
def test_files_and_functions_are_short(module: str):
    source = FILES[module].read_text()
    assert len(source.splitlines()) <= MAX_FILE_LINES
    assert not long_functions(source)


def test_the_rules_see_the_source():
    assert {"errors", "norms", "datasets", "networks"} <= set(FILES)
    assert "datafiles" in reach("datasets") and "errors" in reach("datasets")
    assert len({name for names in LEVELS for name in names}) == sum(len(names) for names in LEVELS)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("norms", "from clearance.classifier import Classifier"),
        ("norms", "import clearance.networks"),
        ("attacks.ddn", "from clearance.clever import clever"),
        ("certified", "from clearance.attacks.ddn import attack"),
        ("attacks.ddn", "from clearance.settings import Settings"),
        ("scores", "from clearance import attacks"),
        ("search", "def f():\n    from clearance import audit"),
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
        ("clever", "from clearance.extremes import fit_reverse_weibull\nfrom clearance.norms import project"),
        ("cli", "from clearance import datasets, loading"),
    ],
)
def test_right_direction_passes(module: str, source: str):
    assert not wrong_direction(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("audit", "import click"),
        ("report.html", "from rich.table import Table"),
        ("engines.local", "def f():\n    import ray"),
        ("datasets", "from sklearn.datasets import load_digits"),
        ("transforms", "import PIL.Image"),
    ],
)
def test_misplaced_packages_are_seen(module: str, source: str):
    assert misplaced_packages(module, source)


def test_packages_in_their_place_pass():
    assert not misplaced_packages("engines.ray", "import ray")
    assert not misplaced_packages("cli.tables", "from rich.table import Table")
    assert not misplaced_packages("datasets", "def f():\n    from sklearn.datasets import load_digits")


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
    assert level("unheard_of") == -1
