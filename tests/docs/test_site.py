"""The site: built once for all of these tests, without a warning, and opened in a browser."""

import fcntl
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import clearance
from browser import Browser, needs_chromium, open_browser
from clearance.cli import commands
from conftest import ROOT

BUILD, SITE = ROOT / "docs" / "_site" / "build.py", ROOT / "build" / "site"
EXAMPLES = sorted(path.stem for path in (ROOT / "docs" / "examples").glob("plot_*.py"))
HOSTS = {"docs.ray.io", "download.pytorch.org", "github.com", "keepachangelog.com", "semver.org"}
"""Where links of documents lead outside; tests open none of them: look at a new one before it is added here."""
LOOKED_AT = ("index", "quickstart", "gallery/index", "gallery/plot_01_first_bracket", "api/bracket", "cli/bracket")


@pytest.fixture(scope="session")
def built() -> tuple[int, str]:
    """The exit code of one build in this session of tests, whichever of its workers comes first, and what it said."""
    pytest.importorskip("furo", reason="needs the tools of the site: pip install 'clearance[docs]'")
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    SITE.parent.mkdir(exist_ok=True)
    with (SITE.parent / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = SITE.parent / "site.json"
        found = json.loads(known.read_text()) if known.is_file() else {}
        if found.get("session") != session:
            done = subprocess.run([sys.executable, str(BUILD)], check=False, capture_output=True, text=True)
            found = {"session": session, "code": done.returncode, "said": done.stdout + done.stderr}
            known.write_text(json.dumps(found))
        return found["code"], found["said"]


@pytest.fixture(scope="session")
def site(built: tuple[int, str]) -> Path:
    assert built[0] == 0, built[1]
    return SITE


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


def pages(site: Path) -> dict[str, str]:
    return {path.relative_to(site).as_posix(): path.read_text() for path in site.rglob("*.html")}


def test_the_site_builds_without_a_warning(built: tuple[int, str]):
    assert built[0] == 0 and "WARNING" not in built[1], built[1]


def test_every_public_name_has_its_entry(site: Path):
    data = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    known = {line.split()[0] for line in zlib.decompress(data).decode().splitlines()}
    names = {f"clearance.{name}" for name in clearance.__all__ if name not in clearance._MODULES}
    assert len(known) > 300 and not names - known
    assert {f"clearance.{home}" for home in clearance._MODULES.values()} <= known


def test_every_command_has_its_page_with_every_flag(site: Path):
    for name, command in commands.commands.items():
        text = (site / "cli" / f"{name}.html").read_text()
        flags = [flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")]
        assert f"clearance {name}" in text and all(flag in text for flag in flags), name


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_its_picture_in_both_inks_and_says_something(site: Path, name: str):
    text = (site / "gallery" / f"{name}.html").read_text()
    shown = dict(re.findall(r'<img alt="([^"]{20,})" class="only-\w+ chart" src="\.\./_images/([^"]+)"', text))
    drawn = re.findall(r'class="only-(light|dark) chart" src="\.\./_images/([^"]+)"', text)
    assert shown and {mode for mode, _ in drawn} == {"light", "dark"}
    assert all((site / "_images" / file).read_text().startswith("<svg") for _, file in drawn)
    assert "Traceback" not in text and "sphx-glr-example-title" in text


def test_there_are_ten_examples():
    assert len(EXAMPLES) == 10


def test_no_page_loads_anything_from_elsewhere(site: Path):
    loads = re.compile(r"""(?:<script[^>]+src|<link[^>]+rel="stylesheet"[^>]+href|<img[^>]+src)=["'](?:https?:)?//""")
    assert len(found := pages(site)) > 100
    assert not {name for name, text in found.items() if loads.search(text)}
    styles = "".join(path.read_text() for path in (site / "_static").rglob("*.css"))
    assert "@import" not in styles and not re.search(r"url\([\"']?https?:", styles)


def test_links_to_elsewhere_are_well_formed_and_known():
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs" / "examples").iterdir()]
    links = {
        link.rstrip(".,;:") for path in documents for link in re.findall(r"https?://[^\s)>\]\"'`|]+", path.read_text())
    }
    assert links
    for link in links:
        parts = urlsplit(link)
        assert parts.scheme == "https" and "." in parts.netloc, link
        assert parts.netloc in HOSTS, f"{link}: is it right? then its host belongs into HOSTS"


@needs_chromium
@pytest.mark.parametrize("page", LOOKED_AT)
def test_a_page_opens_without_an_error_a_request_or_an_overflow(site: Path, browser: Browser, page: str):
    for width in (1400, 390):
        for dark in (False, True):
            browser.open(site / f"{page}.html", width=width, dark=dark)
            browser.wait("document.readyState === 'complete'")
            browser.keep(f"site-{page.replace('/', '-')}-{width}-{'dark' if dark else 'light'}")
            assert not browser.errors() and not browser.requests()
            assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            other = f"img.only-{'light' if dark else 'dark'}"
            assert not browser.run(f"return [...document.querySelectorAll('{other}')].some((one) => one.offsetWidth)")


@needs_chromium
@pytest.mark.parametrize("page", ["index", "gallery/index"])
def test_nothing_stands_in_the_way_of_a_reader(site: Path, browser: Browser, page: str):
    pytest.importorskip("axe_core_python", reason="axe-core is not installed")
    axe = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    for dark in (False, True):
        browser.open(site / f"{page}.html", width=1400, dark=dark)
        browser.run(axe)
        found = browser.driver.execute_async_script("axe.run().then((found) => arguments[0](found.violations))")
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert not serious, [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in serious]


@needs_chromium
def test_the_search_finds_a_name(site: Path, browser: Browser):
    browser.open(site / "search.html", "?q=bracket", width=1400)
    browser.wait("document.querySelectorAll('#search-results li').length > 3")
    assert not browser.requests()
