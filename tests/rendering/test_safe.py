"""Text that a document or a model wrote, made safe to show."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rag.rendering.safe import safe_text

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x1b[]()<>!*_`#|$~&:/@.-1\n\\"), max_size=60
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.example\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("\x9b31mred", "red"),
        ("a\u202eb\u200bc\u2066d\ufeff", "abcd"),
        ("one\r\ntwo\rthree\x08\x00", "one\ntwothree"),
        ("tab\tand\nline stay, 한글과 emoji 😀 too", "tab\tand\nline stay, 한글과 emoji 😀 too"),
    ],
)
def test_a_terminal_is_told_nothing(text: str, shown: str) -> None:
    assert safe_text(text) == shown


@given(TEXTS)
def test_no_control_reaches_a_terminal(text: str) -> None:
    shown = safe_text(text)
    assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    assert safe_text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "[click](https://evil.example)",
        "![pixel](https://evil.example/x.png)",
        "<img src=x onerror=alert(1)> <script>x</script>",
        "https://evil.example www.evil.example someone@evil.example",
        "[a]: https://evil.example\n\n[a]",
        "# heading\n> quote\n- list\n1. one\n2) two\n+ plus\n---",
        "| a | b |\n|---|---|\n| **1** | `2` |",
        "$x$ ~~gone~~ __bold__ &lt;b&gt; <https://evil.example>",
        "setext\n===",
    ],
)
def test_markdown_shows_what_is_written(text: str) -> None:
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(safe_text(text, "markdown"))
    assert not re.search(r"<(?!/?p>)[a-z!/]", rendered), rendered
    shown = html.unescape(re.sub(r"</?p>", "", rendered)).replace("\u200b", "")
    assert "".join(shown.split()) == "".join(text.split())


@given(TEXTS)
def test_no_markdown_becomes_a_link_or_a_picture(text: str) -> None:
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(safe_text(text, "markdown"))
    assert not re.search(r"<(a|img|script|iframe|h\d|table|em|strong)\b", rendered)


def test_html_is_escaped() -> None:
    assert safe_text("<b>&\x1b[1m", "html") == "&lt;b&gt;&amp;"
