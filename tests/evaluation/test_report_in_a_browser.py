"""The HTML report in a real browser: no console error, no request, filters and switches that work."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rag.evaluation.compare import compare
from rag.evaluation.metrics import summarise
from rag.evaluation.report.html import failures, html_report
from rag.messages import texts
from tests.evaluation.test_reports import hostile_run
from tests.evaluation.trials import as_run, noisy_run, spoil

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
          "--disable-sync", "--no-first-run", "--disable-quic")  # fmt: skip

BEFORE = noisy_run(60, 1, 1)
AFTER = [*spoil(BEFORE, 0.2, 1), *hostile_run()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if _CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=_CHROMIUM, args=list(_QUIET))
        yield launched
        launched.close()


@pytest.fixture(params=["light", "dark"])
def page(browser: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The report opened from disk; at the end, nothing may have been complained about or requested."""
    run = as_run(AFTER, "after")
    report = html_report(run, summarise(run.records), comparison=compare(as_run(BEFORE, "before"), run))
    (tmp_path / "report.html").write_text(report)
    context = browser.new_context(color_scheme=request.param)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda one: complaints.append(one.url) if "report.html" not in one.url else None)
    page.goto((tmp_path / "report.html").as_uri())
    yield page
    assert complaints == []
    context.close()


def shown(page: Page) -> list[str]:
    return page.eval_on_selector_all(
        "#list > details", "rows => rows.filter(r => r.offsetParent !== null).map(r => r.id.slice(2))"
    )


def test_filters_show_what_they_say(page: Page) -> None:
    assert len(shown(page)) == len(AFTER)
    for name in ("wrong", "missed", "declined", "invented", "unverified", "failed"):
        expected = [record.id for record in AFTER if name in failures(record)]
        button = page.locator(f"[data-filter={name}]")
        if not expected:
            assert button.count() == 0
            continue
        button.click()
        assert len(shown(page)) == len(expected), name
        assert button.get_attribute("aria-pressed") == "true"
        assert page.locator("#count").inner_text() == str(len(expected))
    page.locator("[data-filter=all]").click()
    assert len(shown(page)) == len(AFTER)


def test_search_narrows_and_says_when_nothing_is_left(page: Page) -> None:
    page.fill("#search", "What is Q7?")
    assert shown(page) == ["q7"]
    page.fill("#search", "no such words")
    assert shown(page) == []
    assert page.locator("#nothing").is_visible()
    page.fill("#search", "")
    assert len(shown(page)) == len(AFTER)


def test_questions_open_with_their_answer_and_quotes(page: Page) -> None:
    row = page.locator("#q-q1")
    assert not row.locator(".body").is_visible()
    row.locator("summary").click()
    assert row.locator(".body").is_visible()
    page.locator("#expand").click()
    assert page.locator("#list > details[open]").count() == len(AFTER)
    page.locator("#collapse").click()
    assert page.locator("#list > details[open]").count() == 0


def test_language_and_theme_can_be_switched(page: Page) -> None:
    heading = page.locator("#questions h2")
    assert heading.locator("visible=true").inner_text() == texts("report.questions")["en"]
    page.click("#language")
    assert heading.locator("visible=true").inner_text() == texts("report.questions")["ko"]
    assert page.get_attribute("#search", "placeholder") == "질문과 답에서 찾기"
    assert page.get_attribute("html", "lang") == "ko"
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == before


def test_nothing_hostile_ran_or_hid_anything(page: Page) -> None:
    assert page.title().startswith("after")
    assert page.locator("#list img, #list a, #list script").count() == 0
    assert page.locator("header").is_visible()


def test_text_can_be_read_in_either_theme(page: Page) -> None:
    """WCAG 2.1 AA: a contrast of at least 4.5 between text and what it stands on."""
    contrast = """(selector) => {
      const luminance = (c) => {
        const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map((v) => {
          const x = v / 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const behind = (e) => { for (; e; e = e.parentElement) {
        const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$|transparent/.test(c)) return c; } };
      return [...document.querySelectorAll(selector)].filter((e) => e.offsetParent).map((e) => {
        const [a, b] = [getComputedStyle(e).color, behind(e)].map(luminance).sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05); });
    }"""
    page.locator("#expand").click()
    for selector in (
        ".card-value",
        ".card-name",
        ".card-note",
        ".note",
        ".tag",
        "td",
        "th",
        "blockquote",
        "code",
    ):
        ratios = page.evaluate(contrast, selector)
        assert ratios, selector
        assert min(ratios) >= 4.5, (selector, min(ratios))


def test_no_sideways_scrolling_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 380, "height": 800})
    page.locator("#expand").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
