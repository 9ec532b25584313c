"""What a plan calls a network or inputs that no spec names."""

from __future__ import annotations

IN_MEMORY = " (in memory)"
"""Follows the name of a network or of inputs that were handed over in Python: no command line can load them again."""
