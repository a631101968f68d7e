"""HTML and SVG built as values: a plain string is always escaped, so no text of a document becomes markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from rag.evaluation.report.strings import TEXTS

# Control characters, and those that turn the direction of writing: they make a text read as another one.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"br", "hr", "input", "line", "rect", "circle", "path", "polyline", "polygon"})


class Markup(str):
    """Text that is markup already. Made by `element`, `raw` and `say` only."""

    __slots__ = ()


Child = str | int | None | Iterable["Child"]


def element(tag: str, *children: Child, **attributes: object) -> Markup:
    """An element; `class_` and `data_kind` become `class` and `data-kind`, None leaves an attribute out."""
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID and not children:
        return Markup(f"<{tag}{given}/>")
    return Markup(f"<{tag}{given}>{join(children)}</{tag}>")


def join(children: Child) -> Markup:
    """Children one after the other, strings that are not markup escaped."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, (str, int)):
        return Markup(escape(str(children)))
    return Markup("".join(join(child) for child in children))


def escape(text: str) -> str:
    """Text for an element or a quoted attribute."""
    return html.escape(_CONTROLS.sub("", text), quote=True)


def raw(text: str) -> Markup:
    """Markup of our own: the style sheet and the script."""
    return Markup(text)


def say(key: str, tag: str = "span", class_: str = "", **values: object) -> Markup:
    """A text of the report in both languages; the style sheet shows the one that is chosen."""
    return Markup(
        "".join(
            element(tag, text.format(**values), class_=f"t {class_}".strip(), lang=language)
            for language, text in TEXTS[key].items()
        )
    )
