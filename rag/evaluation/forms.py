"""The forms a question set may come in, each turned into raw questions of the contract with their lines.

JSON Lines, JSON arrays and CSV carry the contract's own names. The rest are read as published:
SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018), KorQuAD 1.0 and 2.1, FinanceBench's JSON Lines, and the
datasets that RAGAS reads, before and after its version 0.2.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import QuestionSetError

_RAGAS_QUESTION, _RAGAS_TRUTH = ("user_input", "question"), ("reference", "ground_truth", "ground_truths")
_JSON_CELLS = ("answers", "evidence", "leave_out", "ground_truths", "reference_contexts")
_SPACE = re.compile(r"[ \t\n\r]*")
_EVIDENCE_WIDTH = 240

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """A raw question in its own form."""

    value: object
    text: str
    """The whole file, when the line has to be found in it."""
    place: int | tuple[str | int, ...]
    """The line, or the path of keys and positions in nested JSON."""
    adapt: Callable[[Raw], Raw]

    def contract(self) -> Raw:
        """The question under the contract's names. Raises ValueError: a sentence without its full stop."""
        return self.adapt(_object(self.value))

    def line(self) -> int:
        """The line it starts on, from 1; costs a parse for nested JSON, so only errors ask."""
        return self.place if isinstance(self.place, int) else line_of(self.text, self.place)


def read_items(path: str | Path) -> Iterator[Item]:
    """The raw questions of a file in their order. Raises QuestionSetError."""
    text = _read_text(Path(path))
    try:
        if Path(path).suffix.lower() in (".csv", ".tsv"):
            yield from _from_csv(text)
        else:
            yield from _from_json(text)
    except json.JSONDecodeError as error:
        raise QuestionSetError(f"is not JSON ({error.msg}).", file=path, line=error.lineno) from None
    except csv.Error as error:
        raise QuestionSetError(f"is not CSV ({error}).", file=path) from None
    except RecursionError:
        raise QuestionSetError("is nested too deeply.", file=path) from None


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise QuestionSetError(f"cannot be read: {error.strerror or error}.", file=path) from None
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp949"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise QuestionSetError("is neither UTF-8 nor CP949 text: save it as UTF-8.", file=path)


def _from_json(text: str) -> Iterator[Item]:
    if not text.strip():
        return
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        if not _is_json(text.strip().split("\n", 1)[0]):
            raise
        yield from _from_lines(text)
        return
    if isinstance(value, list):
        yield from (Item(one, text, (position,), _adapt) for position, one in enumerate(value))
    elif isinstance(value, dict) and isinstance(value.get("data"), list):
        yield from _from_squad(value["data"], text)
    else:
        yield Item(value, text, 1, _adapt)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True


def _from_lines(text: str) -> Iterator[Item]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                # decoded alone, every line is the first: give the error its place in the file
                raise json.JSONDecodeError(error.msg, "\n" * (number - 1) + line, number) from None
            yield Item(value, text, number, _adapt)


def _from_squad(articles: list[Any], text: str) -> Iterator[Item]:
    """SQuAD and KorQuAD 1.0 nest articles, paragraphs and questions; KorQuAD 2 has no paragraphs."""
    for a, article in enumerate(articles):
        nested = isinstance(article, dict) and "paragraphs" in article
        title = article.get("title", "") if isinstance(article, dict) else ""
        for p, paragraph in enumerate(_list(article["paragraphs"]) if nested else [article]):
            place = ("data", a, "paragraphs", p) if nested else ("data", a)
            context = paragraph.get("context", "") if isinstance(paragraph, dict) else ""
            qas = paragraph.get("qas") if isinstance(paragraph, dict) else None
            if not isinstance(qas, list):
                yield Item(None, text, place, _adapt)
                continue
            for q, qa in enumerate(qas):
                yield Item(qa, text, (*place, "qas", q), _squad_adapter(str(title), str(context)))


def _squad_adapter(title: str, context: str) -> Callable[[Raw], Raw]:
    def adapt(qa: Raw) -> Raw:
        answers = _list(qa.get("answers", qa.get("answer")))
        texts = [str(one.get("text", "")) if isinstance(one, dict) else str(one) for one in answers]
        start = answers[0].get("answer_start", 0) if answers and isinstance(answers[0], dict) else 0
        # whole paragraphs, and KorQuAD 2's whole pages, would swamp a report
        excerpt = context[max(0, int(start) - _EVIDENCE_WIDTH // 2) :][:_EVIDENCE_WIDTH]
        return {
            "id": qa.get("id"),
            "question": qa.get("question"),
            "answers": list(dict.fromkeys(texts)),
            "answerable": not qa.get("is_impossible", False),
            "evidence": [{"file": title, "text": excerpt}] if answers else [],
        }

    return adapt


def _from_csv(text: str) -> Iterator[Item]:
    header = text.split("\n", 1)[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count), strict=True
    )
    end = 1
    for row in reader:
        # a quoted cell may span lines: a row starts after the end of the one before
        start, end = end + 1, reader.line_num
        yield Item(row, text, start, _from_row)


def _from_row(row: Raw) -> Raw:
    """Lists in cells are JSON, or texts parted by `|`; `file`, `page` and `text` make one evidence."""
    if None in row:
        raise ValueError("the row has more cells than the header")
    raw: dict[str, Any] = {name.strip(): value.strip() for name, value in row.items() if name and value}
    for name in _JSON_CELLS:
        cell = raw.get(name, "")
        if cell.startswith(("[", "{")):
            try:
                raw[name] = json.loads(cell)
            except json.JSONDecodeError as error:
                raise ValueError(f"the cell `{name}` is not JSON ({error.msg})") from None
        elif cell and name != "evidence":
            raw[name] = [part.strip() for part in cell.split("|")]
    if "evidence" not in raw and ("file" in raw or "page" in raw):
        raw["evidence"] = [{name: raw.get(name) for name in ("file", "page", "text")}]
    return _adapt(raw)


def _adapt(raw: Raw) -> Raw:
    """The contract's names for a question in any of the flat forms."""
    if "financebench_id" in raw:
        return _financebench(raw)
    if "user_input" in raw or any(name in raw for name in _RAGAS_TRUTH):
        return _ragas(raw)
    return raw


def _financebench(raw: Raw) -> Raw:
    """FinanceBench counts pages from 0 and names documents without `.pdf`."""
    evidence = []
    for one in map(_object, _list(raw.get("evidence"))):
        page = one.get("evidence_page_num")
        name = one.get("doc_name") or one.get("evidence_doc_name") or raw.get("doc_name")
        evidence.append(
            {
                "file": f"{name}.pdf" if name else "",
                "page": page + 1 if isinstance(page, int) else None,
                "text": one.get("evidence_text", ""),
            }
        )
    return {
        "id": raw["financebench_id"],
        "question": raw.get("question"),
        "answers": _list(raw.get("answer")),
        "evidence": evidence,
        "kind": raw.get("question_type") or "",
    }


def _ragas(raw: Raw) -> Raw:
    """`question` and `ground_truth(s)` before version 0.2 of RAGAS, `user_input` and `reference` since.

    Its `contexts` and `retrieved_contexts` are what some system found; only `reference_contexts` are gold.
    """
    contexts = [{"text": text} for text in _list(raw.get("reference_contexts"))]
    return {
        **{name: raw[name] for name in ("id", "answerable", "kind", "language") if name in raw},
        "question": next((raw[name] for name in _RAGAS_QUESTION if raw.get(name)), None),
        "answers": _list(next((raw[name] for name in _RAGAS_TRUTH if raw.get(name)), None)),
        "evidence": raw.get("evidence") or contexts,
    }


def _object(value: object) -> Raw:
    if not isinstance(value, dict):
        raise ValueError("here must be an object, with a `question` or the fields of the set's form")
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None or value == "" else [value]


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The line (from 1) on which the value at `path` begins in valid JSON `text`."""
    at = _skip(text, 0)
    for step in path:
        at = _descend(text, at, step)
    return text.count("\n", 0, at) + 1


def _descend(text: str, at: int, step: str | int) -> int:
    """Where the value under key or position `step` begins, in the object or array that begins at `at`."""
    decoder = json.JSONDecoder()
    position = 0
    at = _skip(text, at + 1)
    while True:
        key: object = position
        if isinstance(step, str):
            key, at = decoder.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        if key == step:
            return at
        _, at = decoder.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        position += 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
