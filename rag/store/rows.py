"""The rows of an index: the SQL that every database shares, how values become rows and come back, and checks."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexDamaged
from rag.types import Cell, Chunk, DocumentRecord, Page, Passage, Row, Span, Status, Table

RECORD_COLUMNS = "file, path, content_hash, size, mtime_ns, status, reason, title, metadata"
PAGE_COLUMNS = "number, text, status, reason, label, characters, furniture"
VISIBLE = "{0}.added <= :g AND ({0}.removed IS NULL OR {0}.removed > :g)"
"""SQL: whether the row of this table is there at generation `g`."""

_SURROGATE = re.compile("[\ud800-\udfff]")

_MAX_NUMBER = 2**31
"""Pages, characters of a page and tokens of a chunk stay below this in any document that was ever read."""
_MAX_PAGES_OF_A_CHUNK = 100
"""A chunk runs over a page's end only to finish a sentence. More would make every loop over its pages a long one."""

Vectors = NDArray[np.float32]
Parameters = Sequence[Any] | dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of an index that a filter allows."""

    contents: NDArray[np.int64]
    """Ids of the contents, ascending."""
    ranges: NDArray[np.int64]
    """First and last chunk id of each content, shape [n, 2]."""
    first_page: int | None = None
    last_page: int | None = None

    @property
    def by_page(self) -> bool:
        return self.first_page is not None or self.last_page is not None


class Database(Protocol):
    """An open SQL database to read, safe to use from several threads.

    Statements take their values as `?` or as `:name`. Globs, lists of numbers and the like differ between
    databases; for those the methods at the end give the SQL.
    """

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""

    def has_table(self, table: str) -> bool:
        """Whether there is a table of this name that may be read: an older index lacks the newer ones."""

    def readable_errors(self) -> AbstractContextManager[None]:
        """Turn the database's errors, and rows that do not decode, into one sentence about this database."""

    def close(self) -> None:
        """Close files and connections."""

    def one_of(self, column: str, name: str, kind: Literal["bigint", "text"] = "bigint") -> str:
        """SQL: the column, which holds values of this kind, is one of those bound as `:name`."""

    def array(self, values: Sequence[int] | Sequence[str]) -> object:
        """Values as they are bound for `one_of` and `has_field`."""

    def matches_glob(self, column: str, name: str) -> str:
        """SQL: the column matches one of the patterns bound as `:name`."""

    def globs(self, patterns: Sequence[str]) -> object:
        """Globs (`*`, `?`, `[...]`) as they are bound for `matches_glob`."""

    def has_field(self, key: str, values: str | None = None) -> str:
        """SQL: the metadata of `sources s` has the key bound as `:key`, with one of the texts bound as `:values`.

        The values are case-folded. Without `values` any value will do.
        """

    def page_list(self, name: str) -> str:
        """SQL: a table with the columns file and page from JSON `[[file, page], ...]` bound as `:name`."""


class WritableDatabase(Database, Protocol):
    """The database of the one writer."""

    def execute(self, sql: str, parameters: Parameters = ()) -> None:
        """Run one statement."""

    def insert(self, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows into a table; `columns` names them, separated by commas."""

    def atomically(self, work: Callable[[], T]) -> T:
        """Do `work` in one transaction: all of it happens, or nothing. It may be called a second time."""

    def new_chunk_ids(self, count: int) -> int:
        """The first of `count` consecutive chunk ids that were never given before."""


@contextmanager
def decodable(name: str, fix: str) -> Iterator[None]:
    """Turn damage, and rows that do not decode, into one sentence about the database called `name`."""
    try:
        yield
    except IndexDamaged as error:
        text = str(error)
        raise (error if name in text else IndexDamaged(f"{name} is damaged: {text}; {fix}.")) from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise IndexDamaged(f"{name} is damaged: a row cannot be read ({error}); {fix}.") from error


def digest_of(text: str) -> bytes:
    """The key of a text in the embedding cache: SHA-256 of its UTF-8 form, 32 bytes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def unit_vectors(vectors: Any, count: int, dimension: int) -> Vectors:
    """Rows of float32 with length 1, so that the inner product is the cosine. Shape [count, dimension].

    Zero rows stay zero. Raises ValueError for another shape and for values that are not finite.
    """
    array = (
        np.asarray(vectors, dtype=np.float32).reshape(-1, dimension) if count == 0 else np.asarray(vectors)
    )
    if array.shape != (count, dimension):
        raise ValueError(f"{count} texts need vectors of shape {(count, dimension)}, not {array.shape}")
    array = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(array).all():
        raise ValueError("an embedding holds values that are not finite numbers")
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    unit: Vectors = array / lengths
    return unit


def storable(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, replaced one by one: lengths and spans stay right."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def record_row(record: DocumentRecord) -> tuple[Any, ...]:
    """In the order of RECORD_COLUMNS."""
    metadata = json.dumps(dict(record.metadata), ensure_ascii=False, sort_keys=True)
    return (
        storable(record.file), storable(record.path), record.content_hash, record.size, record.mtime_ns,
        record.status.value, storable(record.reason), storable(record.title), storable(metadata),
    )  # fmt: skip


def record_of(row: Sequence[Any]) -> DocumentRecord:
    """From a row of RECORD_COLUMNS."""
    file, path, content_hash, size, mtime_ns, status, reason, title, metadata = row
    fields = _json(metadata)
    if not isinstance(fields, dict):
        raise ValueError("metadata is not an object")
    return DocumentRecord(
        file, path, content_hash, size, mtime_ns, Status(status), reason, title,
        {str(key): str(value) for key, value in fields.items()},
    )  # fmt: skip


def page_row(page: Page) -> tuple[Any, ...]:
    """In the order of PAGE_COLUMNS."""
    furniture = json.dumps(page.headers_footers, separators=(",", ":"))
    return (
        page.number, storable(page.text), page.status.value, storable(page.reason), storable(page.label),
        page.characters, furniture,
    )  # fmt: skip


def page_of(row: Sequence[Any]) -> Page:
    """From a row of PAGE_COLUMNS."""
    number, text, status, reason, label, characters, furniture = row
    ranges = tuple((int(start), int(end)) for start, end in _json(furniture))
    return Page(number, text, Status(status), reason, label, characters, ranges)


def spans_of(text: str) -> tuple[Span, ...]:
    """From `[[page, start, end], ...]`."""
    return tuple(Span(_number(page), _number(start), _number(end)) for page, start, end in _json(text))


def _json(text: str) -> Any:
    """Stored JSON. Raises ValueError, also for brackets nested deeper than Python follows."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None


def _number(value: Any) -> int:
    """A stored number. Raises ValueError beyond what any document has."""
    if type(value) is not int or not 0 <= value < _MAX_NUMBER:
        raise ValueError(f"{str(value)[:40]} is no page or place on a page")
    return value


def _check_pages(first: Any, last: Any, spans: Sequence[Span]) -> None:
    """Raise ValueError when a chunk claims pages that none of its spans is on."""
    if not 1 <= _number(first) <= _number(last) < first + _MAX_PAGES_OF_A_CHUNK:
        raise ValueError(f"a chunk claims the pages {first} to {last}")
    if any(not first <= span.page <= last for span in spans):
        raise ValueError("a chunk has words on a page outside its own pages")


def chunk_row(identity: int, content: int, chunk: Chunk) -> tuple[Any, ...]:
    """id, content, ordinal, page, page_end, spans, text, header, heading, tokens."""
    spans = json.dumps([(s.page, s.start, s.end) for s in chunk.spans], separators=(",", ":"))
    return (
        identity, content, chunk.ordinal, chunk.page, chunk.page_end, spans,
        storable(chunk.text), storable(chunk.header), storable(chunk.heading), chunk.tokens,
    )  # fmt: skip


def chunk_of(row: Sequence[Any]) -> Chunk:
    """From ordinal, spans, text, header, heading, tokens."""
    ordinal, spans, text, header, heading, tokens = row
    found = spans_of(spans)
    if not found:
        raise ValueError("a chunk is on no page")
    _check_pages(found[0].page, found[-1].page, found)
    return Chunk(ordinal, found, text, header, heading, tokens)


def table_json(table: Table) -> str:
    """A table in the form of `table_form`."""
    return json.dumps(table_form(table), ensure_ascii=False, separators=(",", ":"))


def table_from_json(text: str) -> Table:
    """From the form of `table_json`."""
    return table_of(json.loads(text))


def table_form(table: Table) -> list[Any]:
    """A table as `[page, title, unit, columns, rows, start, end]`, lists of JSON; `table_of` reads it."""
    rows = [
        [
            list(row.path), row.start, row.end, [_cell_form(cell) for cell in row.cells],
            *([row.name] if row.name else []),
        ]
        for row in table.rows
    ]  # fmt: skip
    columns = [list(path) for path in table.columns]
    return [table.page, table.title, table.unit, columns, rows, table.start, table.end]


def table_of(form: Sequence[Any]) -> Table:
    """From the form of `table_form`. Raises ValueError or TypeError for another one."""
    page, title, unit, columns, rows, start, end = form
    return Table(
        int(page),
        str(title),
        str(unit),
        tuple(tuple(map(str, path)) for path in columns),
        tuple(_row_of(row) for row in rows),
        int(start),
        int(end),
    )


def _cell_form(cell: Cell) -> list[Any]:
    box = None if cell.box is None else [round(edge, 1) for edge in cell.box]
    form = [cell.column, cell.text, cell.start, cell.end, box]
    return [*form, cell.name] if cell.name else form


def _row_of(form: Sequence[Any]) -> Row:
    path, start, end, cells, *name = form  # a row of a sheet has a name
    found = tuple(_cell_of(cell) for cell in cells)
    return Row(tuple(map(str, path)), int(start), int(end), found, "".join(map(str, name)))


def _cell_of(form: Sequence[Any]) -> Cell:
    column, text, start, end, edges, *name = form  # a cell of a sheet has a name
    box = None
    if edges is not None:
        left, bottom, right, top = map(float, edges)
        box = left, bottom, right, top
    return Cell(int(column), str(text), int(start), int(end), box, "".join(map(str, name)))


PASSAGE_QUERY = f"""
SELECT c.id, s.file, c.page, c.page_end, c.text, c.spans, c.heading, c.header, s.title, p.label, p.status
FROM chunks c
JOIN sources s ON s.content = c.content AND {VISIBLE.format("s")}
LEFT JOIN pages p ON p.content = c.content AND p.number = c.page
"""


def passage_of(row: Sequence[Any]) -> Passage:
    """From a row of PASSAGE_QUERY."""
    identity, file, page, page_end, text, spans, heading, header, title, label, status = row
    found = spans_of(spans)
    _check_pages(page, page_end, found)
    return Passage(
        identity, file, page, page_end, text, found, page_label=label or "", heading=heading,
        header=header, title=title, ocr=status == Status.OCR.value,
    )  # fmt: skip


# -- reading what several parts need ----------------------------------------------------------------------------


def vectors_of_chunks(database: Database, chunk_ids: Sequence[int], dimension: int) -> Vectors:
    """The embeddings of chunks, shape [n, dimension], in order. Raises LookupError for an unknown chunk."""
    found = dict(
        database.rows(
            "SELECT c.id, e.vector FROM chunks c JOIN embeddings e ON e.id = c.embedding "
            f"WHERE {database.one_of('c.id', 'ids')}",
            {"ids": database.array(chunk_ids)},
        )
    )
    vectors = np.empty((len(chunk_ids), dimension), dtype=np.float32)
    with database.readable_errors():
        for place, chunk in enumerate(chunk_ids):
            if chunk not in found:
                raise LookupError(f"there is no chunk {chunk} in the index")
            vectors[place] = np.frombuffer(found[chunk], dtype=np.float32)
    return vectors


def chunks_on_pages(database: Database, selection: Selection) -> NDArray[np.int64]:
    """Ids of the selected contents' chunks that touch the selected pages."""
    first = selection.first_page if selection.first_page is not None else -(2**62)
    last = selection.last_page if selection.last_page is not None else 2**62
    found = database.rows(
        f"SELECT id FROM chunks WHERE {database.one_of('content', 'ids')} "
        "AND page <= :last AND page_end >= :first",
        {"ids": database.array(selection.contents.tolist()), "first": first, "last": last},
    )
    return np.array(found, dtype=np.int64).reshape(-1)


def holds_contents(database: Database, generation: int) -> bool:
    """False for a generation without a single content: then nothing derived from it is expected."""
    sql = f"SELECT EXISTS (SELECT 1 FROM contents c WHERE {VISIBLE.format('c')})"
    return bool(database.rows(sql, {"g": generation})[0][0])


# -- checks -----------------------------------------------------------------------------------------------------

_ROW_CHECKS = (
    (
        "SELECT count(*) FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM contents t WHERE t.id = c.content)",
        "chunks belong to no file",
    ),
    (
        "SELECT count(*) FROM pages p WHERE NOT EXISTS (SELECT 1 FROM contents t WHERE t.id = p.content)",
        "pages belong to no file",
    ),
    (
        "SELECT count(*) FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.id = c.embedding)",
        "chunks have no embedding",
    ),
    (
        "SELECT count(*) FROM contents t WHERE t.removed IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM sources s WHERE s.content = t.id AND s.removed IS NULL)",
        "contents belong to no file",
    ),
    (
        "SELECT count(*) FROM contents t "
        "WHERE t.chunks != (SELECT count(*) FROM chunks WHERE content = t.id) "
        "OR t.pages != (SELECT count(*) FROM pages WHERE content = t.id)",
        "files have not all their pages and chunks",
    ),
    (
        "SELECT count(*) FROM chunks c JOIN embeddings e ON e.id = c.embedding "
        "JOIN embedding_models m ON m.id = e.model WHERE length(e.vector) != 4 * m.dimension",
        "chunks have an embedding of the wrong size",
    ),
)


def row_faults(
    database: Database, name: str, checks: Iterable[tuple[str, str]] = _ROW_CHECKS
) -> Iterator[str]:
    """One sentence for each way in which rows contradict each other; a check counts what it names."""
    for sql, what in checks:
        if count := database.rows(sql)[0][0]:
            yield f"{name}: {count} {what}"
