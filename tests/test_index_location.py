"""Where an index is kept: what is shown of it, and where its small files go."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import pq

from rag import index_location
from rag.errors import RagError, UsageError
from rag.settings import load_settings
from rag.store import open_index
from rag.store.postgres.location import parse

SECRET = "pa ss:wörd"
URLS = [
    "postgresql://reader:pa%20ss%3Aw%C3%B6rd@db.example/docs",
    "postgresql://db.example/docs?user=reader&password=pa%20ss%3Aw%C3%B6rd&schema=team",
    "postgresql://reader@db.example:5432/docs?sslpassword=pa%20ss%3Aw%C3%B6rd",
]


@pytest.mark.parametrize("url", URLS)
def test_a_password_is_never_shown(url: str) -> None:
    text = index_location.redacted(url)
    assert "ss" not in text.replace("sslmode", "")
    assert "db.example" in text
    assert "docs" in text
    assert SECRET in index_location.passwords_in(url)
    assert SECRET in load_settings({"index": url}, env={}, dotenv_path=None).secrets()


@pytest.mark.parametrize("url", URLS)
def test_what_is_shown_leads_to_the_same_folder(url: str) -> None:
    assert index_location.state_folder(index_location.redacted(url)) == index_location.state_folder(url)
    assert index_location.redacted(index_location.redacted(url)) == index_location.redacted(url)


def test_a_folder_is_its_own_place() -> None:
    settings = load_settings({"index": "docs/.rag"}, env={}, dotenv_path=None)
    assert settings.folder == Path("docs/.rag")
    assert settings.shown_index == "docs/.rag"


def test_who_asks_does_not_change_where_usage_is_logged() -> None:
    first = index_location.state_folder("postgresql://anna:one@db.example/docs")
    assert index_location.state_folder("postgresql://anna:two@db.example/docs") == first
    assert index_location.state_folder("postgresql://db.example/docs") == first
    assert index_location.state_folder("postgresql://db.example/others") != first


def test_two_schemas_of_a_database_are_two_places() -> None:
    assert index_location.state_folder("postgresql://h/d?schema=a") != index_location.state_folder(
        "postgresql://h/d?schema=b"
    )


# -- passwords that an address does not hold as it should ---------------------------------------------------

FIRST, LAST = "ㄱㄴ", "ㄹㅁ"
"""The ends of a password that is looked for: letters that stand in no address and no message."""

AWKWARD = "/?#@:%&=+ ;[]\\'\"!0ab2F4\t한：é"
UNESCAPED = [
    "postgresql://user:pa/ssw0rt@127.0.0.1:1/db",
    "postgresql://user:pa#ssw0rt@127.0.0.1:1/db",
    "postgresql://user:pa?ssw0rt@127.0.0.1:1/db",
    "postgresql://u:pa@ssw0rt@127.0.0.1:1/db",
    "postgresql://127.0.0.1:1/db?password=pa@ssw0rt",
    "postgresql://127.0.0.1:1/db?password=pa#ssw0rt",
    "postgresql://user:pa[ssw0rt@127.0.0.1:1/db",
    "postgresql://user:pa\tssw0rt@127.0.0.1:1/db",
    "postgresql://user:pa：ssw0rt@127.0.0.1:1/db",
]


@pytest.mark.parametrize("url", UNESCAPED)
def test_an_address_whose_password_may_end_anywhere_is_not_shown_and_not_used(url: str) -> None:
    assert index_location.redacted(url) == "postgresql://****"
    assert any(found in url and "ssw0rt" in found for found in index_location.passwords_in(url))
    with pytest.raises(UsageError, match=r"percent-encode the password .*%40 for @, %2F for /") as caught:
        open_index(url)
    assert "ssw0rt" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"]
)
def test_every_secret_parameter_is_hidden(name: str) -> None:
    url = f"postgresql://db.example/docs?{name}=hidden%20one&passfile=/home/me/pass"
    assert index_location.redacted(url) == "postgresql://db.example/docs?passfile=%2Fhome%2Fme%2Fpass"
    assert index_location.passwords_in(url) == ["hidden%20one", "hidden one"]


def test_a_password_that_is_not_utf_8_is_one_sentence_without_it() -> None:
    with pytest.raises(UsageError) as caught:
        open_index("postgresql://user:0%a0@127.0.0.1:1/db")
    assert "0%a0" not in str(caught.value)


@settings(max_examples=400)
@given(
    st.one_of(st.text(AWKWARD), st.text()),
    st.sampled_from(["written", "escaped"]),
    st.sampled_from(
        [
            "postgresql://user:{}@127.0.0.1:1/db",
            "postgres://user:{}@127.0.0.1:1/db?schema=x&sslmode=disable",
            "postgresql://user:{}@/db?host=127.0.0.1&port=1",
            "postgresql://127.0.0.1:1/db?user=user&password={}",
            "postgresql://127.0.0.1:1/db?sslpassword={}&connect_timeout=2",
        ]
    ),
)
def test_no_end_of_a_password_is_ever_shown_or_told(middle: str, how: str, address: str) -> None:
    password = f"{FIRST}{middle}{LAST}"
    written = password if how == "written" else quote(password, safe="", errors="replace")
    url = address.format(written)
    told = [index_location.redacted(url)]
    for attempt in (parse, open_index):
        try:
            attempt(url)
        except RagError as error:
            told.append(str(error))
    for text in told:
        for secret in (FIRST, LAST, quote(FIRST), quote(LAST)):
            assert secret not in text


def test_a_plus_is_no_blank() -> None:
    found = parse("postgresql://h/d?application_name=a+b&options=-c%20jit=off&password=x+y%FF")
    values = {
        option.keyword: option.val
        for option in pq.Conninfo.parse(found.url.encode())
        if option.val is not None
    }
    assert values[b"application_name"] == b"a+b"
    assert values[b"options"] == b"-c jit=off"
    assert values[b"password"] == b"x+y\xff"
    assert found.shown == "postgresql://h/d?application_name=a%2Bb&options=-c%20jit%3Doff"
