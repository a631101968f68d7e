"""`rag export`: answers, chats and question sets as Markdown and DOCX, which verify again."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import docx
import pytest

from tests.cli.conftest import Run
from tests.copies import copy_index

QUESTION = "What is the sample volume of the Tarn 340?"
KOREAN = "연차 휴가는 며칠인가요?"
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def _footnotes(path: Path) -> list[str]:
    """The texts of the footnotes that the body refers to, in its order."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        body = ElementTree.fromstring(archive.read("word/document.xml"))
        notes = ElementTree.fromstring(archive.read("word/footnotes.xml"))
    by_id = {note.get(f"{W}id"): "".join(t.text or "" for t in note.iter(f"{W}t")) for note in notes}
    references = [mark.get(f"{W}id") for mark in body.iter(f"{W}footnoteReference")]
    assert len(set(references)) == len(references)
    return [by_id[reference].strip() for reference in references]


@pytest.fixture
def asked(rag: Run, sample_index: Path, workdir: Path) -> Path:
    """A folder with an index of its own, and the answers of two questions as `--json` and `--save` write them."""
    copy_index(sample_index, workdir / ".rag")
    lines = [rag("ask", q, "--json", "--save", f"{n}.json").out
             for n, q in enumerate((QUESTION, KOREAN))]  # fmt: skip
    (workdir / "answers.jsonl").write_text("".join(lines), encoding="utf-8")
    return workdir


def test_a_docx_has_a_footnote_for_each_citation_and_verifies_again(rag: Run, asked: Path) -> None:
    for name in ("0.json", "1.json", "answers.jsonl"):
        done = rag("export", name, "--out", "out.docx", "--json")
        assert (done.code, done.json) == (0, {"written": ["out.docx"]})
        notes = _footnotes(asked / "out.docx")
        assert all(re.fullmatch(r".+\.(pdf|md|html|docx|txt), .+: “.+”", note) for note in notes)
        checked = rag("check", "out.docx", "--json").lines
        quotes = [quote for line in checked for quote in line.get("quotes", ())]
        assert len(quotes) == len(notes) > 0
        assert {quote["status"] for quote in quotes} == {"found"}
        assert "verified" in {line["support"] for line in checked}
    text = "\n".join(paragraph.text for paragraph in docx.Document(str(asked / "out.docx")).paragraphs)
    assert QUESTION in text
    assert KOREAN in text


def test_markdown_has_footnotes_and_pictures_of_the_pages(rag: Run, asked: Path) -> None:
    done = rag("export", "0.json", "--out", "a.md", "--pictures")
    assert done.code == 0
    text = (asked / "a.md").read_text(encoding="utf-8")
    assert text.startswith(f"## {QUESTION}")
    assert len(re.findall(r"^\[\^\d+\]: ", text, re.M)) == len(re.findall(r"\[\^\d+\](?!:)", text)) > 0
    assert (asked / "a-pages" / "1.png").read_bytes().startswith(b"\x89PNG")
    rag("export", "0.json", "--out", "b.docx", "--pictures")
    assert docx.Document(str(asked / "b.docx")).inline_shapes
    last = rag("export").out  # the last answer is the Korean one
    assert last.startswith(f"## {KOREAN}")


def test_an_altered_quote_is_exported_as_altered(rag: Run, asked: Path) -> None:
    saved = (asked / "0.json").read_text(encoding="utf-8")
    (asked / "forged.json").write_text(saved.replace("10 ml", "99 ml"), encoding="utf-8")
    text = rag("export", "forged.json").out
    assert "altered" in text or "not found" in text
    assert "99 ml" in text


def test_markup_of_documents_is_text(rag: Run, asked: Path) -> None:
    saved = (asked / "0.json").read_text(encoding="utf-8")
    hostile = saved.replace(QUESTION, "![x](http://elsewhere.example/?a) <script> [^1]: \\u0007")
    (asked / "hostile.json").write_text(hostile, encoding="utf-8")
    text = rag("export", "hostile.json").out
    assert "![x]" not in text
    assert "<script>" not in text
    assert rag("export", "hostile.json", "--out", "h.docx").code == 0
    assert docx.Document(str(asked / "h.docx")).paragraphs[0].text.startswith("![x]")


def test_chats_and_question_sets_are_exported(rag: Run, sample_index: Path, workdir: Path) -> None:
    (workdir / "set.jsonl").write_text(
        '{"id": "a", "question": "How many days?", "answers": ["thirty days"], "evidence": [{"file":'
        ' "tarn-340-user-manual.pdf", "page": 4, "text": "kept for thirty days and then returned unrepaired"}]}\n'
        '{"id": "b", "question": "왜 하늘은 파란가요?", "answerable": false}\n',
        encoding="utf-8",
    )
    text = rag("export", "set.jsonl", "--index", sample_index).out
    assert "thirty days[^1]" in text
    assert "tarn-340-user-manual.pdf" in text.replace("\\", "")
    assert rag("export", "--chat", "none-such", "--index", sample_index).code == 2
    for wrong in (("set.jsonl", "--chat"), ("--out", "x.pdf"), ("--pictures",)):
        assert rag("export", *wrong, "--index", sample_index).code == 2
