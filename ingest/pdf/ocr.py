"""Reads scanned pages with Tesseract, as a process of its own with a time limit."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingest.raw import Line
from rag.errors import UsageError

_DPI = 300
_LAYOUTS = ("3", "6")
"""Tesseract's page segmentation: its own, which sees no text on a page of one line; then one block of text."""
_MAX_SIDE = 6_000  # pixels; a poster is read at a lower resolution
_CONFIDENT = 30.0
"""Words that Tesseract is less sure of (0 to 100) are specks more often than words."""


class OcrFailed(Exception):
    """Tesseract gave no answer for a page."""


def require_tesseract(languages: str) -> None:
    """Raise UsageError when Tesseract, or the data for one of `languages` (`kor+eng`), is not installed."""
    if shutil.which("tesseract") is None:
        raise UsageError(
            "OCR needs the program tesseract: install Tesseract with its Korean data"
            " (Debian: apt install tesseract-ocr tesseract-ocr-kor)."
        )
    missing = [name for name in languages.split("+") if name not in _installed()]
    if missing:
        packages = " ".join(f"tesseract-ocr-{name}" for name in missing)
        raise UsageError(
            f"OCR needs Tesseract's data for {', '.join(missing)}: install it (Debian: apt install {packages})."
        )


@lru_cache(maxsize=1)
def _installed() -> frozenset[str]:
    listed = subprocess.run(
        ["tesseract", "--list-langs"], capture_output=True, text=True, timeout=20, check=False
    )
    return frozenset((listed.stdout + listed.stderr).split())


def read_scan(page: Any, *, languages: str, seconds: float) -> list[Line]:
    """The lines of a rendered page, placed in points. Raises OcrFailed."""
    width, height = page.get_size()
    scale = min(_DPI / 72, _MAX_SIDE / max(width, height, 1.0))
    image = _portable_graymap(page, scale)
    for layout in _LAYOUTS:
        table, text = _recognised(image, layout, languages, round(72 * scale), seconds)
        if lines := _lines(table, text, scale, height):
            return lines
    return []


def _recognised(image: bytes, layout: str, languages: str, dpi: int, seconds: float) -> tuple[str, str]:
    """Tesseract's table of words with their places, and its text, which alone has the spaces of Korean right."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "page"
        options = ["-l", languages, "--psm", layout, "--dpi", str(dpi), "tsv", "txt"]
        try:
            done = subprocess.run(
                ["tesseract", "stdin", str(base), *options],
                input=image,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise OcrFailed(f"took longer than {seconds:.0f} s") from error
        if done.returncode != 0:
            raise OcrFailed(f"Tesseract ended with code {done.returncode}")
        table, text = (
            base.with_suffix(suffix).read_text(encoding="utf-8", errors="replace")
            for suffix in (".tsv", ".txt")
        )
        return table, text


def _portable_graymap(page: Any, scale: float) -> bytes:
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        raw = bytes(bitmap.buffer)
        rows = (raw[row * bitmap.stride : row * bitmap.stride + bitmap.width] for row in range(bitmap.height))
        return b"P5\n%d %d\n255\n" % (bitmap.width, bitmap.height) + b"".join(rows)
    finally:
        bitmap.close()


def _lines(table: str, text: str, scale: float, height: float) -> list[Line]:
    """The table as lines; columns come one after the other, as Tesseract orders its blocks."""
    spaced = {_squeezed(line): line.strip() for line in text.splitlines()}
    words: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if (row.get("text") or "").strip() and float(row.get("conf") or -1) >= _CONFIDENT:
            key = (row["block_num"], row["par_num"], row["line_num"])
            words.setdefault(key, []).append(row)
    return [_line(found, spaced, scale, height) for found in words.values()]


def _line(words: list[dict[str, str]], spaced: dict[str, str], scale: float, height: float) -> Line:
    left = min(int(word["left"]) for word in words)
    right = max(int(word["left"]) + int(word["width"]) for word in words)
    top = min(int(word["top"]) for word in words)
    bottom = max(int(word["top"]) + int(word["height"]) for word in words)
    text = " ".join(word["text"].strip() for word in words)
    y0, y1 = height - bottom / scale, height - top / scale
    return Line(
        spaced.get(_squeezed(text), text), left / scale, right / scale, y0, y1, size=round(y1 - y0, 1)
    )


def _squeezed(text: str) -> str:
    return "".join(text.split())
