"""The style sheets inside an HTML file: which declarations apply to which element.

The cascade of CSS (https://www.w3.org/TR/css-cascade-4/) for what decides whether text is seen, on a screen of
`VIEWPORT` pixels. Sheets in other files are not fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import tinycss2
from selectolax.lexbor import SelectolaxError

VIEWPORT = 1280
"""Width in pixels of the screen for which `@media` is decided: a common laptop."""
RELEVANT = frozenset({
    "display", "visibility", "opacity", "font-size", "font", "color", "background", "background-color",
    "background-image", "position", "left", "top", "right", "bottom", "margin-left", "margin-top",
    "text-indent", "width", "height", "max-width", "max-height", "overflow", "overflow-x", "overflow-y",
    "clip", "clip-path", "transform", "scale", "filter", "content-visibility", "line-height", "all",
    "-webkit-text-fill-color",
})  # fmt: skip
"""Properties that can hide text; custom properties are kept besides."""
_MOST_RULES = 20_000
"""Selectors that are matched in one file; the largest sheets in use have about ten thousand."""
_LENGTH = re.compile(r"\(\s*(min|max)-width\s*:\s*([\d.]+)\s*(px|em|rem)\s*\)")
_SIMPLE = re.compile(r"[a-z][a-z0-9]*|[.#][A-Za-z_][\w-]*")
"""A selector that names a tag, a class or an identity and no more."""
_NAME = re.compile(r"[.#][A-Za-z_][\w-]*(?![\w\\-])")
_ARGUMENTS = re.compile(r"\([^()]*\)|\[[^\]]*\]")
"""What `:not(...)` and `[...]` name need not be there for the selector to match."""
_INLINE = (1, 0, 0, 0)

Specificity = tuple[int, int, int, int]


class Declaration(NamedTuple):
    """A property with its value as text, in lower case but for custom properties."""

    name: str
    value: str
    important: bool


@dataclass(frozen=True, slots=True)
class _Match:
    specificity: Specificity
    order: int
    declarations: tuple[Declaration, ...]


class StyleSheets:
    """The rules of all `<style>` elements of a document, matched with its elements."""

    def __init__(self, tree: Any) -> None:
        """tree: the parsed document. Raises ValueError when there are more rules than any sheet has."""
        self._matches: dict[int, list[_Match]] = {}
        self._by_name = _nodes_by_name(tree)
        order = 0
        for style in tree.css("style"):
            if not applies_to_screen(style.attributes.get("media") or ""):
                continue
            sheet = tinycss2.parse_stylesheet(style.text(deep=True), skip_comments=True, skip_whitespace=True)
            for selector, specificity, declarations in _rules(sheet):
                order += 1
                if order > _MOST_RULES:
                    raise ValueError(f"more than {_MOST_RULES:,} style rules")
                match = _Match(specificity, order, declarations)
                for node in self._nodes(tree, selector):
                    self._matches.setdefault(node, []).append(match)

    def _nodes(self, tree: Any, selector: str) -> Iterable[int]:
        """The elements that a selector chooses. Only what the tables cannot tell costs a walk through the tree."""
        if _SIMPLE.fullmatch(selector):
            return self._by_name.get(selector, ())
        if any(name not in self._by_name for name in _NAME.findall(_ARGUMENTS.sub("", selector))):
            return ()
        try:
            return [node.mem_id for node in tree.css(selector)]
        except SelectolaxError:  # a browser drops a selector that it cannot read, too
            return ()

    def declarations(self, node: Any) -> dict[str, str]:
        """The winning value of each property that is declared for an element, its `style` attribute included."""
        matches = list(self._matches.get(node.mem_id, ()))
        inline = node.attributes.get("style")
        if inline:
            matches.append(_Match(_INLINE, 0, _inline_declarations(inline)))
        matches.sort(key=lambda match: (match.specificity, match.order))
        found: dict[str, str] = {}
        for important in (False, True):
            for match in matches:
                found.update((d.name, d.value) for d in match.declarations if d.important is important)
        return found


def _nodes_by_name(tree: Any) -> dict[str, list[int]]:
    """Elements by `tag`, `.class` and `#id`."""
    found: dict[str, list[int]] = {}
    for node in tree.css("*"):
        attributes = node.attributes
        names = [node.tag, *(f".{name}" for name in dict.fromkeys((attributes.get("class") or "").split()))]
        if attributes.get("id"):
            names.append(f"#{attributes['id']}")
        for name in names:
            found.setdefault(name, []).append(node.mem_id)
    return found


def applies_to_screen(query: str) -> bool:
    """Whether a media query lets its rules apply on a wide screen; what is not understood does."""
    return not query.strip() or any(map(_applies, query.lower().split(",")))


def _applies(query: str) -> bool:
    if re.search(r"\b(?:print|speech|aural|braille|tty)\b", query):
        return "not" in query.split()
    if "prefers-color-scheme" in query and "dark" in query:
        return False
    for side, number, unit in _LENGTH.findall(query):
        try:
            pixels = float(number) * (1 if unit == "px" else 16)
        except ValueError:
            continue
        if (pixels > VIEWPORT) if side == "min" else (pixels < VIEWPORT):
            return False
    return "not" not in query.split()


def _rules(nodes: Iterable[Any]) -> Iterator[tuple[str, Specificity, tuple[Declaration, ...]]]:
    for node in nodes:
        if node.type == "qualified-rule":
            declarations = _declarations(node.content)
            if declarations:
                yield from ((text, weight, declarations) for text, weight in _selectors(node.prelude))
        elif node.type == "at-rule" and node.content is not None:
            keyword, prelude = node.lower_at_keyword, tinycss2.serialize(node.prelude)
            if keyword in ("supports", "layer", "container") or (
                keyword == "media" and applies_to_screen(prelude)
            ):
                inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
                yield from _rules(inner)


def _selectors(prelude: list[Any]) -> Iterator[tuple[str, Specificity]]:
    """The selectors of a list, each with its specificity."""
    parts: list[list[Any]] = [[]]
    for token in prelude:
        if token.type == "literal" and token.value == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    for part in parts:
        text = tinycss2.serialize(part).strip()
        if text:
            yield text, _specificity(part)


def _specificity(tokens: list[Any]) -> Specificity:
    """Identities, then classes, attributes and pseudo-classes, then types (https://www.w3.org/TR/selectors-4/)."""
    ids = classes = types = 0
    previous = ""
    for token in tokens:
        if token.type == "hash":
            ids += 1
        elif token.type == "[] block" or (token.type in ("ident", "function") and previous in (".", ":")):
            classes += 1
        elif token.type == "ident":
            types += 1
        previous = token.value if token.type == "literal" else ""
    return 0, ids, classes, types


def _declarations(content: Any) -> tuple[Declaration, ...]:
    found = tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True)
    return tuple(
        Declaration(one.lower_name, _value(one), one.important)
        for one in found
        if one.type == "declaration" and (one.lower_name in RELEVANT or one.name.startswith("--"))
    )


_inline_declarations = lru_cache(maxsize=4096)(_declarations)


def _value(declaration: Any) -> str:
    """The value without comments and escapes."""
    tokens = (token for token in declaration.value if token.type != "comment")
    text = "".join(token.value if token.type == "ident" else token.serialize() for token in tokens).strip()
    return text if declaration.name.startswith("--") else text.lower()
