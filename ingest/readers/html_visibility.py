"""Whether a browser shows the text of an HTML element, from the CSS that applies to it and to what it is in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tinycss2 import color4

from ingest.visibility import BLACK, WHITE, Colour, same_to_the_eye

_TINY = 3.0
"""Pixels below which type is not read: browsers do not go below 6 unless told to."""
_NARROW = 1.5
"""Pixels: a box that is cut off to a point hides what is in it."""
_FAR = -400.0
"""Pixels to the left of or above the page where nobody can scroll to."""
_CLEAR = 0.06
"""Opacity below which black on white is fainter than `CONTRAST`."""
_BLURRED = 4.0
"""Pixels of blur at which type of ordinary size cannot be read."""
_SMALL_SCALE = 0.1
_ROOT_SIZE = 16.0
_SIZES = {
    "xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0, "x-large": 24.0,
    "xx-large": 32.0, "xxx-large": 48.0,
}  # fmt: skip
_UNITS = {
    "px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "q": 0.945, "rem": _ROOT_SIZE,
    "vw": 12.8, "vh": 7.2, "vmin": 7.2, "vmax": 12.8,
}  # fmt: skip
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(%|[a-z]*)")
_FONT_SIZE = re.compile(r"0|[\d.]+(?:[a-z]+|%)")
_FUNCTION = re.compile(r"([a-z0-9-]+)\(([^()]*)\)")
_VARIABLE = re.compile(r"var\(\s*(--[\w-]+)\s*(?:,([^()]*))?\)")
_MOST_VARIABLES = 10
"""Variables that stand for variables, at most: a value that refers to itself never ends."""


@dataclass(frozen=True, slots=True)
class ElementLook:
    """What decides whether the text directly in an element is seen."""

    gone: bool = False
    """Nothing inside can be seen, whatever is declared there."""
    invisible: bool = False
    """`visibility`: what is inside may become visible again."""
    size: float = _ROOT_SIZE
    """Of the type, in pixels."""
    colour: Colour = BLACK
    alpha: float = 1.0
    ground: Colour | None = WHITE
    """The colour behind it; None when it is a picture."""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def hidden(self) -> bool:
        """Whether a browser shows nothing of the text."""
        if self.gone or self.invisible or self.size < _TINY or self.alpha < _CLEAR:
            return True
        return self.ground is not None and same_to_the_eye(self.colour, self.ground)


def look_inside(outer: ElementLook, declared: Mapping[str, str]) -> ElementLook:
    """The look of an element with these declarations inside another."""
    own = {name: value for name, value in declared.items() if name.startswith("--")}
    look = replace(outer, variables={**outer.variables, **own}) if own else outer
    values = {name: _resolved(value, look.variables) for name, value in declared.items() if name not in own}
    if not values:
        return look
    size = _font_size(values, outer.size)
    painted = values.get("-webkit-text-fill-color") or values.get("color")
    colour, alpha = (_parsed(painted) if painted else None) or (outer.colour, outer.alpha)
    visible = values.get("visibility", "")
    return replace(
        look,
        gone=outer.gone or any(test(values, size) for test in _HIDING),
        invisible=visible in ("hidden", "collapse") if visible in _VISIBILITIES else outer.invisible,
        size=size,
        colour=colour,
        alpha=alpha,
        ground=_ground(values, outer.ground),
    )


_VISIBILITIES = ("hidden", "collapse", "visible", "initial")


def _resolved(value: str, variables: Mapping[str, str]) -> str:
    for _ in range(_MOST_VARIABLES):
        if "var(" not in value:
            break
        value = _VARIABLE.sub(lambda m: variables.get(m[1], m[2] or "").strip().lower(), value)
    return value


# -- ways of hiding all that is inside --------------------------------------------------------------------------

Values = Mapping[str, str]


def _not_displayed(values: Values, _size: float) -> bool:
    return values.get("display") == "none" or values.get("content-visibility") == "hidden"


def _transparent(values: Values, _size: float) -> bool:
    return "opacity" in values and _share(values["opacity"], 1.0) < _CLEAR


def _cut_off(values: Values, size: float) -> bool:
    """A box without extent that shows nothing beyond it."""
    overflow = " ".join(values.get(name, "") for name in ("overflow", "overflow-x", "overflow-y"))
    if not any(word in overflow for word in ("hidden", "clip", "scroll", "auto")):
        return False
    if "text-indent" in values and _number_of(values["text-indent"]) == (100.0, "%"):
        return True
    if _NUMBER.fullmatch(values.get("line-height", "")) and _number_of(values["line-height"])[0] == 0:
        return True
    sides = (values.get(name) for name in ("width", "height", "max-width", "max-height"))
    return any(side is not None and 0 <= _pixels(side, size, _ROOT_SIZE) <= _NARROW for side in sides)


def _clipped(values: Values, size: float) -> bool:
    shapes = _FUNCTION.findall(f"{values.get('clip', '')} {values.get('clip-path', '')}")
    for name, inside in shapes:
        parts = re.split(r"[\s,]+", inside.strip())
        if _is_empty_shape(name, [_pixels(part, size, 100.0) for part in parts if _NUMBER.match(part)]):
            return True
    return False


def _is_empty_shape(name: str, numbers: list[float]) -> bool:
    """Whether a clipping shape lets nothing through; distances in pixels or percent."""
    if not numbers:
        return False
    if name == "rect" and len(numbers) == 4:
        top, right, bottom, left = numbers
        return right - left <= _NARROW or bottom - top <= _NARROW
    if name == "inset":  # one to four distances from top, right, bottom and left, as of a margin
        top, right, bottom, left = (numbers * 4)[:4] if len(numbers) != 3 else [*numbers, numbers[1]]
        return top + bottom >= 100 or left + right >= 100
    if name in ("circle", "ellipse"):
        return min(numbers[: 1 if name == "circle" else 2]) <= _NARROW
    return name == "polygon" and max(numbers) - min(numbers) <= _NARROW


def _shrunk(values: Values, size: float) -> bool:
    if "scale" in values and any(_share(part, 1.0) < _SMALL_SCALE for part in values["scale"].split()):
        return True
    functions = _FUNCTION.findall(values.get("transform", ""))
    return any(_is_vanishing(name, re.split(r"[\s,]+", inside.strip()), size) for name, inside in functions)


def _is_vanishing(name: str, parts: list[str], size: float) -> bool:
    """Whether a transformation leaves nothing to see."""
    if name == "matrix" and len(parts) == 6:
        parts = [parts[0], parts[3]]
    if name in ("scale", "scale3d", "scalex", "scaley", "matrix"):
        return any(abs(_share(part, 1.0)) < _SMALL_SCALE for part in parts[:2])
    if name in ("rotatex", "rotatey"):
        return _number_of(parts[0])[0] in (90.0, 270.0)
    return name.startswith("translate") and any(_pixels(part, size, 1.0) < _FAR for part in parts)


def _filtered(values: Values, size: float) -> bool:
    for name, inside in _FUNCTION.findall(values.get("filter", "")):
        if name in ("opacity", "contrast") and _share(inside, 1.0) < _CLEAR:
            return True
        if name == "blur" and _pixels(inside, size, 0.0) >= _BLURRED:
            return True
    return False


def _off_the_page(values: Values, size: float) -> bool:
    names = ["text-indent", "margin-left", "margin-top"]
    if values.get("position") in ("absolute", "fixed", "relative"):
        names += ["left", "top"]
    return any(name in values and _pixels(values[name], size, VIEWPORT_SHARE) < _FAR for name in names)


VIEWPORT_SHARE = 1280.0
"""What 100 % of a distance is, in pixels."""
_HIDING: tuple[Callable[[Values, float], bool], ...] = (
    _not_displayed, _transparent, _cut_off, _clipped, _shrunk, _filtered, _off_the_page,
)  # fmt: skip


# -- sizes and colours ------------------------------------------------------------------------------------------


def _font_size(values: Values, outer: float) -> float:
    value = values.get("font-size")
    if value is None:
        sized = (part.partition("/")[0] for part in values.get("font", "").split())
        value = next((part for part in sized if part in _SIZES or _FONT_SIZE.fullmatch(part)), None)
    if value is None or value in ("inherit", "unset"):
        return outer
    if value in _SIZES:
        return _SIZES[value]
    if value in ("smaller", "larger"):
        return outer * (5 / 6 if value == "smaller" else 1.2)
    return _pixels(value, outer, outer) if _NUMBER.match(value) else outer


def _ground(values: Values, outer: Colour | None) -> Colour | None:
    """The colour behind an element: its own when it has one that covers, None for a picture or a gradient."""
    told = f"{values.get('background', '')} {values.get('background-image', '')}"
    if "url(" in told or "gradient" in told or "image(" in told:
        return None
    # of the shorthand each value; a function with its arguments is one
    shorthand = re.findall(r"[#\w-]+(?:\([^()]*\))?", values.get("background", ""))
    for value in (values.get("background-color"), *shorthand):
        found = _parsed(value) if value else None
        if found is not None and found[1] >= 0.5:  # a veil changes the colour less than the ground does
            return found[0]
    return outer


def _parsed(value: str) -> tuple[Colour, float] | None:
    """Colour and opacity of a CSS colour."""
    try:
        found = color4.parse_color(value)
        if found is None or isinstance(found, str):
            return None
        srgb = found.to("srgb")
        red, green, blue = (min(255, max(0, round(255 * (part or 0.0)))) for part in srgb.coordinates)
    except (ValueError, NotImplementedError, TypeError):
        return None
    return (red, green, blue), float(found.alpha)


def _number_of(text: str) -> tuple[float, str]:
    """The first number of a value and its unit; (1, "") without one."""
    match = _NUMBER.search(text)
    return (float(match[1]), match[2]) if match else (1.0, "")


def _share(text: str, missing: float) -> float:
    """A number or a percentage as a share."""
    match = _NUMBER.match(text.strip())
    if match is None:
        return missing
    return float(match[1]) / (100 if match[2] == "%" else 1)


def _pixels(text: str, size: float, whole: float) -> float:
    """A length in pixels: `size` is 1 em and `whole` 100 %. Far too much when it is no length."""
    match = _NUMBER.match(text.strip())
    if match is None:
        return 10_000.0
    number, unit = float(match[1]), match[2]
    if unit == "%":
        return number * whole / 100
    if unit in ("em", "ex", "ch", "lh"):
        return number * size
    return number * _UNITS.get(unit, 1.0)
