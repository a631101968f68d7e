"""Question sets: what is asked, what counts as right, and where the evidence stands."""

from __future__ import annotations

import difflib
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.errors import QuestionSetError
from rag.evaluation.forms import Item, read_items
from rag.text.language import language_of

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
    """Conditions that restrict this question, as `--where` writes them."""

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
    """A file as the ledger names it: composed, with `/`."""
    return unicodedata.normalize("NFC", _scalar(value, name)).replace("\\", "/")
