"""Whether what a sentence says of a table's figures agrees with their row and column headers.

Words and figures alone cannot tell: a row `18.5 % 19.4 %` holds both figures, but only its header says which is of
which year. Each figure of the sentence is looked for among the cells of the quoted rows; of these one must agree with
the sentence (and the question that it answers) in period, item, unit and sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rag.answering.rewrites import word_set
from rag.answering.tables import Place, Tables, cell_years, label_tokens
from rag.text.figures import as_printed, is_period, scale_of, value_of, years_in
from rag.text.keywords import STOP_WORDS, keyword_tokens
from rag.text.patterns import lazy_compile
from rag.text.quantities import Number, dates, numbers
from rag.types import Cell, CellReference, Citation, Row

NAMED = 0.5
"""Share of a row's label that the sentence and its question must name."""
RIVAL = 0.2
"""Share by which another row's label may be named better than that of the quoted row."""
_STEM = 5
_YEAR_AFTER = lazy_compile(r"^[^\d;]{0,28}?\(?(?P<year>(?:19|20)\d\d|(?:FY|fiscal)\s?\d\d)\b", re.IGNORECASE)
_NEGATIVE = lazy_compile(
    r"\b(?:loss(?:es)?|decreas\w*|declin\w*|negative|fell|fall|drop\w*|outflow\w*|used in|deficit|deduct\w*"
    r"|minus|lower|reduc\w*|expens\w*|charge[sd]?|paid|payments?|cost|write-?offs?|shortfall|less)\b|손실|감소|적자|줄|하락|음수|마이너스|비용|지급|유출|차감",
    re.IGNORECASE,
)
_GAIN = lazy_compile(r"\b(?:income|profits?|gains?|earnings)\b|이익|수익", re.IGNORECASE)
_LOSS = lazy_compile(r"\bloss(?:es)?\b|손실", re.IGNORECASE)
_SCALE_BEHIND_BRACKET = lazy_compile(r"\s?\)\s?(thousand|million|billion)", re.IGNORECASE)
_RATE = lazy_compile(r"\b(?:rates?|margin|yield|ratio|volatility)\b|[율률]\b|비중", re.IGNORECASE)
_MOST_PERCENT = 200
"""The largest figure that the row of a rate may hold without a percent sign and still be one."""
_COUNTED = lazy_compile(r"\s([A-Za-z]{3,}s)\b(?!')", re.IGNORECASE)
_UNCOUNTED = word_set(
    "was has does plus minus versus less across towards thus this its dollars euros pounds points"
)
"""Words in "s" behind a figure that are no noun which it counts, and units that headers have as signs."""
_CURRENCY = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₩": "KRW"}


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quoted row of a table."""

    citation: Citation
    place: Place
    row: Row


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a figure does not agree with its cell: `period`, `item`, `unit` or `sign`, and what the page has."""

    kind: str
    figure: str
    value: str
    header: str


@dataclass(frozen=True, slots=True)
class TableVerdict:
    """What the quoted tables say of a sentence."""

    cells: tuple[tuple[Citation, CellReference], ...]
    """The cells that agree, each with the citation it is quoted by."""
    faults: tuple[Fault, ...]
    unbound: tuple[str, ...]
    """Figures of the sentence that no cell of the quoted rows holds."""
    headers: str
    """The headers, titles and units of the quoted rows, as evidence for the sentence."""

    @property
    def decides(self) -> bool:
        """Whether the headers decide about the sentence: one figure disagrees, or all are cells that agree."""
        return bool(self.faults) or (bool(self.cells) and not self.unbound)


def quoted_rows(citations: Sequence[Citation], tables: Tables) -> list[Quoted]:
    """The rows of stored tables that the verified citations quote."""
    found: list[Quoted] = []
    for citation in citations:
        for span in citation.spans:
            for table in tables.tables(citation.file, span.page):
                place = Place(1, citation.file, table)
                found += [
                    Quoted(citation, place, row)
                    for row in table.rows
                    if min(span.end, row.end) - max(span.start, row.start)
                    > 0.5 * min(row.end - row.start, span.end - span.start)
                ]
    return found


def check(sentence: str, question: str, quoted: Sequence[Quoted]) -> TableVerdict:
    """Compare each figure of a sentence with the cells of the quoted rows that hold it."""
    cells: list[tuple[Citation, CellReference]] = []
    faults: list[Fault] = []
    unbound: list[str] = []
    figures = _figures(sentence)
    for order, number in enumerate(figures):
        holding = [(q, cell) for q in quoted for cell in q.row.cells if _same_value(number, cell, q.place)]
        if not holding:
            unbound.append(sentence[number.start : number.end])
            continue
        years = _years_of(sentence, question, number, order, figures)
        judged = [(_fault(sentence, question, number, years, q, cell), q, cell) for q, cell in holding]
        good = next(((q, cell) for fault, q, cell in judged if fault is None), None)
        if good is not None:
            cells.append((good[0].citation, reference(good[0].place, good[0].row, good[1])))
        else:
            fault = judged[0][0]
            assert fault is not None
            faults.append(fault)
    headers = " ".join(dict.fromkeys(text for q in quoted for text in _headers(q)))
    return TableVerdict(tuple(cells), tuple(faults), tuple(unbound), headers)


def reference(place: Place, row: Row, cell: Cell) -> CellReference:
    """The cell as a citation names it."""
    column = place.table.columns[cell.column] if cell.column < len(place.table.columns) else ()
    return CellReference(cell.text, row.path, column, place.table.unit, cell.name)


def _headers(quoted: Quoted) -> Iterator[str]:
    table = quoted.place.table
    yield from (table.title, table.unit, *quoted.row.path)
    for path in table.columns:
        yield from path


def _figures(sentence: str) -> list[Number]:
    """The numbers of a sentence that are no years and no parts of dates."""
    taken = [(date.start, date.end) for date in dates(sentence)]
    return [
        n
        for n in numbers(sentence)
        if any(map(str.isdigit, sentence[n.start : n.end]))
        and not any(start <= n.start < end for start, end in taken)
        and not is_period(sentence[n.start : n.end].strip(" .,"))
    ]


def _same_value(number: Number, cell: Cell, place: Place) -> bool:
    value = value_of(cell.text)
    if value is None:
        return False
    mantissa = abs(number.mantissa)
    if mantissa == abs(value):
        return True
    scaled = abs(value) * scale_of(place.table.unit)
    return abs(number.amount) != mantissa and abs(abs(number.amount) - scaled) <= number.step / 2


def _years_of(
    sentence: str, question: str, number: Number, order: int, figures: Sequence[Number]
) -> tuple[str, ...]:
    """The periods that a sentence gives a figure: those beside it, else those of the sentence or the question."""
    said = years_in(sentence)
    if len(said) <= 1:
        return said or years_in(question)
    if re.search(r"\brespective|각각", sentence, re.IGNORECASE) and len(said) == len(figures):
        return (said[order],)
    stop = figures[order + 1].start if order + 1 < len(figures) else len(sentence)
    after = _YEAR_AFTER.match(sentence[number.end : stop])
    if after is not None:
        return years_in(after["year"])
    before = years_in(sentence[figures[order - 1].end if order else 0 : number.start])
    return before[-1:] or said


def _fault(
    sentence: str, question: str, number: Number, years: Sequence[str], quoted: Quoted, cell: Cell
) -> Fault | None:
    place, row = quoted.place, quoted.row
    header = " ".join(reference(place, row, cell).column)
    figure = sentence[number.start : number.end].strip()

    def fault(kind: str, shown: str) -> Fault:
        return Fault(kind, figure, as_printed(cell.text), shown)

    own = cell_years(place, row, cell)
    if years and own and not own & set(years):
        return fault("period", header or row.label)
    if years and not own and len(place.years) > 1 and any(place.column_years):
        return fault("period", header or row.label)
    words = frozenset(keyword_tokens(f"{sentence} {question}"))
    said = frozenset(keyword_tokens(sentence))
    if not _names_row(said, words, place, row):
        return fault("item", " > ".join(row.path))
    if not _names_column(words, place, row, cell) or not _counts_what_it_says(sentence, number, place, row):
        return fault("item", header)
    if not _same_unit(sentence, number, place, row, cell):
        return fault("unit", place.table.unit or header)
    return None if _same_sign(sentence, number, row, cell) else fault("sign", row.label)


def _share(tokens: Mapping[str, float], words: frozenset[str]) -> float:
    """Share (0 to 1) of weighed tokens among the words; another form of a word counts as well."""
    stems = {word[:_STEM] for word in words if len(word) >= _STEM}
    held = sum(w for t, w in tokens.items() if t in words or (len(t) >= _STEM and t[:_STEM] in stems))
    total = sum(tokens.values())
    return held / total if total else 1.0


def _names_row(said: frozenset[str], words: frozenset[str], place: Place, row: Row) -> bool:
    """Whether the sentence (or its question) names this row, and no other row of the table better."""
    label = label_tokens(row.label)
    if not label or years_in(row.label):
        return True
    own = _share(label, words)
    if own < NAMED:
        return False
    for other in place.table.rows:
        rival = label_tokens(other.label)
        if other is row or not rival or rival.keys() == label.keys():
            continue
        share = _share(rival, said)
        more = len(rival.keys() & said) > len(label.keys() & said)
        if share > own + RIVAL or (share >= 0.99 and more and rival.keys() > label.keys()):
            return False
    return _names_group(words, place, row)


def _names_group(words: frozenset[str], place: Place, row: Row) -> bool:
    """Of rows with the same label, the one whose group is named."""
    twins = [r for r in place.table.rows if r is not row and r.path and row.path and r.label == row.label]
    own = _plain(row.path[:-1])
    for twin in twins:
        other = _plain(twin.path[:-1])
        if (
            other - own
            and _share(dict.fromkeys(other - own, 1.0), words) > 0.5
            and _share(dict.fromkeys(own - other, 1.0), words) < (0.5 if own - other else 0.0)
        ):
            return False
    return True


def _plain(path: Sequence[str]) -> frozenset[str]:
    return frozenset(t for t in keyword_tokens(" ".join(path)) if t not in STOP_WORDS)


def _names_column(words: frozenset[str], place: Place, row: Row, cell: Cell) -> bool:
    """Whether no other column of the row is named instead, by words that tell the columns apart."""
    columns = place.column_tokens
    if cell.column >= len(columns):
        return True
    common = frozenset.intersection(*columns) if columns else frozenset()

    def telling(column: int) -> dict[str, float]:
        return {t: 1.0 for t in columns[column] - common if not t.isdecimal() and t not in STOP_WORDS}

    own = telling(cell.column)
    share = _share(own, words) if own else 0.0
    label = frozenset(keyword_tokens(" ".join(row.path)))
    for other in range(len(columns)):
        rival = {t: w for t, w in telling(other).items() if t not in own and t not in label}
        if other != cell.column and rival and _share(rival, words) > max(share, 0.5):
            return False
    return True


def _counts_what_it_says(sentence: str, number: Number, place: Place, row: Row) -> bool:
    """Whether a noun that the sentence counts ("118 lifeboats") is one of the table's words."""
    counted = _COUNTED.match(sentence, number.end)
    if counted is None or counted[1].casefold() in _UNCOUNTED:
        return True
    table = place.table
    named = [table.title, table.unit, *row.path, *(cell.text for cell in row.cells), *sum(table.columns, ())]
    return (
        _share(dict.fromkeys(keyword_tokens(counted[1]), 1.0), frozenset(keyword_tokens(" ".join(named)))) > 0
    )


def _same_unit(sentence: str, number: Number, place: Place, row: Row, cell: Cell) -> bool:
    table = place.table
    column = " ".join(table.columns[cell.column]) if cell.column < len(table.columns) else ""
    near = f"{cell.text} {column} {row.label} {table.unit}"
    scale = scale_of(table.unit)
    said = abs(number.amount / number.mantissa) if number.mantissa else Decimal(1)
    behind = _SCALE_BEHIND_BRACKET.match(sentence, number.end)
    if behind is not None:
        said = Decimal(scale_of(behind[1]))
    if said not in (1, scale) and scale != 1 and abs(number.mantissa) == abs(value_of(cell.text) or 0):
        return False
    value = abs(value_of(cell.text) or Decimal(0))
    percent = "%" in near or bool(re.search(r"percent|퍼센트|백분율", near, re.IGNORECASE))
    percent = percent or (value <= _MOST_PERCENT and bool(_RATE.search(f"{column} {row.label}")))
    if number.unit in ("%", "%p"):
        return percent and not any(sign in cell.text for sign in _CURRENCY)
    if "%" in cell.text and number.unit in _CURRENCY.values():
        return False
    named = {unit for sign, unit in _CURRENCY.items() if sign in f"{cell.text} {column} {table.unit}"}
    return not (number.unit in _CURRENCY.values() and named and number.unit not in named)


def _same_sign(sentence: str, number: Number, row: Row, cell: Cell) -> bool:
    value = value_of(cell.text)
    if not value:
        return True
    minus = number.amount < 0 or number.bracketed
    if value < 0:
        return (
            minus
            or bool(_NEGATIVE.search(sentence))
            or bool(_NEGATIVE.search(row.label) and not _GAIN.search(row.label))
        )
    if minus:
        return False
    both = bool(_LOSS.search(row.label)) and bool(_GAIN.search(row.label))
    return not (both and _LOSS.search(sentence) and not _GAIN.search(sentence))
