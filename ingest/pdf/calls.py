"""PDFium's functions with handles as plain numbers.

pypdfium2 declares a pointer type for every kind of handle, and ctypes makes an object of each that passes. Pages
with thousands of drawn objects are asked about one by one, where plain numbers take half the time.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import pypdfium2.raw as c


@cache
def call(name: str) -> Any:
    """The function `name` of PDFium; pointers go in and come out as numbers, and null as None.

    Buffers and `ctypes.byref(...)` are passed as usual.
    """
    declared = getattr(c, name)
    prototype = ctypes.CFUNCTYPE(_plain(declared.restype), *map(_plain, declared.argtypes))
    return prototype(ctypes.cast(declared, ctypes.c_void_p).value or 0)


def number_of(handle: Any) -> int:
    """A handle of pypdfium2 as a number."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def _plain(kind: Any) -> Any:
    is_pointer = isinstance(kind, type) and issubclass(kind, ctypes._Pointer)
    return ctypes.c_void_p if is_pointer else kind
