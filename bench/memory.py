"""The C library's memory: kept between forward passes, given back before it is measured.

Networks free and take the same large blocks again and again.  By default glibc returns each to the system and
faults it in anew, which costs 10 to 20 % of a forward pass on a CPU.  Elsewhere than on glibc nothing happens.
"""

from __future__ import annotations

import ctypes
import errno
import re
from functools import lru_cache

# malloc.h of glibc
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


_SHORT = re.compile(
    r"out of memory|not enough memory|(can't|cannot|could not) allocate|insufficient memory", re.IGNORECASE
)
"""What torch (CUDA and its CPU allocator), OpenCV, ONNX Runtime and the C library say when memory is short."""


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether less work at once may succeed where this failed."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or (isinstance(error, Exception) and bool(_SHORT.search(str(error))))


@lru_cache(maxsize=1)
def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
        library.malloc_trim.argtypes = (ctypes.c_size_t,)
    except (OSError, AttributeError):
        return None
    return library


def keep_freed_memory() -> None:
    """Keep what is freed for the next allocation; the process grows to its peak and stays there."""
    library = _glibc()
    if library is not None:
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, _NEVER)


def give_back_freed_memory() -> None:
    """Return freed memory to the system, so that growth from here on can be seen."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)
