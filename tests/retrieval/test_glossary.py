"""From the words people ask with to the words pages print."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import SettingsError
from rag.retrieval.glossary import load_glossary


def test_what_is_asked_brings_what_is_printed() -> None:
    assert any(
        "purchases of property" in printed for printed in load_glossary().expand("What was the CapEx?")
    )


def test_a_word_within_another_is_not_asked() -> None:
    assert not load_glossary().expand("Who wrote the escapexy novel?")


def test_korean_terms_may_carry_a_particle() -> None:
    assert any("차입금" in printed for printed in load_glossary().expand("부채는 늘었나요?"))


def test_own_entries_join_the_shipped_ones(tmp_path: Path) -> None:
    own = tmp_path / "words.yaml"
    own.write_text("- asked: [굴리기]\n  printed: 이송 장치\n", encoding="utf-8")
    glossary = load_glossary(own)
    assert glossary.expand("굴리기를 멈추려면?") == ("이송 장치",)
    assert glossary.expand("what was the capex?")


@pytest.mark.parametrize("content", ["asked: no list", "- printed: only", "- [", "- 3"])
def test_a_wrong_glossary_is_one_sentence_that_names_it(tmp_path: Path, content: str) -> None:
    own = tmp_path / "words.yaml"
    own.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"words\.yaml"):
        load_glossary(own)


def test_a_missing_glossary_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        load_glossary(tmp_path / "nowhere.yaml")
