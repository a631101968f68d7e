"""Answers, citations and passages as text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

import click

from rag.cli.output import columns, one_line, wrapped
from rag.messages import Language, message, place_name, usage_text
from rag.pipeline.rewriting import carried_over
from rag.rendering.footnotes import distinct, quote_status
from rag.rendering.footnotes import verdict as support_verdict
from rag.rendering.safe import safe_text
from rag.types import Answer, Citation, NearSentence, Passage, Sentence, Support

_ENDS = " .,;:!?。"
_MARKS = {Support.VERIFIED: ("✓", "green"), Support.WEAK: ("~", "yellow"), Support.UNSUPPORTED: ("✗", "red")}
_DERIVED = ("=", "cyan")
_NEAR = 240
"""Characters that are shown at most of a sentence that came near."""


def answer_text(answer: Answer, language: Language, *, verbose: bool = False) -> str:
    """The answer with a mark for each sentence, its quotes, and what the reader should know.

    `verbose` shows the evidence score as a figure beside its level.
    """
    if answer.extra.get("small_talk"):
        return safe_text(answer.reason)
    if answer.answered:
        warning = click.style(message("answer.nothing_verified", language), fg="yellow", bold=True)
        lines = [] if answer.verified else [warning]
        lines += [sentence_line(sentence, language) for sentence in answer.sentences]
        lines += [""] if answer.citations else []
        lines += [citation_line(citation, language) for citation in distinct(answer.citations)]
    else:
        lines = [click.style(message("answer.declined", language), bold=True)]
        lines += [safe_text(answer.reason)] if answer.reason else []
        lines += ["", message("answer.nearest", language)] if answer.nearest else []
        lines += [_near_lines(rank, near, language) for rank, near in enumerate(answer.nearest, start=1)]
    notes = list(answer.notes)
    if answer.standalone_question:
        notes.insert(0, searched_note(answer, language))
    lines += [click.style(safe_text(note), dim=True) for note in notes]
    return "\n".join([*lines, click.style(footer(answer, language, verbose=verbose), dim=True)])


def searched_note(answer: Answer, language: Language) -> str:
    """What a question of a chat was taken to continue, or the question that was searched for instead of it."""
    if subject := carried_over(answer.question, answer.standalone_question):
        return message("answer.continuing", language, subject=one_line(subject))
    return message("answer.searched_for", language, question=one_line(answer.standalone_question))


def sentence_line(sentence: Sentence, language: Language) -> str:
    """A sentence between its mark and the ground on which it is verified, or the reason why it is not."""
    mark, colour = _DERIVED if sentence.derived else _MARKS[sentence.support]
    reason = support_verdict(sentence, language, one_line)
    reason = f"  ({reason})" if reason else ""
    numbers = "".join(f"[{n}]" for n in sentence.citations)
    text = " ".join(part for part in (safe_text(sentence.text), numbers) if part)
    return click.style(mark, fg=colour) + " " + text + click.style(reason, fg=colour)


def citation_line(citation: Citation, language: Language) -> str:
    """`[n] file, page`, what the check of the quote found, and the quote below it; no place when it was not found."""
    page = page_name(citation.file, citation.page, citation.page_label, language)
    place = f" {one_line(citation.file)}, {page}" if citation.file else ""
    head = click.style(f"[{citation.n}]{place}", bold=True)
    verdict = ("✓ " if citation.verified else "✗ ") + quote_status(citation, language)
    lines = [f"{head}  {click.style(verdict, fg='green' if citation.verified else 'red')}"]
    lines.append(wrapped(f"“{one_line(citation.quote)}”", "    "))
    if citation.note:
        lines.append(f"    {safe_text(citation.note)}")
    if citation.difference:
        lines.append(difference_text(citation.difference, language))
    return "\n".join(lines)


def difference_text(difference: Iterable[tuple[str, str, str]], language: Language) -> str:
    """The words of the page with the claimed ones beside them: `[-claimed-]{+on the page+}` where they differ."""
    pieces = []
    for op, claimed, there in difference:
        if op == "equal" or claimed.strip(_ENDS) == there.strip(_ENDS):  # a full stop alone is no alteration
            pieces.append(one_line(there))
            continue
        removed = f"[-{one_line(claimed)}-]" if claimed else ""
        added = f"{{+{one_line(there)}+}}" if there else ""
        pieces.append(removed + added)
    shown = wrapped(message("command.difference", language, difference=" ".join(pieces)), "    ")
    # coloured after the lines are broken: a colour has no width
    shown = re.sub(r"\[-.*?-\]", lambda m: click.style(m.group(), fg="red"), shown, flags=re.S)
    return re.sub(r"\{\+.*?\+\}", lambda m: click.style(m.group(), fg="green"), shown, flags=re.S)


def page_name(file: str, page: int, label: str, language: Language) -> str:
    """The place as a reader of the document knows it, as one safe line."""
    return one_line(place_name(file, page, label, language))


def footer(answer: Answer, language: Language, *, verbose: bool = False) -> str:
    """Model, level of the evidence, tokens and price (an unknown one is called unknown) on one line.

    `verbose` adds the figure that the level stands for.
    """
    level = message(f"answer.evidence_{answer.evidence_level}", language)
    sure = answer.evidence_score if answer.confidence is None else answer.confidence
    score = f" ({sure:.2f})" if verbose else ""
    parts = [answer.model, message("answer.evidence", language, level=level + score)]
    usage = answer.usage
    if usage.calls or usage.cached_calls:
        spent = usage_text(usage, language)
        if usage.cached_calls:
            spent += f", {message('answer.cached', language, count=usage.cached_calls)}"
        parts.append(spent)
    parts.append(message("answer.seconds", language, seconds=answer.seconds.get("total", 0.0)))
    return " · ".join(parts)


def _near_lines(rank: int, near: NearSentence, language: Language) -> str:
    """A sentence that came near, below its page."""
    passage = near.passage
    page = page_name(passage.file, passage.page, passage.page_label, language)
    words = one_line(near.text)
    shown = words if len(words) <= _NEAR else f"{words[:_NEAR]}…"
    return f"  {rank}. {one_line(passage.file)}, {page}\n{wrapped(shown, '     ')}"


def passage_line(rank: int, passage: Passage, language: Language) -> str:
    """A passage in two lines: its rank and page, and how it begins."""
    from rich.text import Text

    page = page_name(passage.file, passage.page, passage.page_label, language)
    snippet = Text(one_line(passage.text))
    snippet.truncate(columns() - 5, overflow="ellipsis")
    return f"  {rank}. {one_line(passage.file)}, {page}\n     {snippet.plain}"
