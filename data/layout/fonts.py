"""The open fonts that the sample PDFs embed as subsets: Liberation (English) and Nanum (Korean), both OFL."""

from __future__ import annotations

from pathlib import Path

from reportlab.lib.fonts import addMapping
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

FACES = {
    "serif": ("LiberationSerif-Regular", "LiberationSerif-Bold", "LiberationSerif-Italic"),
    "sans": ("LiberationSans-Regular", "LiberationSans-Bold", "LiberationSans-Italic"),
    "myeongjo": ("NanumMyeongjo", "NanumMyeongjoBold", "NanumMyeongjo"),
    "gothic": ("NanumGothic", "NanumGothicBold", "NanumGothic"),
}


def bold(face: str) -> str:
    """The registered name of the bold cut of a face."""
    return f"{face}-bold"


def register(folder: Path) -> None:
    """Register every face found anywhere below `folder`; raises FileNotFoundError naming what is missing."""
    for face, files in FACES.items():
        for name, file in zip((face, bold(face), f"{face}-italic"), files, strict=True):
            pdfmetrics.registerFont(TTFont(name, str(_find(folder, f"{file}.ttf"))))
        addMapping(face, 0, 0, face)
        addMapping(face, 1, 0, bold(face))
        addMapping(face, 0, 1, f"{face}-italic")
        addMapping(face, 1, 1, bold(face))


def _find(folder: Path, file: str) -> Path:
    found = sorted(folder.rglob(file))
    if not found:
        raise FileNotFoundError(
            f"{file} is not below {folder}; on Debian: apt-get install fonts-nanum fonts-liberation"
        )
    return found[0]
