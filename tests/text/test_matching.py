"""Quotes are found through layout noise in both languages, and never when what they say was altered."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.matching import MatchIndex, find_quote
from rag.text.sentences import sentences
from tests.text.mutations import alterations, bare, noise

ENGLISH = (
    "The U.S. company's net sales were $1.6 billion (15%) in 2015, up from 11,577 in the inter-\n"
    "national segment; well-known non-GAAP losses of -5.2% and (-3) hit. COVID\ufffe19 didn’t re-sign. "
    "On Feb 3, 2018–2019 “ﬁnance” — net. He is 6'2\" tall. 12 ㎡ and 10² units of 1 577 or 1,577.\n"
    "Total shares outstanding — —\nNet impacts 2.5 10.1 —\n"
)
KOREAN = (
    "삼성전자는 2023년 5월 1일(월) 매출 1조 5,770억원을 기록하였다고 발표했다. 이는 전년보다 3.5% 줄어든 것이 "
    "아니다. 대한민국정부는 불가능하다고 하지 않\n았다. 제 15 회 대회의 3D프린터는 KBS방송과 2023. 5. 1. 에 "
    "소개되었다."
)
FOUND_EN = [
    "2015", "$1.6 billion", "$ 1.6 billion (15 %)", "international segment", "inter-national segment", "10²",
    "inter-\nnational segment", "-5.2%", "−5.2%", "COVID-19", "didn't re-sign", "didn’t re-\nsign", "1,577.",
    "“finance” - net", "the U.S. company", "net sal-\nes were", "Net sales were", "in 2015.", "company", "1 577",
    "…net sales were…", "6′2″ tall", "12 m² and", "“The U.S. company's net sales”", "2018-2019",
    "in 2015, up from 11,577 ... losses of -5.2%", "the U.S. company’s net sales were … up from 11,577",
    "Total shares outstanding — —",
]  # fmt: skip
MISSED_EN = [
    "15", "1.6 billion", "1,57", "$1", "national segment", "inter", "5.2%", "+5.2%", "COVID19", "COVID", "did",
    "didn", "didn't resign", "GAAP losses", "net sales was", "15 (%", "1577", "1 ,577", "11, 577", "11 577",
    "The company", "6'2' tall", "12 m2 and", "102 units", "Total shares outstanding — — —", "Net impacts 2.5 —",
    "shares — —", "Net impacts 2.5 10.", "net sales ... 15%", "TOTAL SHARES", "net sales were not", "€1.6 billion",
    "", "…", "—",
]  # fmt: skip
FOUND_KO = [
    "삼성전자", "삼성전자는", "매출1조5,770억원을기록하였다", "매 출 1조 5,770억 원", "2023 년 5월1일", "3.5%",
    "불가능하다고 하지 않았다", "대한민국정부", "줄어든 것이 아니다", "제15회", "3D 프린터", "KBS", "발표",
    "５월 １일", "2023.5.1.", "기록하였다고 발표했다", "이는 전년보다 3.5%",
]  # fmt: skip
MISSED_KO = [
    "삼성", "매출 1조 5,770", "가능하다고", "불가능하다고 하지 안았다", "불가능하다고 하였다", "정부는",
    "줄어든 것이다", "프린터는", "3.5", "5월 1", "2023년 6월 1일", "매출 1조 5,770만원", "15억", "대한민국의 정부",
]  # fmt: skip


@pytest.mark.parametrize("quote", FOUND_EN)
def test_finds_what_the_english_page_says(quote: str) -> None:
    assert find_quote(quote, ENGLISH) is not None


@pytest.mark.parametrize("quote", MISSED_EN)
def test_does_not_find_what_the_english_page_does_not_say(quote: str) -> None:
    assert find_quote(quote, ENGLISH) is None


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("quote", FOUND_KO)
def test_finds_what_the_korean_page_says(quote: str, form: str) -> None:
    assert find_quote(quote, unicodedata.normalize(form, KOREAN)) is not None
    assert find_quote(unicodedata.normalize(form, quote), KOREAN) is not None


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("quote", MISSED_KO)
def test_does_not_find_what_the_korean_page_does_not_say(quote: str, form: str) -> None:
    assert find_quote(quote, unicodedata.normalize(form, KOREAN)) is None


def test_the_span_is_the_quote_on_the_page() -> None:
    found = find_quote("international segment", ENGLISH)
    assert found is not None
    assert ENGLISH[found.start : found.end] == "inter-\nnational segment"
    minus = find_quote("-5.2%", ENGLISH)
    assert minus is not None
    assert ENGLISH[minus.start : minus.end] == "-5.2%"
    decomposed = unicodedata.normalize("NFD", KOREAN)
    korean = find_quote("불가능하다고 하지 않았다", decomposed)
    assert korean is not None
    assert unicodedata.normalize("NFC", decomposed[korean.start : korean.end]) == "불가능하다고 하지 않\n았다"


def test_an_ellipsis_gives_a_span_for_each_part() -> None:
    text = "The board met in May and approved the plan. It was a long day. The vote was unanimous in the end."
    found = find_quote("The board met in May [...] The vote was unanimous", text)
    assert found is not None
    assert [text[a:b] for a, b in found.parts] == ["The board met in May", "The vote was unanimous"]
    korean = find_quote(
        "이사회는 오월에 회의를 열었고 (중략) 만장일치로 계획을 승인하였다.",
        "이사회는 오월에 회의를 열었고 긴 토론 끝에 만장일치로 계획을 승인하였다.",
    )
    assert korean is not None
    assert len(korean.parts) == 2


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("the company did ... pay a dividend", "In May the company did not, as planned, pay a dividend."),
        (
            "회사는 지난해 배당을 … 계획대로 모두 지급하였다",
            "회사는 지난해 배당을 안 하려다가 못 했고 계획대로 모두 지급하였다",
        ),
        ("pay a dividend ... the company did", "the company did later pay a dividend."),
        ("the company ... a dividend", "the company paid a dividend."),
        (
            "the company paid a ... in the year",
            "the company paid a " + "very " * 200 + "large sum in the year",
        ),
    ],
)
def test_an_ellipsis_hides_no_negation_and_joins_no_scraps(quote: str, text: str) -> None:
    assert find_quote(quote, text) is None


def test_all_places_and_the_nearest() -> None:
    text = "Net sales rose. Costs fell. Net sales rose. Net sales rose again."
    assert [match.start for match in MatchIndex(text).matches("net sales rose")] == [0, 28, 44]
    near = find_quote("net sales rose", text, near=30)
    assert near is not None
    assert near.start == 28


def test_text_that_lost_its_spaces_can_still_be_quoted() -> None:
    text = "이사회는지난해오월에회의를열어새로운사업계획을승인하였다"
    assert find_quote("지난해 오월에 회의를 열어", text) is not None


@given(st.text(alphabet="ab가나 -\n.,15%$\u00ad\u200b각'\"…", max_size=40), st.data())
def test_whole_lines_of_any_text_are_found(text: str, data: st.DataObject) -> None:
    words = text.split()
    if not words:
        return
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    quote = " ".join(words[start:end])
    if not any(c.isalnum() for c in quote):
        return
    whole = MatchIndex(" ".join(words))
    for match in whole.matches(quote):
        found = whole.text[match.start : match.end]
        # Whatever is found is the quote: the same letters and digits in the same order.
        for folded, other in ((found, quote), (quote, found)):
            letters = [c for c in unicodedata.normalize("NFC", folded) if c.isalnum()]
            assert letters == [c for c in unicodedata.normalize("NFC", other) if c.isalnum()]


def _sample_pages() -> list[str]:
    import pypdfium2

    pages = [ENGLISH, KOREAN]
    for path in sorted((Path(__file__).parents[2] / "data" / "sample").glob("*.pdf")):
        document = pypdfium2.PdfDocument(path)
        pages += [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in document]
    return pages


def test_mutated_quotes_of_real_pages() -> None:
    """At least 99 in 100 altered quotes are caught, and 99 in 100 merely noisy ones accepted."""
    rng = random.Random(7)
    pages = _sample_pages()
    accepted: Counter[bool] = Counter()
    caught: Counter[bool] = Counter()
    wrong: list[str] = []
    for text in pages:
        index, plain = MatchIndex(text), bare(text)
        words = [word for word in text.split() if len(word) > 1]
        quotes = [text[a:b] for a, b in sentences(text) if 30 < b - a < 400 and len(text[a:b].split()) > 4]
        for quote in rng.sample(quotes, min(len(quotes), 6)):
            for name, noisy in noise(quote, rng):
                accepted[index.find(noisy) is not None] += 1
                wrong += [f"{name}: {noisy!r}"] if index.find(noisy) is None else []
            for name, altered in alterations(quote, words, rng):
                if bare(altered) not in plain:
                    caught[index.find(altered) is None] += 1
                    wrong += [f"{name}: {altered!r}"] if index.find(altered) is not None else []
            elsewhere = rng.choice(pages)
            if bare(quote) not in bare(elsewhere):
                caught[find_quote(quote, elsewhere) is None] += 1
    assert accepted.total() > 20
    assert accepted[True] >= 0.99 * accepted.total(), wrong
    assert caught[True] >= 0.99 * caught.total(), wrong
