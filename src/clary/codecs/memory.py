"""The memory that a decoder takes for one block after another."""

from __future__ import annotations

import ctypes
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT_BYTES = 32 << 20


@cache
def keep_freed_memory() -> None:
    """Have the allocator keep freed blocks for the next ones, instead of the system take them.

    glibc gives back arrays of more than 128 KiB at once. The next array is then new memory, page by
    page, which can take as long as the work on it. Up to twice the largest block is kept; other
    allocators stay as they are. Source: mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_KEPT_BYTES)
