"""Pages in headless Chromium: everything that a browser said and asked for. `tests/report/conftest.py` opens one.

Screenshots are kept in `CLEARANCE_ARTEFACTS`, or in tests/artefacts, to be looked at.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
ARTEFACTS = Path(os.environ.get("CLEARANCE_ARTEFACTS") or ROOT / "tests" / "artefacts")
TALLEST = 15_000
"""Pixels of a screenshot, at most: Chromium draws no more in one piece."""
needs_chromium = pytest.mark.skipif(
    not CHROMIUM or not DRIVER, reason="no chromium and chromedriver here: apt-get install chromium chromium-driver"
)


class Browser:
    """A page in a browser, and everything that the browser said and asked for."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path, fragment: str = "", *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.driver.get("about:blank")
        self.driver.get_log("browser"), self.driver.get_log("performance")
        self.driver.get(f"{page.resolve().as_uri()}{fragment}")
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")  # a busy machine: not yet

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, 30).until(lambda _: self.run(f"return {script}"), message=script)

    def finish(self) -> None:
        """Until every chart is drawn; a page without a script has none to draw."""
        drawn = "waiting.size === 0 && [...drawn.keys()].every((place) => place.querySelector('svg, canvas'))"
        self.wait(f"document.readyState === 'complete' && (typeof waiting === 'undefined' || ({drawn}))")

    def find(self, css: str) -> Any:
        return self.driver.find_element("css selector", css)

    def column(self, name: str) -> list[str]:
        place = "[...document.querySelectorAll('#rows th')].findIndex((head) => head.dataset.name === arguments[0])"
        return self.run(f"const k = {place}; return [...table.tBodies[0].rows].map((r) => r.cells[k].innerText)", name)

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def requests(self) -> list[str]:
        """Addresses that were asked for, other than the page itself and what it holds."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("file://", "data:", "blob:", "about:"))]

    def edge_of(self, element: str) -> float:
        """Brightness of the last two columns of pixels of an element, above its first line: 0 to 255."""
        box = self.run(f"const box = {element}.getBoundingClientRect(); return [box.right - 2, box.top + 2]")
        clip = {"x": box[0] + self.run("return scrollX"), "y": box[1] + self.run("return scrollY")}
        clip |= {"width": 2, "height": 2, "scale": 1}
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": clip})["data"]
        return float(np.asarray(Image.open(io.BytesIO(base64.b64decode(shot))).convert("L")).mean())

    def serious(self) -> list[Any]:
        """What axe-core calls serious or critical on the page that is open; the test is skipped where it is absent."""
        pytest.importorskip("axe_core_python", reason="axe-core is not installed")
        self.run((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
        asked = "{resultTypes: ['violations'], preload: false}"  # what passes is not listed, which costs as much again
        script = f"axe.run({asked}).then((found) => arguments[0](found.violations))"
        found = self.driver.execute_async_script(script)
        return [(one["id"], one["help"], one["nodes"][:2]) for one in found if one["impact"] in ("serious", "critical")]

    def keep(self, name: str, *, whole: bool = False) -> None:
        """A screenshot of what is seen, or of the whole page."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        asked: dict[str, Any] = {"format": "png"}
        if whole:
            width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
            asked |= {"captureBeyondViewport": True}
            asked |= {"clip": {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST), "scale": 1}}
        image = self.driver.execute_cdp_cmd("Page.captureScreenshot", asked)["data"]
        (ARTEFACTS / f"{name}.png").write_bytes(base64.b64decode(image))

    def print_to(self, name: str) -> bytes:
        """The page as a PDF, kept as well."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        asked = {"printBackground": True, "preferCSSPageSize": True, "paperWidth": 8.27, "paperHeight": 11.69}
        printed = base64.b64decode(self.driver.execute_cdp_cmd("Page.printToPDF", asked)["data"])
        (ARTEFACTS / f"{name}.pdf").write_bytes(printed)
        return printed


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A browser, closed at the end; the test is skipped where Selenium is not installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="Selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    driver.set_script_timeout(120)  # axe on a large page, where others use the machine as well
    try:
        yield Browser(driver)
    finally:
        driver.quit()
