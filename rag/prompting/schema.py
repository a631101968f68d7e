"""What a template file may hold, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = ("en", "ko")
Purpose = Literal["answer", "condense", "rewrite", "hypothetical", "split", "rerank"]
"""What a template is for: to answer, to make a follow-up question understandable without the chat, to expand a
search in one of three ways, or to rate passages."""
Filled = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sampling(_Part):
    """How the model draws its words. What is left out is the model's own default."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    stop: tuple[Filled, ...] = Field(default=(), max_length=4)
    """Four at most: the limit of OpenAI's interface."""
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    seed: int | None = None

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for a LangChain chat model: only what is set."""
        given = self.model_dump(exclude_none=True)
        stop = given.pop("stop")
        return {**given, "stop": list(stop)} if stop else given


class ExamplePassage(_Part):
    """A passage of a worked example."""

    file: Filled
    page: int = Field(ge=1)
    text: Filled


class Example(_Part):
    """A worked example: a question, the passages that were found, and the reply one would like."""

    question: Filled
    passages: tuple[ExamplePassage, ...] = Field(min_length=1)
    reply: Filled
    language: Language | None = None
    """Shown only for prompts in this language; for both when left out."""
    keep: bool = False
    """Always among the chosen ones, for what the model must see, such as how to decline."""


class Examples(_Part):
    """Which worked examples go into the prompt."""

    file: Filled | None = None
    """A YAML list of examples, relative to the template."""
    inline: tuple[Example, ...] = ()
    number: int = Field(default=3, ge=0, le=50)
    choose: Literal["fixed", "nearest"] = "fixed"
    """The first ones, or those whose question is most like the question asked."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Examples beyond this many tokens are left out."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (not self.inline):
            raise ValueError("give either `file` or `inline`")
        return self


class Messages(_Part):
    """The two messages of a prompt, with `{variables}`; a literal brace is written twice."""

    system: Filled
    user: Filled


class MessagesByLanguage(_Part):
    """One set of messages for each language; a language that is left out uses the other."""

    en: Messages | None = None
    ko: Messages | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.en is None and self.ko is None:
            raise ValueError("give messages in `en`, in `ko`, or in both")
        return self

    def given(self) -> dict[Language, Messages]:
        return {name: m for name, m in (("en", self.en), ("ko", self.ko)) if m is not None}  # type: ignore[misc]


class TemplateFile(_Part):
    """A template as written in its file."""

    description: Filled
    purpose: Purpose = "answer"
    language: Literal["auto", "en", "ko"] = "auto"
    """`auto` follows the language of the question."""
    output: Literal["quoted", "json"] = "quoted"
    """The form of the reply that `{reply_form}` asks for."""
    sentences: int | None = Field(default=None, ge=1, le=20)
    """How many sentences an answer without a model has at most. A chat model reads the messages instead."""
    sampling: Sampling = Sampling()
    variables: dict[str, str | dict[Language, str]] = Field(default_factory=dict)
    """Variables of one's own, with their values: one text, or one for each language of the messages."""
    examples: Examples | None = None
    messages: MessagesByLanguage
