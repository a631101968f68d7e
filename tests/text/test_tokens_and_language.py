"""Token counts come without a network; languages are told by their scripts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rag.text.language import language_of
from rag.text.tokens import count_many, count_tokens, encoding_for


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    encoding_for.cache_clear()


def test_known_counts_of_cl100k() -> None:
    # From OpenAI's cookbook on counting tokens with tiktoken (cl100k_base).
    assert count_tokens("antidisestablishmentarianism", "openai:gpt-4") == 6
    assert count_tokens("2 + 2 = 4", "gpt-4") == 7
    assert count_tokens("お誕生日おめでとう", "openai:text-embedding-3-small") == 9


def test_which_counts_are_exact() -> None:
    assert encoding_for("openai:text-embedding-3-small").exact
    assert encoding_for("azure:gpt-35-turbo").exact
    assert encoding_for("openai:ft:gpt-4:org:name:id").exact
    assert not encoding_for("openai:gpt-4o-mini").exact
    assert not encoding_for("ollama:exaone3.5:2.4b").exact
    assert not encoding_for("azure:my-deployment").exact


def test_a_damaged_cache_is_not_trusted(tmp_path: Path) -> None:
    import hashlib

    address = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
    (tmp_path / hashlib.sha1(address.encode()).hexdigest()).write_bytes(b"not a vocabulary")
    assert not encoding_for("openai:gpt-4o").exact
    assert count_tokens("hello", "openai:gpt-4o") == 1


def test_many_at_once_and_markup_as_text() -> None:
    texts = ["hello world", "", "안녕하세요", "<|endoftext|>"]
    assert count_many(texts, "gpt-4") == [count_tokens(text, "gpt-4") for text in texts]
    assert count_tokens("<|endoftext|>", "gpt-4") > 1


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("2023년 EBITDA는?", "ko"),
        ("SK hynix의 HBM3E 매출은 FY2024에 얼마인가", "ko"),
        ("휴가는 며칠인가요?", "ko"),
        ("What does 대한민국 mean?", "en"),
        ("How long is the ferry?", "en"),
        ("Café opening hours for the museum", "en"),
        ("これは日本語です", "other"),
        ("Где находится музей?", "other"),
        ("Größe über Straße für Bürger", "other"),
        ("12 + 34", "other"),
        ("", "other"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert language_of(text) == language
