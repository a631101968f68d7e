"""Stored pages and passages over them, without an index on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.types import Page, Passage, Span

PAGES: dict[str, list[str]] = {
    "bridge.pdf": [
        "The Harbour Bridge was opened to traffic on 24 October 1931. It cost 60 million dollars, of which the port "
        "paid a third. Eight lanes cross the river on two decks. The toll was abolished in 1954.",
        "Pedestrians were not allowed on the upper deck before 1960. The engineer Ada Kerr drew the towers, and the "
        "steel came from the mill at",
        "Port Aldis, forty kilometres up the river. The bridge was painted green in 1972.",
    ],
    "ferry.pdf": [
        "The ferry to Greyholm carries 214,000 passengers a year. The fare is 4.50 pounds.",
        "A new vessel was ordered on 8 December 2023 for 31.5 million pounds.",
    ],
    "대교.pdf": [
        "한빛대교는 1987년 5월 12일에 개통되었다. 공사비는 340억 원이었고 그 가운데 절반을 시가 냈다. 왕복 6차로이며 "
        "길이는 1,240m이다. 통행료는 1999년에 없어졌다.",
        "보행자는 위층을 다닐 수 없었다. 설계는 기술자 윤가람이 맡았다.",
    ],
}


class Shelf:
    """Pages by file, as the index gives them."""

    def __init__(self, pages: Mapping[str, Sequence[str | Page]] = PAGES) -> None:
        self._pages = {
            file: [p if isinstance(p, Page) else Page(n, p) for n, p in enumerate(texts, 1)]
            for file, texts in pages.items()
        }

    def page(self, file: str, number: int) -> Page | None:
        return next((page for page in self.pages(file) if page.number == number), None)

    def pages(self, file: str) -> list[Page]:
        return self._pages.get(file, [])

    def passages(self, *places: tuple[str, int]) -> list[Passage]:
        """Whole pages as passages."""
        return [self.passage(file, number) for file, number in places]

    def passage(self, file: str, number: int, **fields: object) -> Passage:
        """The whole page as one passage."""
        page = self.page(file, number)
        assert page is not None
        chunk = 100 * sorted(self._pages).index(file) + number
        span = Span(number, 0, len(page.text))
        return Passage(chunk, file, number, number, page.text, (span,), **fields)  # type: ignore[arg-type]
