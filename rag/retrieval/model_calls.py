"""Asks the chat model for help with a search, by a prompt template, and says what that took.

Every reader gives None for a reply that holds nothing of the kind, and nothing that was read is trusted: it only
decides what is searched for, or in which order real passages stand.
"""

from __future__ import annotations

import json
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rag.errors import UsageError
from rag.messages import Language, message, usage_text
from rag.prompting.catalogue import load_template
from rag.providers.calls import prompt_tokens
from rag.providers.pacing import InterruptiblePool
from rag.providers.specs import DEFAULT_REPLY_TOKENS, parse_spec
from rag.text.keywords import query_terms
from rag.text.language import language_of
from rag.text.patterns import lazy_compile
from rag.types import Usage
from rag.usage.meter import UsageTotal, counting_usage

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from rag.prompting.template import Template
    from rag.prompting.template_file import Purpose
    from rag.providers.chat import GuardedChat


MOST_QUERIES = 5
MOST_PARTS = 4
TOP_RATING = 10.0
_QUERY_CHARACTERS = 300
_PASSAGE_CHARACTERS = (20, 1500)
_TAGS = r"think|thinking|thought|reasoning"
# some servers leave out the opening tag, some cut the closing one
_THINKING = lazy_compile(rf"\A.*</(?:{_TAGS})>|<(?:{_TAGS})>.*\Z", re.S | re.I)
_FENCE = lazy_compile(r"^\s*```\w*\s*$", re.M)
_MARKER = lazy_compile(r"^\s*(?:[-*•·‣]|\(?\d{1,2}\s*[.):]|[①-⑩]|\*\*\d{1,2}[.)]\*\*)\s+(?=\S)|^\s*[①-⑩]")
_LABEL = lazy_compile(
    r"^(?:(?:sub-?)?(?:question|query|search|passage|answer|part)|질문|검색어?|질의|구절|답변?)"
    r"\s*\d{0,2}\s*[::]\s*",
    re.I,
)
_QUOTES = " \t\"'“”‘’`*「」『』"
_RATING = lazy_compile(
    r"^\W*(?:passage|구절|지문)?\s*\[?\s*(\d{1,3})\s*\]?[^\w>]{1,6}"
    r"(?:(?:rating|score|점수)\s*[:=]?\s*)?(\d{1,3}(?:\.\d+)?)(?!\d)",
    re.I,
)


def read_queries(reply: str, question: str) -> tuple[str, ...] | None:
    """Other ways to search for `question`, at most `MOST_QUERIES`; empty when it was only repeated."""
    items = _items(reply, question)
    return _distinct(items, question)[:MOST_QUERIES] if items else None


def read_parts(reply: str, question: str) -> tuple[str, ...] | None:
    """The questions that `question` consists of, at most `MOST_PARTS`; empty when it asks for one thing."""
    items = _items(reply, question)
    if not items:
        return None
    parts = _distinct(items, question)[:MOST_PARTS]
    return parts if len(parts) > 1 else ()


def read_passage(reply: str, question: str) -> tuple[str, ...] | None:
    """The passage that a model made up, cut to a sensible length, as a tuple of one.

    A text that shares no word with the question is none: refusals and remarks are told by that.
    """
    text = " ".join(_LABEL.sub("", _bare(reply).strip(_QUOTES + "\n")).split())
    least, most = _PASSAGE_CHARACTERS
    return (text[:most],) if len(text) >= least and _shares_word(text, question) else None


def read_ratings(reply: str, count: int) -> dict[int, float] | None:
    """Ratings from 0 to 10 by passage number from 1 to `count`; what was not rated is left out.

    Lines such as `1: 7`, `[1] 7/10` or `구절 1: 7점` are read, a JSON object of numbers or list of objects, and a
    JSON list of exactly `count` numbers.
    """
    text = _bare(reply)
    found = (_RATING.match(line) for line in re.split(r"[\n;,]", text))
    lines = [(int(match[1]), float(match[2])) for match in found if match]
    # one form can look like a little of the other, such as `[1]: 7`
    pairs = max(lines, _rated_json(_json(text), count), key=len)
    ratings: dict[int, float] = {}
    for number, rating in pairs:
        if 1 <= number <= count and 0 <= rating <= TOP_RATING:
            ratings.setdefault(number, rating)
    return ratings or None


# -- lists of texts -----------------------------------------------------------------------------------------------


def _items(reply: str, question: str) -> list[str]:
    """The entries of a list. Lines without a mark are entries only when they share a word with the question."""
    text = _bare(reply)
    listed = _strings(_json(text))
    if not listed:
        lines = [line for line in text.splitlines() if line.strip()]
        marked = [line for line in lines if _MARKER.match(line)]
        listed = marked or [
            line for line in lines if not line.rstrip().endswith((":", ":")) and _shares_word(line, question)
        ]
    longest = max(_QUERY_CHARACTERS, 2 * len(question))
    cleaned = (_LABEL.sub("", _MARKER.sub("", item).strip(_QUOTES)).strip(_QUOTES) for item in listed)
    return [
        item
        for item in cleaned
        if 1 < len(item) <= longest and any(map(str.isalnum, item)) and query_terms(item)
    ]


def _strings(value: Any) -> list[str]:
    """The texts of a JSON list, or of the first list in a JSON object."""
    if isinstance(value, dict):
        value = next((inner for inner in value.values() if isinstance(inner, list)), None)
    if not isinstance(value, list):
        return []
    return [" ".join(item.split()) for item in value if isinstance(item, str)]


def _distinct(items: Iterable[str], question: str) -> tuple[str, ...]:
    """The items without those that repeat the question or an earlier one."""
    seen = {_folded(question)}
    kept = []
    for item in items:
        if (folded := _folded(item)) not in seen:
            seen.add(folded)
            kept.append(item)
    return tuple(kept)


def _folded(text: str) -> str:
    return re.sub(r"\W+", "", unicodedata.normalize("NFKC", text).casefold())


def _shares_word(text: str, question: str) -> bool:
    return bool(query_terms(text).keys() & query_terms(question).keys())


# -- ratings ------------------------------------------------------------------------------------------------------


def _rated_json(value: Any, count: int) -> list[tuple[int, float]]:
    if isinstance(value, dict):
        nested = next((inner for inner in value.values() if isinstance(inner, list | dict)), None)
        if nested is not None:
            return _rated_json(nested, count)
        return [pair for name, rating in value.items() if (pair := _pair(name, rating))]
    if not isinstance(value, list):
        return []
    if len(value) == count and all(_number(rating) is not None for rating in value):
        return [(number, float(rating)) for number, rating in enumerate(value, 1)]
    objects = (list(entry.values()) for entry in value if isinstance(entry, dict))
    return [pair for entry in objects if len(entry) >= 2 and (pair := _pair(entry[0], entry[1]))]


def _pair(name: object, rating: object) -> tuple[int, float] | None:
    number, value = re.search(r"\d{1,3}", str(name)), _number(rating)
    return (int(number[0]), value) if number and value is not None else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


# -- both ---------------------------------------------------------------------------------------------------------


def _bare(reply: str) -> str:
    """The reply without the thoughts before it and without code fences."""
    return _FENCE.sub("", _THINKING.sub("", reply)).strip()


def _json(text: str) -> Any:
    """The JSON value in a text, if there is one from its first bracket to its last."""
    starts = [at for at in (text.find("["), text.find("{")) if at >= 0]
    if not starts:
        return None
    start = min(starts)
    end = text.rfind("]" if text[start] == "[" else "}")
    try:
        return json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None


S = TypeVar("S")
T = TypeVar("T")
_PARALLEL = 4
"""Calls under way at once, at most."""
_SLACK = 64
"""Tokens of the context left free, since counts are estimates for most models."""


@dataclass(frozen=True, slots=True)
class ModelStep:
    """What one step of a search with a model took."""

    step: Purpose
    model: str
    usage: Usage
    seconds: float


def model_step_note(model_step: ModelStep, language: Language) -> str:
    """What a step took: the model, its tokens and their price when it was paid, and the time."""
    usage = model_step.usage
    parts = []
    if usage.calls:
        parts.append(usage_text(usage, language))
    if usage.cached_calls:
        parts.append(message("answer.cached", language, count=usage.cached_calls))
    parts.append(message("answer.seconds", language, seconds=model_step.seconds))
    step = message(f"search.step_{model_step.step}", language)
    return message("search.step", language, step=step, model=model_step.model, usage=", ".join(parts))


def measured(step: Purpose, model: str, work: Callable[[], T]) -> tuple[T, ModelStep]:
    """The outcome of `work` with the calls that it made in this thread and those that copy its context."""
    began = time.perf_counter()
    with counting_usage(UsageTotal()) as total:
        done = work()
    return done, ModelStep(step, model, total.total, time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class PromptedModel:
    """A chat model with the templates it is asked by."""

    model: GuardedChat
    prompts_dir: str | None = None
    """The user's templates, which hide the shipped ones of the same name."""

    def at_once(self, work: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """`work` for each item, in order, as many at once as the model bears; calls are booked where this is."""
        # a model in this process shares its cores between calls, and each would only come nearer to its time limit
        parallel = 1 if parse_spec(self.model.spec).provider in ("gguf", "hf") else _PARALLEL
        with InterruptiblePool(max_workers=parallel) as pool:
            return list(pool.map(work, items))

    def ask(self, purpose: Purpose, question: str, **filled: str) -> str:
        """The reply to the template named like its purpose. Raises ProviderError, BudgetReached, UsageError."""
        template = self._template(purpose)
        bound = self.model.bind(**template.sampling.arguments())
        return bound.invoke(self._messages(template, question, filled)).text

    def room(self, purpose: Purpose, question: str, **filled: str) -> int:
        """Tokens that may still be filled into the prompt of `ask`; it can be negative."""
        template = self._template(purpose)
        asked = prompt_tokens(self._messages(template, question, filled), self.count_tokens)
        reply = template.sampling.max_tokens or DEFAULT_REPLY_TOKENS
        return self.model.context_tokens - asked - reply - _SLACK

    def count_tokens(self, text: str) -> int:
        return self.model.get_num_tokens(text)

    def _template(self, purpose: Purpose) -> Template:
        template = load_template(purpose, self.prompts_dir)
        if template.file.purpose != purpose:
            raise UsageError(
                f"The template {template.path} has the purpose {template.file.purpose}, and its name stands for"
                f" {purpose}: change one of the two."
            )
        return template

    def _messages(self, template: Template, question: str, filled: dict[str, str]) -> list[BaseMessage]:
        asked_in = language_of(question)
        language = template.language_for(asked_in)
        chat = template.prompt(language, format_passages=lambda _: "", count_tokens=self.count_tokens)
        values = {**template.fixed_values(language, asked_in), "question": question, **filled}
        return chat.format_messages(**values)
