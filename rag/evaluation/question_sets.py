"""Question sets: what is asked, what counts as right, and where the evidence stands.

JSON Lines, JSON arrays and CSV carry the contract's own names. The rest are read as published:
SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018), KorQuAD 1.0 and 2.1, FinanceBench's JSON Lines, and the
datasets that RAGAS reads, before and after its version 0.2.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import QuestionSetError
from rag.text.language import language_of

_RAGAS_QUESTION, _RAGAS_TRUTH = ("user_input", "question"), ("reference", "ground_truth", "ground_truths")
_JSON_CELLS = ("answers", "evidence", "leave_out", "where", "ground_truths", "reference_contexts")
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


_FIELDS = ("id", "question", "answers", "answerable", "evidence", "kind", "language", "leave_out", "where")
_TRUE, _FALSE = frozenset({"true", "yes", "1", "y"}), frozenset({"false", "no", "0", "n"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where an answer stands: `page` is the physical page from 1, None when only the text is known."""

    file: str
    page: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its gold answers (any of them is right) and its gold pages."""

    id: str
    question: str
    answers: tuple[str, ...] = ()
    answerable: bool = True
    evidence: tuple[Evidence, ...] = ()
    kind: str = ""
    language: str = ""
    """`en`, `ko` or another; from the letters of the question when the set does not say."""
    leave_out: tuple[str, ...] = ()
    """Files that are left out when this is asked: a question becomes unanswerable without the file it is from."""
    where: tuple[str, ...] = ()
    """Conditions that restrict this question, as `--where` writes them; both must hold."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form of the contract."""
        raw: dict[str, Any] = {
            "id": self.id,
            "question": self.question,
            "answers": list(self.answers),
            "answerable": self.answerable,
            "evidence": [{"file": e.file, "page": e.page, "text": e.text} for e in self.evidence],
        }
        more = {"kind": self.kind, "language": self.language, "leave_out": list(self.leave_out)}
        more |= {"where": list(self.where)}
        return raw | {name: value for name, value in more.items() if value}


def load_questions(path: str | Path) -> list[Question]:
    """Read a question set: JSON Lines, a JSON array, CSV, SQuAD, KorQuAD, FinanceBench or RAGAS.

    Raises QuestionSetError, which names the file and the line, when the file is missing or says something a
    question set cannot say.
    """
    questions: list[Question] = []
    lines: dict[str, Item] = {}
    for position, item in enumerate(read_items(path), start=1):
        try:
            question = parse_question(item.contract(), default_id=f"q{position}")
        except ValueError as error:
            raise QuestionSetError(f"{error}.", file=path, line=item.line()) from None
        if question.id in lines:
            first = lines[question.id].line()
            raise QuestionSetError(
                f"the id {question.id!r} was used before, on line {first}: give every question its own.",
                file=path,
                line=item.line(),
            )
        lines[question.id] = item
        questions.append(question)
    if not questions:
        raise QuestionSetError("there is no question in it.", file=path)
    return questions


def write_questions(questions: Iterable[Question], path: str | Path) -> None:
    """Write a set as JSON Lines, in the form of the contract."""
    lines = (json.dumps(question.as_dict(), ensure_ascii=False) + "\n" for question in questions)
    Path(path).write_text("".join(lines), encoding="utf-8")


def fingerprint(questions: Iterable[Question]) -> str:
    """SHA-256 over the questions in their order: two runs with the same one asked the same things."""
    forms = (json.dumps(question.as_dict(), ensure_ascii=False, sort_keys=True) for question in questions)
    return hashlib.sha256("\n".join(forms).encode()).hexdigest()


def parse_question(raw: Mapping[str, Any], *, default_id: str = "") -> Question:
    """One question from its JSON form. Raises ValueError with a sentence, lacking its full stop."""
    _reject_misspelt(raw)
    text = raw.get("question")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("`question` must be a text that is not empty")
    evidence = tuple(_evidence(one) for one in _list_of(raw, "evidence"))
    answers = tuple(_scalar(one, "answers") for one in _list_of(raw, "answers"))
    return Question(
        id=_scalar(raw.get("id") or default_id, "id"),
        question=text.strip(),
        answers=tuple(answer for answer in answers if answer),
        answerable=_boolean(raw.get("answerable")),
        evidence=evidence,
        kind=_scalar(raw.get("kind") or "", "kind"),
        language=_scalar(raw.get("language") or "", "language") or language_of(text),
        leave_out=tuple(_file(one, "leave_out") for one in _list_of(raw, "leave_out")),
        where=tuple(_scalar(one, "where") for one in _list_of(raw, "where")),
    )


def _reject_misspelt(raw: Mapping[str, Any]) -> None:
    """Other fields are welcome, near misses are not: `anwsers` would silently score nothing."""
    for name in raw:
        nearest = difflib.get_close_matches(str(name).lower(), _FIELDS, n=1, cutoff=0.8)
        if name not in _FIELDS and nearest and nearest[0] not in raw:
            raise ValueError(f"there is no field {name!r}: did you mean {nearest[0]!r}")


def _list_of(raw: Mapping[str, Any], name: str) -> list[Any]:
    value = raw.get(name)
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _scalar(value: object, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"`{name}` must hold texts, not {json.dumps(value, ensure_ascii=False)[:60]}")
    return str(value).strip()


def _boolean(value: object) -> bool:
    if value is None or value == "" or value is True:
        return True
    if value is False:
        return False
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"`answerable` must be true or false, not {value!r}")
    return word in _TRUE


def _evidence(raw: object) -> Evidence:
    if not isinstance(raw, Mapping):
        raise ValueError("each `evidence` must be an object with `file`, `page` and `text`")
    page = raw.get("page")
    if isinstance(page, str) and page.strip().isdecimal():
        page = int(page)
    if page == "":
        page = None
    if page is not None and (isinstance(page, bool) or not isinstance(page, int) or page < 1):
        raise ValueError(f"the `page` of an evidence is a whole number counted from 1, not {page!r}")
    return Evidence(_file(raw.get("file") or "", "file"), page, _scalar(raw.get("text") or "", "text"))


def _file(value: object, name: str) -> str:
    """A file as the index names it: composed, with `/`."""
    return unicodedata.normalize("NFC", _scalar(value, name)).replace("\\", "/")
