"""Reads DOCX: body, headers, footers, footnotes and text boxes, with tracked changes accepted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.options import ReadOptions
from ingest.raw import Line, RawDocument
from ingest.readers.archive import open_archive
from ingest.readers.lines import margin_lines, paginate
from ingest.readers.word_body import Counts, Story
from ingest.readers.word_styles import Styles, W
from ingest.visibility import WHITE, hex_colour, hidden_note
from rag.types import Status


def read_docx(path: Path, options: ReadOptions) -> RawDocument:
    """The document, laid out as pages. Raises ArchiveNotReadable, ValueError when the file is not a DOCX."""
    import docx

    open_archive(path, "Word", options).close()
    try:
        document = docx.Document(str(path))
        reader = _DocxReader(document, options)
        lines = list(reader.lines())
        title, author, created = _properties(document)
    except (OSError, MemoryError, RecursionError):
        raise
    except Exception as error:  # the package behind raises whatever a damaged file makes it stumble over
        raise ValueError("not a Word document, or a damaged one") from error
    pages = paginate(lines)
    read = RawDocument(pages, title=title, author=author, created=created)
    note = reader.note(options.keep_hidden_text)
    if pages:
        pages[0].note = note
    elif reader.counts.hidden:
        read.status, read.reason = Status.HIDDEN_TEXT, "nothing but text that Word hides"
    return read


class _DocxReader:
    """The parts of one document."""

    def __init__(self, document: Any, options: ReadOptions) -> None:
        self._document = document
        self.counts = Counts()
        background = document.element.find(W + "background")
        self._story = Story(
            Styles(_part_of(document.part, "styles")),
            self.counts,
            options.keep_hidden_text,
            WHITE if background is None else hex_colour(background.get(W + "color")) or WHITE,
        )

    def lines(self) -> Iterator[Line]:
        """Body, footnotes and endnotes in the order of their references, then headers and footers once each."""
        yield from self._story.lines(self._document.element.body)
        yield from self._notes()
        yield from self._margins()

    def note(self, kept: bool) -> str:
        """A remark on what was found besides plain text; empty when there is none."""
        remarks: list[str] = []
        if self.counts.hidden:
            remarks.append(hidden_note(self.counts.hidden, "style", kept=kept))
        if self.counts.insertions or self.counts.deletions:
            changes = f"{self.counts.insertions} insertions kept, {self.counts.deletions} deletions dropped"
            remarks.append(f"tracked changes: ({changes})")
        if next(self._document.element.body.iter(W + "altChunk"), None) is not None:
            remarks.append("embedded documents: not read")
        return "; ".join(remarks)

    def _notes(self) -> Iterator[Line]:
        """Footnotes and endnotes, also those that notes refer to."""
        texts = {
            (kind, note.get(W + "id", "")): note
            for kind in ("footnote", "endnote")
            if (root := _part_of(self._document.part, f"{kind}s")) is not None
            for note in root.iterchildren("*")
        }
        done: set[tuple[str, str]] = set()
        while self._story.notes:
            reference = self._story.notes.pop(0)
            if reference in texts and reference not in done:
                done.add(reference)
                yield from self._story.lines(texts[reference])

    def _margins(self) -> Iterator[Line]:
        """Headers and footers."""
        seen: set[str] = set()
        for relation in self._document.part.rels.values():
            kind = relation.reltype.rpartition("/")[2]
            if kind not in ("header", "footer") or relation.is_external:
                continue
            yield from margin_lines(self._story.lines(_root_of(relation.target_part)), seen)


def _part_of(part: Any, kind: str) -> Any:
    """The root element of a part by its kind, or None."""
    for relation in part.rels.values():
        if not relation.is_external and relation.reltype.rpartition("/")[2] == kind:
            return _root_of(relation.target_part)
    return None


def _root_of(part: Any) -> Any:
    from docx.oxml.parser import parse_xml

    return part.element if hasattr(part, "element") else parse_xml(part.blob)


def _properties(document: Any) -> tuple[str, str, str]:
    """Title, author and creation date; empty where the file states none that can be read."""
    properties = document.core_properties
    try:
        created = properties.created.date().isoformat() if properties.created else ""
    except ValueError:
        created = ""
    return properties.title or "", properties.author or "", created
