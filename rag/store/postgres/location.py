"""`postgresql://USER@HOST/DATABASE?schema=NAME`: taking it apart, and showing it without its password."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from rag import index_location
from rag.errors import MissingExtra, UsageError

SCHEMES = ("postgresql", "postgres")
DEFAULT_SCHEMA = "pagequote"
LONGEST_NAME = 63
"""Bytes of a name that PostgreSQL keeps."""
_NAME = re.compile(r"[^\W\d][\w$-]{0,62}\Z")


@dataclass(frozen=True, slots=True, repr=False)
class Location:
    """Where an index is. It has no repr, because `url` may hold a password."""

    url: str
    """For libpq: without `schema`."""
    schema: str
    shown: str
    """For people: without the password."""

    def scrub(self, text: str) -> str:
        """The text without the password, however it was written."""
        for secret in _secrets(self.url):
            text = text.replace(secret, index_location.HIDDEN)
        return text


def is_postgres(location: object) -> bool:
    """Whether this is the address of a PostgreSQL server and not a folder."""
    return str(location).partition("://")[0].lower() in SCHEMES and "://" in str(location)


def parse(url: str) -> Location:
    """Take an address apart. Raises UsageError."""
    parts = index_location.split_url(url)
    if parts is None:
        raise UsageError(
            "the address of the index cannot be read: percent-encode the password in it (%40 for @, %2F for /, "
            "%23 for #, %3F for ?), or leave it to PGPASSWORD or ~/.pgpass."
        )
    try:
        fields = index_location.url_parameters(parts.query)
    except ValueError:
        raise UsageError(
            "the address of the index cannot be read: write postgresql://USER@HOST:5432/DATABASE?schema=NAME."
        ) from None
    schemas = [value for key, value in fields if key == "schema"]
    schema = schemas[-1] if schemas else DEFAULT_SCHEMA
    if not _NAME.match(schema) or schema.startswith("pg_"):
        raise UsageError(f"{schema!r} cannot be the schema of an index: use letters, digits and _.")
    size = len(schema.encode())
    if size > LONGEST_NAME:  # PostgreSQL would cut it short, and so take it for another one
        raise UsageError(
            f"the schema {schema} has a name of {size} bytes, and PostgreSQL keeps {LONGEST_NAME} (a Korean letter "
            "takes 3): name a shorter one with ?schema=NAME."
        )
    kept = [(key, value) for key, value in fields if key != "schema"]
    plain = f"postgresql://{parts.netloc}{parts.path}{index_location.url_query(kept)}"
    return Location(plain, schema, index_location.redacted(url))


def _secrets(url: str) -> list[str]:
    found = {*index_location.passwords_in(url), os.environ.get("PGPASSWORD", "")} - {""}
    found |= {quote(secret, safe="") for secret in found}
    return sorted(found, key=len, reverse=True)


def driver() -> Any:
    """psycopg, imported when first needed. Raises MissingExtra."""
    try:
        import pgvector  # noqa: F401
        import psycopg
    except ImportError:
        raise MissingExtra("psycopg and pgvector", "postgres", "an index in PostgreSQL") from None
    return psycopg
