"""The message catalogue: complete in both languages, and in step with the code that uses it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from rag.evaluation.metrics import METRICS
from rag.messages import catalogue, choose_language, message, texts, translated
from tests.conftest import ROOT

SPACES = ("ingest", "status", "answer", "search", "command", "page", "report", "metric")
KEY = re.compile(rf"(?:{'|'.join(SPACES)})\.[a-z][\w ]*[a-z0-9]")
FILE_NAME = re.compile(r".*\.(?:py|json|jsonl|html|md|pdf|png|js|css)")
HANGUL = re.compile("[가-힣]")
SAME_IN_BOTH = {"report.n", "metric.rouge_l", "metric.ndcg", "search.step", "page.picture_alt_plain"}


def _fields(text: str) -> dict[str, str]:
    """The placeholders of a message with their formats."""
    return {name: form or "" for _, name, form, _ in Formatter().parse(text) if name is not None}


def test_every_message_has_both_languages_with_the_same_values() -> None:
    for key, (english, korean) in catalogue().items():
        assert english, key
        assert not HANGUL.search(english), key
        assert HANGUL.search(korean) or key in SAME_IN_BOTH, key
        assert _fields(english) == _fields(korean), key


def _used(folder: Path) -> Iterator[str]:
    """Each text in the code that looks like a key, as a pattern: what is filled in can be anything."""
    for path in folder.rglob("*.py"):
        if path.parent.name == "messages":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    re.escape(v.value) if isinstance(v, ast.Constant) else r"[\w@% ]+" for v in node.values
                ]
                pattern = "".join(map(str, parts))
                if re.match(rf"(?:{'|'.join(SPACES)})\\\.", pattern):
                    yield pattern
            elif isinstance(node, ast.Constant):
                text = str(node.value)
                if KEY.fullmatch(text) and not FILE_NAME.fullmatch(text):
                    yield re.escape(text)


def test_every_key_in_use_exists_and_every_key_is_used() -> None:
    patterns = set(_used(ROOT / "rag")) | set(_used(ROOT / "ingest"))
    keys = [key for key in catalogue() if not key.startswith(("report.", "metric.", "reason.", "error."))]
    assert len(patterns) > 100
    assert [p for p in patterns if not any(re.fullmatch(p, key) for key in catalogue())] == []
    assert [key for key in keys if not any(re.fullmatch(p, key) for p in patterns)] == []


def test_reasons_and_errors_are_those_that_the_code_gives() -> None:
    code = "".join(
        p.read_text(encoding="utf-8")
        for name in ("rag", "ingest")
        for p in (ROOT / name).rglob("*.py")
        if p.parent.name != "messages"
    )
    for key, (english, _) in catalogue().items():
        if key.startswith(("reason.", "error.")):
            assert max(re.split(r"\{\w+\}", english), key=len).strip(": (),.") in code, key
    assert (
        translated("2 of 9 pages scanned (p. 3, 7); an unknown one", "ko")
        == "9쪽 중 2쪽 스캔(p. 3, 7); an unknown one"
    )
    assert translated("the file is empty", "en") == "the file is empty"


def test_every_metric_has_a_name() -> None:
    for name in METRICS:
        assert f"metric.{name}" in catalogue() or f"metric.{name.partition('@')[0]}" in catalogue()


def test_values_are_filled_in() -> None:
    assert message("answer.page", "en", page=4) == "page 4"
    assert message("answer.page", "ko", page=4) == "4쪽"
    assert texts("answer.page") == {"en": "page {page}", "ko": "{page}쪽"}
    with pytest.raises(KeyError):
        message("answer.no_such_key", "en")
    with pytest.raises(KeyError):
        message("answer.page", "en", label=4)


@pytest.mark.parametrize(
    ("setting", "detected", "language"),
    [
        ("ko", ("en", "en-GB"), "ko"),
        ("en", ("ko", "ko-KR"), "en"),
        ("auto", ("ko",), "ko"),
        ("auto", ("en", "ko-KR"), "en"),
        ("auto", ("other", "ko-KR"), "ko"),
        ("auto", ("other", "fr"), "en"),
        ("auto", (None,), "en"),
    ],
)
def test_the_setting_wins_then_the_question_then_the_browser(
    setting: str, detected: tuple[str | None, ...], language: str
) -> None:
    assert choose_language(setting, *detected) == language
