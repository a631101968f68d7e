"""Documents are untrusted: no text, however strange, makes these functions fail or hang."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.text.alterations import closest
from rag.text.facts import facts, unsupported
from rag.text.keywords import keyword_tokens, query_terms
from rag.text.language import language_of
from rag.text.matching import MatchIndex
from rag.text.sentences import sentences

ODD = st.text(
    alphabet=st.one_of(
        st.characters(exclude_categories=[]),
        st.sampled_from("0123456789.,-%$()'\"… \n\tAa가억만월일다.\u00ad\ufffe\u0301ᄒᆞ\u200b"),
    ),
    max_size=80,
)
HEAPS = [
    "1",
    "1,",
    "1 ",
    "(1) ",
    "a.",
    "A",
    "A ",
    "가",
    "다.",
    "\n",
    "- ",
    "-\n",
    "…",
    '"',
    "(",
    "₩1억 ",
    "\u0301",
    "a-",
    "1년 ",
]


@settings(max_examples=300)
@given(ODD, ODD)
def test_nothing_fails(one: str, other: str) -> None:
    index = MatchIndex(one)
    for match in index.matches(other):
        assert 0 <= match.start < match.end <= len(one)
    nearest = closest(other, index, at_least=0.0)
    assert nearest is None or 0 <= nearest.start < nearest.end <= len(one)
    assert all(fact.text == one[fact.start : fact.end] for fact in facts(one))
    assert all(token and not token.isspace() for token in keyword_tokens(one))
    assert set(query_terms(one)) <= set(keyword_tokens(one))
    assert all(one[a:b] for a, b in sentences(one))
    unsupported(one, other)
    language_of(one)


@pytest.mark.parametrize("piece", HEAPS)
def test_heaps_of_one_thing_are_read_in_reasonable_time(piece: str) -> None:
    text = piece * (30_000 // len(piece))
    assert len(sentences(text)) <= len(text)
    assert len(facts(text)) <= len(text)
    keyword_tokens(text)
    index = MatchIndex(text)
    index.find(text[:200] + "x")
    closest(text[:200] + "x", index)
