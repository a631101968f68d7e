"""An answer in words: its sentences with what the check says of each, and a footnote for each citation."""

from __future__ import annotations

import re
from collections.abc import Callable

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


def footnote(citation: Citation, language: Language, escape: Escape = inert) -> str:
    """`file, page: “quote”`, and what the check found when it is not that the quote is on the page."""
    if not citation.verified:
        found = message(f"answer.quote_{citation.status.name.lower()}", language)
        place = f"{escape(citation.file)}, " if citation.file else ""
        return f"{place}“{escape(citation.quote)}” ({found})"
    page = escape(place_name(citation.file, citation.page, citation.page_label, language))
    return f"{escape(citation.file)}, {page}: “{escape(citation.quote)}”"


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
    return lines, [f"[{c.n}] {footnote(c, language)}" for c in answer.citations]
