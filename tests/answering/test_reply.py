"""Replies of models, well formed and not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.context import cited_by_number
from rag.answering.markers import Quote
from rag.answering.reply import Draft, parse_reply


def claims(draft: Draft) -> list[tuple[str, tuple[int, ...], list[str]]]:
    return [(s.text, s.passages, [quote.text for quote in s.quotes]) for s in draft.sentences]


def test_the_asked_form_gives_sentences_with_their_quotes() -> None:
    draft = parse_reply(
        'The bridge opened in 1931. [2: "was opened to traffic on 24 October 1931"]\n'
        'It cost 60 million dollars [1: "at a cost of $60 million"] and has eight lanes. [3: "eight lanes"]'
    )
    assert claims(draft) == [
        ("The bridge opened in 1931.", (2,), ["was opened to traffic on 24 October 1931"]),
        (
            "It cost 60 million dollars and has eight lanes.",
            (1, 3),
            ["at a cost of $60 million", "eight lanes"],
        ),
    ]
    assert not draft.declined


def test_a_korean_reply_with_curly_marks_and_a_label() -> None:
    draft = parse_reply(
        "답변: 다리는 1931년에 개통되었다. [출처 2, 3쪽: “1931년 10월에 개통”]\n비용은 6천만 달러였다 [1]."
    )
    assert claims(draft) == [
        ("다리는 1931년에 개통되었다.", (2,), ["1931년 10월에 개통"]),
        ("비용은 6천만 달러였다.", (1,), []),
    ]
    assert draft.sentences[0].quotes == (Quote("1931년 10월에 개통", 2, 3),)


@pytest.mark.parametrize(
    ("reply", "passages", "quotes"),
    [
        ("It is green [1].", (1,), []),
        ("It is green [1, 2].", (1, 2), []),
        ("It is green [1][2].", (1, 2), []),
        ("It is green 【3】.", (3,), []),
        ("It is green [passage 1].", (1,), []),
        ('It is green. [1] "painted green"', (1,), ["painted green"]),
        ('It is green. [1, p. 3: "painted green"]', (1,), ["painted green"]),
        ('It is green. [1: "painted" "all green"]', (1,), ["painted", "all green"]),
        ('It is green. [1: "painted"; 2: "all green"]', (1, 2), ["painted", "all green"]),
        ("It is green. [1: 「painted green」]", (1,), ["painted green"]),
        ("It is green. [1: `painted green`]", (1,), ["painted green"]),
        ("It is green. [1: painted green]", (1,), ["painted green"]),
        ('It is green. [1: "painted\ngreen"]', (1,), ["painted\ngreen"]),
        ("It is green. [1: \"the so-called 'A', 'B' list\"]", (1,), ["the so-called 'A', 'B' list"]),
        ('It is green. [1: "see [12] for more"]', (1,), ["see [12] for more"]),
        ('It is green. [1: "painted green in', (1,), ["painted green in"]),
        ('It is green. [1: "painted" [2: "all green"]', (1, 2), ["painted", "all green"]),
        ('[1] It is green. [2: "all green"]', (1, 2), ["all green"]),
    ],
)
def test_markers_that_models_write(reply: str, passages: tuple[int, ...], quotes: list[str]) -> None:
    assert claims(parse_reply(reply)) == [("It is green.", passages, quotes)]


def test_a_year_in_brackets_is_text() -> None:
    assert claims(parse_reply("The report [1998] is lost.")) == [("The report [1998] is lost.", (), [])]


def test_lists_and_tables_keep_their_lines() -> None:
    draft = parse_reply(
        '- eight lanes [1: "Eight lanes"]\n- two decks [2: "two decks"]\n\n| a | b |\n|---|---|\n| 1 | 2 | [3]'
    )
    assert [s.passages for s in draft.sentences] == [(1,), (2,), (), (3,)]
    assert all(sentence.starts_line for sentence in draft.sentences)
    assert draft.sentences[2].text == "| a | b |\n|---|---|"


def test_quotes_in_a_list_of_sources_belong_to_the_sentences_that_cite_them() -> None:
    draft = parse_reply(
        'It is green [1]. It is old [2].\n\nSources:\n[1] "painted green" (p. 3)\n[2] "built in 1931" (p. 1)'
    )
    assert claims(draft) == [
        ("It is green.", (1,), ["painted green"]),
        ("It is old.", (2,), ["built in 1931"]),
    ]


def test_a_reply_that_is_only_a_quote_is_a_sentence_of_its_words() -> None:
    assert claims(parse_reply('[2: "It was painted green in 1972."]')) == [
        ("It was painted green in 1972.", (2,), ["It was painted green in 1972."])
    ]


def test_a_reply_that_is_only_a_number_is_the_sentence_with_that_number() -> None:
    known = [Quote("It was opened in 1931.", 1), Quote("It was painted\ngreen in 1972.", 2)]
    assert claims(cited_by_number(parse_reply("[2]"), known)) == [
        ("It was painted green in 1972.", (2,), ["It was painted\ngreen in 1972."])
    ]
    assert claims(cited_by_number(parse_reply("[2]\nIt opened in 1931. [1]"), known)) == [
        ("It opened in 1931.", (1,), ["It was opened in 1931."])
    ]


@pytest.mark.parametrize(
    "reply",
    [
        "NOT_IN_DOCUMENTS",
        "NOT IN DOCUMENTS.",
        "문서에_없음",
        "NOT_IN_DOCUMENTS: the passages speak of bridges.",
        "The passages do not contain this information.",
        "제공된 문서에는 해당 내용이 없습니다.",
        "<think>Passage [1] might help, but no.</think>NOT_IN_DOCUMENTS",
        "",
        "   \n ",
        '{"sentences": [], "not_in_documents": true}',
        '{"not_in_documents": true}',
    ],
)
def test_declining(reply: str) -> None:
    assert parse_reply(reply) == Draft(declined=True)


def test_a_sentinel_beside_a_cited_answer_does_not_hide_the_answer() -> None:
    draft = parse_reply('It is green. [1: "painted green"] NOT_IN_DOCUMENTS')
    assert not draft.declined
    assert draft.sentences[0].quotes
    assert draft.notes


JSON_REPLY = {
    "sentences": [
        {"text": "It is green.", "citations": [{"passage": 1, "quote": "painted green", "page": 3}]},
        {"text": "It is old.", "citations": [2]},
    ]
}


@pytest.mark.parametrize("form", ["{}", "```json\n{}\n```", "{}\nI hope this helps."])
def test_json_replies(form: str) -> None:
    draft = parse_reply(form.replace("{}", json.dumps(JSON_REPLY)))
    assert [s.quotes for s in draft.sentences] == [(Quote("painted green", 1, 3),), ()]
    assert [s.passages for s in draft.sentences] == [(1,), (2,)]


def test_json_cut_off_by_the_token_limit_keeps_what_was_finished() -> None:
    draft = parse_reply(json.dumps(JSON_REPLY)[:105])
    assert claims(draft)[0] == ("It is green.", (1,), ["painted green"])


def test_markers_inside_json_count() -> None:
    assert claims(parse_reply('{"answer": "It is green. [1: \\"painted green\\"]"}')) == [
        ("It is green.", (1,), ["painted green"])
    ]


PIECES = st.sampled_from(
    [
        '[1: "',
        '"]',
        "[2]",
        "[",
        "]",
        '"',
        "{",
        "}",
        '{"sentences": [',
        "```json\n",
        "Sources:\n",
        "NOT_IN_DOCUMENTS",
    ]
)
WORDS = st.sampled_from(
    ["It is green. ", "초록색이다. ", "\n", "|---|", "- ", "…", "<think>", "\ufdd0", ", 3쪽: “"]
)


@given(st.lists(PIECES | WORDS | st.text(max_size=6), max_size=14).map("".join))
def test_no_reply_raises_and_what_is_quoted_was_written(reply: str) -> None:
    # noncharacters are dropped on reading: the parser marks places with one of them
    written = "".join(
        c for c in reply if not c.isspace() and not "\ufdd0" <= c <= "\ufdef" and c not in "\ufffe\uffff"
    )
    for sentence in parse_reply(reply).sentences:
        assert sentence.text.strip()
        for quote in sentence.quotes:
            assert quote.passage is None or quote.passage in sentence.passages
            assert "".join(quote.text.split()) in written or "{" in reply
