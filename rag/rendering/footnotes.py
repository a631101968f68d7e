"""An answer in words: its sentences with what the check says of each, and a footnote for each citation.

For a chat as lines; as a document in Markdown, or DOCX with Word's own footnotes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from xml.sax import saxutils

from rag.messages import Language, message, place_name
from rag.rendering.safe import safe_text
from rag.types import Answer, Citation, Sentence, Support

Escape = Callable[[str], str]

_ACTIVE = re.compile(r"!(?=\[)|\](?=[(\[])|<(?=[A-Za-z/!?])")
"""What begins an image, a link or HTML in Markdown."""


def inert(text: str) -> str:
    """A text of a document on one line, in which a Markdown reader finds nothing to fetch or to follow.

    Unlike `safe_text(..., "markdown")` it leaves figures and emphasis as they are, for programs that show plain text.
    """
    return _ACTIVE.sub(r"\\\g<0>", " ".join(safe_text(text).split()))


def verdict(sentence: Sentence, language: Language, escape: Escape = inert) -> str:
    """The ground on which a sentence is verified, or why it is not; empty when there is nothing to say."""
    if sentence.derived:
        formulas = "; ".join(escape(one.formula) for one in sentence.derived)
        return f"{message('answer.derived', language)}: {formulas}"
    if sentence.support is Support.VERIFIED:
        return message(f"answer.{sentence.basis}", language) if sentence.basis else ""
    contradicted = sentence.reason == "contradicted"
    reason = message(f"answer.{'contradicted' if contradicted else sentence.support.value}", language)
    if sentence.unsupported_facts:
        facts = ", ".join(map(escape, sentence.unsupported_facts))
        reason += "; " + message("answer.facts_missing", language, facts=facts)
    return reason


def quote_status(citation: Citation, language: Language) -> str:
    """What the check of a quote found."""
    found = message(f"answer.quote_{citation.status.name.lower()}", language)
    return f"{found} ({message('answer.ocr', language)})" if citation.ocr else found


def footnote(citation: Citation, language: Language, escape: Escape = inert) -> str:
    """`file, page: “quote”`, and what the check found when it is not that the quote is on the page."""
    if not citation.verified:
        place = f"{escape(citation.file)}, " if citation.file else ""
        return f"{place}“{escape(citation.quote)}” ({quote_status(citation, language)})"
    page = escape(place_name(citation.file, citation.page, citation.page_label, language))
    return f"{escape(citation.file)}, {page}: “{escape(citation.quote)}”"


def distinct(citations: Sequence[Citation]) -> list[Citation]:
    """One citation for each number: those of several cells of one row have the same quote."""
    return list({citation.n: citation for citation in reversed(citations)}.values())[::-1]


def answer_lines(answer: Answer, language: Language) -> tuple[list[str], list[str]]:
    """The answer for a chat: its sentences, each not verified one with the reason, and the footnotes `[n] ...`."""
    if not answer.answered:
        said = [] if answer.extra.get("small_talk") else [message("answer.declined", language)]
        return [*said, *([inert(answer.reason)] if answer.reason else [])], []
    lines = [] if answer.verified else [message("answer.nothing_verified", language)]
    for sentence in answer.sentences:
        numbers = "".join(f"[{n}]" for n in sentence.citations)
        reason = "" if sentence.support is Support.VERIFIED else f"({verdict(sentence, language)})"
        lines.append(" ".join(part for part in (inert(sentence.text), numbers, reason) if part))
    return lines, [f"[{c.n}] {footnote(c, language)}" for c in distinct(answer.citations)]


@dataclass(frozen=True, slots=True)
class Note:
    """A footnote, and the picture of the page when there is one."""

    text: str
    picture: bytes | None = None
    """A PNG."""


@dataclass(frozen=True, slots=True)
class NotedParagraph:
    """A sentence with its footnotes."""

    text: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A question with the sentences that answer it, and what the reader should know."""

    heading: str
    paragraphs: tuple[NotedParagraph, ...]
    remarks: tuple[str, ...] = ()


def as_markdown(sections: Sequence[Section], pictures: str = "") -> tuple[str, dict[str, bytes]]:
    """The text, with footnotes as GitHub, Pandoc and Obsidian read them, and the pictures by file name.

    Nothing of the documents is markup in it. `pictures`: the folder that the text looks for the pictures in.
    """
    escape = partial(safe_text, target="markdown")
    lines, files, number = [], {}, 0
    for section in sections:
        lines += [f"## {_one_line(escape(section.heading))}", ""]
        notes = []
        for paragraph in section.paragraphs:
            numbers = range(number + 1, number + 1 + len(paragraph.notes))
            number += len(paragraph.notes)
            lines += [_one_line(escape(paragraph.text)) + "".join(f"[^{n}]" for n in numbers), ""]
            notes += list(zip(numbers, paragraph.notes, strict=True))
        for remark in section.remarks:
            lines += [f"*{_one_line(escape(remark))}*", ""]
        for n, note in notes:
            lines.append(f"[^{n}]: {_one_line(escape(note.text))}")
            if note.picture is not None:
                files[f"{n}.png"] = note.picture
                lines.append(f"    ![{n}](<{pictures}/{n}.png>)")
        lines += [""] if notes else []
    return "\n".join(lines).rstrip() + "\n", files


def as_docx(sections: Sequence[Section]) -> bytes:
    """The bytes of a DOCX; pictures are below the answer that cites them."""
    import docx  # python-docx takes a quarter of a second to import
    from docx.oxml import parse_xml
    from docx.shared import Cm

    document = docx.Document()
    notes: list[str] = []
    for section in sections:
        document.add_heading(_plain(section.heading), level=2)
        for paragraph in section.paragraphs:
            written = document.add_paragraph(_plain(paragraph.text))
            for note in paragraph.notes:
                notes.append(_plain(note.text))
                written._p.append(parse_xml(_REFERENCE.format(id=len(notes))))
        for remark in section.remarks:
            document.add_paragraph().add_run(_plain(remark)).italic = True
        for note in _with_pictures(section):
            document.add_picture(io.BytesIO(note.picture or b""), width=Cm(15))
            document.add_paragraph(_plain(note.text), style="Caption")
    _add_notes(document, notes)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _with_pictures(section: Section) -> Iterator[Note]:
    """The notes of a section with a picture, each page once."""
    seen: set[bytes] = set()
    for note in (note for paragraph in section.paragraphs for note in paragraph.notes):
        if note.picture is not None and note.picture not in seen:
            seen.add(note.picture)
            yield note


# python-docx has no footnotes, so their part is written here, as ECMA-376 part 1, 17.11 has it.
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SUPERSCRIPT = '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
_REFERENCE = f'<w:r xmlns:w="{_W}">{_SUPERSCRIPT}<w:footnoteReference w:id="{{id}}"/></w:r>'
_SEPARATORS = "".join(
    f'<w:footnote w:type="{kind}" w:id="{number}"><w:p><w:r><w:{element}/></w:r></w:p></w:footnote>'
    for number, kind, element in (
        (-1, "separator", "separator"),
        (0, "continuationSeparator", "continuationSeparator"),
    )
)


def _add_notes(document: Any, notes: Sequence[str]) -> None:
    """Attach the part with the footnotes, numbered from 1 in the order of their references."""
    from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part

    written = "".join(
        f'<w:footnote w:id="{number}"><w:p><w:r>{_SUPERSCRIPT}<w:footnoteRef/></w:r>'
        f'<w:r><w:t xml:space="preserve"> {saxutils.escape(note)}</w:t></w:r></w:p></w:footnote>'
        for number, note in enumerate(notes, 1)
    )
    xml = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:footnotes xmlns:w="{_W}">{_SEPARATORS}{written}'
    blob = (xml + "</w:footnotes>").encode()
    package = document.part.package
    part = Part(PackURI("/word/footnotes.xml"), CONTENT_TYPE.WML_FOOTNOTES, blob, package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    return _one_line(safe_text(text))
