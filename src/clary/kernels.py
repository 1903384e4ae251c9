"""Loops that arrays cannot express, compiled to machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """The function, compiled at its first call and kept on disk for the next process.

    It runs without Python's lock, so `ordered_map` spreads it over threads. Division by zero gives
    infinity, as in numpy. The order of sums stays as written: the same bits on every machine.

    What is kept is compiled anew when the function's own file changes, not when that of another
    kernel that it calls does: remove the `*.nbi` files in `__pycache__` then.
    """
    compiled: F = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


def rough_kernel(function: F) -> F:
    """As `kernel`, but sums are added up in whatever order the processor is quickest in.

    The last bits differ from one kind of processor to another, as BLAS's do.
    """
    loose = {"reassoc", "contract", "nsz"}
    compiled: F = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=loose)(function)
    return compiled
