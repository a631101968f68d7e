"""Looks of runs in a Word document: which text its reader cannot see, directly or by a style.

Element names are those of WordprocessingML (ECMA-376 part 1, section 17). Sizes are half-points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ingest.visibility import WHITE, Colour, hex_colour, same_to_the_eye

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
_OFF = frozenset({"0", "false", "off"})
_TINY = 4
"""Half-points; at 2 points and below no reader makes out a letter."""
_NARROW = 10
"""Percent of a letter's width at which it is a line; Word's own dialogue offers 33 and more."""
_DEEPEST = 20
"""Styles based on one another, at most: Word itself stops at 11."""
_HIGHLIGHTS: dict[str, Colour] = {
    "black": (0, 0, 0), "blue": (0, 0, 255), "cyan": (0, 255, 255), "green": (0, 255, 0),
    "magenta": (255, 0, 255), "red": (255, 0, 0), "yellow": (255, 255, 0), "white": (255, 255, 255),
    "darkBlue": (0, 0, 128), "darkCyan": (0, 128, 128), "darkGreen": (0, 128, 0), "darkMagenta": (128, 0, 128),
    "darkRed": (128, 0, 0), "darkYellow": (128, 128, 0), "darkGray": (128, 128, 128), "lightGray": (192, 192, 192),
}  # fmt: skip


def val(parent: Any, name: str, attribute: str = "val") -> str | None:
    """The attribute of a child element; None without the element, and an empty text without the attribute."""
    child = None if parent is None else parent.find(W + name)
    return None if child is None else str(child.get(W + attribute, ""))


@dataclass(frozen=True, slots=True)
class RunLook:
    """Properties of a run that decide whether it is seen; None where nothing is said."""

    vanish: bool | None = None
    colour: Colour | None = None
    size: float | None = None
    width: float | None = None
    behind: Colour | None = None
    """Shading or highlight."""
    unpainted: bool | None = None
    """The text is filled with nothing."""

    def over(self, below: RunLook) -> RunLook:
        """This look where it says something, else the one below."""
        said = {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}
        return replace(below, **said)


class Styles:
    """The styles of a document, by id."""

    def __init__(self, root: Any) -> None:
        """root: the `w:styles` element, or None."""
        found = [] if root is None else root.findall(W + "style")
        self._styles = {style.get(W + "styleId", ""): style for style in found}
        self._default = {
            style.get(W + "type", ""): style.get(W + "styleId", "")
            for style in found
            if style.get(W + "default") == "1"
        }
        defaults = None if root is None else root.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr")
        self._document = look_of(defaults)
        self._looks: dict[str, RunLook] = {}

    def name(self, paragraph: Any) -> str:
        """The name of a paragraph's style, as Word shows it."""
        identity = val(paragraph.find(W + "pPr"), "pStyle") or self._default.get("paragraph", "")
        return val(self._styles.get(identity), "name") or identity

    def is_hidden(self, run: Any, paragraph: Any, behind: Colour | None) -> bool:
        """Whether a reader of the document cannot see a run.

        behind: the colour of the table cell or page; None when it is not known, and colours then decide nothing.
        """
        own = run.find(W + "rPr")
        paragraph_style = val(paragraph.find(W + "pPr"), "pStyle") or self._default.get("paragraph", "")
        by_paragraph, by_run = self._look(paragraph_style), self._look(val(own, "rStyle") or "")
        direct = look_of(own)
        look = direct.over(by_run).over(_shading(paragraph)).over(by_paragraph).over(self._document)
        if (
            direct.vanish is None
        ):  # a toggle: a paragraph style and a character style that both hide cancel out
            look = replace(
                look, vanish=bool(by_paragraph.vanish) != bool(by_run.vanish) or bool(self._document.vanish)
            )
        return _is_unseen(look, behind)

    def shades(self, identity: str | None) -> bool:
        """Whether a table style colours cells."""
        for style in self._chain(identity or ""):
            fills = (hex_colour(shade.get(W + "fill")) for shade in style.iter(W + "shd"))
            if any(fill is not None and not same_to_the_eye(fill, WHITE) for fill in fills):
                return True
            if any(shade.get(W + "themeFill") for shade in style.iter(W + "shd")):
                return True
        return False

    def _look(self, identity: str) -> RunLook:
        if identity not in self._looks:
            look = RunLook()
            for style in self._chain(identity):
                look = look.over(look_of(style.find(W + "rPr")).over(_shading(style)))
            self._looks[identity] = look
        return self._looks[identity]

    def _chain(self, identity: str) -> list[Any]:
        """A style and those it is based on, nearest first."""
        chain: list[Any] = []
        while identity in self._styles and len(chain) < _DEEPEST:
            chain.append(self._styles[identity])
            identity = val(chain[-1], "basedOn") or ""
        return chain


def look_of(properties: Any) -> RunLook:
    """What a `w:rPr` element says."""
    if properties is None:
        return RunLook()
    vanish = [val(properties, name) for name in ("vanish", "specVanish")]
    said = [value not in _OFF for value in vanish if value is not None]
    highlight = _HIGHLIGHTS.get(val(properties, "highlight") or "")
    return RunLook(
        vanish=any(said) if said else None,
        colour=_colour(properties),
        size=_number(val(properties, "sz")),
        width=_number(val(properties, "w")),
        behind=highlight or _fill(properties),
        unpainted=_unpainted(properties),
    )


def _shading(owner: Any) -> RunLook:
    return RunLook(behind=_fill(owner.find(W + "pPr")))


def _fill(properties: Any) -> Colour | None:
    return None if properties is None else fill_of(properties.find(W + "shd"))


def fill_of(shade: Any) -> Colour | None:
    """The colour of a `w:shd` element; of a solid pattern it is the pattern's colour."""
    if shade is None:
        return None
    if shade.get(W + "val") == "solid":
        return hex_colour(shade.get(W + "color")) or (0, 0, 0)
    return hex_colour(shade.get(W + "fill"))


def _colour(properties: Any) -> Colour | None:
    colour = properties.find(W + "color")
    if colour is None:
        return None
    plain = not (colour.get(W + "themeShade") or colour.get(W + "themeTint"))
    if plain and colour.get(W + "themeColor") in ("background1", "light1"):
        return WHITE
    return hex_colour(colour.get(W + "val"))


def _unpainted(properties: Any) -> bool | None:
    fill = properties.find(W14 + "textFill")
    if fill is None:
        return None
    clear = any(int(_number(a.get(W14 + "val")) or 0) >= 95_000 for a in fill.iter(W14 + "alpha"))
    return clear or fill.find(W14 + "noFill") is not None


def _is_unseen(look: RunLook, behind: Colour | None) -> bool:
    if look.vanish or look.unpainted:
        return True
    if (look.size is not None and look.size <= _TINY) or (
        look.width is not None and 0 < look.width <= _NARROW
    ):
        return True
    ground = look.behind or behind
    return look.colour is not None and ground is not None and same_to_the_eye(look.colour, ground)


def _number(text: str | None) -> float | None:
    try:
        return float((text or "").strip().rstrip("%"))
    except ValueError:
        return None
