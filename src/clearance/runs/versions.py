"""Versions of the code and of what it stands on: a part of every plan."""

from __future__ import annotations

import hashlib
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from clearance.runs.plan import digest


def current_versions() -> dict[str, str]:
    """Versions of this code and of what it stands on."""
    packages = {name: _installed_version(name) for name in ("torch", "numpy", "scipy")}
    # The package itself stands above this module, and is always loaded.
    own: str = sys.modules["clearance"].__version__
    return {"clearance": own, "code": code_version(), "python": platform.python_version(), **packages}


@cache
def code_version() -> str:
    """Digest of the source files of this installation."""
    root = Path(__file__).resolve().parent.parent
    files = sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).parts)
    return digest([[path.relative_to(root).parts, hashlib.sha256(path.read_bytes()).hexdigest()] for path in files])


@cache
def _installed_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
