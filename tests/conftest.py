"""Fixtures that more than one test file uses."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Property tests say nothing about seconds (a machine under load makes no example fail), and draw the same examples
# everywhere; HYPOTHESIS_PROFILE=explore draws new ones.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", UNTIMED)
settings.register_profile("same", UNTIMED, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# Lines that only a slow machine would write; the tests of progress bring them back.
os.environ["CLEARANCE_PROGRESS"] = "none"


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is slow
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the cases of a test marked `thinned(every)`, the first of each `every` stays; the others are slow."""
    met: Counter[str] = Counter()
    for item in items:
        if mark := item.get_closest_marker("thinned"):
            name = item.nodeid.partition("[")[0]
            if met[name] % mark.args[0]:
                item.add_marker(pytest.mark.slow)
            met[name] += 1


ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def clearance_data() -> Path:
    """The folder of the real data sets, or a skip where there is none."""
    folder = Path(os.environ.get("CLEARANCE_DATA") or ROOT / "../shared/data").resolve()
    if not (folder / "mnist").is_dir():
        pytest.skip(f"no data sets at {folder}; set CLEARANCE_DATA")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
