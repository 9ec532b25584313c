"""Classifiers whose gradients are masked, and classifiers whose gradients are honest: what the audit is held against.

`MASKED` and `HONEST` map a name to a function without arguments that builds an `Entry` on its first call and keeps it:

    entry = masking.MASKED["jpeg"]()             # entry.name, .model, .inputs, .labels, .accuracy

Nearly all classify scikit-learn's 8 × 8 digits (1,437 for training, 360 for testing). Each masked entry's docstring
says what hides its gradients. Everything is deterministic: layers are filled, and networks trained, from fixed seeds.
"""

from masking import honest, saturated, steps, unreliable
from masking.entries import HONEST, MASKED, Entry

EARLIER = {*MASKED, *HONEST}

from masking import soft, trained  # noqa: E402
from masking.public import PUBLIC, public  # noqa: E402

LATER = {*MASKED, *HONEST} - EARLIER
"""The soft masks and the trained networks."""

__all__ = [
    "EARLIER",
    "HONEST",
    "LATER",
    "MASKED",
    "PUBLIC",
    "Entry",
    "honest",
    "public",
    "saturated",
    "soft",
    "steps",
    "trained",
    "unreliable",
]
