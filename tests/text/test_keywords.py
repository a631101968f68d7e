"""Keyword tokens: what must find what."""

from __future__ import annotations

import random
import unicodedata

import pytest
import tantivy

from rag.text.keywords import (
    PARTICLE_WEIGHT,
    indexed_tokens,
    keyword_tokens,
    query_terms,
    searched_terms,
)


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("companies", "The company's report"),
        ("policies and boxes", "policy box"),
        ("1577", "Purchases of PP&E (1,577)"),
        ("PP&E", "Purchases of PP&E (1,577)"),
        ("2018 capital", "FY2018 capital"),
        ("RT-21", "replace the RT21 filter"),
        ("RT21", "the RT-21 filter"),
        ("section 4.2.1", "see Section 4.2.1"),
        ("US trade", "U.S. trade"),
        ("cafe", "Café"),
        ("international", "inter-\nnational"),
        ("international", "inter\u00adnational"),
        ("COVID-19", "covid19"),
        ("10-K", "Form 10-K"),
        ("삼성전자", "삼성전자에서는 새로운"),
        ("대한민국정부의", "대한민국 정부는"),
        ("EBITDA는", "EBITDA가 올랐다"),
        ("일본어", "日本語 일본어로"),
        ("日本語", "これは日本語です"),
        ("ﬁnance ５", "finance 5"),
    ],
)
def test_what_a_question_says_is_a_token_of_the_page(question: str, page: str) -> None:
    assert set(query_terms(question)) & set(keyword_tokens(page))


def test_figures_keep_their_point_and_percent() -> None:
    assert keyword_tokens("12.5% of 1,234,567.89") == ["12.5%", "12.5", "of", "1234567.89"]


@pytest.mark.parametrize(
    ("question", "page", "token"),
    [
        ("15대 총선은?", "제15대 국회의원 총선거", "15대"),
        ("제7조가 정하는 것은?", "제7조(휴가) 직원은", "7조"),
        ("1,200명이 모인 곳은?", "1200명 가량이", "1200명"),
        ("서울2호선", "2호선으로 갈아탄다", "2호"),
    ],
)
def test_a_count_is_found_with_its_unit(question: str, page: str, token: str) -> None:
    assert searched_terms(question)[token] == 1.0
    assert token in indexed_tokens(page)


def test_a_particle_after_a_number_is_no_unit() -> None:
    assert searched_terms("A4와 7은 같은가?").keys() == query_terms("A4와 7은 같은가?").keys()
    assert set(searched_terms("v1.2는 무엇인가?")) <= set(indexed_tokens("v1.2는"))


def test_hangul_becomes_bigrams_at_script_boundaries() -> None:
    assert keyword_tokens("2023년 전기차") == ["2023", "년", "전기", "기차"]
    assert keyword_tokens(unicodedata.normalize("NFD", "전기차")) == ["전기", "기차"]


def test_stop_words_and_question_words_are_left_out_of_queries_only() -> None:
    assert "the" in keyword_tokens("the ferry")
    assert list(query_terms("What is the ferry?")) == ["ferry"]
    assert list(query_terms("요금은 얼마입니까?")) == ["요금", "금은"]
    assert list(query_terms("What is it?")) == ["what", "is", "it"]


def test_bigrams_that_reach_into_a_particle_weigh_less() -> None:
    assert query_terms("박물관에서") == {
        "박물": 1.0,
        "물관": 1.0,
        "관에": PARTICLE_WEIGHT,
        "에서": PARTICLE_WEIGHT,
    }


def test_tokens_hold_no_white_space() -> None:
    rng = random.Random(1)
    text = "".join(rng.choice("aZ9 \n\u3000가각漢ア.,-'/&%\u00ad\u200b") for _ in range(5000))
    assert all(token and not any(c.isspace() for c in token) for token in keyword_tokens(text))


def test_they_work_as_an_index_with_a_white_space_tokeniser() -> None:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="freq")
    builder.add_integer_field("page", stored=True)
    schema = builder.build()
    index = tantivy.Index(schema)
    writer = index.writer(15_000_000, 1)
    pages = [
        "한여울동 도서관은 월요일에 쉽니다.",
        "가람천의 수온은 낮아졌다.",
        "The library's opening hours are long.",
    ]
    for number, page in enumerate(pages):
        writer.add_document(tantivy.Document(text=" ".join(keyword_tokens(page)), page=number))
    writer.commit()
    index.reload()
    searcher = index.searcher()
    for question, expected in (
        ("도서관의 휴관일은?", 0),
        ("수온이 어떻게 되었는가", 1),
        ("Which libraries open?", 2),
    ):
        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(schema, "text", token, "freq"))
            for token in query_terms(question)
        ]
        hits = searcher.search(tantivy.Query.boolean_query(terms), 1).hits
        assert searcher.doc(hits[0][1])["page"] == [expected]
