"""The sentences of the retrieved passages that may answer, each with what it is read with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.text.keywords import keyword_tokens
from rag.text.language import Language, language_of
from rag.text.patterns import lazy_compile
from rag.text.sentences import sentences
from rag.types import Passage

_FIGURE = lazy_compile(r"\d")
_ASKS = lazy_compile(
    r"[?？][\s\"'”’)\]]*$|^(?:what|who|when|where|why|how|which)\s(?:\w+\s){0,8}[\w()’'-]+$", re.IGNORECASE
)
"""A question, or a heading in its words: "What is in the box"."""
_YES_NO = lazy_compile(
    r"(?:(?:yes|no)(?:,\s(?:not at all|of course|never|absolutely))?|not at all|of course"
    r"|예|네|아니요|아뇨|아니오|그렇습니다|아닙니다|물론입니다)[.!,。]?",
    re.IGNORECASE,
)
"""A short answer that the next sentence explains."""
_PARTS = lazy_compile(r" [›>/|] |\n")
"""Between the headings of several levels."""
_LABEL = lazy_compile(
    r"(?=.{2,40}$)(?![\d\W]+$)[^\s.!?,;:。]+(?:\s[^\s.!?,;:。]+){0,3}|-{1,2}\w[^.!?;:。\n]{0,60}"
)
"""A line that may be a term of a list of definitions: at most four words without a stop, or options of a program."""
_IDENTIFIER = lazy_compile(r"-{1,2}\w|\w+_\w")
"""How an option or the name of a parameter begins, which no heading does."""
_TERM = lazy_compile(r"(?P<term>[a-z][\w.-]{2,}|[A-Z][A-Z0-9_]{3,}|--?[\w-]+)\s(?=[A-Z][a-z]*\s)")
"""A term before the sentence that explains it: "HISTSIZE The maximum number of ..."."""
_DEFINED = lazy_compile(
    r"(?P<term>-{1,2}\w[^:\n]{0,90}|(?:[^\s.!?,;:。]|\.\b){2,}(?:\s[^\s.!?,;:。]+){0,4}):\s"
)
"""A term before its description, as in "-B, --backup: When saving a file, ..."."""
_TITLE = lazy_compile(
    r"#(?!\d).*|(?:\d+(?:\.\d+){2,}\.?\s[^\n.!?。]{1,60}|\d+\.\d+\.?\s[A-Z][^\n\d.!?。]{1,60})(?<!다)"
)
"""The number and title of a section, or a comment of a program or configuration file."""
_APART = "   "
"""Between the cells of a row, where the text tells them apart."""
LEADERS = lazy_compile(r"(?:\.\s?){5,}|…{2,}|·{4,}")
"""The dots between a heading and its page in a table of contents."""
_SECTION = lazy_compile(
    r"(?:\d+(?:\.\d+){2,}\.?\s|\d+\.\d+(?:\.?\s(?=[A-Z])|\.\s(?=[A-Za-z가-힣])))(?:[^\n.!?。]|\.(?=\w)){1,60}[?？]?(?<!다)$"
    r"|제\s?\d+조(?:의\s?\d+)?\s?[(\[〔【][^\n)\]〕】]{1,40}[)\]〕】]"
)
"""How a section with a number begins inside a passage: "2.4. Filters", "제5조(휴가)"."""
_ITEM = lazy_compile(
    r"[^\S\n]*(?:[-*•·●○▪■◦–—]\s|\(?\d{1,2}[.)]\s|[가-하][.)]\s|[①-⑳]\s?)[^\n]*\S", re.MULTILINE
)
_STEP = lazy_compile(r"\s*\(?(?P<number>\d{1,2})[.)]\s")
_OPENS_LIST = lazy_compile(
    r"[:：]\s*$|(?:명령어?|실행하기)[은는를]?\s*$|\b(?:command|run|type|enter)\s*$|^the following\s\w+s\b"
    r"|\b(?:as follows|listed below)[.:]?\s*$|(?:다음|아래)(?:과|와)\s?같\S{1,6}\s*$",
    re.IGNORECASE,
)
"""What tells a sentence that says that its answer comes next."""
_COMMAND = lazy_compile(r"[^\S\n]*\n\s*(?P<line>(?=[a-z./~$#:\"'\\-])[^\n]{2,120}(?<![.!?。:]))(?:\n|$)")
"""A line below a sentence that announces it, as a command or a setting is written."""
ANSWERS_WITHIN = 3
"""Sentences after a question in which it is answered."""
LISTED = 12
"""Items of a list that are shown at most."""
_STOPPED = lazy_compile(r"[.!?。][\"'”’)\]]*$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may answer."""

    rank: int
    """Index (from 0) of its passage in the list of retrieved passages."""
    passage: Passage
    text: str
    tokens: frozenset[str]
    before: frozenset[str]
    """Tokens of the sentence before it in the passage; of a table's row, of the table's header."""
    after: frozenset[str]
    context: str
    """The sentence before it, to be read with it."""
    start: int = 0
    """Where the sentence begins in its passage's text."""
    label: str = ""
    """The term that its paragraph explains, as in a list of definitions; "" when there is none."""
    explained: int = 0
    """Where the paragraph that explains the term begins."""
    heading: str = ""
    """The heading of its section: that of the passage, or of a section that begins inside it."""
    entry: frozenset[str] = frozenset()
    """Tokens of all that stands before it under the same term, or in its paragraph when there is none."""

    @property
    def file(self) -> str:
        return self.passage.file

    def is_in(self, language: Language) -> bool:
        """Whether it or its passage is in a language: a document may be translated in part."""
        return language in (language_of(self.text), language_of(self.passage.text))


def candidates(passages: Sequence[Passage]) -> list[Candidate]:
    """Every distinct sentence of the passages, in their order; of repeats in a section the first (chunks overlap).

    Headings, questions and the lines of a table of contents answer nothing: they are left out, but for what they tell
    of the sentence after them, unless there is nothing else.
    """
    found = list(_every(passages))
    return [candidate for candidate in found if not _says_nothing(candidate)] or found


def _every(passages: Sequence[Passage]) -> Iterator[Candidate]:
    seen: set[tuple[str, int, str, str]] = set()
    for rank, passage in enumerate(passages):
        spans = _with_reasons(passage.text, sentences(passage.text))
        texts = [passage.text[start:end] for start, end in spans]
        tokens = [frozenset(keyword_tokens(text)) for text in texts]
        labels, openings = _labels(passage.text, spans)
        entry: frozenset[str] = frozenset()
        question, asked, heading = 0, frozenset[str](), passage.heading
        for i, text in enumerate(texts):
            begins = i == 0 or "\n\n" in passage.text[spans[i - 1][1] : spans[i][0]]
            if i == 0 or labels[i] != labels[i - 1] or (begins and not labels[i]):
                entry = frozenset(keyword_tokens(labels[i]))
            told, entry = entry, entry | tokens[i]
            if begins and (section := _SECTION.match(text)) and _plain(section[0]) not in _plain(heading):
                heading = section[0]
            if begins and _ASKS.search(text):
                question, asked = i, tokens[i]
            key = (passage.file, passage.page, heading, "".join(text.split()))
            named = text in labels[i + 1 : i + 2] and _IDENTIFIER.match(text)  # told with what explains it
            if key in seen or not tokens[i] or named:
                continue
            seen.add(key)
            above = _header(texts, i)
            before = tokens[above] if above >= 0 else frozenset()
            if labels[i]:
                before |= frozenset(keyword_tokens(labels[i])) | (
                    tokens[openings[i]] if openings[i] < i else frozenset()
                )
            before |= asked if i - question <= ANSWERS_WITHIN else frozenset()
            after = tokens[i + 1] if i + 1 < len(texts) else frozenset()
            context = texts[above] if above >= 0 else ""
            place = spans[i][0], labels[i], spans[openings[i]][0], heading, told
            yield Candidate(rank, passage, text, tokens[i], before, after, context, *place)


def _with_reasons(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The sentences with "No." and the like made one with what explains it."""
    whole: list[tuple[int, int]] = []
    for start, end in spans:
        short = (
            whole and _YES_NO.fullmatch(text[slice(*whole[-1])]) and "\n\n" not in text[whole[-1][1] : start]
        )
        if short:
            whole[-1] = (whole[-1][0], end)
        else:
            whole.append((start, end))
    return whole


def _labels(text: str, spans: Sequence[tuple[int, int]]) -> tuple[list[str], list[int]]:
    """For each sentence the term that its paragraph explains, on the line above or before the first word, and the
    index of the paragraph's first sentence."""
    labels: list[str] = []
    openings: list[int] = []
    label, opening, ended = "", 0, 0
    for i, (start, end) in enumerate(spans):
        if start == 0 or "\n\n" in text[ended:start]:
            above = text[:start].rstrip().rpartition("\n\n")[2].strip()
            term = _TERM.match(text, start, end) or _DEFINED.match(text, start, end)
            label, opening = term["term"] if term else above if _LABEL.fullmatch(above) else "", i
        labels.append(label)
        openings.append(opening)
        ended = end
    return labels, openings


def _says_nothing(candidate: Candidate) -> bool:
    """Whether it is a question, a line of a table of contents, or the heading or title that it stands under."""
    passage = candidate.passage
    headings = {_plain(text) for text in (passage.title, passage.heading, *_PARTS.split(passage.heading))}
    text = candidate.text
    return any((_ASKS.search(text), _TITLE.fullmatch(text), LEADERS.search(text), _plain(text) in headings))


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _header(texts: Sequence[str], i: int) -> int:
    """Index of what sentence `i` is read with: the one before it; for a row, the line above the table's figures."""
    above = i - 1
    if _APART in texts[i]:
        while above > 0 and _APART in texts[above - 1]:
            above -= 1
        return above
    while above >= 0 and _is_row(texts[i]) and _is_row(texts[above]):
        above -= 1
    return above


def _is_row(text: str) -> bool:
    """Whether a line is a table's row: it holds a figure and does not end as a sentence does."""
    return bool(_FIGURE.search(text)) and not is_whole_sentence(text)


def asks(text: str) -> bool:
    """Whether a text is a question, or a heading in the words of one."""
    return bool(_ASKS.search(text))


def is_whole_sentence(text: str) -> bool:
    """Whether a text ends as a sentence does."""
    return bool(_STOPPED.search(text))


def opens_list(text: str) -> bool:
    """Whether a sentence only says that its answer comes next."""
    return bool(_OPENS_LIST.search(text))


def items_after(candidate: Candidate) -> list[str]:
    """The items of the list, or the command, that the candidate announces; none when it announces nothing."""
    if not opens_list(candidate.text):
        return []
    at = candidate.start + len(candidate.text)
    items: list[str] = []
    while len(items) < LISTED:
        gap = re.compile(r"\s*\n").match(candidate.passage.text, at)
        item = _ITEM.match(candidate.passage.text, gap.end()) if gap is not None else None
        if item is None:
            break
        items.append(re.sub(r"^\s*[-*•·●○▪■◦–—]\s+", "", item[0]).strip())
        at = item.end()
    command = _COMMAND.match(candidate.passage.text, at) if not items else None
    return [command["line"].strip()] if command else items


def steps_around(candidate: Candidate) -> list[str]:
    """The numbered steps of which the candidate is one, from the first, after the line that opens them."""
    text = candidate.passage.text
    lines = [(m.start(), m[0].strip()) for m in re.finditer(r"[^\n]*\S[^\n]*", text)]
    at = max((i for i, (start, _) in enumerate(lines) if start <= candidate.start), default=0)
    numbers = [int(step["number"]) if (step := _STEP.match(line)) else 0 for _, line in lines]
    if not numbers[at:] or not numbers[at]:
        return []
    first = at - numbers[at] + 1
    if first < 0 or numbers[first : at + 1] != list(range(1, numbers[at] + 1)):
        return []
    last = at
    while last + 1 < len(lines) and numbers[last + 1] == numbers[last] + 1:
        last += 1
    opening = first > 0 and opens_list(lines[first - 1][1])
    return [line for _, line in lines[first - opening : last + 1]][:LISTED] if last > first else []
