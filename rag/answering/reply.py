"""Read a model's reply into a `Draft`.

The form that prompts ask for:

    The bridge opened in 1931. [2: "was opened to traffic on 24 October 1931"]
    It cost 60 million dollars [1: "at a cost of $60 million"] and has eight lanes. [3: "eight lanes"]

- Plain sentences; after each one (or after the clause) a marker `[N: "words copied from passage N"]`.
- `N` is the number of the passage in the prompt. Several markers may follow: `[1: "..."] [3: "..."]`.
- `[N]` without words is accepted: the words are then looked for in passage N (see `verify`).
- Lists and tables: one marker per line. `...` inside a quote may stand for a few omitted words.
- When the documents do not hold the answer, the whole reply is `NOT_IN_DOCUMENTS` (`문서에_없음`).

The JSON form, for models that are better at it (recognised by itself, with or without a code fence):

    {"sentences": [{"text": "The bridge opened in 1931.",
                    "citations": [{"passage": 2, "quote": "was opened to traffic on 24 October 1931"}]}],
     "not_in_documents": false}

Small models drift from any form, so the reader accepts what they are known to write: curly, Korean and
backtick quotation marks, `[1, p. 3: "..."]`, `[1] "..."`, `[1, 2]`, `【1】`, `[passage 1: ...]`,
`[출처 1: ...]`, a marker cut off by the token limit, a list of sources at the end, a `<think>` block.
What cannot be read as a marker stays in the text, where it is one more thing that has to be checked.

Markers are read by `rag.answering.markers`, before the text is split into sentences.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from rag.answering.markers import HOLE, CitationMarker, Quote, lift_markers, read_quote
from rag.messages import Language, message
from rag.text.patterns import lazy_compile
from rag.text.sentences import sentences as split_sentences
from rag.types import Derived


@dataclass(frozen=True, slots=True)
class DraftSentence:
    """A sentence of an answer with what the answerer cites for it."""

    text: str
    """`[7]` when the answerer wrote a number and nothing else."""
    passages: tuple[int, ...] = ()
    """Every number cited, with or without a quote, in order, without repeats."""
    quotes: tuple[Quote, ...] = ()
    starts_line: bool = False
    """True when the reply had a line break before it (lists, tables, paragraphs)."""
    derived: tuple[Derived, ...] = ()
    """Figures that the answerer computed from the quoted cells."""

    @property
    def is_number(self) -> bool:
        """Whether it is the number of a passage or sentence and nothing else."""
        return bool(self.passages) and _NUMBER.fullmatch(self.text) is not None


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer that nobody has checked yet."""

    sentences: tuple[DraftSentence, ...] = ()
    declined: bool = False
    """The answerer itself says that the documents do not hold the answer."""
    notes: tuple[str, ...] = ()
    """Sentences for the reader about how the reply had to be read."""


_NUMBER = lazy_compile(r"\[\d+(?:, \d+)*\]")
_FENCE = lazy_compile(r"\A```[a-z]*\s*\n(.*?)(?:\n```.*)?\Z", re.S | re.I)
_TEXT_KEYS = ("text", "sentence", "answer", "문장", "답변")
_QUOTE_KEYS = ("quote", "text", "quotes", "인용")
_NUMBER_KEYS = ("passage", "n", "source", "number", "id", "출처")


JSON_SCHEMA: dict[str, Any] = {
    "name": "answer",
    "strict": True,
    "schema": {
        "type": "object",
        "properties": {
            "sentences": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "text": {"type": "string"},
                        "citations": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"passage": {"type": "integer"}, "quote": {"type": "string"}},
                                "required": ["passage", "quote"],
                                "additionalProperties": False,
                            },
                        },
                    },
                    "required": ["text", "citations"],
                    "additionalProperties": False,
                },
            },
            "not_in_documents": {"type": "boolean"},
        },
        "required": ["sentences", "not_in_documents"],
        "additionalProperties": False,
    },
}
"""The form of a JSON reply for servers that hold a model to a schema (OpenAI's `response_format`)."""


def read_json(text: str) -> Draft | None:
    """The draft in a JSON reply; None when the text is not one."""
    fenced = _FENCE.match(text)
    value = _load((fenced[1] if fenced else text).strip())
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = {"sentences": value}
    if not isinstance(value, dict):
        return None
    sentences = tuple(_sentences(value))
    if not sentences and not (value.get("not_in_documents") or "sentences" in value or "answer" in value):
        return None
    cited = any(sentence.passages for sentence in sentences)
    declined = not sentences or (bool(value.get("not_in_documents")) and not cited)
    return Draft(() if declined else sentences, declined=declined)


def _load(text: str) -> Any:
    """The JSON value that starts the text, closing what the token limit cut off; None when it is not JSON."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError):
        return _load_cut(text)


def _load_cut(text: str) -> Any:
    """Close the open string, lists and objects; step back over half-written members until it reads."""
    for _ in range(20):
        try:
            return json.loads(text + _closers(text), strict=False)
        except (ValueError, RecursionError):
            cut = max(text.rfind(","), text.rfind("}"), text.rfind("]"))
            if cut <= 0:
                return None
            text = text[:cut]
    return None


def _closers(text: str) -> str:
    stack: list[str] = []
    in_string = escaped = False
    for c in text:
        if in_string:
            in_string = escaped or c != '"'
            escaped = c == "\\" and not escaped
        elif c == '"':
            in_string = True
        elif c in "{[":
            stack.append("}" if c == "{" else "]")
        elif c in "}]" and stack:
            stack.pop()
    return ('"' if in_string else "") + "".join(reversed(stack))


def _sentences(value: Mapping[str, Any]) -> Iterator[DraftSentence]:
    items = value.get("sentences", value.get("answer"))
    if isinstance(items, str):  # {"answer": "...", "citations": [...]}
        items = [{"text": items, "citations": value.get("citations", ())}]
    for item in items if isinstance(items, list) else ():
        members = item if isinstance(item, dict) else {"text": item}
        text = _first(members, _TEXT_KEYS)
        if isinstance(text, str) and text.strip():
            quotes = tuple(_quotes(members))
            numbers = dict.fromkeys(q.passage for q in quotes if q.passage is not None)
            kept = tuple(q for q in quotes if q.text)
            yield DraftSentence(" ".join(text.split()), tuple(numbers), kept, starts_line=True)


def _quotes(item: Mapping[str, Any]) -> Iterator[Quote]:
    """The citations of one sentence; a citation without words is a quote without text."""
    cited = item.get("citations", item.get("quotes", ()))
    for citation in cited if isinstance(cited, list) else [cited]:
        if isinstance(citation, dict):
            number = _number(_first(citation, _NUMBER_KEYS))
            words = _first(citation, _QUOTE_KEYS)
            page = _number(citation.get("page"))
        else:
            number, page = _number(citation), None
            words = citation if number is None else ""
        if isinstance(words, str) and words.strip():
            yield from read_quote(words, number, page)
        elif number is not None:
            yield Quote("", number, page)


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((item[key] for key in keys if key in item), None)


def _number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    digits = re.fullmatch(r"\s*\[?\s*(\d{1,5})\s*\]?\s*", str(value))
    return int(digits[1]) if digits else None


_NONCHARACTERS = lazy_compile("[\ufdd0-\ufdef\ufffe\uffff]")
_THINKING = lazy_compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.S | re.I)
_ANSWER_LABEL = lazy_compile(r"\A\W*(?:answer|a|답변?|정답)\s*(?:\*\*)?\s*[::]\s*(?:\*\*)?", re.I)
_SENTINEL = lazy_compile(
    r"\bNOT[_ ]IN[_ ](?:THE[_ ])?DOCUMENTS?\b|\bnot_in_documents?\b|문서에_없(?:음|습니다|다)"
)
_DECLINES = lazy_compile(
    r"\b(?:documents?|passages?|context|text)\b.{0,30}\b(?:don't|doesn't|do not|does not) "
    r"(?:contain|hold|mention|state|say|include|provide|specify)\b"
    r"|\b(?:answer|information) (?:is|was) not .{0,30}\b(?:documents?|passages?|context)\b"
    r"|(?:문서|자료|본문|구절|지문|내용).{0,40}"
    r"(?:없습니다|없다|없음|나와 있지 않|찾을 수 없|언급되지 않|포함되어 있지 않)",
    re.I,
)
_SOURCES = lazy_compile(
    r"\n[^\w\n]*(?:sources?|references?|citations?|quotes?|출처|참고(?: ?문헌)?|근거|인용)[^\w\n]*(?=\n|\Z)",
    re.I,
)
_TABLE_RULE = lazy_compile(r"\s*\|?[\s:|-]*-{2,}[\s:|-]*\|?\s*")
_WORD = lazy_compile(r"\w")


def is_empty(text: str) -> bool:
    """Whether a reply says nothing once the model's thoughts are taken out."""
    return not _THINKING.sub("", _NONCHARACTERS.sub("", text)).strip()


def parse_reply(text: str, *, language: Language = "en") -> Draft:
    """The draft that a model's reply stands for; never raises, whatever the model wrote.

    `language` is that of the draft's notes.
    """
    text = _THINKING.sub("", _NONCHARACTERS.sub("", text)).strip()
    draft = read_json(text)
    if draft is None:
        return _read_text(_ANSWER_LABEL.sub("", text), language)
    # Models mix the two forms: markers inside the JSON's strings count as well.
    mixed = [(s,) if s.passages else _read_text(s.text, language).sentences or (s,) for s in draft.sentences]
    return replace(draft, sentences=tuple(chain.from_iterable(mixed)))


def _read_text(text: str, language: Language) -> Draft:
    body, marks = lift_markers(text)
    said_no = bool(_SENTINEL.search(body))
    body, footnotes = _cut_sources(_SENTINEL.sub("", body), marks)
    found = [_with_footnotes(sentence, footnotes) for sentence in _reply_sentences(body, marks)]
    found = [sentence for sentence in found if not sentence.is_number] or found
    cited = any(sentence.passages for sentence in found)
    in_words = len(found) <= 2 and bool(_DECLINES.search(body))
    if not cited and (said_no or in_words or not found):
        return Draft(declined=True)
    notes = (message("answer.also_declined", language),) if said_no else ()
    return Draft(tuple(found), notes=notes)


def _cut_sources(body: str, marks: Sequence[CitationMarker]) -> tuple[str, list[Quote]]:
    """The body without a closing list of sources, and the quotes of that list."""
    headings = list(_SOURCES.finditer(body))
    if not headings or HOLE not in body[headings[-1].end() :]:
        return body, []
    start = headings[-1].start()
    first = body.count(HOLE, 0, start)
    return body[:start], [quote for mark in marks[first:] for quote in mark.quotes]


def _with_footnotes(sentence: DraftSentence, footnotes: Sequence[Quote]) -> DraftSentence:
    """The quotes of a list of sources, given to the sentence when it cites the passage without words."""
    quoted = {quote.passage for quote in sentence.quotes}
    extra = tuple(q for q in footnotes if q.passage in sentence.passages and q.passage not in quoted)
    return replace(sentence, quotes=sentence.quotes + extra) if extra else sentence


def _reply_sentences(body: str, marks: Sequence[CitationMarker]) -> Iterator[DraftSentence]:
    """The sentences of the body, each with the marks that belong to it."""
    used = 0
    pending: DraftSentence | None = None
    for line in body.split("\n"):
        text, holes = _without_holes(line)
        own = marks[used : used + len(holes)]
        used += len(holes)
        if not _WORD.search(text):
            pending = _extend(pending, text, own)
            continue
        for sentence in _sentences_of_line(text, holes, own):
            if pending is not None:
                yield pending
            pending = sentence
    if pending is not None:
        yield pending


def _extend(before: DraftSentence | None, text: str, marks: Sequence[CitationMarker]) -> DraftSentence | None:
    """A line without words belongs to the sentence before it; a lone quote at the start is a sentence.

    A lone number stands for the words that it cites (`cited_by_number`).
    """
    if before is None:
        quotes = [quote for mark in marks for quote in mark.quotes]
        if not marks:
            return None
        text = quotes[0].text if quotes else str([n for mark in marks for n in mark.passages])
        return _cite(DraftSentence(text, starts_line=True), marks)
    if _TABLE_RULE.fullmatch(text):
        before = replace(before, text=f"{before.text}\n{text.strip()}")
    return _cite(before, marks)


def _without_holes(line: str) -> tuple[str, list[int]]:
    """The line without its markers, and where in it each one stood."""
    pieces = line.split(HOLE)
    text, holes = pieces[0], []
    for piece in pieces[1:]:
        if piece[:1] in set(".,;:!?。)") or not text.strip():
            text = text.rstrip()
        holes.append(len(text))
        text += piece.lstrip() if text.endswith(" ") or not text else piece
    return text, holes


def _sentences_of_line(
    text: str, holes: Sequence[int], marks: Sequence[CitationMarker]
) -> list[DraftSentence]:
    spans = [(start, end) for start, end in split_sentences(text) if _WORD.search(text[start:end])]
    if not spans:
        spans = [(0, len(text))]
    found = [DraftSentence(" ".join(text[a:b].split()), starts_line=i == 0) for i, (a, b) in enumerate(spans)]
    for hole, mark in zip(holes, marks, strict=True):
        # A marker belongs to what stands before it; only at the start of a line to what follows.
        owner = max((i for i, (start, _) in enumerate(spans) if start < hole), default=0)
        found[owner] = _cite(found[owner], [mark])
    return found


def _cite(sentence: DraftSentence, marks: Sequence[CitationMarker]) -> DraftSentence:
    numbers = [*sentence.passages, *(n for mark in marks for n in mark.passages)]
    quotes = [*sentence.quotes, *(quote for mark in marks for quote in mark.quotes)]
    return replace(sentence, passages=tuple(dict.fromkeys(numbers)), quotes=tuple(dict.fromkeys(quotes)))
