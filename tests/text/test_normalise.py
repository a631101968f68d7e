"""Normalisation keeps the way back to the source."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from rag.text.normalise import MappedText, display_name, plain_form

SAMPLE = st.text(alphabet="ab 가각한ᄒᆞ가ㅎㅏㄴﬁｶﾞé\u0301\u200b\u00ad㈜Ⅴ½²\n-", max_size=60)


def test_ligatures_and_width_forms_point_to_their_character() -> None:
    mapped = MappedText.of("The ﬁnal ５％").fold_forms()
    assert mapped.text == "The final 5%"
    assert mapped.source_span(4, 9) == (4, 8)
    assert mapped.source_span(5, 6) == (4, 5)


def test_meaningful_forms_are_kept() -> None:
    assert [plain_form(c) for c in "²½①™"] == list("²½①™")
    assert [plain_form(c) for c in "㈜㎡Ⅷﬃ５"] == ["(주)", "m²", "VIII", "ffi", "5"]


def test_hangul_is_composed_from_either_kind_of_jamo() -> None:
    assert MappedText.of(unicodedata.normalize("NFD", "한글")).compose().text == "한글"
    assert MappedText.of("ㅎㅏㄴㄱㅡㄹ가").compose().text == "한글가"
    assert MappedText.of("ﾡￂ").fold_forms().text == "가"
    assert MappedText.of("ㄱ은 자음이다").compose().text == "ㄱ은 자음이다"


def test_operations_chain_back_to_the_source() -> None:
    source = "Head\r\nThe inter-\nnational ﬁrm\u200b."
    mapped = MappedText.of(source).remove_invisible().fold_forms()
    mapped = mapped.sub(re.compile(r"-\n"), "").sub(re.compile(r"\s+"), " ").sub(re.compile("^Head "), "")
    assert mapped.text == "The international firm."
    start = mapped.text.index("international firm")
    assert source[slice(*mapped.source_span(start, start + 18))] == "inter-\nnational ﬁrm"


@given(SAMPLE)
def test_spans_never_go_backwards_and_cover_what_they_stand_for(source: str) -> None:
    mapped = MappedText.of(source).remove_invisible().compose().fold_forms()
    assert len(mapped.origin) == len(mapped.until) == len(mapped.text)
    assert list(mapped.origin) == sorted(mapped.origin)
    assert list(mapped.until) == sorted(mapped.until)
    for start, end in zip(mapped.origin, mapped.until, strict=True):
        assert 0 <= start < end <= len(source)


@given(SAMPLE)
def test_plain_composition_agrees_with_the_standard(source: str) -> None:
    without_compatibility_jamo = re.sub("[ㄱ-ㅣ]", "", source)
    composed = MappedText.of(without_compatibility_jamo).compose().text
    assert composed == unicodedata.normalize("NFC", without_compatibility_jamo)


def test_display_names_are_composed_and_clean() -> None:
    assert display_name(unicodedata.normalize("NFD", "사업보고서\u202e.pdf")) == "사업보고서.pdf"
