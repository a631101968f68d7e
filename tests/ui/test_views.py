"""Every page is drawn by Streamlit, in both languages, with what the workspace holds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from rag.messages import LANGUAGES, Language, message
from rag.ui.pages import CitedPage
from rag.ui.questions import Choices
from rag.ui.sessions import Session, new_id
from rag.ui.workspace import VARIABLE, UiOptions, Workspace, sample_folder
from tests.conftest import ROOT

testing = pytest.importorskip("streamlit.testing.v1")

from rag.ui.views.visit import OpenPage  # noqa: E402 - it imports Streamlit

QUESTION = "How much profit before tax did Harrow Sound Ferries make in 2023?"
ABSENT = "Which astronaut landed on the moon in July 1969 with Apollo 11?"


@pytest.fixture(scope="module")
def workspace(sample_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("views")
    flags = {"index": str(sample_index), "model": "extractive"}
    return Workspace(UiOptions(uploads=str(folder / "uploads"), runs=str(folder / "runs"), flags=flags))


@pytest.fixture(scope="module")
def session(workspace: Workspace) -> Session:
    asked = Session(new_id(), Choices.of(workspace.settings))
    for question in (QUESTION, ABSENT):
        assert asked.begin(question, workspace.start)
        assert asked.running is not None
        assert asked.running.wait(60)
        assert asked.settle()
    return asked


def _draw(view: str, workspace: Workspace, session: Session, language: Language) -> Any:
    def script(view, workspace, session, language):  # type: ignore[no-untyped-def]  # run without its module
        from importlib import import_module

        from rag.ui.views.visit import Visit

        import_module(f"rag.ui.views.{view}").show(Visit(workspace, session, language))

    drawn = testing.AppTest.from_function(script, args=(view, workspace, session, language))
    return drawn.run(timeout=120)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("view", "title"),
    [
        ("documents", "page.documents"),
        ("settings", "page.settings_title"),
        ("runs", "page.evaluation_title"),
    ],
)
def test_a_page_is_drawn(
    view: str, title: str, workspace: Workspace, session: Session, language: Language
) -> None:
    drawn = _draw(view, workspace, session, language)
    assert not drawn.exception
    assert [one.value for one in drawn.title] == [message(title, language)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_session_is_drawn_and_a_quote_opens_its_page(
    workspace: Workspace, session: Session, language: Language
) -> None:
    drawn = _draw("ask", workspace, session, language)
    assert not drawn.exception
    cited = CitedPage.of_citation(session.exchanges[0].answer.citations[0])
    drawn.session_state["pane"] = OpenPage.of_address(cited.address(at="0.1"))
    drawn.run(timeout=120)
    assert not drawn.exception
    assert message("page.next", language) in [button.help for button in drawn.button]


def test_a_new_session_welcomes(workspace: Workspace) -> None:
    drawn = _draw("ask", workspace, Session(new_id(), Choices.of(workspace.settings)), "en")
    assert not drawn.exception
    assert [one.value for one in drawn.title] == [message("page.ask_title", "en")]


def test_a_failed_question_stays_with_its_reason_and_is_asked_again(workspace: Workspace) -> None:
    session = Session(new_id(), Choices(model="nonsense:model"))
    assert session.begin(QUESTION, workspace.start)
    assert session.running is not None
    assert session.running.wait(60)
    assert session.settle()
    drawn = _draw("ask", workspace, session, "ko")
    assert not drawn.exception
    assert "nonsense" in drawn.error[0].value
    session.choices = Choices.of(workspace.settings)
    drawn.button(key="retry-0").click().run(timeout=120)
    assert not drawn.exception
    assert session.running is not None
    assert session.running.question == QUESTION
    assert session.running.instead == 0
    assert session.running.wait(60)
    end = time.monotonic() + 30
    while session.running is not None and time.monotonic() < end:
        time.sleep(0.02)
    assert [one.failed for one in session.exchanges] == [""]


def test_a_first_visit_offers_the_sample(tmp_path: Path) -> None:
    empty = Workspace(UiOptions(flags={"index": str(tmp_path / "none"), "model": "extractive"}))
    drawn = _draw("ask", empty, Session(new_id(), Choices.of(empty.settings)), "ko")
    assert not drawn.exception
    assert message("page.sample_button", "ko") in [button.label for button in drawn.button]
    assert len(list(sample_folder().iterdir())) == 15


def test_the_script_draws_the_first_page(sample_index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = UiOptions(flags={"index": str(sample_index), "model": "extractive"})
    monkeypatch.setenv(VARIABLE, options.to_json())
    drawn = testing.AppTest.from_file(str(ROOT / "rag" / "ui" / "views" / "page.py")).run(timeout=120)
    assert not drawn.exception
    assert message("page.new_session", "en") in [button.label for button in drawn.button]
