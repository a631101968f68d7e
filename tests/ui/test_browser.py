"""A real Chromium walks over the page as a person would: see `served`."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from rag.messages import message
from tests.copies import copy_index
from tests.servers.openai_server import OpenAIServer
from tests.ui.served import Browser, ask, check_accessible, drawn, last_answer, open_citation, visiting
from tests.ui.test_pages import zeros_pdf

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample"
MUSEUM = SAMPLE / "가람시립박물관-관람-및-대관-안내.pdf"
FERRIES = SAMPLE / "harrow-sound-ferries-annual-report-2023.pdf"
REPLY = (
    'The company made £2.78 million before tax [1: "the company returned to a meaningful profit: £2.78 million'
    ' before tax"]. Dividends doubled. <img src=x onerror=alert(1)> [l](https://evil.example) '
    "![p](https://evil.example/p.png)"
)
VERIFIED = re.compile(f"✓ (?:{message('answer.quoted', 'en')}|{message('answer.entailed', 'en')})")
PROFIT = "How much profit before tax did Harrow Sound Ferries make in 2023?"


def _questions() -> list[dict[str, Any]]:
    text = (ROOT / "data" / "questions" / "sample.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _upload(page: Any, *files: Path) -> None:
    page.locator('[data-testid="stForm"] input[type=file]').set_input_files([str(file) for file in files])
    page.get_by_role("button", name="Upload and index").click()


def _evaluate(folder: Path, index: Path) -> None:
    """Two small runs of the real evaluation: one that reads eight passages, one that reads a single one."""
    from rag.evaluation.question_sets import load_questions
    from rag.evaluation.running import evaluate
    from rag.pipeline import Pipeline

    questions = [q for q in load_questions(ROOT / "data" / "questions" / "sample.jsonl") if q.answerable][:12]
    for name, k in (("eight", 8), ("one", 1)):
        with Pipeline.open(index, model="extractive", k=k) as pipeline:
            evaluate(questions, folder / name, ask=lambda q: pipeline.ask(q.question), settings={"k": k})


# -- the evidence is where the page says it is ----------------------------------------------------------------------


def _characters(pdf: Path, page: int, quote: str) -> list[tuple[float, float]]:
    """The middle of every printed character of a quote on a PDF page, as shares of its width and height."""
    import pypdfium2 as pdfium

    document = pdfium.PdfDocument(pdf)
    opened = document[page - 1]
    width, height = opened.get_size()
    words = opened.get_textpage()
    # letters and digits alone: what stands between them changes where lines end
    solid = [(i, c) for i in range(words.count_chars()) if (c := words.get_text_range(i, 1)).isalnum()]
    wanted = "".join(filter(str.isalnum, quote))
    start = "".join(c for _, c in solid).index(wanted)
    boxes = [words.get_charbox(i) for i, _ in solid[start : start + len(wanted)]]
    return [
        ((left + right) / 2 / width, 1 - (bottom + top) / 2 / height) for left, bottom, right, top in boxes
    ]


def _check_marks(page: Any, pdf: Path, number: int, quote: str) -> None:
    """The picture that is shown is marked where the quote stands, and nowhere else."""
    import numpy as np
    from PIL import Image

    shown = page.locator(".pq-view img")
    png = page.request.get(shown.evaluate("image => image.src")).body()
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    marked = (pixels[:, :, 0] > 120) & (pixels[:, :, 0] - pixels[:, :, 2] > 70) & (pixels[:, :, 1] > 100)
    height, width = marked.shape
    middles = [(x * width, y * height) for x, y in _characters(pdf, number, quote)]
    around = 6  # pixels: a letter's own ink is not yellow, what is around it is
    for x, y in middles:
        spot = marked[int(y) - around : int(y) + around, int(x) - around : int(x) + around]
        assert spot.any(), f"the quote is not marked at {x:.0f}, {y:.0f}"
    reach = 0.025 * height
    rows, columns = np.nonzero(marked)
    near = [min(abs(y - row) for _, y in middles) < reach for row in np.unique(rows)]
    assert all(near), "something else is marked"
    assert columns.min() > min(x for x, _ in middles) - reach
    assert columns.max() < max(x for x, _ in middles) + reach
    box, view = shown.bounding_box(), page.locator(".pq-view").bounding_box()
    assert box["width"] > 200
    assert abs(box["height"] / box["width"] - height / width) < 0.02  # drawn in its own proportions
    for x, y in middles[:1]:  # and in view without scrolling
        assert view["y"] < box["y"] + y / height * box["height"] < view["y"] + view["height"]
        assert view["x"] < box["x"] + x / width * box["width"] < view["x"] + view["width"]


# -- the walk -------------------------------------------------------------------------------------------------------


def test_the_walk(browser: Browser, sample_index: Path, tmp_path: Path) -> None:
    _evaluate(tmp_path / "runs", sample_index)
    damaged = tmp_path / "damaged.pdf"
    damaged.write_bytes(FERRIES.read_bytes()[:3000])
    with visiting(browser, tmp_path, RAG_MODEL="extractive") as address:
        page = browser.page(address)
        page.get_by_role("button", name="Try the sample").wait_for()  # the first visit offers it
        check_accessible(page)
        page.get_by_role("button", name="Add documents").click()
        page.get_by_role("heading", name="Documents", exact=True).wait_for()
        _upload(page, MUSEUM, FERRIES, damaged)
        page.get_by_text("done", exact=True).wait_for()
        page.get_by_text("2 read, 1 could not be read, 0 unchanged").wait_for()
        listed = page.locator('[class*="st-key-document-"]')
        listed.filter(has_text=MUSEUM.name).wait_for()
        assert listed.count() == 3
        broken = listed.filter(has_text="damaged.pdf").inner_text()
        assert "not searchable" in broken
        assert "damaged" in broken.partition("not searchable")[2]
        assert "not searchable" not in listed.filter(has_text=MUSEUM.name).inner_text()
        check_accessible(page)

        page.get_by_text("Ask", exact=True).first.click()
        ask(page, PROFIT)
        _shows_its_page(page, FERRIES)
        korean = next(
            q
            for q in _questions()
            if q["language"] == "ko" and MUSEUM.name in json.dumps(q["evidence"], ensure_ascii=False)
        )
        ask(page, korean["question"])
        _shows_its_page(page, MUSEUM)
        ask(page, "Which astronaut landed on the moon in July 1969 with Apollo 11?")
        answer = last_answer(page)
        answer.get_by_text("These documents do not hold the answer.").wait_for()
        assert answer.locator(".pq-near a").count() == 3

        page.get_by_text("한국어").click()
        page.get_by_text("이 문서들에는 답이 없습니다.").wait_for()
        page.reload()
        page.get_by_text("이 문서들에는 답이 없습니다.").wait_for()
        assert page.get_by_text(PROFIT).first.is_visible()
        page.wait_for_function("() => document.documentElement.lang === 'ko'")
        ask(page, PROFIT)  # and it goes on
        open_citation(page)
        check_accessible(page)
        page.keyboard.press("Escape")
        page.get_by_text("English").click()
        _remove(page, FERRIES.name)
        page.get_by_text("Ask", exact=True).first.click()
        page.get_by_text("have been removed or changed since").first.wait_for()
        assert not VERIFIED.search(last_answer(page).inner_text())

        page.get_by_text("Evaluation", exact=True).first.click()
        page.get_by_text("Two runs compared").click()
        page.get_by_text("Over 12 questions that both runs share.").wait_for()
        page.get_by_text(re.compile(r"Questions that flipped \(\d+\)")).wait_for()


def _remove(page: Any, name: str) -> None:
    """Take a document out, on the page of documents."""
    page.get_by_text("Documents", exact=True).first.click()
    document = page.locator('[class*="st-key-document-"]').filter(has_text=name)
    document.get_by_role("button", name="More").click()
    page.get_by_role("button", name=re.compile("Remove the document")).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    document.wait_for(state="detached")


def _shows_its_page(page: Any, pdf: Path) -> None:
    """Press the first quote of the last answer, compare the marks with the PDF, turn the page, close."""
    answer = last_answer(page)
    assert VERIFIED.search(answer.inner_text())
    pane = open_citation(page)
    number = int(pane.get_by_role("spinbutton").input_value())
    pane.get_by_text(pdf.name).first.wait_for()
    _check_marks(page, pdf, number, pane.locator("blockquote").inner_text())
    with page.expect_download() as download:
        pane.get_by_role("button", name="Download the document").click()
    assert Path(download.value.path()).read_bytes() == pdf.read_bytes()
    by, name = (1, "Next page") if number == 1 else (-1, "Previous page")
    pane.get_by_role("button", name=name).click()
    pane.get_by_text("The quote is on another page.").wait_for()
    assert int(pane.get_by_role("spinbutton").input_value()) == number + by
    pane.get_by_text("Back to the quote").click()
    pane.get_by_text("The quote is on another page.").wait_for(state="hidden")
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Escape")
    pane.wait_for(state="detached")
    page.wait_for_function("() => document.activeElement?.classList.contains('pq-ref')")


def test_a_model_streams_and_a_reload_loses_nothing(
    browser: Browser, sample_index: Path, tmp_path: Path
) -> None:
    copy_index(sample_index, tmp_path / "index")
    with (
        OpenAIServer(reply=REPLY, key=None, chunk_delay=0.2) as model,
        visiting(
            browser, tmp_path, "--index", "index", "--model", "compatible:test", "--max-cost", "0.5",
            RAG_BASE_URL=model.base_url, RAG_UI_PASSWORD="", RAG_PRICES=_prices(tmp_path),
        ) as address,
    ):  # fmt: skip
        page = browser.page(address)
        box = page.locator('[data-testid="stChatInput"] textarea')
        box.fill(PROFIT)
        box.press("Enter")
        draft = page.locator(".pq-draft")
        draft.wait_for()
        early = draft.inner_text()
        assert REPLY.startswith(early.strip()[:40])
        assert "[1" not in early
        page.wait_for_function(
            "before => document.querySelector('.pq-draft')?.innerText.length > before", arg=len(early)
        )
        page.reload()
        page.get_by_text(re.compile(r"evidence: \w")).wait_for()
        marks = page.locator(".pq-sentence .pq-badge").all_inner_texts()
        assert marks[0][0] in "✓~"  # its quote is on the page
        assert not any(VERIFIED.fullmatch(mark) for mark in marks[1:])
        assert "<img src=x onerror=alert(1)>" in last_answer(page).inner_text()
        assert _no_foreign_element(last_answer(page))
        assert len(_asked(model)) == 1

        page.get_by_text("Short", exact=True).click()
        page.wait_for_timeout(1_500)  # the page has taken the task when its rerun is over
        ask(page, "Was a dividend recommended for 2023?")
        assert len(_asked(model)) == 2
        page.get_by_text("Settings", exact=True).first.click()
        page.get_by_role("tab", name="Cost").click()
        page.locator('[data-testid="stMetricValue"]').nth(2).wait_for()
        spent = page.locator('[data-testid="stMetricValue"]').all_inner_texts()
        assert spent[0] == spent[1] != "$0.0000"
        assert spent[2] == "$0.5"


def _asked(model: OpenAIServer) -> list[str]:
    """The requests for an answer; others check its sentences."""
    requests = [json.dumps(request.messages) for request in model.chat_requests()]
    return [request for request in requests if "Passages:" in request]


def _prices(folder: Path) -> str:
    path = folder / "prices.toml"
    path.write_text('[models."compatible:test"]\ninput = 10.0\noutput = 30.0\n', encoding="utf-8")
    return str(path)


# -- many at once ---------------------------------------------------------------------------------------------------


def _holds(text: str, golds: list[str]) -> bool:
    """Whether a gold answer stands in `text`, white space and case aside."""
    folded = "".join(text.split()).casefold()
    return any("".join(gold.split()).casefold() in folded for gold in golds)


def test_ten_sessions_ask_while_an_ingest_runs(browser: Browser, sample_index: Path, tmp_path: Path) -> None:
    from rag.pipeline import Pipeline
    from rag.store import open_index

    copy_index(sample_index, tmp_path / "index")
    more = tmp_path / "more"
    more.mkdir()
    for number in range(150):
        lines = (f"Entry {number}.{line} of the shipping diary was written at sea." for line in range(12))
        (more / f"diary-{number}.txt").write_text("\n\n".join(lines), encoding="utf-8")
    with Pipeline.open(sample_index, model="extractive") as pipeline:
        asked = [(q, pipeline.ask(q["question"])) for q in _questions() if q["answerable"]]
    # the surest right ones: the collection grows meanwhile, and with it the rarity of words and which of two
    # sentences stands first
    right = [(q, answer) for q, answer in asked if answer.answered and _holds(answer.text, q["answers"])]
    alone = sorted(right, key=lambda pair: -pair[1].evidence_score)[:10]
    assert len(alone) == 10
    with visiting(browser, tmp_path, "--index", "index", RAG_MODEL="extractive") as address:
        pages = [browser.page(address) for _ in alone]
        keeper = browser.page(f"{address}/documents")
        keeper.get_by_role("textbox", name="A folder or file").fill(str(more))
        keeper.get_by_role("button", name="Index this folder").click()
        keeper.get_by_text("running", exact=True).wait_for()
        for page, (question, _) in zip(pages, alone, strict=True):
            box = page.locator('[data-testid="stChatInput"] textarea')
            box.fill(question["question"])
            box.press("Enter")
        for page, (question, answer) in zip(pages, alone, strict=True):
            page.get_by_text(re.compile(r"evidence: \w")).wait_for()
            shown = " ".join(page.locator(".pq-sentence").all_inner_texts())
            assert _holds(shown, question["answers"])
            chips = page.locator("a.pq-chip").all_inner_texts()
            assert {c.page for c in answer.citations} & {
                int(n) for c in chips for n in re.findall(r"p\. (\d+).*✓", c)
            }
        assert len({page.url for page in pages}) == 10  # each has a session of its own
        keeper.get_by_text("150 read, 0 could not be read").wait_for()
    with open_index(tmp_path / "index") as index:
        assert index.verify() == []
        assert sum(index.counts().files.values()) == 165


# -- hostile visitors and documents ---------------------------------------------------------------------------------


def _no_foreign_element(part: Any) -> bool:
    """Links lead into the index alone, pictures come from it, and nothing runs."""
    script = "all => all.map(e => e.getAttribute('href') ?? e.getAttribute('src') ?? e.tagName)"
    found = part.locator("a, img, script, iframe").evaluate_all(script)
    return all(address.startswith(("/?file=", "/evidence/picture?file=")) for address in found)


def test_hostile_uploads_do_nothing(browser: Browser, tmp_path: Path) -> None:
    import zipfile

    name = '<img src=x onerror=alert("name")> ![p](https:evil.example) :smile:.txt'
    body = (
        "The lighthouse keeper is called <script>alert('text')</script><img src=x onerror=alert('text')>."
        " [click](javascript:alert(1)) ![p](https://evil.example/p.png) https://evil.example www.evil.example\n"
    )
    bomb, fake = tmp_path / "bomb.pdf", tmp_path / "fake.pdf"
    bomb.write_bytes(zeros_pdf(1 << 30))
    fake.write_bytes(b"MZ" + bytes(4000))
    with visiting(browser, tmp_path, RAG_MODEL="extractive") as address:
        page = browser.page(f"{address}/documents")
        chosen = page.locator('[data-testid="stForm"] input[type=file]')
        chosen.set_input_files(
            [
                {"name": name, "mimeType": "text/plain", "buffer": body.encode()},
                {"name": "..\\..\\outside.txt", "mimeType": "text/plain", "buffer": b"Words from outside."},
                {"name": "bomb.pdf", "mimeType": "application/pdf", "buffer": bomb.read_bytes()},
                {"name": "fake.pdf", "mimeType": "application/pdf", "buffer": fake.read_bytes()},
            ]
        )
        page.get_by_role("button", name="Upload and index").click()
        page.get_by_text("fake.pdf is not what its name says").wait_for()
        page.get_by_text("done", exact=True).wait_for()
        page.locator('[class*="st-key-document-"]').filter(has_text="outside.txt").wait_for()
        page.get_by_text("Ask", exact=True).first.click()
        ask(page, "What is the lighthouse keeper called?")
        answer = last_answer(page)
        assert _no_foreign_element(answer)
        answer.locator("a.pq-chip").first.click()
        pane = page.locator(".st-key-pane")
        pane.get_by_text("This document has no drawn pages.").wait_for()
        assert "onerror=alert" in pane.inner_text()
        assert _no_foreign_element(pane)
        page.get_by_text("This session", exact=True).click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export with saved answers").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            session = json.loads(archive.read("session.json"))
    assert session["turns"][0]["receipt"]["question"] == "What is the lighthouse keeper called?"
    kept = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.txt")}
    assert len(kept) == 2
    assert all(path.startswith(".rag-uploads/") for path in kept)


def test_the_password_stands_before_everything(browser: Browser, tmp_path: Path) -> None:
    with visiting(
        browser, tmp_path, "--host", "0.0.0.0", RAG_UI_PASSWORD="바다 열쇠", RAG_MODEL="extractive"
    ) as address:
        page = browser.page(f"{address}/documents")
        assert page.request.get(f"{address}/_stcore/host-config").status == 401
        page.get_by_label(re.compile("Password")).fill("guess")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("alert").first.wait_for()
        page.get_by_label(re.compile("Password")).fill("바다 열쇠")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="Documents", exact=True).wait_for()
        page.get_by_text("No folder may be named from other machines.").wait_for()
        page.reload()
        page.get_by_role("heading", name="Documents", exact=True).wait_for()
        page.get_by_text("Sign out").click()
        page.get_by_label(re.compile("Password")).wait_for()
        assert page.request.get(f"{address}/_stcore/host-config").status == 401
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert "바다 열쇠" not in log


def test_it_works_at_phone_width_with_the_keyboard_alone(
    browser: Browser, sample_index: Path, tmp_path: Path
) -> None:
    from rag.pipeline import Pipeline

    copy_index(sample_index, tmp_path / "index")
    korean = [q["question"] for q in _questions() if q["answerable"] and q["language"] == "ko"]
    with Pipeline.open(sample_index, model="extractive") as pipeline:
        asked = [q for q in (PROFIT, *korean[:12]) if pipeline.ask(q).answered][:4]
    assert len(asked) == 4
    with visiting(browser, tmp_path, "--index", "index", RAG_MODEL="extractive", RAG_OFFLINE="1") as address:
        page = browser.page(
            address, viewport={"width": 390, "height": 844}, color_scheme="dark", locale="ko-KR"
        )
        page.get_by_role("heading", name="문서에 질문하기").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        shown = 0
        for question in asked:
            ask(page, question)
            drawn(page)
            for number in range(last_answer(page).locator(".pq-ref").count()):
                _shows_its_quote_on_a_phone(page, number)
                shown += 1
        assert shown >= len(asked)
        check_accessible(page)


def _shows_its_quote_on_a_phone(page: Any, number: int) -> None:
    """Open a citation with the keyboard: the sheet over the chat has the quote in view without scrolling."""
    last_answer(page).locator(".pq-ref").nth(number).focus()
    page.keyboard.press("Enter")
    sheet = page.locator(".st-key-pane")
    sheet.locator(".pq-view").wait_for()
    words = sheet.locator("blockquote").bounding_box()
    assert words["y"] + words["height"] <= 844
    crop = sheet.locator(".pq-crop")
    if crop.count():  # a PDF: its page is cut to the quote
        page.wait_for_function("() => document.querySelector('.pq-crop')?.naturalHeight > 0")
        box = crop.bounding_box()
        assert box["x"] >= 0
        assert 300 < box["width"] <= 390
        assert box["y"] + box["height"] <= 844
    assert sheet.bounding_box()["width"] == 390
    check_accessible(page)
    page.keyboard.press("Escape")
    sheet.wait_for(state="detached")
