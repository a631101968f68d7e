"""Pack passages into the block of the prompt that holds the evidence.

Passages are untrusted: a document may hold text made to look like a system message, the end of the block, or a
citation. Such text is neutralised by writing one of its characters in full width (`<` becomes U+FF1C): special
tokens and fences no longer parse, a reader still sees what the page says, and a quote that copies it is still
found on the page, because matching folds full-width forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.answering.citations import PageSource
from rag.answering.markers import Quote
from rag.answering.reply import Draft
from rag.text.normalise import INVISIBLE
from rag.text.patterns import lazy_compile
from rag.text.sentences import sentences
from rag.types import Passage, Span

_WIDE = {ord(c): chr(ord(c) + 0xFEE0) for c in "<>|[]:#_`"}
_ROLES = (
    "system|assistant|user|human|ai|developer|instructions?|response|tool"
    "|시스템|사용자|어시스턴트|개발자|명령|지시"
)
_TAGS = r"passages?|documents?|question|answer|context|system|user|assistant|instructions?|tool_\w+|s|bos|eos"
_RISKY = lazy_compile(
    rf"</?\s*(?:{_TAGS})\b[^>\n]{{0,80}}>?"
    r"|<\|[^|\n]{0,40}\|?>?|\|>"  # ChatML, Llama 3: <|im_start|>, <|eot_id|>
    r"|\[\|[^|\n]{0,40}\|\]|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"  # EXAONE, Llama 2, Gemma
    r"|\[\s*\d{1,3}\s*[\]:,:]"  # what would read as one of our own citations
    r"|not_in_documents?|문서에_없음"
    rf"|^[ \t>*#-]*(?:{_ROLES})[ \t*]*[::]"
    r"|^#{1,6}(?=\s)|^```",
    re.IGNORECASE | re.MULTILINE,
)
_NO_PASSAGE = 10**6
"""A passage number that no prompt has: a reply cited a sentence that does not exist."""
_TABLE_LINE = lazy_compile(r"^(?:Table|표): (.+)$", re.MULTILINE)
"""In a chunk's header: the headers of the table that its first rows belong to."""
_LONGEST_TABLE_LINE = 320
_TOUCHING = 2
"""Characters (a line break, a space) that may lie between two passages that are packed as one."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The evidence block of a prompt."""

    block: str
    passages: tuple[Passage, ...]
    """Passage number n of the block is `passages[n - 1]`."""
    left_out: int
    """How many of the given passages did not fit into the budget."""
    tokens: int
    sentences: tuple[Quote, ...] = ()
    """Sentence number n of the block is `sentences[n - 1]`; empty when its passages are numbered instead."""


def pack(
    passages: Sequence[Passage],
    budget: int,
    count_tokens: Callable[[str], int],
    pages: PageSource | None = None,
    *,
    numbered: bool = False,
) -> Packed:
    """As many of the passages, in their order, as fit into `budget` tokens, numbered, fenced and neutralised.

    Passages that touch or overlap on one page become one (`pages` gives the words between them). The first
    passage is cut at a sentence's end when it alone is over the budget. With `numbered` every sentence has a number,
    counted through all passages, instead of each passage.
    """
    merged = merge_neighbours(passages, pages)
    blocks: list[str] = []
    packed: list[Passage] = []
    given: list[Quote] = []
    left = budget
    for candidate in merged:
        passage = candidate if packed else _shortened(candidate, budget, count_tokens, numbered=numbered)
        own = _sentences(passage, len(packed) + 1) if numbered else []
        block = (
            _numbered_block(own, len(given) + 1, passage) if numbered else _block(len(packed) + 1, passage)
        )
        cost = count_tokens(block)
        if cost <= left or not packed:
            blocks.append(block)
            packed.append(passage)
            given += own
            left -= cost
    left_out = len(merged) - len(packed)
    return Packed("\n\n".join(blocks), tuple(packed), left_out, budget - left, tuple(given))


def cited_by_number(draft: Draft, given: Sequence[Quote]) -> Draft:
    """The draft of a reply that cites sentences by number, with those sentences as its quotes.

    A number without words stands for its sentence. One that no sentence has is kept as a citation of nothing. Words
    that a reply copies although only a number was asked for are looked up in all passages.
    """
    found = []
    for sentence in draft.sentences:
        copied = {quote.passage for quote in sentence.quotes}
        plain = [n for n in sentence.passages if n not in copied]
        quotes = [given[n - 1] if 0 < n <= len(given) else Quote("", _NO_PASSAGE) for n in plain]
        quotes += [replace(quote, passage=None) for quote in sentence.quotes]
        numbers = tuple(dict.fromkeys(q.passage for q in quotes if q.passage is not None))
        words = " ".join(" ".join(quote.text for quote in quotes).split())
        text = words if sentence.is_number and words else sentence.text
        found.append(replace(sentence, text=text, passages=numbers, quotes=tuple(dict.fromkeys(quotes))))
    return replace(draft, sentences=tuple(found))


def _sentences(passage: Passage, number: int) -> list[Quote]:
    return [Quote(passage.text[start:end], number) for start, end in sentences(passage.text)]


def neutralise(text: str) -> str:
    """The text without invisible characters, and with whatever could pass for markup of the prompt defused."""
    visible = INVISIBLE.sub("", text.replace("\r", "\n"))
    return _RISKY.sub(lambda match: match[0].translate(_WIDE), visible)


def merge_neighbours(passages: Sequence[Passage], pages: PageSource | None = None) -> list[Passage]:
    """Passages that touch or overlap on one page joined into one, at the place of the best ranked of them."""
    merged: list[Passage] = []
    for passage in passages:
        for i, other in enumerate(merged):
            joined = _joined(other, passage, pages)
            if joined is not None:
                merged[i] = joined
                break
        else:
            merged.append(passage)
    return merged


def _joined(first: Passage, second: Passage, pages: PageSource | None) -> Passage | None:
    """One passage in place of two, with the rank signals of `first`; None when they do not touch."""
    if pages is None or first.file != second.file or len(first.spans) != 1 or len(second.spans) != 1:
        return None
    (a,), (b,) = first.spans, second.spans
    page = pages.page(first.file, a.page) if a.page == b.page else None
    if page is None or max(a.start, b.start) - min(a.end, b.end) > _TOUCHING:
        return None
    span = Span(a.page, min(a.start, b.start), max(a.end, b.end))
    return replace(first, text=page.text[span.start : span.end], spans=(span,))


def _block(number: int, passage: Passage) -> str:
    return f'<passage n="{number}" {_origin(passage)}>\n{neutralise(passage.text).strip()}\n</passage>'


def _numbered_block(own: Sequence[Quote], first: int, passage: Passage) -> str:
    """The passage with a number before each sentence, from `first` on."""
    lines = (f"[{n}] {' '.join(neutralise(quote.text).split())}" for n, quote in enumerate(own, first))
    return f"<passage {_origin(passage)}>\n{chr(10).join(lines)}\n</passage>"


def _origin(passage: Passage) -> str:
    place = f"{passage.page}" if passage.page == passage.page_end else f"{passage.page}-{passage.page_end}"
    head = f'file="{_attribute(passage.file)}" page="{place}"'
    if passage.heading:
        head += f' section="{_attribute(passage.heading)}"'
    if (table := _TABLE_LINE.search(passage.header)) is not None:  # a piece that begins within a table
        head += f' table="{_attribute(table[1], _LONGEST_TABLE_LINE)}"'
    return head


def _attribute(text: str, longest: int = 200) -> str:
    """A file name or heading in an attribute; it is as little to be trusted as the text."""
    line = " ".join(neutralise(text).split())
    return line.translate(_WIDE).replace('"', "\uff02")[:longest]


def _shortened(
    passage: Passage, budget: int, count_tokens: Callable[[str], int], *, numbered: bool
) -> Passage:
    """The passage, cut at the last sentence's end at which its block keeps within the budget."""

    def cost(part: Passage) -> int:
        return count_tokens(_numbered_block(_sentences(part, 1), 1, part) if numbered else _block(1, part))

    if cost(passage) <= budget:
        return passage
    best = passage.text[:0]
    for _, end in sentences(passage.text):
        cut = passage.text[:end]
        if best and cost(replace(passage, text=cut)) > budget:
            break
        best = cut
    return replace(passage, text=best)
