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
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
ARTEFACTS = Path(os.environ.get("CLEARANCE_ARTEFACTS") or ROOT / "tests" / "artefacts")
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

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, 30).until(lambda _: self.run(f"return {script}"), message=script)

    def finish(self) -> None:
        """Until every chart is drawn."""
        self.wait("waiting.size === 0 && [...drawn.keys()].every((place) => place.querySelector('svg, canvas'))")

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

    def keep(self, name: str) -> None:
        """A screenshot of what is seen."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        image = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
        (ARTEFACTS / f"{name}.png").write_bytes(base64.b64decode(image))


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
    try:
        yield Browser(driver)
    finally:
        driver.quit()
