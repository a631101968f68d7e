"""The JSON forms that other programs rely on, written down a second time: a change must be made in both places."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

Page = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Passage(TypedDict):
    rank: Annotated[int, Field(ge=1)]
    file: str
    page: Page
    page_end: Page
    page_label: str | None
    score: float
    text: str


class Search(TypedDict):
    id: str | None
    question: str
    passages: list[Passage]


class Sentence(TypedDict):
    text: str
    citations: list[int]
    support: Literal["verified", "weak", "unsupported"]


class Citation(TypedDict):
    n: Annotated[int, Field(ge=1)]
    file: str
    page: Page
    quote: str
    verified: bool
    status: Literal["found", "found elsewhere", "altered", "not found"]


class Usage(TypedDict):
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class Near(TypedDict):
    file: str
    page: int
    sentence: str


class Answer(TypedDict):
    question: str
    status: Literal["answered", "abstained"]
    answer: str
    sentences: list[Sentence]
    citations: list[Citation]
    passages: list[Passage]
    nearest: list[Near]
    model: str
    prompt: str
    usage: Usage
    seconds: dict[str, float]
    evidence_score: Share
    confidence: Share | None


class File(TypedDict):
    file: str
    status: str
    reason: str
    pages: int
    searchable_pages: int
    chunks: int


class Status(TypedDict):
    files: list[File]
    totals: dict[str, Any]


def check(form: object, shape: Any) -> Any:
    """`form` when it has every field of `shape` with its type; others may stand beside them."""
    return TypeAdapter(shape).validate_python(form, strict=True) and form
