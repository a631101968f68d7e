"""Reads scanned pages with Tesseract, as a process of its own with a time limit."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from functools import lru_cache
from typing import Any

from ingest.raw import Line
from rag.errors import MissingExtra

_DPI = 300
_MAX_SIDE = 6_000  # pixels; a poster is read at a lower resolution
_CONFIDENT = 30.0
"""Words that Tesseract is less sure of (0 to 100) are specks more often than words."""
_TIGHT = 0.35
"""Korean words are told apart by gaps wider than this share of the line's height."""


class OcrFailed(Exception):
    """Tesseract gave no answer for a page."""


def require_tesseract(languages: str) -> None:
    """Raise MissingExtra when Tesseract, or the data for one of `languages` (`eng+kor`), is not installed."""
    if shutil.which("tesseract") is None:
        raise MissingExtra(
            "the program tesseract (apt install tesseract-ocr tesseract-ocr-kor)", "ocr", "OCR"
        )
    missing = [name for name in languages.split("+") if name not in _installed()]
    if missing:
        name = f"Tesseract's data for {', '.join(missing)} (apt install tesseract-ocr-{missing[0]})"
        raise MissingExtra(name, "ocr", "OCR")


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
    command = ["tesseract", "stdin", "stdout", "-l", languages, "--dpi", str(round(72 * scale)), "tsv"]
    try:
        done = subprocess.run(command, input=image, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise OcrFailed(f"took longer than {seconds:.0f} s") from error
    if done.returncode != 0:
        raise OcrFailed(f"Tesseract ended with code {done.returncode}")
    return _lines(done.stdout.decode("utf-8", "replace"), scale, height)


def _portable_graymap(page: Any, scale: float) -> bytes:
    bitmap = page.render(scale=scale, grayscale=True)
    try:
        raw = bytes(bitmap.buffer)
        rows = (raw[row * bitmap.stride : row * bitmap.stride + bitmap.width] for row in range(bitmap.height))
        return b"P5\n%d %d\n255\n" % (bitmap.width, bitmap.height) + b"".join(rows)
    finally:
        bitmap.close()


def _lines(table: str, scale: float, height: float) -> list[Line]:
    """Tesseract's table of words (TSV) as lines; columns come one after the other, as it orders its blocks."""
    words: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        text = (row.get("text") or "").strip()
        if text and float(row.get("conf") or -1) >= _CONFIDENT:
            key = (row["block_num"], row["par_num"], row["line_num"])
            words.setdefault(key, []).append(row)
    return [_line(found, scale, height) for found in words.values()]


def _line(words: list[dict[str, str]], scale: float, height: float) -> Line:
    left = [int(word["left"]) for word in words]
    right = [int(word["left"]) + int(word["width"]) for word in words]
    top = min(int(word["top"]) for word in words)
    bottom = max(int(word["top"]) + int(word["height"]) for word in words)
    text = words[0]["text"].strip()
    for place in range(1, len(words)):
        word = words[place]["text"].strip()
        hangul = "가" <= text[-1] <= "힣" and "가" <= word[0] <= "힣"
        tight = hangul and left[place] - right[place - 1] < _TIGHT * (bottom - top)
        text += word if tight else f" {word}"
    y0, y1 = height - bottom / scale, height - top / scale
    return Line(text, min(left) / scale, max(right) / scale, y0, y1, size=round(y1 - y0, 1))
