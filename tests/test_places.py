"""Where an index is kept: what is shown of it, and where its small files go."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import places
from rag.settings import load_settings

SECRET = "pa ss:wörd"
URLS = [
    "postgresql://reader:pa%20ss%3Aw%C3%B6rd@db.example/docs",
    "postgresql://db.example/docs?user=reader&password=pa%20ss%3Aw%C3%B6rd&schema=team",
    "postgresql://reader@db.example:5432/docs?sslpassword=pa%20ss%3Aw%C3%B6rd",
]


@pytest.mark.parametrize("url", URLS)
def test_a_password_is_never_shown(url: str) -> None:
    text = places.shown(url)
    assert "ss" not in text.replace("sslmode", "")
    assert "db.example" in text
    assert "docs" in text
    assert SECRET in places.passwords_of(url)
    assert SECRET in load_settings({"index": url}, env={}, dotenv_path=None).secrets()


@pytest.mark.parametrize("url", URLS)
def test_what_is_shown_leads_to_the_same_folder(url: str) -> None:
    assert places.state_folder(places.shown(url)) == places.state_folder(url)
    assert places.shown(places.shown(url)) == places.shown(url)


def test_a_folder_is_its_own_place() -> None:
    settings = load_settings({"index": "docs/.rag"}, env={}, dotenv_path=None)
    assert settings.folder == Path("docs/.rag")
    assert settings.shown_index == "docs/.rag"


def test_who_asks_does_not_change_where_receipts_are_kept() -> None:
    first = places.state_folder("postgresql://anna:one@db.example/docs")
    assert places.state_folder("postgresql://anna:two@db.example/docs") == first
    assert places.state_folder("postgresql://db.example/docs") == first
    assert places.state_folder("postgresql://db.example/others") != first


def test_two_schemas_of_a_database_are_two_places() -> None:
    assert places.state_folder("postgresql://h/d?schema=a") != places.state_folder(
        "postgresql://h/d?schema=b"
    )
