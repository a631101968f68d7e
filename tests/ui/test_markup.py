"""Text of documents, models and visitors stays text: no element, attribute, link or picture comes of it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.messages import LANGUAGES, Language, message, price_text
from rag.types import Answer, Citation, Derived, QuoteStatus, Sentence, Span, Support, Usage
from rag.ui import markup
from rag.ui.pages import CitedPage

OURS = {
    "p",
    "div",
    "span",
    "sup",
    "strong",
    "blockquote",
    "del",
    "ins",
    "mark",
    "table",
    "thead",
    "tbody",
    "tr",
    "td",
    "th",
    "a",
    "nav",
    "em",
    "code",
}
ATTRIBUTES = {"class", "title", "role", "tabindex", "aria-label", "href", "data-open", "data-preview"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<svg/onload=alert(1)>",
    "</p></div><iframe src=//evil.example>",
    "&lt;script&gt;",
    "\x1b[31m<b>\u202e",
    "![p](https://evil.example/p.png) [l](javascript:alert(1))",
    "<style>*{display:none}</style>",
]


class _Seen(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "data-preview", "src")]

    def handle_data(self, data: str) -> None:
        self.words += data


def _answer(text: str) -> Answer:
    citation = Citation(
        1,
        text,
        3,
        text,
        QuoteStatus.ALTERED,
        note=text,
        difference=(("replace", text, text + "x"), ("equal", text, text)),
    )
    sentences = tuple(Sentence(text, (1,), support, (text,)) for support in Support)
    return Answer(
        text, True, text, sentences, (citation,), (), text, text, Usage(1, 2, None, 1), {}, 0.5, reason=text
    )


def _everything(text: str) -> str:
    answer = _answer(text)
    pieces = [
        markup.question(text),
        markup.note(text),
        markup.badge(text, "weak", text),
        markup.draft(text, "ko"),
    ]
    pieces += [markup.answer(answer, "en"), markup.declined(answer, "ko"), markup.footer(answer, "en")]
    pieces.append(markup.small_talk(answer))
    pieces += [markup.answer(answer, "ko", 0), markup.citations(answer, "en", 0)]
    rows = tuple(Sentence(f"| {text} | 2 |", (1,), Support.WEAK) for _ in range(2))
    pieces.append(markup.answer(replace(answer, sentences=rows), "en", 0))
    pieces += [markup.quote(answer.citations[0], "en"), markup.marked(text * 3, [(1, 4), (6, 9)])]
    pieces.append(markup.table([text], [[markup.text(text)]], numbers=[0]))
    return "".join(pieces)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hostile_becomes_markup(text: str) -> None:
    seen = _Seen(_everything(text))
    assert seen.tags <= OURS
    assert seen.attributes <= ATTRIBUTES
    assert all(link.startswith(("/?file=", "/evidence/picture?file=")) for link in seen.links)


@given(st.text(max_size=60))
def test_no_text_becomes_markup(text: str) -> None:
    seen = _Seen(_everything(text))
    assert seen.tags <= OURS
    assert seen.attributes <= ATTRIBUTES
    assert all(link.startswith(("/?file=", "/evidence/picture?file=")) for link in seen.links)


def test_the_words_stay_readable() -> None:
    assert "<script>alert(1)</script>" in _Seen(markup.question(HOSTILE[0])).words
    assert _Seen(markup.marked("The toll is 4 dollars.", [(4, 8)])).words == "The toll is 4 dollars."


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://evil.example/a.png)",
        "[l](javascript:alert(1))",
        ":material/home:",
        ":smile:",
        ":red[x]",
        "$x^2$",
    ],
)
def test_labels_hold_no_markdown(text: str) -> None:
    made = markup.label(text)
    assert re.search(r"(?<!\\)[\[\]$*_`<]", made) is None
    assert re.search(r":\w", made) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_of_support_has_a_word_and_a_mark(language: Language) -> None:
    lines = [markup.sentence(Sentence("x", (), support), language) for support in Support]
    words = [_Seen(line).words for line in lines]
    assert len(set(words)) == len(list(Support))
    for support, shown in zip(Support, words, strict=True):
        assert message(f"answer.{support.value}", language) in shown
        assert markup.MARKS[support] in shown


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("basis", ["quoted", "entailed"])
def test_a_verified_sentence_shows_the_ground_on_which_it_is(
    language: Language, basis: Literal["quoted", "entailed"]
) -> None:
    line = markup.sentence(Sentence("x", (1,), Support.VERIFIED, basis=basis), language)
    shown = _Seen(line).words
    assert f"{markup.MARKS[Support.VERIFIED]} {message(f'answer.{basis}', language)}" in shown
    assert message("answer.verified", language) not in shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_derived_sentence_shows_its_formula_and_not_the_missing_facts(language: Language) -> None:
    derived = (Derived("5", "sum", ("2", "3"), "2 + 3 = 5"),)
    shown = _Seen(markup.sentence(Sentence("x 5", (1,), Support.WEAK, ("5",), derived), language)).words
    assert f"= {message('answer.derived', language)}" in shown
    assert "2 + 3 = 5" in shown
    assert message("answer.facts_missing", language, facts="5") not in shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_is_shown_with_a_warning_only_when_nothing_is_verified(language: Language) -> None:
    mixed = _answer("text")
    weak = replace(mixed, sentences=tuple(s for s in mixed.sentences if s.support is not Support.VERIFIED))
    warning = message("answer.nothing_verified", language)
    assert warning not in _Seen(markup.answer(mixed, language)).words
    words = _Seen(markup.answer(weak, language)).words
    assert words.startswith(warning)
    assert markup.MARKS[Support.WEAK] in words


def test_small_talk_is_its_plain_line() -> None:
    assert _Seen(markup.small_talk(replace(_answer("x"), reason="Hello <b>"))).words == "Hello <b>"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("score", "level"), [(0.2, "low"), (0.7, "medium"), (0.95, "high")])
def test_the_footer_shows_the_level_of_the_evidence(language: Language, score: float, level: str) -> None:
    words = message("answer.evidence", language, level=message(f"answer.evidence_{level}", language))
    for known in ({"evidence_score": score}, {"evidence_score": 0.99, "confidence": score}):
        assert words in _Seen(markup.footer(replace(_answer("x"), **known), language)).words


def test_an_unknown_price_is_not_zero() -> None:
    assert price_text(None, "en") == "price unknown"
    assert price_text(0.0, "en") == "$0.0000"


def test_marks_are_cut_to_the_page_and_do_not_overlap() -> None:
    spans = (Span(2, 5, 9), Span(1, 0, 4), Span(2, 0, 7), Span(2, 9, 99))
    assert CitedPage("a.pdf", 2, spans).ranges(2, "0123456789ab") == [(0, 7), (7, 9), (9, 12)]
    assert CitedPage("a.pdf", 2, spans).ranges(3, "text") == []


def test_a_link_names_its_page_and_marks() -> None:
    cited = CitedPage("a b/보고서 &.pdf", 3, (Span(3, 5, 9), Span(4, 0, 2)))
    assert CitedPage.of_address(dict(parse_qsl(cited.address(at="1.2")))) == cited
    for query in (
        {},
        {"file": "a", "page": "x"},
        {"file": "a", "marks": "1:2"},
        {"file": "a", "marks": "1-2:3"},
    ):
        assert CitedPage.of_address(query) is None


def test_a_table_of_a_model_is_a_table() -> None:
    rows = ("| Item | 2023 |\n|---|---|", "| **Profit** | £2.78 million |", "| Dividend | |")
    sentences = tuple(Sentence(row, (1,) if i else (), Support.VERIFIED) for i, row in enumerate(rows))
    html = markup.answer(replace(_answer("x"), sentences=sentences), "en", 4)
    assert html.count("<tr>") == 3
    assert "<th>Item</th><th>2023</th>" in html
    assert "<strong>Profit</strong>" in html
    assert "|" not in _Seen(html).words
    assert 'data-open="file=x&amp;page=3&amp;at=4.1"' in html


def test_what_a_model_writes_is_shown_without_markers_and_pipes() -> None:
    words = (
        '| Item | 2023 |\n|---|---|\n| Profit | £2.78 million | [7]\n\nIt **rose**. [1: "rose"] Then [2: "ha'
    )
    shown = _Seen(markup.draft(words, "en")).words
    assert "£2.78 million" in shown
    assert "It rose." in shown
    assert not set("|[]*") & set(shown)
