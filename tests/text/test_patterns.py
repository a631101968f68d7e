"""Patterns that are compiled at their first use do what compiled ones do."""

from __future__ import annotations

import copy
import gc
import importlib
import pickle
import pkgutil
import re

import pytest

import rag
from rag.text.patterns import lazy_compile

TEXT = "Room 12, room 7 and ROOM 31"
USES = {
    "search": (TEXT,),
    "match": (TEXT, 9),
    "fullmatch": ("room 7",),
    "findall": (TEXT,),
    "split": (TEXT,),
    "sub": (r"<\1>", TEXT),
    "subn": (r"<\1>", TEXT, 2),
}


@pytest.mark.parametrize("method", USES)
def test_every_method_gives_what_a_compiled_pattern_gives(method: str) -> None:
    lazy, compiled = lazy_compile(r"room (\d+)", re.IGNORECASE), re.compile(r"room (\d+)", re.IGNORECASE)
    for _ in range(2):
        found, expected = (getattr(one, method)(*USES[method]) for one in (lazy, compiled))
        assert getattr(found, "regs", found) == getattr(expected, "regs", expected)


def test_it_tells_what_a_compiled_pattern_tells_and_can_be_copied() -> None:
    for lazy in (lazy_compile(r"(?P<n>\d)", re.M), copy.deepcopy(lazy_compile(r"(?P<n>\d)", re.M))):
        assert (lazy.pattern, dict(lazy.groupindex)) == (r"(?P<n>\d)", {"n": 1})
        assert lazy.flags == re.compile(r"(?P<n>\d)", re.M).flags
        assert [match["n"] for match in pickle.loads(pickle.dumps(lazy)).finditer("a1 2")] == ["1", "2"]


@pytest.mark.parametrize("package", ["text", "retrieval", "answering", "pipeline"])
def test_every_pattern_of_the_package_compiles(package: str) -> None:
    home = importlib.import_module(f"{rag.__name__}.{package}")
    for module in pkgutil.iter_modules(home.__path__, f"{home.__name__}."):
        importlib.import_module(module.name)
    kind = type(lazy_compile(""))
    patterns = [one for one in gc.get_objects() if type(one) is kind]
    assert patterns
    for one in patterns:
        assert one.groups >= 0
