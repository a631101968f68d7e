"""Read replies in the JSON form (described in `rag.answering.reply`), also damaged or cut off ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rag.answering.draft import Draft, DraftSentence, Quote
from rag.answering.markers import read_quote

_FENCE = re.compile(r"\A```[a-z]*\s*\n(.*?)(?:\n```.*)?\Z", re.S | re.I)
_TEXT_KEYS = ("text", "sentence", "answer", "문장", "답변")
_QUOTE_KEYS = ("quote", "text", "quotes", "인용")
_NUMBER_KEYS = ("passage", "n", "source", "number", "id", "출처")


def read_json(text: str) -> Draft | None:
    """The draft in a JSON reply; None when the text is not one."""
    fenced = _FENCE.match(text)
    value = _load((fenced[1] if fenced else text).strip())
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = {"sentences": value}
    if not isinstance(value, dict):
        return None
    sentences = tuple(_sentences(value))
    if not sentences and not (value.get("not_in_documents") or "sentences" in value or "answer" in value):
        return None
    cited = any(sentence.passages for sentence in sentences)
    declined = not sentences or (bool(value.get("not_in_documents")) and not cited)
    return Draft(() if declined else sentences, declined=declined)


def _load(text: str) -> Any:
    """The JSON value that starts the text, closing what the token limit cut off; None when it is not JSON."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError):
        return _load_cut(text)


def _load_cut(text: str) -> Any:
    """Close the open string, lists and objects; step back over half-written members until it reads."""
    for _ in range(20):
        try:
            return json.loads(text + _closers(text), strict=False)
        except (ValueError, RecursionError):
            cut = max(text.rfind(","), text.rfind("}"), text.rfind("]"))
            if cut <= 0:
                return None
            text = text[:cut]
    return None


def _closers(text: str) -> str:
    stack: list[str] = []
    in_string = escaped = False
    for c in text:
        if in_string:
            in_string = escaped or c != '"'
            escaped = c == "\\" and not escaped
        elif c == '"':
            in_string = True
        elif c in "{[":
            stack.append("}" if c == "{" else "]")
        elif c in "}]" and stack:
            stack.pop()
    return ('"' if in_string else "") + "".join(reversed(stack))


def _sentences(value: Mapping[str, Any]) -> Iterator[DraftSentence]:
    items = value.get("sentences", value.get("answer"))
    if isinstance(items, str):  # {"answer": "...", "citations": [...]}
        items = [{"text": items, "citations": value.get("citations", ())}]
    for item in items if isinstance(items, list) else ():
        members = item if isinstance(item, dict) else {"text": item}
        text = _first(members, _TEXT_KEYS)
        if isinstance(text, str) and text.strip():
            quotes = tuple(_quotes(members))
            numbers = dict.fromkeys(q.passage for q in quotes if q.passage is not None)
            kept = tuple(q for q in quotes if q.text)
            yield DraftSentence(" ".join(text.split()), tuple(numbers), kept, starts_line=True)


def _quotes(item: Mapping[str, Any]) -> Iterator[Quote]:
    """The citations of one sentence; a citation without words is a quote without text."""
    cited = item.get("citations", item.get("quotes", ()))
    for citation in cited if isinstance(cited, list) else [cited]:
        if isinstance(citation, dict):
            number = _number(_first(citation, _NUMBER_KEYS))
            words = _first(citation, _QUOTE_KEYS)
            page = _number(citation.get("page"))
        else:
            number, page = _number(citation), None
            words = citation if number is None else ""
        if isinstance(words, str) and words.strip():
            yield from read_quote(words, number, page)
        elif number is not None:
            yield Quote("", number, page)


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((item[key] for key in keys if key in item), None)


def _number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    digits = re.fullmatch(r"\s*\[?\s*(\d{1,5})\s*\]?\s*", str(value))
    return int(digits[1]) if digits else None
