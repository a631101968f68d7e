"""What reading may cost, and how it is done: one value that travels to every reader process."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a file is read and split, and what it may cost."""

    seconds: float = 120.0
    """A file that shows no new page for this long has hung. A file as a whole may take this plus
    `seconds_per_page` for every page."""
    seconds_per_page: float = 0.5
    ocr_seconds: float = 60.0
    """For one page read by OCR."""
    memory_mib: int = 2048
    """Resident memory of one reader process."""
    max_pages: int = 20_000
    max_characters: int = 100_000_000
    keep_hidden_text: bool = False
    ocr: bool = False
    ocr_languages: str = "kor+eng"
    """Tesseract reads Korean badly when English comes first; English it reads as well either way."""
    chunk_tokens: int = 220
    chunk_overlap: int = 0

    def deadline(self, pages: int) -> float:
        """Seconds a file may take in all once it has shown that it has `pages` pages."""
        return self.seconds + pages * (self.ocr_seconds if self.ocr else self.seconds_per_page)
