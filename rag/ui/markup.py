"""Pieces of HTML for `st.html`. Text of documents, models and visitors enters escaped, and only as text.

Streamlit's own labels are Markdown; `label` makes text show there as the characters it has. Of the Markdown of a
model only emphasis, code and tables are shown as such: no links, no pictures, no HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from markdown_it import MarkdownIt

from rag.answering.markers import HOLE, lift_markers
from rag.messages import Language, message, place_name, usage_text
from rag.providers.specs import EXTRACTIVE
from rag.rendering.footnotes import distinct, quote_status
from rag.rendering.safe import safe_text
from rag.types import Answer, Citation, Passage, Sentence, Support
from rag.ui.pages import PICTURE, CitedPage

MARKS = {Support.VERIFIED: "✓", Support.WEAK: "~", Support.UNSUPPORTED: "✗"}
_NAME = 34
"""Characters of a file name on a chip."""
_COLON = re.compile(r":(?=\S)")
_JOINER = "\u2060"
_EMPHASIS = MarkdownIt("zero", {"html": False}).enable(["emphasis", "backticks"])
_TABLE_LINE = re.compile(r"\s*\|.*\|\s*")
_RULE = re.compile(r"[\s|:-]+")
_BAR = re.compile(r"(?<!\\)\|")
_OPEN_MARKER = re.compile(r"\s*\[[^\]\n]*$")
_LINE_START = re.compile(r"\s*(?:#{1,6}|[-*+])\s+")


def text(content: str) -> str:
    """Untrusted text as HTML text."""
    return safe_text(content, "html")


def label(content: str) -> str:
    """Untrusted text for a label: no markup, and no `:name:` that Streamlit would turn into a picture."""
    return _COLON.sub(f":{_JOINER}", safe_text(" ".join(content.split()), "markdown"))


def short(file: str) -> str:
    """A file's name, the middle left out of a long one."""
    name = file.rpartition("/")[2]
    return name if len(name) <= _NAME else f"{name[: _NAME - 12]}…{name[-11:]}"


def element(tag: str, *content: str, class_: str = "", **attributes: str) -> str:
    """An element around HTML that is ready; attributes are escaped here, `data_open` is `data-open`."""
    written = {"class": class_, **{name.replace("_", "-"): value for name, value in attributes.items()}}
    given = "".join(f' {name}="{text(value)}"' for name, value in written.items() if value)
    return f"<{tag}{given}>" + ("" if tag == "img" else f"{''.join(content)}</{tag}>")


def icon_button(icon: str, name: str, **data: str) -> str:
    """A button with one of Streamlit's Material icons; `page.js` acts on its data attributes."""
    return element("button", icon, class_="pq-icon", title=name, aria_label=name, **data)


def question(content: str) -> str:
    """A visitor's question."""
    return element("p", text(content), class_="pq-question")


def draft(content: str, language: Language, wait: str = "") -> str:
    """The words of the model so far, none of them verified, without the markers; `wait` says what is waited for."""
    state = wait or message("page.writing" if content else "page.searching", language)
    words = element("p", element("span", "", class_="pq-pulse"), text(state), class_="pq-note")
    plain = _OPEN_MARKER.sub("", lift_markers(content)[0].replace(HOLE, ""))
    lines = [line for line in plain.splitlines() if line.strip() and not _is_rule(line)]
    pieces = []
    for is_table, group in groupby(lines, key=lambda line: line.lstrip().startswith("|")):
        if is_table:
            rows = [[_formatted(cell) for cell in _cells(line)] for line in group]
            pieces.append(table([], rows[1:], head_cells=rows[0]))
        else:
            pieces += [element("p", _formatted(line)) for line in group]
    return words + (element("div", *pieces, class_="pq-draft") if pieces else "")


def link(given: CitedPage, content: str, at: str, *, name: str = "", class_: str = "pq-ref") -> str:
    """A link to a page with its quote marked. `at` (`exchange.citation`) opens it beside the answer it belongs to."""
    return element(
        "a",
        content,
        class_=class_,
        href=f"/?{given.address()}",
        data_open=given.address(at=at),
        data_preview=f"{PICTURE}?{given.address(crop=1)}" if given.spans else "",
        aria_label=name,
    )


def answer(given: Answer, language: Language, number: int = -1) -> str:
    """The sentences with their marks, tables as tables, below a warning when no sentence is verified.

    `number` is that of the exchange in its session: the numbers of the quotes are links then.
    """
    warning = element("p", message("answer.nothing_verified", language), class_="pq-warning", role="note")
    cited = {citation.n: citation for citation in distinct(given.citations)} if number >= 0 else {}
    refs = {n: _reference(citation, language, f"{number}.{n}") for n, citation in cited.items()}
    body = []
    for is_table, group in groupby(given.sentences, key=lambda one: _is_table(one.text)):
        if is_table:
            body.append(_answer_table(list(group), language, refs))
        else:
            body += [sentence(one, language, refs, formatted=bool(given.prompt)) for one in group]
    return element("div", "" if given.verified else warning, *body, class_="pq-answer")


def _reference(citation: Citation, language: Language, at: str) -> str:
    page = place(citation, language)
    name = message("page.open_citation", language, n=citation.n, file=citation.file, page=page)
    return link(CitedPage.of_citation(citation), f"[{citation.n}]", at, name=name)


def sentence(
    given: Sentence, language: Language, refs: dict[int, str] | None = None, *, formatted: bool = False
) -> str:
    """A sentence, the numbers of its quotes, and the ground on which it is verified or the reason why it is not."""
    beside = "; ".join(one.formula for one in given.derived)
    if given.unsupported_facts and not given.derived:
        beside = message("answer.facts_missing", language, facts=", ".join(given.unsupported_facts))
    beside = element("span", text(beside), class_="pq-missing") if beside else ""
    shown = _formatted(given.text) if formatted else text(given.text)
    words = element("span", shown, class_="pq-text")
    verdict = _verdict(given, language)
    numbers = _numbers(given, refs or {})
    return element(
        "p", words, numbers, " ", verdict, beside, class_=f"pq-sentence pq-is-{given.support.value}"
    )


def _numbers(given: Sentence, refs: dict[int, str]) -> str:
    return "".join(element("sup", refs.get(n, f"[{n}]")) for n in given.citations)


def _verdict(given: Sentence, language: Language) -> str:
    support = given.support.value
    kind = "derived" if given.derived else support
    word = given.basis if given.basis and kind == "verified" else kind
    word = "contradicted" if given.reason == "contradicted" else word
    mark = "=" if given.derived else MARKS[given.support]
    return badge(
        f"{mark} {message(f'answer.{word}', language)}", support, message(f"page.{kind}_why", language)
    )


def _is_table(content: str) -> bool:
    lines = content.splitlines()
    return bool(lines) and all(_TABLE_LINE.fullmatch(line) for line in lines)


def _is_rule(line: str) -> bool:
    return "-" in line and _RULE.fullmatch(line) is not None


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _BAR.split(line.strip().strip("|"))]


def _formatted(content: str) -> str:
    """Untrusted Markdown of one line as HTML: emphasis and code, anything else as the characters it has."""
    return str(_EMPHASIS.renderInline(_LINE_START.sub("", safe_text(content), count=1)))


def _answer_table(rows: Sequence[Sentence], language: Language, refs: dict[int, str]) -> str:
    """Rows of a Markdown table, each with its verdict in a last column."""
    first = rows[0].text.splitlines()
    has_head = len(first) > 1 and _is_rule(first[-1])
    head = [_formatted(cell) for cell in _cells(first[0])] if has_head else []
    body = [
        [
            *map(_formatted, _cells(row.text.splitlines()[0])),
            f"{_numbers(row, refs)} {_verdict(row, language)}",
        ]
        for row in rows[has_head:]
    ]
    width = max([len(head) + 1, *map(len, body)])
    filled = [[*row[:-1], *[""] * (width - len(row)), row[-1]] for row in body]
    empty = [""] * (width - len(head))
    return table([], filled, head_cells=[*head, *empty] if has_head else [])


def answer_markdown(given: Answer, language: Language) -> str:
    """An answer to be pasted elsewhere: its sentences, then each quote with its file and page."""
    lines = [
        f"{one.text}{''.join(f'[{n}]' for n in one.citations)}" if not _is_table(one.text) else one.text
        for one in given.sentences
    ]
    quotes = [
        f"[{c.n}] {c.file}, {place_name(c.file, c.page, c.page_label, language)}: “{' '.join(c.quote.split())}”"
        f" ({quote_status(c, language)})"
        for c in distinct(given.citations)
    ]
    return "\n".join([*lines, "", *(f"- {quote}" for quote in quotes)]).strip() or given.reason


def declined(given: Answer, language: Language) -> str:
    """That there is no answer, and why."""
    reason = element("p", text(given.reason), class_="pq-note") if given.reason else ""
    return element("div", element("p", message("answer.declined", language), class_="pq-declined"), reason)


def small_talk(given: Answer) -> str:
    """The line that answers a greeting or thanks: no verdict, since nothing was searched."""
    return element("p", text(given.reason), class_="pq-small-talk")


def place(given: Citation | Passage, language: Language) -> str:
    """The page in short, or the slide, cell or paragraph; untrusted text."""
    return place_name(given.file, given.page, given.page_label, language, "page.page_short")


def citations(given: Answer, language: Language, number: int) -> str:
    """The quotes of an answer as links to their pages."""
    links = []
    for citation in distinct(given.citations):
        mark = "✓" if citation.verified else "✗"
        where = place(citation, language)
        kind = "pq-chip" if citation.verified else "pq-chip pq-unsupported"
        words = text(f"[{citation.n}] {where} {mark} {short(citation.file)}")
        name = f"[{citation.n}] {where} {mark} {citation.file}: {quote_status(citation, language)}"
        links.append(
            link(CitedPage.of_citation(citation), words, f"{number}.{citation.n}", class_=kind, name=name)
        )
    return element("nav", *links, class_="pq-chips", aria_label=message("page.citations", language))


def quote(citation: Citation, language: Language) -> str:
    """A quote with the verdict on it; of an altered one, what differs."""
    mark = "✓" if citation.verified else "✗"
    kind = "verified" if citation.verified else "unsupported"
    verdict = element("span", f"{mark} {quote_status(citation, language)}", class_=f"pq-badge pq-{kind}")
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


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    head_cells: Sequence[str] = (),
) -> str:
    """A table of cells that are HTML already; `numbers` are the columns set to the right.

    `head` is text, `head_cells` HTML in its place.
    """
    heads = [*map(text, head), *head_cells]

    def row(cells: Sequence[str], tag: str) -> str:
        made = (element(tag, c, class_="pq-number" if i in numbers else "") for i, c in enumerate(cells))
        return element("tr", *made)

    body = element("tbody", *(row(cells, "td") for cells in rows))
    return element(
        "div",
        element("table", element("thead", row(heads, "th")) if heads else "", body, class_="pq-table"),
        class_="pq-scroll",
        tabindex="0",
    )


def badge(content: str, kind: str, why: str = "") -> str:
    """A word with a colour; kind is that of a `Support`."""
    return element("span", text(content), class_=f"pq-badge pq-{kind}", title=why)


def note(content: str) -> str:
    """A line in smaller letters."""
    return element("p", text(content), class_="pq-note")


def footer(given: Answer, language: Language, searched: str = "") -> str:
    """Model, template, evidence, tokens, price, time and what was searched, on one line."""
    model = message("page.builtin", language) if given.model == EXTRACTIVE else given.model
    parts = [model, *([given.prompt] if given.prompt else [])]
    parts.append(
        message(
            "answer.evidence",
            language,
            level=message(f"answer.evidence_{given.evidence_level}", language),
        )
    )
    if given.usage.calls or given.usage.cached_calls:
        parts.append(usage_text(given.usage, language))
    parts.append(message("answer.seconds", language, seconds=given.seconds.get("total", 0.0)))
    return note(" · ".join([*parts, *([searched] if searched else [])]))
