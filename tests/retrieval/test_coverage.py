"""The sentence that holds most of a question."""

from __future__ import annotations

from rag.retrieval.hybrid import coverage
from rag.text.keywords import searched_terms


def test_words_together_in_one_sentence_beat_the_same_words_apart() -> None:
    together = "The ferry is old. The harbour closed its northern quay in 1987."
    apart = (
        "The harbour is deep. A northern wind blows. In 1987 the quay was painted. The office closed early."
    )
    best, second = coverage(
        searched_terms("When was the northern quay of the harbour closed?"), [together, apart]
    )
    assert best == 1.0
    assert second < 0.8


def test_a_korean_sentence_is_found_whatever_its_particles() -> None:
    texts = [
        "제15대 총선은 1996년에 치러졌다. 그는 이겼다.",
        "그는 15년 뒤 총선에 나왔다. 20대 의원이 되었다.",
    ]
    shares = coverage(searched_terms("15대 총선이 언제였나요?"), texts)
    assert shares[0] == 1.0 > shares[1]


def test_a_word_that_every_text_holds_tells_them_apart_the_least() -> None:
    texts = ["The ferry sails.", "The ferry sails daily.", "The ferry and its ramp."]
    shares = coverage(searched_terms("ferry ramp"), texts)
    assert shares[2] == 1.0
    assert shares[0] == shares[1] < 0.5


def test_nothing_to_look_for_and_nothing_to_look_at() -> None:
    assert coverage({}, ["text"]) == [0.0]
    assert coverage({"ferry": 1.0}, []) == []
    assert coverage({"ferry": 1.0}, ["", "no such word"]) == [0.0, 0.0]
