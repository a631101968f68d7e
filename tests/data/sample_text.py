"""The committed sample documents as the tests read them: independent of the project's own loaders."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import pypdfium2

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample"
SOURCES = ROOT / "data" / "sources"
QUESTIONS = ROOT / "data" / "questions" / "sample.jsonl"
PDFS = sorted(SAMPLE.glob("*.pdf"))

# PDFium reports a hyphen at a line end as U+FFFE, older versions as U+0002.
LINE_END_HYPHEN = re.compile("[\ufffe\x02]|-\r?\n")


def fold(text: str) -> str:
    """Drop what layout adds: spaces, line breaks, hyphens; ligatures become letters."""
    return re.sub("[\\s\\-\ufffe\x02\u00ad]", "", unicodedata.normalize("NFKC", text))


@cache
def page_texts(file: str) -> list[str]:
    """The text of each page of a sample document; Markdown and HTML are one page."""
    path = SAMPLE / file
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as document:
            return [page.get_textpage().get_text_range() for page in document]
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        text = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]+>", " ", text)
        text = html.unescape(text)
    return [text]


def questions() -> list[dict[str, Any]]:
    """The committed question set."""
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


def is_korean(file: str) -> bool:
    """Whether a document is written in Korean, judged by its letters."""
    text = "".join(page_texts(file))
    return len(re.findall("[가-힣]", text)) > len(re.findall("[A-Za-z]", text))
