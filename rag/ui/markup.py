"""Pieces of HTML for `st.html`. Text of documents, models and visitors enters escaped, and only as text.

Streamlit's own labels are Markdown; `label` makes text show there as the characters it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rag.messages import Language, message
from rag.rendering.safe import safe_text
from rag.types import Answer, Citation, Sentence, Support, Usage

MARKS = {Support.VERIFIED: "✓", Support.WEAK: "~", Support.UNSUPPORTED: "✗"}
_COLON = re.compile(r":(?=\S)")
_JOINER = "\u2060"


def text(content: str) -> str:
    """Untrusted text as HTML text."""
    return safe_text(content, "html")


def label(content: str) -> str:
    """Untrusted text for a label: no markup, and no `:name:` that Streamlit would turn into a picture."""
    return _COLON.sub(f":{_JOINER}", safe_text(" ".join(content.split()), "markdown"))


def element(tag: str, *content: str, class_: str = "", title: str = "") -> str:
    """An element around HTML that is ready; attributes are escaped here."""
    attributes = "".join(
        f' {name}="{text(value)}"' for name, value in (("class", class_), ("title", title)) if value
    )
    return f"<{tag}{attributes}>{''.join(content)}</{tag}>"


def question(content: str) -> str:
    """A visitor's question."""
    return element("p", text(content), class_="pq-question")


def draft(content: str, language: Language) -> str:
    """The words of the model so far, none of them verified."""
    words = element("p", message("page.writing" if content else "page.searching", language), class_="pq-note")
    return words + (element("p", text(content), class_="pq-draft") if content else "")


def answer(given: Answer, language: Language) -> str:
    """The sentences with their marks, below a warning when none of them is verified."""
    warning = element("p", message("answer.nothing_verified", language), class_="pq-warning")
    sentences = (sentence(one, language) for one in given.sentences)
    return element("div", "" if given.verified else warning, *sentences, class_="pq-answer")


def sentence(given: Sentence, language: Language) -> str:
    """A sentence, the numbers of its quotes, and the ground on which it is verified or the reason why it is not."""
    support = given.support.value
    kind = "derived" if given.derived else support
    word = given.basis if given.basis and kind == "verified" else kind
    word = "contradicted" if given.reason == "contradicted" else word
    numbers = "".join(element("sup", f"[{n}]") for n in given.citations)
    badge = element(
        "span",
        f"{'=' if given.derived else MARKS[given.support]} {message(f'answer.{word}', language)}",
        class_=f"pq-badge pq-{support}",
        title=message(f"page.{kind}_why", language),
    )
    beside = "; ".join(one.formula for one in given.derived)
    if given.unsupported_facts and not given.derived:
        beside = message("answer.facts_missing", language, facts=", ".join(given.unsupported_facts))
    beside = element("span", text(beside), class_="pq-missing") if beside else ""
    words = element("span", text(given.text), class_="pq-text")
    return element("p", words, numbers, " ", badge, beside, class_=f"pq-sentence pq-is-{support}")


def declined(given: Answer, language: Language) -> str:
    """That there is no answer, and why."""
    reason = element("p", text(given.reason), class_="pq-note") if given.reason else ""
    return element("div", element("p", message("answer.declined", language), class_="pq-declined"), reason)


def small_talk(given: Answer) -> str:
    """The line that answers a greeting or thanks: no verdict, since nothing was searched."""
    return element("p", text(given.reason), class_="pq-small-talk")


def status_words(citation: Citation, language: Language) -> str:
    """What the check of a quote found."""
    words = message(f"answer.quote_{citation.status.name.lower()}", language)
    return f"{words} ({message('answer.ocr', language)})" if citation.ocr else words


def quote(citation: Citation, language: Language) -> str:
    """A quote with the verdict on it; of an altered one, what differs."""
    mark = "✓" if citation.verified else "✗"
    kind = "verified" if citation.verified else "unsupported"
    verdict = element("span", f"{mark} {status_words(citation, language)}", class_=f"pq-badge pq-{kind}")
    words = difference(citation) if citation.difference else text(citation.quote)
    note = element("p", text(citation.note), class_="pq-note") if citation.note else ""
    return element("blockquote", words, class_="pq-quote") + element("p", verdict) + note


def difference(citation: Citation) -> str:
    """The claimed words struck out, those of the page beside them."""
    pieces = []
    for _, claimed, found in citation.difference:
        if claimed == found:
            pieces.append(text(found))
            continue
        pieces.append(element("del", text(claimed)) if claimed else "")
        pieces.append(element("ins", text(found)) if found else "")
    return " ".join(piece for piece in pieces if piece)


def marked(content: str, ranges: Iterable[tuple[int, int]]) -> str:
    """A page's text with character ranges marked."""
    pieces, at = [], 0
    for start, end in ranges:
        pieces += [text(content[at:start]), element("mark", text(content[start:end]))]
        at = end
    return element("div", *pieces, text(content[at:]), class_="pq-page")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """A table of cells that are HTML already; `numbers` are the columns set to the right."""

    def row(cells: Sequence[str], tag: str) -> str:
        made = (element(tag, c, class_="pq-number" if i in numbers else "") for i, c in enumerate(cells))
        return element("tr", *made)

    body = element("tbody", *(row(cells, "td") for cells in rows))
    return element(
        "div",
        element("table", element("thead", row([text(h) for h in head], "th")), body, class_="pq-table"),
        class_="pq-scroll",
    )


def badge(content: str, kind: str, why: str = "") -> str:
    """A word with a colour; kind is that of a `Support`."""
    return element("span", text(content), class_=f"pq-badge pq-{kind}", title=why)


def note(content: str) -> str:
    """A line in smaller letters."""
    return element("p", text(content), class_="pq-note")


def footer(given: Answer, language: Language) -> str:
    """Model, template, evidence, tokens, price and time on one line."""
    parts = [given.model, *([given.prompt] if given.prompt else [])]
    parts.append(
        message(
            "answer.evidence",
            language,
            level=message(f"answer.evidence_{given.evidence_level}", language),
        )
    )
    if given.usage.calls or given.usage.cached_calls:
        parts += [usage(given.usage, language)]
    parts.append(f"{given.seconds.get('total', 0.0):.1f} s")
    return note(" · ".join(parts))


def usage(given: Usage, language: Language) -> str:
    """Tokens and price in words."""
    tokens = message("answer.tokens", language, input=given.input_tokens, output=given.output_tokens)
    return f"{tokens}, {price(given.cost_usd, language)}"


def price(cost: float | None, language: Language) -> str:
    """US dollars; an unknown price is said to be unknown."""
    return message("answer.price_unknown", language) if cost is None else f"${cost:.4f}"
