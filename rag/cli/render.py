"""Answers and passages as text for a terminal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable

import click

from rag.answering.evidence import evidence_level
from rag.cli.messages import Language, say
from rag.rendering.safe import safe_text
from rag.types import Answer, Citation, Passage, QuoteStatus, Sentence, Support, Usage

_WIDTH = 100
_ENDS = " .,;:!?。"
_MARKS = {Support.VERIFIED: ("✓", "green"), Support.WEAK: ("~", "yellow"), Support.UNSUPPORTED: ("✗", "red")}
_DERIVED = ("=", "cyan")


def plain(text: str) -> str:
    """Text of a document or a model, without the characters that a terminal would obey."""
    return safe_text(text)


def plain_line(text: str) -> str:
    """A file name or a short text as one line: a line break in a name must not forge a line of the output."""
    return " ".join(safe_text(text).split())


def wrapped(text: str, indent: str) -> str:
    """`text` in lines that fit the terminal, Hangul counted as the two columns it takes."""
    from rich.console import Console
    from rich.text import Text

    width = _width()
    lines = Text(text).wrap(Console(width=width), width - len(indent))
    return "\n".join(indent + line.plain.rstrip() for line in lines)


def _width() -> int:
    """Columns: those of the terminal, at most as many as are read with ease."""
    return min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH)


def answer_text(answer: Answer, language: Language, *, verbose: bool = False) -> str:
    """The answer with a mark for each sentence, its quotes, and what the reader should know.

    `verbose` shows the evidence score as a figure beside its level.
    """
    if answer.extra.get("small_talk"):
        return plain(answer.reason)
    lines = list(_declined(answer, language) if not answer.answered else _answered(answer, language))
    if answer.standalone_question:
        searched = say("searched_for", language, question=plain_line(answer.standalone_question))
        lines.append(click.style(searched, dim=True))
    lines += [click.style(plain(note), dim=True) for note in answer.notes]
    lines.append(click.style(footer(answer, language, verbose=verbose), dim=True))
    return "\n".join(lines)


def _answered(answer: Answer, language: Language) -> Iterable[str]:
    for sentence in answer.sentences:
        line = sentence_line(sentence, language)
        basis = say(_basis(sentence, answer), language) if sentence.support is Support.VERIFIED else ""
        yield line + (click.style(f"  ({basis})", fg="green") if basis and not sentence.derived else "")
    yield from quote_lines(answer, language)


def _basis(sentence: Sentence, answer: Answer) -> str:
    """What a verified sentence rests on: it is copied from the page, or supported by what it quotes."""
    quotes = ["".join(c.quote.split()) for c in answer.citations if c.n in sentence.citations and c.verified]
    copied = any("".join(sentence.text.split()) in quote for quote in quotes)
    return "word_for_word" if copied else "supported"


def sentence_line(sentence: Sentence, language: Language) -> str:
    """A sentence between its mark and the reason for it, unless that is a proven quote."""
    mark, colour = _DERIVED if sentence.derived else _MARKS[sentence.support]
    numbers = "".join(f"[{n}]" for n in sentence.citations)
    reason = _doubt(sentence, language)
    words = f"  ({reason})" if reason else ""
    text = " ".join(part for part in (plain(sentence.text), numbers) if part)
    return click.style(mark, fg=colour) + " " + text + click.style(words, fg=colour)


def _doubt(sentence: Sentence, language: Language) -> str:
    """Why a sentence is not verified; empty when it is."""
    if sentence.derived:
        formulas = "; ".join(plain_line(one.formula) for one in sentence.derived)
        return say("derived", language, formulas=formulas)
    if sentence.support is Support.VERIFIED:
        return ""
    words = say(sentence.support.value, language)
    if sentence.unsupported_facts:
        missing = ", ".join(map(plain_line, sentence.unsupported_facts))
        words += "; " + say("facts_missing", language, facts=missing)
    return words


def quote_lines(answer: Answer, language: Language) -> Iterable[str]:
    """The citations, one a paragraph."""
    if answer.citations:
        yield ""
    for citation in answer.citations:
        yield citation_line(citation, language)


def citation_line(citation: Citation, language: Language) -> str:
    """`[n] file, page: "quote"` and what the proof said of it."""
    place = click.style(f"[{citation.n}] {plain_line(citation.file)}, ", bold=True)
    place += click.style(page_name(citation.page, citation.page_label, language), bold=True)
    verdict = click.style(_verdict(citation, language), fg="green" if citation.verified else "red")
    quote = wrapped(f"“{plain_line(citation.quote)}”", "    ")
    note = f"\n    {plain(citation.note)}" if citation.note else ""
    if citation.difference:
        note += f"\n{difference_text(citation.difference, language)}"
    return f"{place}  {verdict}\n{quote}{note}"


def difference_text(difference: Iterable[tuple[str, str, str]], language: Language) -> str:
    """The words of the page with the claimed ones beside them: `[-claimed-]{+on the page+}` where they differ."""
    pieces = []
    for op, claimed, there in difference:
        if op == "equal" or claimed.strip(_ENDS) == there.strip(_ENDS):  # a full stop alone is no alteration
            pieces.append(plain_line(there))
            continue
        removed = f"[-{plain_line(claimed)}-]" if claimed else ""
        added = f"{{+{plain_line(there)}+}}" if there else ""
        pieces.append(removed + added)
    shown = wrapped(f"{say('difference', language)} {' '.join(pieces)}", "    ")
    # coloured after the lines are broken: a colour has no width
    shown = re.sub(r"\[-.*?-\]", lambda m: click.style(m.group(), fg="red"), shown, flags=re.S)
    return re.sub(r"\{\+.*?\+\}", lambda m: click.style(m.group(), fg="green"), shown, flags=re.S)


def _verdict(citation: Citation, language: Language) -> str:
    keys = {
        QuoteStatus.FOUND: "proven",
        QuoteStatus.MOVED: "moved",
        QuoteStatus.ALTERED: "altered",
        QuoteStatus.MISSING: "not_proven",
    }
    words = say(keys[citation.status], language)
    mark = "✓" if citation.verified else "✗"
    return f"{mark} {words}" + (f" ({say('ocr', language)})" if citation.ocr else "")


def page_name(page: int, label: str, language: Language) -> str:
    """The physical page, with the printed label beside it when they differ."""
    if label and label != str(page):
        return say("page_printed", language, page=page, label=plain_line(label))
    return say("page", language, page=page)


def _declined(answer: Answer, language: Language) -> Iterable[str]:
    yield click.style(say("declined", language), bold=True)
    if answer.reason:
        yield plain(answer.reason)
    if answer.passages:
        yield ""
        yield say("nearest", language)
    for rank, passage in enumerate(answer.passages[:3], start=1):
        yield passage_line(rank, passage, language)


def passage_line(rank: int, passage: Passage, language: Language) -> str:
    """A passage in two lines: its rank and place, and how it begins."""
    from rich.text import Text

    place = f"  {rank}. {plain_line(passage.file)}, {page_name(passage.page, passage.page_label, language)}"
    snippet = Text(plain_line(passage.text))
    snippet.truncate(_width() - 5, overflow="ellipsis")
    return f"{place}\n     {snippet.plain}"


def footer(answer: Answer, language: Language, *, verbose: bool = False) -> str:
    """Model, level of the evidence, tokens and price on one line; `verbose` adds the evidence score."""
    level = say(f"evidence_{evidence_level(answer.evidence_score)}", language)
    score = f" ({answer.evidence_score:.2f})" if verbose else ""
    parts = [answer.model, f"{say('evidence', language)}: {level}{score}"]
    if answer.usage.calls or answer.usage.cached_calls:
        parts.append(usage_text(answer.usage, language))
    parts.append(say("seconds", language, seconds=answer.seconds.get("total", 0.0)))
    return " · ".join(parts)


def usage_text(usage: Usage, language: Language) -> str:
    """Tokens and price; an unknown price is said to be unknown."""
    parts = [say("tokens", language, input=usage.input_tokens, output=usage.output_tokens)]
    parts.append(say("price_unknown", language) if usage.cost_usd is None else f"${usage.cost_usd:.4f}")
    if usage.cached_calls:
        parts.append(say("from_the_cache", language, count=usage.cached_calls))
    return ", ".join(parts)


def passage_text(rank: int, passage: Passage, terms: Iterable[str], language: Language) -> str:
    """A passage as `rag search` shows it: place, why it was found, and the text with the terms marked."""
    place = f"{rank}. {plain_line(passage.file)}, {page_name(passage.page, passage.page_label, language)}"
    heading = f" · {plain_line(passage.heading)}" if passage.heading else ""
    body = wrapped(plain_line(passage.text), "   ")
    head = click.style(place, bold=True) + heading
    return f"{head}\n   {click.style(why(passage, language), dim=True)}\n{highlight(body, terms)}"


def why(passage: Passage, language: Language) -> str:
    """The score and the ranks it was fused from."""
    parts = [say("score", language, score=passage.score)]
    if passage.dense_rank is not None:
        parts.append(say("dense_rank", language, rank=passage.dense_rank))
    if passage.keyword_rank is not None:
        parts.append(say("keyword_rank", language, rank=passage.keyword_rank))
    if passage.similarity is not None:
        parts.append(say("cosine", language, cosine=passage.similarity))
    if passage.routed:
        parts.append(say("routed", language))
    if passage.rerank_score is not None:
        parts.insert(0, say("rerank", language, score=passage.rerank_score))
    return " · ".join(parts)


def highlight(text: str, terms: Iterable[str]) -> str:
    """Mark the words of the question where they stand in `text`; Korean words also before a particle."""
    words = sorted({re.escape(t) for t in terms if len(t) > 1}, key=len, reverse=True)
    if not words:
        return text
    return re.sub("|".join(words), lambda m: click.style(m.group(), fg="yellow", bold=True), text, flags=re.I)
