"""A real Chromium, and what goes wrong in a day: a server that fails, a locked document, a restart, a crowd."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfWriter

from rag.messages import message
from tests.conftest import SAMPLE
from tests.copies import copy_index
from tests.servers.openai_server import Fault, OpenAIServer, Request
from tests.ui.served import (
    ANSWERED,
    Browser,
    ask,
    check_accessible,
    free_port,
    last_answer,
    open_citation,
    send,
    serving,
    visiting,
)

pytestmark = pytest.mark.slow

RULES = SAMPLE / "wexcombe-library-rules.pdf"
QUESTION = "How much profit before tax did Harrow Sound Ferries make in 2023?"
QUOTE = "the company returned to a meaningful profit: £2.78 million before tax"
REPLY = f'{QUOTE.capitalize()} [1: "{QUOTE}"].'
PHONE = {"width": 390, "height": 844}


def test_a_server_that_fails_leaves_the_question_to_be_asked_again(
    browser: Browser, sample_index: Path, tmp_path: Path
) -> None:
    """It hangs, then breaks, then answers: each time one press of "Try again"; then the answer in another way."""
    copy_index(sample_index, tmp_path / "index")
    faults = [Fault("hang"), Fault("500")]

    def fault(request: Request) -> Fault | None:
        return faults[0] if faults else None

    with (
        OpenAIServer(reply=REPLY, key=None, faults=fault) as model,
        visiting(
            browser, tmp_path, "--index", "index", "--model", "compatible:test",
            RAG_BASE_URL=model.base_url, RAG_RETRIES="0", RAG_TIMEOUT="6",
        ) as address,
    ):  # fmt: skip
        page = browser.page(address, locale="ko-KR", color_scheme="dark")
        send(page, QUESTION)
        page.get_by_text(re.compile("모델의 답변을 기다리는 중")).wait_for()
        for reason in ("page.error_ProviderTimeout", "page.error_ServerUnreachable"):
            alert = page.locator('[data-testid="stAlert"]')
            alert.get_by_text(re.compile(re.escape(message(reason, "ko")))).wait_for()
            assert page.locator(".pq-question").all_inner_texts() == [QUESTION]
            check_accessible(page)
            page.reload()  # it stays
            again = page.get_by_role("button", name=message("page.ask_again", "ko"))
            again.wait_for()
            faults.pop(0)
            again.click()
        page.get_by_text(ANSWERED).wait_for()
        assert page.locator(".pq-question").all_inner_texts() == [QUESTION]

        ask(page, "Was a dividend recommended for 2023?")
        first = page.locator('[data-testid="stChatMessage"]').nth(1)
        first.get_by_role("button", name=message("page.regenerate", "ko")).click()
        page.get_by_role("button", name=message("page.answer_again", "ko"), exact=True).click()
        first.get_by_title(message("page.answer_of", "ko", shown=2, all=2)).wait_for()
        assert page.locator(".pq-question").count() == 2  # in place, not once more at the end
        first.get_by_role("button", name=message("page.earlier_answer", "ko")).click()
        first.get_by_title(message("page.answer_of", "ko", shown=1, all=2)).wait_for()
        check_accessible(page)

        first.get_by_role("button", name=message("page.export_answer", "ko")).click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Word (.docx)").click()
        assert download.value.suggested_filename == "pagequote-answer.docx"
        assert Path(download.value.path()).read_bytes().startswith(b"PK")


def test_a_locked_document_is_opened_with_its_password_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    locked = tmp_path / "locked rules [2].pdf"
    writer = PdfWriter(clone_from=RULES)
    writer.encrypt("바다 열쇠")
    writer.write(locked)
    with visiting(browser, tmp_path, RAG_MODEL="extractive", RAG_OFFLINE="1") as address:
        page = browser.page(address, viewport=PHONE)
        page.locator('[data-testid="stChatInput"] input[type=file]').set_input_files(str(locked))
        page.get_by_text(locked.name).first.wait_for()
        # the file has arrived when it can be sent
        page.locator('[data-testid="stChatInputSubmitButton"]:enabled').wait_for()
        page.locator('[data-testid="stChatInput"] textarea').press("Enter")
        word = page.get_by_label(re.compile("Password of"))
        word.wait_for()
        check_accessible(page)
        word.fill("a wrong one")
        page.get_by_role("button", name=message("page.unlock", "en")).click()
        page.get_by_text(message("page.wrong_password", "en")).wait_for()
        word.fill("바다 열쇠")
        page.get_by_role("button", name=message("page.unlock", "en")).click()
        page.get_by_text(message("page.ask_now", "en")).wait_for()
        ask(page, "How many books may an adult member borrow at once?")
        last_answer(page).locator(".pq-ref").first.click()
        crop = page.locator(".st-key-pane .pq-crop")
        crop.wait_for()
        page.wait_for_function("() => document.querySelector('.pq-crop')?.naturalHeight > 0")
        box = crop.bounding_box()
        assert box["y"] + box["height"] <= PHONE["height"]  # its page is drawn, the quote in view
        check_accessible(page)
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".pdf"]
    assert not any("바다 열쇠".encode() in path.read_bytes() for path in kept)


def test_a_restart_in_the_middle_loses_nothing(browser: Browser, sample_index: Path, tmp_path: Path) -> None:
    copy_index(sample_index, tmp_path / "index")
    port = free_port()
    let_go = threading.Event()

    def reply(request: Request) -> str:
        if "dividend" in str(request.messages[-1]):
            let_go.wait(120)
        return REPLY

    with OpenAIServer(reply=reply, key=None) as model:
        started: dict[str, Any] = {"port": port, "RAG_BASE_URL": model.base_url}
        arguments = ("--index", "index", "--model", "compatible:test")
        with serving(tmp_path, *arguments, **started) as address:
            page = browser.page(address)
            ask(page, QUESTION)
            marks = page.locator(".pq-sentence").all_inner_texts()
            send(page, "Was a dividend recommended for 2023?")
            page.get_by_role("button", name="Stop").wait_for()
        let_go.set()
        with serving(tmp_path, *arguments, **started):
            # the tab that stayed open finds the new server by itself, the session is what it was
            page.get_by_text(message("page.interrupted", "en")).wait_for()
            assert page.locator(".pq-question").count() == 2
            assert page.locator(".pq-sentence").all_inner_texts() == marks
            check_accessible(page)
            page.get_by_role("button", name=message("page.ask_again", "en")).click()
            page.get_by_text(ANSWERED).nth(1).wait_for()
            assert page.locator(".pq-question").count() == 2
            pane = open_citation(page)
            # the reply is beside this question, which the page surely answers
            assert "does not recommend a dividend" in pane.locator("blockquote").inner_text()


def test_two_visitors_at_once_share_nothing_but_the_documents(
    browser: Browser, sample_index: Path, tmp_path: Path
) -> None:
    copy_index(sample_index, tmp_path / "index")
    asked = {"ann": QUESTION, "bo": "새터환승주차장 발전소는 언제 가동을 시작했나요?"}
    with visiting(browser, tmp_path, "--index", "index", RAG_MODEL="extractive") as address:
        pages = {
            "ann": browser.page(address, locale="en-GB", color_scheme="light"),
            "bo": browser.page(address, locale="ko-KR", color_scheme="dark"),
        }
        for name, page in pages.items():
            send(page, asked[name])
        for name, page in pages.items():
            page.get_by_text(ANSWERED).wait_for()
            assert page.locator(".pq-question").all_inner_texts() == [asked[name]]
        open_citation(pages["ann"])
        pages["bo"].reload()
        pages["bo"].get_by_text(ANSWERED).wait_for()
        assert pages["bo"].locator(".st-key-pane").count() == 0
        for name, page in pages.items():
            sessions = page.locator(".st-key-sessions")
            sessions.get_by_text(asked[name][:12]).first.wait_for()  # the list comes after the answer
            listed = sessions.inner_text()
            (own,) = [other for other, words in asked.items() if words[:12] in listed]
            assert own == name
        # who follows the other's link reads along in a copy, and changes nothing in it
        link = pages["ann"].url
        pages["bo"].goto(link)
        ask(pages["bo"], "Which shipyard is building the new hybrid ferry?")
        pages["ann"].reload()
        pages["ann"].get_by_text(ANSWERED).first.wait_for()
        assert pages["ann"].locator(".pq-question").all_inner_texts() == [QUESTION]
        for page in pages.values():
            check_accessible(page)
