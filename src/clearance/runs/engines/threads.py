"""How many threads the numerical libraries use: sums in another order have other last bits."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch

from clearance.errors import InputError

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
"""What libraries read when they are loaded."""


@contextmanager
def limit_threads(threads: int) -> Generator[None]:
    """Compute with this many threads inside a `with` block: torch, and the BLAS and OpenMP libraries of NumPy, SciPy.

    Args:
        threads: How many.

    Yields:
        Nothing.

    >>> with limit_threads(1):
    ...     torch.get_num_threads()
    1
    """
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(limits=threads):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def check_threads(threads: int) -> int:
    """The number of threads, if it is one.

    Raises:
        InputError: If it is not a whole number of at least 1.
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"threads: expected a whole number of at least 1, got {threads!r}")
    return threads
