"""Builds the site into build/site: what `make docs` and the tests run. Warnings are errors.

What an earlier build left is used again, but not the pictures of the gallery where the package has changed, nor
anything of a build that failed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE, STATE = ROOT / "build" / "site", ROOT / "build" / "site-state"
GALLERY = ROOT / "docs" / "gallery"


def build() -> int:
    """Build what is not up to date.

    Returns:
        The exit code of Sphinx.
    """
    print(f"building the site into {SITE} (a minute or two at first)", flush=True)
    source = GALLERY / "source.sha256"
    if not source.is_file() or source.read_text() != digest():
        shutil.rmtree(GALLERY, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-d",
        str(STATE),
        str(ROOT / "docs"),
        str(SITE),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CLEARANCE_PROGRESS": "none"}
    code = subprocess.run(command, check=False, env=environment).returncode
    if code:
        shutil.rmtree(STATE, ignore_errors=True)
        shutil.rmtree(GALLERY, ignore_errors=True)
    else:
        source.write_text(digest())
        print(f"open {SITE / 'index.html'}")
    return code


def digest() -> str:
    """Of everything that the pictures of the gallery depend on."""
    whole = hashlib.sha256()
    for folder in ("src", "docs/examples", "docs/_site"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            whole.update(file.read_bytes())
    return whole.hexdigest()


if __name__ == "__main__":
    sys.exit(build())
