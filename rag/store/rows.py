"""How values of `rag.types` become rows and come back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.types import Chunk, Page, Passage, Source, Span, Status

SOURCE_COLUMNS = "file, path, content_hash, size, mtime_ns, status, reason, title, metadata"
PAGE_COLUMNS = "number, text, status, reason, label, characters, furniture"
VISIBLE = "{0}.added <= :g AND ({0}.removed IS NULL OR {0}.removed > :g)"
"""SQL: whether the row of this table is there at generation `g`."""

_SURROGATE = re.compile("[\ud800-\udfff]")

_MAX_NUMBER = 2**31
"""Pages, characters of a page and tokens of a chunk stay below this in any document that was ever read."""
_MAX_PAGES_OF_A_CHUNK = 100
"""A chunk runs over a page's end only to finish a sentence. More would make every loop over its pages a long one."""

Vectors = NDArray[np.float32]


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


def source_row(source: Source) -> tuple[Any, ...]:
    """In the order of SOURCE_COLUMNS."""
    metadata = json.dumps(dict(source.metadata), ensure_ascii=False, sort_keys=True)
    return (
        storable(source.file), storable(source.path), source.content_hash, source.size, source.mtime_ns,
        source.status.value, storable(source.reason), storable(source.title), storable(metadata),
    )  # fmt: skip


def source_of(row: Sequence[Any]) -> Source:
    """From a row of SOURCE_COLUMNS."""
    file, path, content_hash, size, mtime_ns, status, reason, title, metadata = row
    fields = _json(metadata)
    if not isinstance(fields, dict):
        raise ValueError("metadata is not an object")
    return Source(
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


def spans_json(spans: Iterable[Span]) -> str:
    """Spans as `[[page, start, end], ...]`."""
    return json.dumps([(s.page, s.start, s.end) for s in spans], separators=(",", ":"))


def spans_of(text: str) -> tuple[Span, ...]:
    """From the form of `spans_json`."""
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
    return (
        identity, content, chunk.ordinal, chunk.page, chunk.page_end, spans_json(chunk.spans),
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
