"""What a document is, without a model: its title, its abstract or opening, and its section headings, each quoted.

>>> asked_of("Summarise tarn-340-user-manual.pdf"), asked_of("이 문서는 무엇인가요?"), asked_of("Who chairs it?")
('tarn-340-user-manual.pdf', '', None)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import PurePosixPath

from rag.answering.candidates import is_whole_sentence
from rag.answering.markers import Quote
from rag.answering.reply import Draft, DraftSentence
from rag.text.keywords import keyword_tokens
from rag.text.language import language_of
from rag.text.patterns import lazy_compile
from rag.text.sentences import sentences
from rag.types import DocumentRecord, Page, Passage

SEVERAL = 8
"""Documents that are told by title and first sentence at most; one document is told in full."""
OPENING = 3
"""Sentences of an abstract or opening that are quoted at most."""
HEADINGS = 12
"""Section headings that are quoted at most."""
_LONGEST_HEADING = 80
_FEWEST_WORDS = {"en": 8, "ko": 5, "other": 1}
"""Words of a sentence of an opening at least: a date of publication is none."""
TITLE_WITHIN = 4
"""Paragraphs of a document that its title stands in."""
_KIND = r"(?:documents?|files?|pdfs?|papers?|texts?|reports?|collections?|folders?|document\s+collections?)"
_KIND_KO = r"(?:문서|파일|자료|글|보고서|pdf)들?"
_POLITE = r"(?:(?:please|can you|could you|would you)\s+)*"
_HERE = lazy_compile(
    rf"(?:it|them|(?:(?:all|of|the|this|that|these|those|my)\s+)+{_KIND}|this|these"
    rf"|(?:(?:이|그|위|모든|전체)\s*)?{_KIND_KO}|[이그](?:것|거)들?|이건|그건)?",
    re.IGNORECASE,
)
"""What stands for the document at hand, or for all of them."""
_GIVE_KO = r"(?:을|를)?\s?(?:좀\s?)?(?:해|하|부탁|알려)[가-힣\s]{0,8}|을|를|"
_IS_KO = r"\s*(?:이?(?:야|냐|죠|지|니|에요|예요|인가|인지|인데|입니까)[가-힣\s]*)?"
"""Ends a question for what something is; 어떤 자료를 내야 하나요 asks for something else."""
_ASKS = tuple(
    lazy_compile(pattern, re.IGNORECASE)
    for pattern in (
        r"what(?:'s| is| are)\s+(?P<it>.+?)\s+(?:all\s+)?about",
        rf"what(?:'s| is| are)\s+(?P<it>(?:this|these|the)\s+{_KIND})",
        rf"what\s+do(?:es)?\s+(?P<it>(?:this|these|the)\s+{_KIND})\s+(?:contain|cover|deal\s+with|hold)",
        rf"(?:what|which)\s+{_KIND}\s+(?:are\s+(?:there|here|indexed)|do\s+you\s+(?:have|know))(?P<it>)",
        rf"what\s+(?:kind|sort|type)\s+of\s+{_KIND}\s+(?:is|are)\s+(?P<it>.+)",
        rf"{_POLITE}(?:summari[sz]e|sum up)\s+(?P<it>.+?)(?:\s+for me)?(?:,?\s+please)?",
        rf"{_POLITE}(?:give|write|show|make)\s+(?:me\s+)?(?:an?\s+|the\s+)?(?:short\s+|brief\s+)?"
        r"(?:summary|overview|outline)\s+(?:of|for)\s+(?P<it>.+?)(?:,?\s+please)?",
        rf"(?P<it>.*?)(?:의|에\s?대한)?\s*(?:내용|전체)?(?:을|를|만)?\s*(?:간단히|짧게|간략히)?\s*요약(?:{_GIVE_KO})",
        rf"(?P<it>(?:[이그위]\s*)?{_KIND_KO}|[이그](?:것|거)|이건)[은는이]?\s*(?:무엇|뭐|뭔|무슨|어떤)[가-힣\s]*",
        rf"(?:어떤|무슨)\s*{_KIND_KO}[이가]?\s*있(?:어요?|나요?|니|는지요?|습니까)(?P<it>)",
        rf"(?P<it>.+?)[은는이가]\s*(?:무슨|어떤|무엇에\s?(?:대한|관한))\s*{_KIND_KO}{_IS_KO}",
    )
)
_SEPARATORS = lazy_compile(r"[-_./\\]")
_ABSTRACT = lazy_compile(
    r"\s*(?:\d+\.?\s*)?(?:abstract|(?:executive\s+)?summary|overview|초록|요약|개요|머리말)\b[.:]?\s*",
    re.IGNORECASE,
)
_SECTION = lazy_compile(
    r"(?:\d{1,2}|[IVX]{1,4})[.)]?\s+\S|제\s?\d+\s?[장절조]|(?:chapter|section|part|article)\s+\w+\b", re.I
)
"""A heading with a number of the highest level."""
_NO_HEADING = lazy_compile(
    r"\s*(?:[•·●○▪■◦*–—-]|(?:table|fig(?:ure)?|표|그림)\s?\d)|.*(?:\d\D+){4}|\W*$", re.I
)


@dataclass(frozen=True, slots=True)
class WholeDocument:
    """A document with its pages and its chunks, in order."""

    record: DocumentRecord
    pages: Sequence[Page]
    passages: Sequence[Passage]


def asked_of(question: str) -> str | None:
    """What a question wants to be told about as a whole: "" for the document at hand; None for any other question."""
    text = question.strip().rstrip("?？.!。 ")
    for asks in _ASKS:
        if (found := asks.fullmatch(text)) is not None:
            it = found["it"].strip(" \"'“”‘’")
            return "" if _HERE.fullmatch(it) else re.sub(r"^the\s+", "", it, flags=re.IGNORECASE)
    return None


def named(it: str, documents: Sequence[DocumentRecord]) -> list[DocumentRecord]:
    """The documents that `it` names: by the whole file name or title, else by words of it; all of them for ""."""

    def names(document: DocumentRecord) -> set[str]:
        path = PurePosixPath(document.file)
        return {name.casefold() for name in (document.file, path.name, path.stem, document.title)}

    if not it:
        return list(documents)
    words = frozenset(keyword_tokens(_SEPARATORS.sub(" ", it)))
    return [d for d in documents if it.casefold() in names(d)] or [
        d
        for d in documents
        if words and words <= frozenset(keyword_tokens(_SEPARATORS.sub(" ", f"{d.file} {d.title}")))
    ]


def overview(documents: Sequence[WholeDocument]) -> tuple[Draft, tuple[Passage, ...]]:
    """What the documents are, as quotes, and the passages that the quotes stand in.

    One document is told by its title, its abstract or opening and its headings, several by title and first sentence.
    The draft is declined when they hold no text.
    """
    written: list[DraftSentence] = []
    used: dict[int, Passage] = {}
    for document in documents[:SEVERAL]:
        lines = list(_told(document, full=len(documents) == 1))
        for page, text in lines:
            passage = _holding(document.passages, page, text)
            if passage is None:
                continue
            used.setdefault(passage.chunk_id, passage)
            number = list(used).index(passage.chunk_id) + 1
            quote = Quote(text, number, page)
            written.append(DraftSentence(" ".join(text.split()), (number,), (quote,), starts_line=True))
    return Draft(tuple(dict.fromkeys(written)), declined=not written), tuple(used.values())


def _told(document: WholeDocument, *, full: bool) -> Iterator[tuple[int, str]]:
    """Page and text of what is quoted."""
    blocks = [block for page in document.pages for block in _blocks(page)]
    if not blocks:
        return
    title = _title(document.record.title, blocks)
    yield from title
    yield from islice(_opening(blocks), OPENING if full else 1)
    if full:
        headings = [heading for heading in _headings(blocks) if heading not in title]
        highest = [heading for heading in headings if _SECTION.match(heading[1])]
        mostly = 2 * sum(bool(_SECTION.match(text)) or text[0].isdigit() for _, text in headings) >= len(
            headings
        )
        yield from (highest if mostly else headings)[:HEADINGS]


def _title(title: str, blocks: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """The lines of the first page that hold the title, else its first line."""
    words = frozenset(keyword_tokens(title))
    lines = [(page, text) for page, text in blocks[:TITLE_WITHIN] if not is_whole_sentence(text)]
    lines = [line for line in lines if len(line[1]) <= 2 * _LONGEST_HEADING]
    of_title = [
        line for line in lines if 2 * len(words.intersection(own := keyword_tokens(line[1]))) > len(own)
    ]
    return of_title or lines[:1]


def _blocks(page: Page) -> Iterator[tuple[int, str]]:
    """The paragraphs and headings of a page, without running headers and footers."""
    start = 0
    for piece in re.split(r"(\n\s*\n)", page.text):
        end = start + len(piece)
        if piece.strip() and not any(a < end and start < b for a, b in page.headers_footers):
            yield page.number, piece.strip()
        start = end


def _opening(blocks: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The sentences of the abstract when there is one, else those with which the document begins."""
    begins = next((i for i, (_, block) in enumerate(blocks) if _ABSTRACT.match(block)), None)
    sections = {block for _, block in _headings(blocks)}
    for i, (page, block) in enumerate(blocks[begins or 0 :]):
        if begins is not None and i and block in sections:
            return
        label = _ABSTRACT.match(block)
        text = block[label.end() :] if label is not None else block
        for start, end in sentences(text):
            sentence = text[start:end]
            if is_whole_sentence(sentence) and len(sentence.split()) >= _FEWEST_WORDS[language_of(sentence)]:
                yield page, sentence


def _headings(blocks: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The short lines that stand over longer text, or over another such line when they have a number."""
    for (page, block), (_, below) in pairwise(blocks):
        short = "\n" not in block and len(block) <= _LONGEST_HEADING
        ends = is_whole_sentence(block) and not block.endswith(("?", "？"))
        over = len(below) > _LONGEST_HEADING or _SECTION.match(block)
        if short and over and not ends and not _NO_HEADING.match(block):
            yield page, block


def _holding(passages: Sequence[Passage], page: int, text: str) -> Passage | None:
    """The first passage of the page with the text, else the first of the page."""
    near = [p for p in passages if p.page <= page <= p.page_end]
    return next((p for p in near if _plain(text) in _plain(p.text)), near[0] if near else None)


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
