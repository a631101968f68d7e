"""Globs as SQLite understands them, as regular expressions of PostgreSQL."""

from __future__ import annotations

_NOTHING = "$."
"""A regular expression that nothing matches: a letter after the end."""


def regular_expression(glob: str) -> str:
    """SQLite's GLOB as a regular expression of PostgreSQL."""
    parts, at = [], 0
    while at < len(glob):
        letter = glob[at]
        at += 1
        if letter == "[":
            found, at = _set(glob, at)
            if not found:
                return _NOTHING
            parts.append(found)
        else:
            parts.append({"*": ".*", "?": "."}.get(letter) or _literal(letter))
    return f"^(?:{''.join(parts)})$"


def _set(glob: str, at: int) -> tuple[str, int]:
    """What is between brackets, from the place `at` behind the first, and the place behind the last.

    The text is empty when the brackets are never closed: to SQLite such a glob matches nothing.
    """
    negated = glob[at : at + 1] == "^"
    start = at = at + negated
    allowed, before = "", ""
    while at < len(glob) and (at == start or glob[at] != "]"):
        letter = glob[at]
        at += 1
        if letter == "-" and before and at < len(glob) and glob[at] != "]":
            if before < glob[at]:  # PostgreSQL refuses a range that runs backwards; in SQLite it is empty
                allowed += f"{_literal(before)}-{_literal(glob[at])}"
            before = ""
            at += 1
        else:
            allowed += _literal(letter)
            before = "" if letter == "]" else letter
    return (f"[{'^' * negated}{allowed}]" if at < len(glob) else ""), at + 1


def _literal(letter: str) -> str:
    """The letter, also where it would mean something else, between brackets or outside."""
    return letter if letter.isalnum() or ord(letter) > 127 else f"\\{letter}"
