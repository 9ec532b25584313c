"""What a release says of itself: one address, one version, extras that exist, a wheel that holds its pages."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import clearance
from conftest import ROOT
from waiting import HANG

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ADDRESS = PROJECT["project"]["urls"]["Homepage"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
WORKFLOWS = [*sorted((ROOT / ".github/workflows").glob("*.yml")), ROOT / "docs/examples/github-actions.yml"]
LISTED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
TEXTS = [ROOT / name for name in LISTED if name.endswith((".md", ".py", ".toml", ".yml", ".cff"))]
in_a_checkout = pytest.mark.skipif(not LISTED, reason="no git here: the list of files is git's")


@in_a_checkout
def test_there_is_one_address():
    owner = ADDRESS.removeprefix("https://github.com/")
    found = {name for file in TEXTS for name in re.findall(r"github\.com/(clearance[\w-]*/[\w-]+)", file.read_text())}
    assert found == {owner}
    assert CITATION["repository-code"] == ADDRESS


def test_the_version_is_the_same_everywhere():
    assert CITATION["version"] == clearance.__version__
    cited = re.search(
        r"^@software.*?version\s*= \{(.*?)\}.*?year\s*= \{(\d+)\}", (ROOT / "docs/cite.md").read_text(), re.M | re.S
    )
    assert cited is not None
    assert cited.groups() == (clearance.__version__, str(CITATION["date-released"])[:4])
    log = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(\d[^]]*)\] - (\d{4}-\d\d-\d\d)$", log, re.M)
    assert newest is not None
    assert newest.groups() == (clearance.__version__, str(CITATION["date-released"]))


@in_a_checkout
def test_every_extra_that_a_text_names_exists():
    named = {
        extra
        for file in TEXTS
        for names in re.findall(r"clearance\[([\w,]+)\]", file.read_text())
        for extra in names.split(",")
    }
    assert "onnx" in named
    assert named <= set(PROJECT["project"]["optional-dependencies"])


def test_the_workflows_are_yaml_and_test_every_python_that_is_promised():
    jobs = {file.name: yaml.safe_load(file.read_text())["jobs"] for file in WORKFLOWS}
    tested = set(jobs["test.yml"]["test"]["strategy"]["matrix"]["python"])
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert tested == set(promised)
    assert jobs["test.yml"]["lowest"]["steps"][1]["with"]["python-version"] == min(
        promised, key=lambda text: int(text.split(".")[1])
    )


def test_every_command_of_the_example_workflow_exists():
    from clearance.cli import commands

    text = (ROOT / "docs/examples/github-actions.yml").read_text()
    lines = re.sub(r">\s*\n\s*", "", text)
    found = re.findall(r"^ *(?:run: )?clearance ([a-z]+) ((?:.*\n)(?:\s+--.*\n)*)", lines, re.M)
    assert {name for name, _ in found} == {"bracket", "gate", "report"}
    for name, rest in found:
        known = {flag for option in commands.commands[name].params for flag in option.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = folder.iterdir()
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    return zipfile.ZipFile(file)


def test_the_wheel_holds_the_pages_and_nothing_of_the_tests(wheel: zipfile.ZipFile):
    names = set(wheel.namelist())
    assert {f"clearance/{page}" for page in LISTED if page.startswith("docs/") and page.endswith(".md")} <= names
    assert {"clearance/py.typed", "clearance/zoo/weights/digits-robust.safetensors"} <= names
    assert all(name.startswith(("clearance/", "clearance-")) for name in names)


def test_the_readme_of_the_wheel_has_absolute_links_to_files_that_exist(wheel: zipfile.ZipFile):
    (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    text = wheel.read(metadata).decode()
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert targets and all(target.startswith("https://") for target in targets)
    below = [target.removeprefix(f"{ADDRESS}/blob/main/") for target in targets if target.startswith(ADDRESS)]
    assert below and all((ROOT / Path(path.partition("#")[0])).exists() for path in below)
