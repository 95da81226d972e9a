"""Keeps freed memory in the process, so that a network's next batch finds it there.

glibc gives large blocks back to the system at once, and a convolutional tower frees and takes hundreds of megabytes per
batch: a third of its processor time went into page faults.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""Parameters of glibc's mallopt(3)."""
SETTINGS = {MMAP_THRESHOLD: 1 << 30, TRIM_THRESHOLD: (1 << 31) - 1, TOP_PAD: 512 << 20}


@cache
def keep_freed_memory() -> bool:
    """Tell the C library's allocator, once per process, to keep what it has; costs up to 0.9 GB at the peak.

    Vectors do not change. Returns False where the C library is not glibc: nothing is done there.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return all(library.mallopt(ctypes.c_int(name), ctypes.c_int(value)) == 1 for name, value in SETTINGS.items())
