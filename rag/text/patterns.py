"""Regular expressions that are compiled when they are first used.

A question meets a part of the several hundred that its rules are made of. To compile all of them at import takes a
fifth of a second, which a command would pay before it begins.
"""

from __future__ import annotations

import re
from typing import Any, cast

_METHODS = ("search", "match", "fullmatch", "finditer", "findall", "split", "sub", "subn")


class _LazyPattern:
    """Does what the compiled pattern does. The first use compiles it and puts its methods in place for the next."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # `copy` and `pickle` look for methods that a pattern may have
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self._flags)
        for method in _METHODS:
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)

    def __repr__(self) -> str:
        return f"lazy_compile({self.pattern!r}, {self._flags})"

    def __reduce__(self) -> Any:
        return lazy_compile, (self.pattern, self._flags)


def lazy_compile(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """`re.compile` for a pattern of a module, at its first use. The functions of `re` do not take it."""
    return cast("re.Pattern[str]", _LazyPattern(pattern, flags))
