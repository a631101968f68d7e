"""`rag show` and `rag verify`: looking at evidence, and proving it again."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from pypdf import PdfWriter

from rag.answering.saved import CitationOutcome
from rag.messages import catalogue, message
from tests.cli.conftest import Run
from tests.conftest import SAMPLE
from tests.copies import copy_index

ENGLISH = "When did MV Tern hit the breakwater?"
KOREAN = "병가가 며칠 이상이면 진단서를 내야 하나요?"
FERRY = "harrow-sound-ferries-annual-report-2023.pdf"
MANUAL = "tarn-340-user-manual.pdf"


@pytest.fixture
def index(sample_index: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_index(sample_index, workdir / "index")
    monkeypatch.setenv("RAG_INDEX", "index")
    return workdir / "index"


class TestShow:
    def test_a_citation_of_the_last_answer(self, rag: Run, index: Path, workdir: Path) -> None:
        rag("ask", ENGLISH)
        done = rag("show", "1", "--png", "page.png")
        assert done.code == 0
        assert "page 4" in done.out
        assert "»On 19 October 2023 MV Tern touched the breakwater" in done.out
        assert (workdir / "page.png").read_bytes().startswith(b"\x89PNG")
        form = rag("show", "[1]", "--json").json
        span = form["citation"]["spans"][0]
        assert form["text"][span["start"] : span["end"]].startswith("On 19 October 2023")
        assert form["png"] is None

    def test_any_quote_in_both_languages(self, rag: Run, index: Path) -> None:
        done = rag("show", "--file", MANUAL, "--page", 2, "--quote", "Sample volume  10 ml")
        assert done.code == 0
        assert "»Sample volume 10 ml«" in " ".join(done.out.split())
        korean = rag("show", "--file", "달무리정밀-사내생활-faq.html", "--page", "1", "--quote", "2,500원")
        assert korean.code == 0
        assert "»2,500원«" in korean.out

    def test_a_page_behind_a_password_is_drawn(self, rag: Run, workdir: Path) -> None:
        (workdir / "docs").mkdir()
        writer = PdfWriter(clone_from=SAMPLE / MANUAL)
        writer.encrypt("seven gulls", "owner", algorithm="RC4-128")
        writer.write(workdir / "docs" / "locked.pdf")
        assert rag("ingest", "docs", "--password", "seven gulls").code == 0
        show = (
            "show",
            "--file",
            "locked.pdf",
            "--page",
            "2",
            "--quote",
            "Sample volume 10 ml",
            "--png",
            "p.png",
        )
        refused = rag(*show)
        assert refused.code == 1
        assert "needs a password (`rag show --password`)" in refused.err
        assert "none of the passwords" in rag(*show, "--password", "8").err
        (workdir / "keys").write_text("*.pdf: seven gulls\n", encoding="utf-8")
        assert rag(*show, "--passwords", "keys").code == 0
        assert (workdir / "p.png").read_bytes().startswith(b"\x89PNG")

    def test_a_quote_that_is_not_on_the_page(self, rag: Run, index: Path) -> None:
        done = rag("show", "--file", MANUAL, "--page", "2", "--quote", "Sample volume 20 ml")
        assert done.code == 1
        shown, _, sentence = done.out.rstrip().rpartition("\n\n")
        assert sentence == "The quote is not on this page."
        assert shown.endswith("…")
        form = rag("show", "--file", MANUAL, "--page", "2", "--quote", "Sample volume 20 ml", "--json").json
        assert form["citation"]["verified"] is False

    def test_a_page_is_cut_between_words(self, rag: Run, index: Path) -> None:
        page = rag("show", "--file", FERRY, "--page", "4", "--json").json["text"]
        words = set(page.split())
        beginning = rag("show", "--file", FERRY, "--page", "4", "--quote", "not there").out
        around = rag("show", "--file", FERRY, "--page", "4", "--quote", "19 October 2023").out
        begun = beginning.partition("\n")[2].partition("\n\nThe quote")[0]
        amid = around.partition("\n")[2].strip()
        assert len(begun) > 700
        assert begun.endswith("…")
        assert amid.startswith("…")
        for shown in (begun, amid):
            assert set(re.sub("[…»«]", "", shown).split()) <= words

    def test_a_picture_for_a_korean_quote_is_named_in_korean(self, rag: Run, index: Path) -> None:
        rag("ask", KOREAN)
        assert "그림: page.png" in rag("show", "1", "--png", "page.png").out

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--file", MANUAL, "--page", "99"), "pages 1 to 4"),
            (("--file", "tarn-340-manual.pdf", "--page", "1"), f"did you mean {MANUAL}"),
            (("1",), "ask first"),
        ],
    )
    def test_what_is_not_there_is_named(
        self, rag: Run, index: Path, arguments: tuple[str, ...], said: str
    ) -> None:
        (index / "last-answer.json").unlink(missing_ok=True)
        done = rag("show", *arguments)
        assert done.code == 2
        assert said in done.err

    def test_a_planted_last_answer_is_data_and_nothing_more(self, rag: Run, index: Path) -> None:
        (index / "last-answer.json").write_text('{"citations": [{"n": 1}]}', encoding="utf-8")
        done = rag("show", "1")
        assert done.code == 2
        assert "cannot be read" in done.err

    def test_a_link_planted_under_the_name_is_replaced_not_followed(
        self, rag: Run, index: Path, workdir: Path
    ) -> None:
        victim = workdir / "victim.txt"
        victim.write_text("mine", encoding="utf-8")
        (index / "last-answer.json").unlink(missing_ok=True)
        (index / "last-answer.json").symlink_to(victim)
        assert rag("ask", ENGLISH).code == 0
        assert victim.read_text(encoding="utf-8") == "mine"


class TestChangedDocuments:
    """A document was replaced or removed, and the index does not know it yet."""

    @pytest.fixture
    def asked(self, rag: Run, workdir: Path) -> Path:
        (workdir / "docs").mkdir()
        shutil.copy(SAMPLE / FERRY, workdir / "docs" / "report.pdf")
        rag("ingest", "docs")
        assert rag("ask", ENGLISH, "--save", "a.json").code == 0
        assert rag("show", "1", "--png", "before.png").code == 0
        return workdir / "docs" / "report.pdf"

    @pytest.mark.parametrize("how", ["replaced", "removed"])
    def test_nothing_in_it_is_shown_as_found(self, how: str, asked: Path, rag: Run, workdir: Path) -> None:
        asked.unlink() if how == "removed" else shutil.copy(SAMPLE / MANUAL, asked)
        assert rag("show", "1", "--png", "after.png").code == 1
        assert not (workdir / "after.png").exists()
        form = rag("show", "1", "--json")
        assert (form.code, form.json["citation"]["verified"]) == (1, False)
        saved = rag("verify", "a.json", "--json")
        assert (saved.code, saved.json["holds"], saved.json["stale"]) == (1, False, [1])
        assert {one["outcome"] for one in saved.json["citations"]} == {"document changed or gone"}
        again = rag("ask", ENGLISH, "--json").json
        assert not any(citation["verified"] for citation in again["citations"])
        assert any("report.pdf" in note for note in again["notes"])

    def test_a_path_in_a_foreign_index_draws_no_other_file(
        self, asked: Path, rag: Run, workdir: Path
    ) -> None:
        (index,) = workdir.glob("**/index.db")
        with sqlite3.connect(index) as database:
            database.execute("UPDATE sources SET path = ?", (str(SAMPLE / MANUAL),))
        assert rag("show", "--file", "report.pdf", "--page", "1", "--png", "other.png").code == 1
        assert not (workdir / "other.png").exists()


class TestVerify:
    def test_a_saved_answer_holds_until_its_page_changes(self, rag: Run, workdir: Path) -> None:
        folder = workdir / "docs"
        folder.mkdir()
        text = (SAMPLE / "wexcombe-volunteer-faq.md").read_text(encoding="utf-8")
        (folder / "faq.md").write_text(text, encoding="utf-8")
        shutil.copy(SAMPLE / "달무리정밀-사내생활-faq.html", folder)
        rag("ingest", folder)
        question = "How many hours does a volunteer shift last?"
        assert rag("ask", question, "--save", "a.json").code == 0
        sound = rag("verify", "a.json", "--json")
        assert sound.code == 0
        assert sound.json["holds"]
        assert {citation["outcome"] for citation in sound.json["citations"]} == {"proven"}

        (folder / "faq.md").write_text(text + "\nA line at the end.\n", encoding="utf-8")
        rag("ingest", folder)
        edited = rag("verify", "a.json", "--json")
        assert edited.code == 0
        assert {citation["outcome"] for citation in edited.json["citations"]} == {"page edited"}

        (folder / "faq.md").write_text("# Closed\n\nThe library has closed for good.\n", encoding="utf-8")
        rag("ingest", folder)
        gone = rag("verify", "a.json")
        assert gone.code == 1
        assert "no longer in this file" in gone.out
        assert "No longer verified" in gone.out

    def test_outcomes_are_told_in_the_language_of_the_question_or_the_one_set(
        self, rag: Run, index: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rag("ask", KOREAN, "--save", "a.json")
        korean = rag("verify", "a.json")
        assert "쪽: 확인됨" in korean.out
        saved = rag("ask", KOREAN, "--save", "b.json").err
        assert message("command.saved", "ko", path="b.json") in saved
        assert "Saved" not in saved
        assert "verified" not in korean.out
        monkeypatch.setenv("RAG_LANGUAGE", "en")
        assert ": verified" in rag("verify", "a.json").out

    def test_every_outcome_has_its_words_in_both_languages(self) -> None:
        for outcome in CitationOutcome:
            assert f"command.verify_{outcome.value.replace(' ', '_')}" in catalogue()

    def test_a_forged_file_is_not_believed(self, rag: Run, index: Path, workdir: Path) -> None:
        rag("ask", ENGLISH, "--save", "a.json")
        forged = json.loads((workdir / "a.json").read_text(encoding="utf-8"))
        forged["citations"][0]["quote"] = "On 19 October 2023 MV Tern sank at Greyholm with all hands."
        (workdir / "b.json").write_text(json.dumps(forged), encoding="utf-8")
        done = rag("verify", "b.json", "a.json", "--json")
        assert done.code == 1
        assert [(line["file"], line["holds"]) for line in done.lines] == [("b.json", False), ("a.json", True)]

    def test_a_file_that_is_no_answer_does_not_hide_the_others(
        self, rag: Run, index: Path, workdir: Path
    ) -> None:
        rag("ask", KOREAN, "--save", "a.json")
        (workdir / "c.json").write_text("{}", encoding="utf-8")
        done = rag("verify", "c.json", "missing.json", "a.json")
        assert done.code == 1
        assert "c.json is not an answer saved" in done.err
        assert "missing.json cannot be read" in done.err
        assert f"✓ a.json: {KOREAN}" in done.out
