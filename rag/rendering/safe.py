"""Text of documents and models made safe to show: nothing in it is obeyed, followed or fetched."""

from __future__ import annotations

import html
import re
from typing import Literal

from rag.text.normalise import INVISIBLE

Target = Literal["terminal", "markdown", "html"]

# Whole sequences first, so that their parameters do not stay behind as rubbish: ECMA-48 CSI, OSC, DCS and the like.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~$!&])")
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]\s))", re.MULTILINE)
# Renderers make links of bare addresses, also of escaped ones; a zero-width space keeps them text.
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=\w)(?=@\w)|(?<=mailto)(?=:)", re.IGNORECASE)
_BREAK = "\u200b"


def safe_text(text: str, target: Target = "terminal") -> str:
    """`text` as it may be shown on `target`.

    terminal: no escape sequences, control or invisible characters (a reader sees all there is, in its order).
    markdown: besides, markup and addresses show as the characters they are. html: besides, escaped.
    """
    text = _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))
    text = INVISIBLE.sub("", text)
    if target == "markdown":
        text = _ADDRESS.sub(_BREAK, _MARKUP.sub(r"\\\1", text))
        return _LINE_START.sub(_escape_start, text)
    return html.escape(text) if target == "html" else text


def _escape_start(match: re.Match[str]) -> str:
    """A list or heading mark at the start of a line, as the character it is."""
    mark = match[2]
    return f"{match[1]}{mark}\\" if mark[0].isdigit() else f"{match[1]}\\{mark}"
