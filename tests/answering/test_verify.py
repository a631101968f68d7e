"""Quotes and sentences judged against stored pages."""

from __future__ import annotations

import hashlib

import pytest

from rag.answering.reply import parse_reply
from rag.answering.verification import CheckedDraft, check_draft, strict
from rag.types import Page, Passage, QuoteStatus, Span, Status, Support
from tests.answering.shelf import PAGES, Shelf

SHELF = Shelf()
BRIDGE, PEOPLE = SHELF.passage("bridge.pdf", 1, title="Harbour Bridge"), SHELF.passage("bridge.pdf", 2)
FERRY, KOREAN = SHELF.passage("ferry.pdf", 1), SHELF.passage("대교.pdf", 1, title="한빛대교")
PASSAGES = [BRIDGE, FERRY, KOREAN]


def checked_reply(reply: str, passages: list[Passage] | None = None, shelf: Shelf = SHELF) -> CheckedDraft:
    return check_draft(parse_reply(reply), PASSAGES if passages is None else passages, shelf)


def support(reply: str, passages: list[Passage] | None = None) -> Support:
    (sentence,) = checked_reply(reply, passages).sentences
    return sentence.support


def test_a_true_quote_is_found_where_it_stands() -> None:
    checked = checked_reply(
        'The Harbour Bridge opened in 1931. [1: "was opened to traffic on 24 October 1931"]'
    )
    (citation,) = checked.citations
    text = PAGES["bridge.pdf"][0]
    start = text.index("was opened")
    assert citation.status is QuoteStatus.FOUND
    assert (citation.n, citation.file, citation.page) == (1, "bridge.pdf", 1)
    assert citation.spans == (Span(1, start, start + len("was opened to traffic on 24 October 1931")),)
    assert citation.page_hash == hashlib.sha256(text.encode()).hexdigest()
    assert checked.sentences[0].support is Support.VERIFIED
    assert checked.sentences[0].citations == (1,)
    assert checked.verified


def test_layout_is_forgiven_and_the_pages_own_words_are_shown() -> None:
    checked = checked_reply(
        '공사비는 340억 원이었다. [3: "공사비는\n340억원이었고 그 가운데 절반을  시가 냈다"]'
    )
    assert checked.citations[0].quote == "공사비는 340억 원이었고 그 가운데 절반을 시가 냈다"
    assert checked.sentences[0].support is Support.VERIFIED


def test_a_quote_of_another_passage_is_found_elsewhere_and_says_so() -> None:
    (citation,) = checked_reply('The fare is 4.50 pounds. [1: "The fare is 4.50 pounds"]').citations
    assert citation.status is QuoteStatus.MOVED
    assert (citation.file, citation.page) == ("ferry.pdf", 1)
    assert (citation.claimed_file, citation.claimed_page) == ("bridge.pdf", 1)
    assert "ferry.pdf" in citation.note


def test_a_quote_of_a_page_that_was_not_retrieved_is_found_in_its_file() -> None:
    (citation,) = checked_reply(
        '보행자는 위층을 다닐 수 없었다. [3: "보행자는 위층을 다닐 수 없었다"]'
    ).citations
    assert (citation.file, citation.page, citation.status) == ("대교.pdf", 2, QuoteStatus.MOVED)


def test_a_named_page_is_never_believed() -> None:
    (citation,) = checked_reply(
        'The toll ended in 1954. [1, p. 7: "The toll was abolished in 1954"]'
    ).citations
    assert (citation.page, citation.claimed_page, citation.status) == (1, 7, QuoteStatus.MOVED)


def test_of_two_true_places_the_cited_one_is_taken() -> None:
    shelf = Shelf({"a.pdf": ["Opening hours are nine to five.", "Opening hours are nine to five."]})
    second = shelf.passage("a.pdf", 2)
    (citation,) = checked_reply(
        'Nine to five. [2: "Opening hours are nine to five"]', [shelf.passage("a.pdf", 1), second], shelf
    ).citations
    assert (citation.page, citation.status) == (2, QuoteStatus.FOUND)


@pytest.mark.parametrize(
    ("quote", "changed"),
    [
        ("It cost 90 million dollars, of which the port paid a third", ("90", "60")),
        ("Six lanes cross the river on two decks", ("Six", "Eight")),
        ("그 가운데 전부를 시가 냈다", ("전부를", "절반을")),
    ],
)
def test_an_altered_quote_shows_what_the_page_says(quote: str, changed: tuple[str, str]) -> None:
    checked = checked_reply(f'Something. [{3 if "시가" in quote else 1}: "{quote}"]')
    (citation,) = checked.citations
    assert citation.status is QuoteStatus.ALTERED
    assert not citation.verified
    assert ("replace", *changed) in citation.difference
    assert checked.sentences[0].support is Support.UNSUPPORTED


def test_invented_words_are_not_found() -> None:
    (citation,) = checked_reply('It sings. [1: "the cables hum a tune every evening at nine"]').citations
    assert citation.status is QuoteStatus.MISSING
    assert citation.note


def test_a_passage_that_does_not_exist() -> None:
    checked = checked_reply("The bridge is made of glass. [9]")
    assert [c.status for c in checked.citations] == [QuoteStatus.MISSING]
    assert checked.sentences[0].support is Support.UNSUPPORTED


def test_a_quote_may_cross_the_end_of_a_page() -> None:
    quote = "the steel came from the mill at Port Aldis, forty kilometres up the river"
    (citation,) = checked_reply(f'The steel came from Port Aldis. [1: "{quote}"]', [PEOPLE]).citations
    assert citation.status is QuoteStatus.FOUND
    assert [span.page for span in citation.spans] == [2, 3]
    assert citation.page == 2
    assert citation.quote == quote


def test_running_headers_do_not_break_a_quote_that_crosses_the_page() -> None:
    first = "The valve closes when the pressure\nManual A-7, page 1"
    second = "Manual A-7, page 2\nfalls below two bar."
    pages = [
        Page(1, first, headers_footers=((first.index("Manual"), len(first)),)),
        Page(2, second, headers_footers=((0, second.index("falls")),)),
    ]
    shelf = Shelf({"m.pdf": pages})
    checked = checked_reply(
        '[1: "The valve closes when the pressure falls below two bar."]', [shelf.passage("m.pdf", 1)], shelf
    )
    assert checked.sentences[0].support is Support.VERIFIED
    assert checked.citations[0].quote == "The valve closes when the pressure falls below two bar."


def test_a_scanned_page_is_marked() -> None:
    shelf = Shelf({"s.pdf": [Page(1, "Meter readings are taken on Mondays.", status=Status.OCR)]})
    (citation,) = checked_reply(
        '[1: "Meter readings are taken on Mondays."]', [shelf.passage("s.pdf", 1)], shelf
    ).citations
    assert citation.ocr


@pytest.mark.parametrize(
    "reply",
    [
        'It cost 60 million dollars. [1: "It cost 60 million dollars"]',
        'The Harbour Bridge cost $60,000,000. [1: "It cost 60 million dollars, of which the port paid a third"]',
        '8 lanes cross the river on two decks. [1: "Eight lanes cross the river on two decks"]',
        '통행료는 1999년에 없어졌다. [3: "통행료는 1999년에 없어졌다"]',
        '한빛대교는 1987년 5월 12일에 개통되었습니다. [3: "1987년 5월 12일에 개통되었다"]',
        "The toll was abolished in 1954. [1]",
        'The towers were drawn by the engineer Ada Kerr. [4: "Ada Kerr drew the towers"]',
    ],
)
def test_what_follows_from_its_quote_is_verified(reply: str) -> None:
    assert support(reply, [*PASSAGES, PEOPLE]) is Support.VERIFIED


@pytest.mark.parametrize(
    ("reply", "missing"),
    [
        ('It cost 65 million dollars. [1: "It cost 60 million dollars"]', "65 million dollars"),
        ('It opened on 25 October 1931. [1: "was opened to traffic on 24 October 1931"]', "25 October 1931"),
        ('It cost 60 million euros. [1: "It cost 60 million dollars"]', "60 million euros"),
        (
            'It was opened to traffic in Lisbon in 1931. [1: "was opened to traffic on 24 October 1931"]',
            "Lisbon",
        ),
        ('공사비는 350억 원이었다. [3: "공사비는 340억 원이었고"]', "350억 원"),
        (
            'The port paid a third of "the gift to every sailor on earth". [1: "the port paid a third"]',
            "the gift to every sailor on earth",
        ),
    ],
)
def test_a_fact_that_stands_in_no_quote_keeps_it_from_being_verified(reply: str, missing: str) -> None:
    (sentence,) = checked_reply(reply).sentences
    assert sentence.support is not Support.VERIFIED
    assert missing in sentence.unsupported_facts


@pytest.mark.parametrize(
    "reply",
    [
        'The bridge was opened in 1931 by the mother of the king. [1: "was opened to traffic on 24 October 1931"]',
        'Eight lanes cross the river under two decks. [1: "Eight lanes cross the river on two decks"]',
        'The port was opened to traffic by the bridge. [1: "was opened to traffic on 24 October 1931"]',
        'The toll was never abolished. [1: "The toll was abolished in 1954"]',
        'Pedestrians were allowed on the upper deck before 1960. [2: "allowed on the upper deck before 1960"]',
        '보행자는 위층을 다닐 수 있었다. [4: "보행자는 위층을 다닐 수"]',
    ],
)
def test_a_true_quote_does_not_carry_another_claim(reply: str) -> None:
    assert support(reply, [BRIDGE, PEOPLE, FERRY, SHELF.passage("대교.pdf", 2)]) is not Support.VERIFIED


def test_a_repeated_sentence_is_shown_once_with_the_citations_of_both() -> None:
    (sentence,) = checked_reply(
        "The toll was abolished in 1954. The toll was abolished in 1954. [1]"
    ).sentences
    assert (sentence.support, sentence.citations) == (Support.VERIFIED, (1,))


def test_a_passage_cited_without_words_is_quoted_for_the_reader() -> None:
    checked = checked_reply("The ferry carries 214,000 passengers a year. [2]")
    assert checked.citations[0].quote == "The ferry to Greyholm carries 214,000 passengers a year."
    assert checked.citations[0].verified


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("The ferry to Greyholm carries passengers, cattle and timber. [2]", Support.WEAK),
        ("The ferry carries 300,000 passengers a year. [2]", Support.UNSUPPORTED),
        ("The ferry carries 300,000 passengers a year.", Support.UNSUPPORTED),
        ("Whales live in the sea.", Support.UNSUPPORTED),
    ],
)
def test_without_a_quote_found_nothing_is_verified(reply: str, expected: Support) -> None:
    checked = checked_reply(reply)
    assert checked.sentences[0].support is expected
    assert not checked.verified


@pytest.mark.parametrize("reply", ["traffic traffic", "Lanes.", "The river.", "통행료", "보행자 보행자는"])
def test_a_stray_word_is_not_verified_by_a_passage_that_holds_it(reply: str) -> None:
    assert checked_reply(reply).citations == ()
    assert support(reply) is Support.UNSUPPORTED


def test_across_languages_the_reader_judges() -> None:
    quote = '[1: "was opened to traffic on 24 October 1931. It cost 60 million dollars"]'
    assert support(f"다리는 1931년 10월 24일에 개통되었고 6000만 달러가 들었다. {quote}") is Support.WEAK


def test_a_sentence_that_has_nothing_of_its_quote_is_unfounded() -> None:
    reply = 'Japan surrendered after long talks. [1: "Eight lanes cross the river on two decks"]'
    assert support(reply) is Support.UNSUPPORTED


@pytest.mark.parametrize(
    ("reply", "basis"),
    [
        ('The toll was abolished in 1954. [1: "The toll was abolished in 1954"]', "quoted"),
        (
            'It cost 60 million dollars. [1: "It cost 60 million dollars, of which the port paid a third"]',
            "quoted",
        ),
        ('In 1954 the toll was abolished. [1: "The toll was abolished in 1954"]', "entailed"),
        ('통행료는 1999년에 없어졌다. [3: "통행료는 1999년에 없어졌다"]', "quoted"),
    ],
)
def test_a_verified_sentence_says_on_what_ground(reply: str, basis: str) -> None:
    (sentence,) = checked_reply(reply).sentences
    assert (sentence.support, sentence.basis) == (Support.VERIFIED, basis)


def test_a_copy_of_a_page_that_cites_nothing_is_not_verified() -> None:
    (sentence,) = checked_reply("The toll was abolished in 1954.").sentences
    assert (sentence.support, sentence.reason) == (Support.WEAK, "not_cited")


@pytest.mark.parametrize(
    "reply",
    [
        "The toll was abolished in 1954. [2]",
        'The toll was abolished in 1954. [2: "The toll ended for good in 1954"]',
        'The toll was abolished in 1954. [1: "and nobody complained about it at all"]',
    ],
)
def test_a_wrong_citation_is_corrected_by_the_sentence_that_says_it(reply: str) -> None:
    checked = checked_reply(reply)
    (sentence,) = checked.sentences
    assert (sentence.support, sentence.reason) == (Support.VERIFIED, "repaired")
    assert [c.quote for c in checked.citations] == ["The toll was abolished in 1954."]
    assert checked.notes


def test_a_sentence_that_says_far_more_of_the_claim_is_put_beside_it() -> None:
    quote = '[1: "Pedestrians were not allowed on the upper deck"]'
    checked = checked_reply(f"Ada Kerr, an engineer, made drawings of both towers. {quote}", [PEOPLE])
    (sentence,) = checked.sentences
    assert sentence.support is Support.WEAK
    assert [c.quote.split(",")[0] for c in checked.citations] == ["The engineer Ada Kerr drew the towers"]
    near = checked_reply(f"Nobody could walk on the upper deck. {quote}", [PEOPLE])
    assert near.citations[0].quote == "Pedestrians were not allowed on the upper deck"


def test_a_fragment_that_cites_nothing_is_looked_up_with_its_question() -> None:
    def checked(reply: str, question: str) -> CheckedDraft:
        return check_draft(parse_reply(reply), PASSAGES, SHELF, question=question)

    right = checked("1954", "When was the toll abolished?")
    assert (right.sentences[0].support, right.sentences[0].reason) == (Support.VERIFIED, "repaired")
    assert [c.quote for c in right.citations] == ["The toll was abolished in 1954."]
    assert not checked("1954", "When was the bridge opened to traffic?").verified
    counted = "다리는 12개 교각의 24개 상판 가운데 5개 상판이 낡았다."
    shelf = Shelf({"교각.pdf": [counted]})
    asked = "다리는 상판 가운데 몇 개 상판이 낡았나요?"
    assert not check_draft(parse_reply("12"), [shelf.passage("교각.pdf", 1)], shelf, question=asked).verified
    drawn = Shelf({"교각.pdf": ["설계는 기술자 윤가람이 맡았다."]})
    asked, passages = "누가 기술자로서 설계를 맡았나요? 이름은?", [drawn.passage("교각.pdf", 1)]
    (named,) = check_draft(parse_reply("이름은 윤가람"), passages, drawn, question=asked).citations
    assert named.quote == "설계는 기술자 윤가람이 맡았다."
    unclear = checked("Ada Kerr", "Who drew the towers?")
    assert unclear.sentences[0].support is Support.UNSUPPORTED  # her page is not among the passages


def test_a_sentence_that_cites_nothing_has_the_nearest_sentence_beside_it() -> None:
    checked = checked_reply("There are eight lanes across the river.")
    assert checked.sentences[0].support is Support.WEAK
    assert [c.quote for c in checked.citations] == ["Eight lanes cross the river on two decks."]


def test_what_is_beside_the_question_is_not_verified() -> None:
    def checked(reply: str, *likely: str) -> tuple[Support, str]:
        (sentence,) = check_draft(parse_reply(reply), PASSAGES, SHELF, likely=[likely]).sentences
        return sentence.support, sentence.reason

    toll, lanes = "The toll was abolished in 1954.", "Eight lanes cross the river on two decks."
    assert checked(f"{toll} [1]", lanes, toll) == (Support.VERIFIED, "quoted")
    assert checked(f"{toll} [1]", lanes) == (Support.WEAK, "beside_question")
    assert checked(toll, toll) == (Support.WEAK, "not_cited")


def test_a_sentence_is_not_said_twice() -> None:
    checked = checked_reply("The toll was abolished in 1954. [1]\nThe toll was abolished in 1954. [1]")
    assert checked.text == "The toll was abolished in 1954."


def test_a_fragment_is_judged_with_its_question() -> None:
    draft = parse_reply('1954 [1: "The toll was abolished in 1954"]')
    asked = "When was the toll abolished?"
    assert check_draft(draft, PASSAGES, SHELF, question=asked).verified
    assert not check_draft(draft, PASSAGES, SHELF, question="When was the toll introduced?").verified
    assert not check_draft(draft, PASSAGES, SHELF).verified


def test_citations_are_numbered_as_they_appear_and_shared() -> None:
    checked = checked_reply(
        'The fare is 4.50 pounds. [2: "The fare is 4.50 pounds"]\n'
        'The toll was abolished in 1954. [1: "The toll was abolished in 1954"] [2: "The fare is 4.50 pounds"]'
    )
    assert [c.n for c in checked.citations] == [1, 2]
    assert [s.citations for s in checked.sentences] == [(1,), (2, 1)]
    assert checked.text == "The fare is 4.50 pounds.\nThe toll was abolished in 1954."


def test_strict_withholds_what_is_not_verified() -> None:
    checked = strict(
        checked_reply(
            'Whales sing. [1: "whales sing in the harbour at night"]\n'
            'The toll was abolished in 1954. [1: "The toll was abolished in 1954"]'
        )
    )
    assert [s.text for s in checked.sentences] == ["The toll was abolished in 1954."]
    assert [(c.n, c.verified) for c in checked.citations] == [(1, True)]
    assert checked.sentences[0].citations == (1,)
    assert checked.text == "The toll was abolished in 1954."
    assert any("1 of 2" in note for note in checked.notes)


def test_figures_of_a_table_are_read_with_its_header() -> None:
    head = "Consolidated results (in millions of dollars)\n\n2018 2017\n"
    table = f"{head}Net sales 32,765 31,657\nOperating income 7,207 7,692"
    shelf = Shelf({"r.pdf": [table]})
    passages = [shelf.passage("r.pdf", 1)]
    good = checked_reply(
        'Net sales were $32,765 million in 2018. [1: "Net sales 32,765 31,657"]', passages, shelf
    )
    wrong = checked_reply(
        'Net sales were $32,765 billion in 2018. [1: "Net sales 32,765 31,657"]', passages, shelf
    )
    assert good.sentences[0].unsupported_facts == ()
    assert wrong.sentences[0].unsupported_facts != ()
    assert wrong.sentences[0].support is Support.WEAK


def test_of_two_true_pages_of_a_file_the_named_one_is_taken() -> None:
    shelf = Shelf({"a.pdf": ["Doors open at nine.", "Lunch is at one.", "Doors open at nine."]})
    (citation,) = checked_reply(
        '[1, p. 1: "Doors open at nine."]', [shelf.passage("a.pdf", 3)], shelf
    ).citations
    assert (citation.page, citation.status) == (1, QuoteStatus.FOUND)
