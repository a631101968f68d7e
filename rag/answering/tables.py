"""The stored tables of retrieved pages, and how words are compared with their headers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from rag.answering.candidates import is_whole_sentence
from rag.text.figures import years_in
from rag.text.keywords import STOP_WORDS, keyword_tokens
from rag.text.patterns import lazy_compile
from rag.text.sentences import sentences
from rag.types import Cell, Passage, Row, Table

STEM = 5
"""First letters that two forms of a word share at least ("invented", "invention")."""
STEM_WEIGHT = 0.8
ASIDE_WEIGHT = 0.3
"""Weight of what a label has in brackets ("(see Note 2)"), against 1 for its other words."""
TOTAL = lazy_compile(r"\btotals?\b|합계|총계|소계|^계$", re.IGNORECASE)
_WHOLE = lazy_compile(r"\s*(?:(?:grand |sub)?totals?|all|합계|총계|계|전체)\b", re.IGNORECASE)
"""How the label of a row begins that adds up those above it."""
_DIVIDED = lazy_compile(r".*\b(?:table|표)\s?\d+\W*|\b(?:by|per)\s.*|\S+별(?=\s)", re.IGNORECASE)
"""What a title says beside what is counted: its number, and what its rows are ("by route", 노선별)."""
_ASIDE = lazy_compile(r"\((?:[^()]|\([^()]*\))*\)")
_WORDS = lazy_compile(r"[^\W\d][^\d\n]{1,40}")
_ANNOUNCES = lazy_compile(
    r"[::]$|\b(?:following|below)\b.*\btables?\b|\btables?\b.*\b(?:following|below|above)\b"
    r"|(?:다음|아래|위)\S*\s?(?:의\s)?표|표와\s?같",
    re.IGNORECASE | re.DOTALL,
)


class Tables(Protocol):
    """What gives the stored tables; `rag.store.index.Index` is one."""

    def tables(self, file: str, number: int) -> Sequence[Table]:
        """The tables of a page, in order."""


@dataclass(frozen=True)
class Place:
    """A table of a retrieved page."""

    passage: int
    """Number (from 1) of the passage that brought it."""
    file: str
    table: Table
    announced: frozenset[str] = frozenset()
    """Tokens of the sentences that announce it ("... were as follows:")."""

    @cached_property
    def years(self) -> frozenset[str]:
        """The periods that its columns or rows are told apart by."""
        paths = [*self.table.columns, *(row.path for row in self.table.rows)]
        return frozenset(year for path in paths for text in path for year in years_in(text))

    @cached_property
    def column_years(self) -> tuple[frozenset[str], ...]:
        return tuple(frozenset(years_in(" ".join(path))) for path in self.table.columns)

    @cached_property
    def title_tokens(self) -> frozenset[str]:
        return frozenset(keyword_tokens(self.table.title))

    @cached_property
    def column_tokens(self) -> tuple[frozenset[str], ...]:
        return tuple(frozenset(keyword_tokens(" ".join(path))) for path in self.table.columns)

    @cached_property
    def labels(self) -> tuple[frozenset[str], ...]:
        """The tokens of the label of each row."""
        return tuple(frozenset(label_tokens(row.label)) for row in self.table.rows)

    @cached_property
    def aliases(self) -> Mapping[int, Sequence[Cell]]:
        """By the start of a row, its cells of words that no other row has: `long long` in the row `q`."""
        texts = Counter((c.column, c.text.casefold()) for row in self.table.rows for c in row.cells)
        return {
            row.start: [
                cell
                for cell in row.cells
                if _WORDS.fullmatch(cell.text) and texts[cell.column, cell.text.casefold()] == 1
            ]
            for row in self.table.rows
        }

    @cached_property
    def counted(self) -> frozenset[str]:
        """Tokens of what the title says the figures count: of "Passengers carried by route" the first two.

        None of a sentence, which a table has for a title when it has no caption.
        """
        if is_whole_sentence(self.table.title) or _ANNOUNCES.search(self.table.title):
            return frozenset()
        return frozenset(keyword_tokens(_DIVIDED.sub(" ", self.table.title))) - STOP_WORDS

    @cached_property
    def whole(self) -> Row | None:
        """The last row when it adds up all others and says no more than that: "All routes" of a table by route."""
        last = self.table.rows[-1] if len(self.table.rows) > 2 else None
        if last is None or _WHOLE.match(last.label) is None:
            return None
        return (
            last
            if self.title_tokens.issuperset(keyword_tokens(_WHOLE.sub("", last.label, count=1)))
            else None
        )

    @cached_property
    def total_tokens(self) -> Mapping[int, frozenset[str]]:
        """By the start of a row, the tokens of the label of the total that closes it: "Total net sales"."""
        found: dict[int, frozenset[str]] = {}
        total: Row | None = None
        for row in reversed(self.table.rows):
            if TOTAL.search(row.label):
                total = row
            elif total is not None and row.path[: len(total.path) - 1] == total.path[:-1]:
                found[row.start] = frozenset(keyword_tokens(total.label))
        return found

    @cached_property
    def single_groups(self) -> frozenset[tuple[str, ...]]:
        """The groups that have one row."""
        counts = Counter(row.path[:-1] for row in self.table.rows if len(row.path) > 1)
        return frozenset(group for group, count in counts.items() if count == 1)

    def in_column(self, cell: Cell) -> frozenset[str]:
        """The tokens of the headers of a cell's column."""
        return self.column_tokens[cell.column] if cell.column < len(self.column_tokens) else frozenset()


def cell_years(place: Place, row: Row, cell: Cell) -> frozenset[str]:
    """The periods of a cell: those of its column, else of its row."""
    column = place.column_years[cell.column] if cell.column < len(place.column_years) else frozenset()
    return column or frozenset(years_in(" ".join(row.path)))


def places_of(passages: Sequence[Passage], tables: Tables) -> list[Place]:
    """The tables of the pages that the passages are on, in the order of the passages."""
    seen: set[tuple[str, int]] = set()
    found: list[Place] = []
    for number, passage in enumerate(passages, 1):
        for page in range(passage.page, passage.page_end + 1):
            if (passage.file, page) in seen:
                continue
            seen.add((passage.file, page))
            stored = tables.tables(passage.file, page)
            announced = frozenset[str]()
            if len(stored) == 1:
                announced = _announcement(passages, passage.file, page)
            found += [Place(number, passage.file, table, announced) for table in stored]
    return found


def _announcement(passages: Sequence[Passage], file: str, page: int) -> frozenset[str]:
    """The tokens of the sentences of a page with one table that announce a table."""
    texts = [p.text for p in passages if p.file == file and p.page <= page <= p.page_end]
    said = (text[start:end].strip() for text in texts for start, end in sentences(text))
    return frozenset(token for one in said if _ANNOUNCES.search(one) for token in keyword_tokens(one))


def stands_in(words: str, text: str) -> bool:
    """Whether the words, or a sign such as "=", stand in the text as they are."""
    if words.casefold() not in text.casefold():  # most do not, and a pattern takes time to be compiled
        return False
    return re.search(rf"(?<![^\W_]){re.escape(words)}(?![^\W_])", text, re.IGNORECASE) is not None


def held(token: str, tokens: Mapping[str, float] | Set[str]) -> float:
    """1 when the token is among the tokens, less for another form of it, 0 when it is not."""
    if token in tokens:
        return 1.0
    if len(token) < STEM:
        return 0.0
    return STEM_WEIGHT if any(t[:STEM] == token[:STEM] for t in tokens if len(t) >= STEM) else 0.0


def label_tokens(label: str) -> dict[str, float]:
    """The words of a label with their weights; what it has in brackets counts less."""
    inside = [
        t for t in keyword_tokens(" ".join(_ASIDE.findall(label))) if not t.isdecimal()
    ]  # no footnote marks
    outside = [t for t in keyword_tokens(_ASIDE.sub(" ", label)) if t not in STOP_WORDS]
    tokens = dict.fromkeys((t for t in inside if t not in STOP_WORDS), ASIDE_WEIGHT if outside else 1.0)
    return tokens | dict.fromkeys(outside, 1.0) or dict.fromkeys(keyword_tokens(label), 1.0)
