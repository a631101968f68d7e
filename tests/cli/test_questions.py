"""`rag search` and `rag ask` on the sample documents, in both languages, as text and as JSON."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli import contract
from tests.cli.conftest import Run
from tests.conftest import ROOT

FERRY = "harrow-sound-ferries-annual-report-2023.pdf"
LEAVE = "달무리정밀-휴가-및-휴직-규정.pdf"
ENGLISH = "When did MV Tern hit the breakwater?"
KOREAN = "병가가 며칠 이상이면 진단서를 내야 하나요?"
UNANSWERABLE = "How many lifeboats does MV Northern Fulmar carry?"


@pytest.fixture(autouse=True)
def _index(sample_index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_INDEX", str(sample_index))


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "file", "page"),
        [(ENGLISH, FERRY, 4), (KOREAN, LEAVE, 3), ("Tarn 340 sample volume", "tarn-340-user-manual.pdf", 2)],
    )
    def test_the_right_page_is_among_the_first(self, rag: Run, query: str, file: str, page: int) -> None:
        done = rag("search", query, "--json")
        assert done.code == 0
        form = contract.check(done.json, contract.Search)
        assert [passage["rank"] for passage in form["passages"]] == list(range(1, len(form["passages"]) + 1))
        places = [(p["file"], range(p["page"], p["page_end"] + 1)) for p in form["passages"][:3]]
        assert any(found == file and page in pages for found, pages in places)

    def test_a_filter_that_lets_nothing_through_is_named(self, rag: Run) -> None:
        done = rag("search", ENGLISH, "--where", "file=*1824*")
        assert (done.code, done.out) == (
            0,
            "No page matches --where file=*1824*: `rag status` lists the files.\n",
        )

    def test_a_misspelt_filter_is_wrong_usage(self, rag: Run) -> None:
        done = rag("search", ENGLISH, "--where", "fil=*2024*")
        assert (done.code, done.out) == (2, "")
        assert "`file`" in done.err

    def test_k_and_where_narrow_what_is_found(self, rag: Run) -> None:
        form = rag("search", ENGLISH, "-k", "3", "--where", "file=*2024*", "--json").json
        assert 1 <= len(form["passages"]) <= 3
        assert all("2024" in passage["file"] for passage in form["passages"])

    def test_text_names_the_place_and_why(self, rag: Run) -> None:
        shown = rag("search", KOREAN, "-k", "1").out
        assert f"1. {LEAVE}, 3쪽" in shown
        assert "점수" in shown
        assert "의미 " in shown
        assert not re.search("score|meaning|words|cosine", shown)
        assert "meaning #" in rag("search", ENGLISH, "-k", "1").out
        assert "진단서" in shown

    def test_a_set_gives_one_object_a_line(self, rag: Run, workdir: Path) -> None:
        questions = [{"id": "b", "question": KOREAN}, {"id": "a", "question": ENGLISH}]
        (workdir / "set.jsonl").write_text("\n".join(json.dumps(q) for q in questions), encoding="utf-8")
        done = rag("search", "--questions", "set.jsonl", "--json")
        forms = [contract.check(line, contract.Search) for line in done.lines]
        assert [(form["id"], form["question"]) for form in forms] == [("b", KOREAN), ("a", ENGLISH)]

    def test_a_mistake_in_the_set_is_named_with_its_line(self, rag: Run, workdir: Path) -> None:
        (workdir / "set.jsonl").write_text('{"question": "a"}\n{"qestion": "b"}\n', encoding="utf-8")
        done = rag("search", "--questions", "set.jsonl", "--json")
        assert done.code == 2
        assert "set.jsonl:2" in done.err
        assert done.out == ""


class TestAsk:
    @pytest.mark.parametrize(
        ("question", "file", "page", "gold"),
        [(ENGLISH, FERRY, 4, "19 October 2023"), (KOREAN, LEAVE, 3, "4일")],
    )
    def test_an_answer_quotes_the_page(
        self, rag: Run, question: str, file: str, page: int, gold: str
    ) -> None:
        done = rag("ask", question, "--json")
        assert done.code == 0
        form = contract.check(done.json, contract.Answer)
        assert form["status"] == "answered"
        assert gold in form["answer"]
        assert form["sentences"][0]["support"] == "verified"
        first = form["citations"][0]
        assert (first["file"], first["page"], first["verified"]) == (file, page, True)
        assert form["model"] == "extractive"
        assert form["usage"]["cost_usd"] == 0

    def test_what_the_documents_do_not_hold_is_declined_with_code_4(self, rag: Run) -> None:
        done = rag("ask", UNANSWERABLE, "--json")
        assert done.code == 4
        form = contract.check(done.json, contract.Answer)
        assert form["status"] == "abstained"
        assert form["answer"] == ""
        assert form["citations"] == []
        assert form["passages"], "the nearest passages are given all the same"
        pages = {(passage["file"], passage["page"]) for passage in form["passages"]}
        assert 1 <= len(form["nearest"]) <= 3
        assert {(near["file"], near["page"]) for near in form["nearest"]} <= pages
        shown = rag("ask", UNANSWERABLE)
        assert shown.code == 4
        assert " ".join(form["nearest"][0]["sentence"].split())[:40] in " ".join(shown.out.split())
        assert "These documents do not hold the answer." in shown.out

    def test_text_speaks_the_language_of_the_question(self, rag: Run) -> None:
        english, korean = rag("ask", ENGLISH).out, rag("ask", KOREAN).out
        assert f"[1] {FERRY}, page 4 (printed as 2)  ✓ found on the page" in english
        assert "“On 19 October 2023 MV Tern touched the breakwater" in english
        assert f"[1] {LEAVE}, 3쪽  ✓ 페이지에서 확인됨" in korean

    def test_a_set_gives_one_answer_a_line_with_its_id(self, rag: Run, workdir: Path) -> None:
        lines = (ROOT / "data/questions/sample.jsonl").read_text(encoding="utf-8").splitlines()
        chosen = [line for line in lines if json.loads(line)["id"] in ("en-004", "ko-007", "en-045")]
        (workdir / "set.jsonl").write_text("\n".join(chosen), encoding="utf-8")
        done = rag("ask", "--questions", "set.jsonl", "--json")
        assert done.code == 0
        forms = [contract.check(line, contract.Answer) for line in done.lines]
        assert [(form["id"], form["status"]) for form in forms] == [
            ("en-004", "answered"),
            ("en-045", "abstained"),
            ("ko-007", "answered"),
        ]

    def test_it_says_when_part_of_the_folder_is_not_searchable(
        self, rag: Run, workdir: Path, sample_index: Path
    ) -> None:
        folder, index = workdir / "docs", workdir / "index"
        folder.mkdir()
        shutil.copy(ROOT / "data/sample/wexcombe-volunteer-faq.md", folder)
        (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
        assert rag("ingest", folder, "--index", index).code == 3
        question = "How early must a library volunteer call in when unable to come?"
        form = rag("ask", question, "--index", index, "--json").json
        assert any("1 of 2 files" in note for note in form["notes"])
        assert "rag status --failed" in rag("ask", question, "--index", index).out
        complete = rag("ask", ENGLISH, "--json").json
        assert not any("searchable" in note for note in complete["notes"])


def test_control_characters_of_a_question_do_not_reach_the_terminal(rag: Run) -> None:
    done = rag("ask", "When did MV Tern hit the \x1b[31mbreakwater\x1b]0;x\x07?")
    assert "\x1b" not in done.out + done.err
