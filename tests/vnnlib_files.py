"""VNN-LIB 1.0 files as another package reads them."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float64]
Question = tuple[Array, list[tuple[Array, Array]]]
"""The box, `(entries, 2)`, and the disjunction: what is asked for is `A y <= b` for one of the pairs `A`, `b`."""


def read_question(file: Path, entries: int, classes: int) -> Question:
    """By the package `vnnlib`, or a skip where it is absent.

    In a thread of its own: the package leaves an exception behind as the one that is being handled in its thread, and
    every later traceback there would show it.
    """
    reader = pytest.importorskip("vnnlib.compat", reason="needs a reader: pip install 'vnnlib<1'")
    with ThreadPoolExecutor(1) as thread, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SMT-LIB writes (- 1.0), every benchmark of the VNN-COMP -1.0
        ((ends, cases),) = thread.submit(reader.read_vnnlib_simple, str(file), entries, classes).result()
    return np.array(ends), [(np.array(rows), np.array(limits).flatten()) for rows, limits in cases]
