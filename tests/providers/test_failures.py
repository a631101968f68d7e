"""What goes wrong becomes one sentence, is tried again when that can help, and never shows a key."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from rag.errors import (
    AuthenticationFailed,
    BadResponse,
    ContextTooLong,
    ModelNotFound,
    ProviderError,
    ProviderTimeout,
    RateLimited,
    ServerUnreachable,
)
from rag.providers.failures import scrub
from rag.providers.pacing import RateLimiter, Retry
from rag.providers.registry import chat_model, embedding_model
from rag.providers.specs import patience
from rag.settings import load_settings
from tests.providers.support import AT_ONCE, CHAT, EMBEDDINGS, settings_for
from tests.servers.openai_server import KEY, Fault, OpenAIServer

REPLY = "The bridge was opened to traffic in October of that year."
OUTCOMES = [
    ("401", AuthenticationFailed, 1, "OPENAI_API_KEY"),
    ("404", ModelNotFound, 1, "does not know the model"),
    ("context", ContextTooLong, 1, "too long"),
    ("429", RateLimited, 4, "slow down"),
    ("500", ServerUnreachable, 4, "try again later"),
    ("503", ServerUnreachable, 4, "try again later"),
    ("refuse", ServerUnreachable, 4, "broke off"),
    ("drop", ServerUnreachable, 4, "broke off"),
    ("bad-json", BadResponse, 4, "JSON"),
    ("html", BadResponse, 1, "HTML"),
    ("not-http", BadResponse, 1, "no HTTP"),
]


def calls() -> dict[str, Callable[[Any], Any]]:
    return {
        "invoke": lambda settings: chat_model(CHAT, settings, retry=AT_ONCE).invoke("Well?").text,
        "embed": lambda settings: embedding_model(EMBEDDINGS, settings, retry=AT_ONCE, dimension=64).embed(
            ["a"]
        ),
    }


@pytest.mark.parametrize("how", ["invoke", "embed"])
@pytest.mark.parametrize(("kind", "error", "tries", "words"), OUTCOMES)
def test_a_failure_for_good(how: str, kind: str, error: type[ProviderError], tries: int, words: str) -> None:
    with OpenAIServer(reply=REPLY, faults=lambda _: Fault(kind, retry_after="0")) as server:
        with pytest.raises(error, match=words) as caught:
            calls()[how](settings_for(server))
        assert len(server.requests) == tries
    assert "\n" not in str(caught.value)
    written = "".join(traceback.format_exception(caught.value))
    assert KEY not in written
    assert KEY[-8:] not in written


@pytest.mark.parametrize("how", ["invoke", "embed"])
@pytest.mark.parametrize("kind", ["429", "500", "503", "refuse", "drop", "cut", "bad-json"])
def test_a_passing_failure_is_overcome(how: str, kind: str) -> None:
    faults = [Fault(kind, retry_after="0"), Fault(kind), None]
    with OpenAIServer(reply=REPLY, faults=faults) as server:
        result = calls()[how](settings_for(server))
        assert len(server.requests) == 3
    assert result == REPLY if how == "invoke" else result.shape == (1, 64)


@pytest.mark.parametrize("how", ["invoke", "embed"])
def test_a_hanging_server_is_given_up_on(how: str) -> None:
    with OpenAIServer(reply=REPLY, faults=lambda _: Fault("hang")) as server:
        with pytest.raises(ProviderTimeout, match="RAG_PATIENCE"):
            calls()[how](settings_for(server, timeout=0.15))
        for _ in range(500):  # the server may still be reading what was given up on
            if len(server.requests) == 4:
                break
            time.sleep(0.01)
        assert len(server.requests) == 4


def test_patience_ends_the_tries_and_each_further_one_is_told() -> None:
    told: list[str] = []
    with OpenAIServer(faults=lambda _: Fault("hang")) as server:
        settings = settings_for(server, timeout=0.1, patience=0.25)
        with pytest.raises(ProviderTimeout):
            chat_model(CHAT, settings, notify=told.append).invoke("Well?")
        assert told == []  # the next pause would have ended after the patience
    with OpenAIServer(reply=REPLY, faults=[Fault("500"), Fault("429", retry_after="0.01")]) as server:
        assert chat_model(CHAT, settings_for(server), notify=told.append).invoke("Well?").text == REPLY
        host = server.base_url
    assert [line.count(host) for line in told] == [1, 1]
    assert [line[-9:] for line in told] == ["(2 of 7).", "(3 of 7)."]


@pytest.mark.parametrize(
    ("flags", "url", "expected"),
    [
        ({}, None, (30.0, 60.0)),
        ({}, "https://models.example/v1", (30.0, 60.0)),
        ({}, "http://127.0.0.1:8080/v1", (150.0, 300.0)),
        ({"timeout": 90.0}, None, (90.0, 90.0)),
        ({"patience": 20.0}, "http://localhost:11434/v1", (10.0, 20.0)),
    ],
)
def test_patience_by_server_and_setting(
    flags: dict[str, object], url: str | None, expected: tuple[float, float]
) -> None:
    assert patience(load_settings(flags, env={}, dotenv_path=None), url) == expected


def test_no_server_at_all() -> None:
    with OpenAIServer() as server:
        settings = settings_for(server)
    with pytest.raises(ServerUnreachable, match="cannot be reached"):
        chat_model(CHAT, settings, retry=AT_ONCE).invoke("Well?")


@pytest.mark.parametrize("kind", ["cut", "bad-json"])
def test_a_stream_that_breaks_after_words_were_shown_is_an_error(kind: str) -> None:
    with OpenAIServer(reply=REPLY, faults=[Fault(kind)]) as server:
        model = chat_model(CHAT, settings_for(server), retry=AT_ONCE)
        shown: list[str] = []
        with pytest.raises((ServerUnreachable, BadResponse)):
            shown.extend(piece.text for piece in model.stream("Well?"))
        assert REPLY.startswith("".join(shown))
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["drop", "500", "429"])
def test_a_stream_that_fails_before_its_first_word_starts_again(kind: str) -> None:
    with OpenAIServer(reply=REPLY, faults=[Fault(kind, retry_after="0"), None]) as server:
        model = chat_model(CHAT, settings_for(server), retry=AT_ONCE)
        assert "".join(piece.text for piece in model.stream("Well?")) == REPLY


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [("7", 7, 8), ("0", 0, 1), ("0.25", 0.25, 1), (None, 0.25, 0.5), ("soon", 0.25, 0.5)],
)
def test_the_pause_is_the_servers_when_it_asks_for_one(
    monkeypatch: pytest.MonkeyPatch, given: str | None, least: float, most: float
) -> None:
    pauses: list[float] = []
    with OpenAIServer(reply=REPLY, faults=[Fault("429", retry_after=given), None]) as server:
        model = chat_model(CHAT, settings_for(server), retry=Retry(3, first=0.5))
        monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
        assert model.invoke("Well?").text == REPLY
    assert len(pauses) == 1
    assert least <= pauses[0] <= most


def test_a_date_in_retry_after_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    when = formatdate(time.time() + 50, usegmt=True)
    with OpenAIServer(reply=REPLY, faults=[Fault("429", retry_after=when), None]) as server:
        model = chat_model(CHAT, settings_for(server), retry=Retry(3))
        monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
        model.invoke("Well?")
    assert 40 < pauses[0] < 52


def test_nobody_waits_for_hours() -> None:
    with OpenAIServer(reply=REPLY, faults=lambda _: Fault("429", retry_after="7200")) as server:
        with pytest.raises(RateLimited) as caught:
            chat_model(CHAT, settings_for(server), retry=AT_ONCE).invoke("Well?")
        assert len(server.requests) == 1
    assert caught.value.retry_after == 7200


def test_pauses_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    with OpenAIServer(faults=lambda _: Fault("503")) as server:
        model = chat_model(CHAT, settings_for(server), retry=Retry(6, first=0.5, longest=4.0))
        monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
        with pytest.raises(ServerUnreachable):
            model.invoke("Well?")
    assert len(pauses) == 6
    for pause, full in zip(pauses, [0.5, 1, 2, 4, 4, 4], strict=True):
        assert full / 2 <= pause <= full
    assert len(set(pauses)) == 6


def test_limits_a_minute_hold_requests_and_tokens_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr("rag.providers.pacing.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("rag.providers.pacing.time.sleep", sleep)
    by_requests = RateLimiter(rpm=2)
    for _ in range(4):
        by_requests.acquire(1)
    assert sum(slept) == pytest.approx(60.0)
    slept.clear()
    by_tokens = RateLimiter(tpm=600)
    for _ in range(3):
        by_tokens.acquire(600)
    assert sum(slept) == pytest.approx(120.0)
    slept.clear()
    RateLimiter(tpm=600).acquire(5000)  # larger than the bucket: full is enough
    assert slept == []


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        "Incorrect API key provided: sk-proj-abcDEF123456_xyz-789.",
        "Authorization: Bearer abcdef0123456789",
        "key 0123456789abcdef0123456789abcdef is wrong",
        "hf_AbCdEfGhIjKl is not allowed",
        "sk-abc***************xyz9",
    ],
)
def test_scrubbing_hides_what_is_or_looks_like_a_key(text: str) -> None:
    hidden = scrub(text, ["another-secret"])
    assert "***" in hidden
    for word in ("5f2b0c9e", "abcDEF", "abcdef0123", "0123456789abcdef", "AbCdEf", "xyz9"):
        assert word not in hidden
    assert scrub("with another-secret inside", ["another-secret"]) == "with *** inside"
    assert scrub("unknown key k, (k)", ["k"]) == "unknown key ***, (***)"
    assert scrub("모르는 비밀 비밀번호", ["비밀"]) == "모르는 *** 비밀번호"
    assert scrub("nothing of the kind, sk and task-force") == "nothing of the kind, sk and task-force"
