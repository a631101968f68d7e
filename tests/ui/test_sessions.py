"""Sessions are exported with their answers, and verified again when they come back."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rag.answering.originals import CurrentPages
from rag.answering.saved import read_saved_answer, verify_saved_answer
from rag.errors import UsageError
from rag.store import Index, open_index
from rag.types import Support
from rag.ui.questions import Choices
from rag.ui.session_store import SessionStore
from rag.ui.sessions import FILE, INTERRUPTED, LARGEST, Session, new_id, read_session
from rag.ui.workspace import UiOptions, Workspace
from tests.copies import copy_index

QUESTION = "How much profit before tax did Harrow Sound Ferries make in 2023?"
OTHER = "Which shipyard is building the new hybrid ferry?"


@pytest.fixture(scope="module")
def workspace(sample_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    uploads = tmp_path_factory.mktemp("uploads")
    return Workspace(
        UiOptions(uploads=str(uploads), flags={"index": str(sample_index), "model": "extractive"})
    )


@pytest.fixture(scope="module")
def index(sample_index: Path) -> Iterator[Index]:
    with open_index(sample_index) as opened:
        yield opened


@pytest.fixture(scope="module")
def asked(workspace: Workspace) -> Session:
    """A session with an answer and a declined question."""
    session = Session(new_id(), Choices.of(workspace.settings))
    for question in (QUESTION, "Which astronaut landed on the moon in July 1969 with Apollo 11?"):
        _ask(session, workspace, question)
    assert [one.answer.answered for one in session.exchanges] == [True, False]
    return session


def _ask(
    session: Session,
    workspace: Workspace,
    question: str,
    choices: Choices | None = None,
    instead: int | None = None,
) -> None:
    assert session.begin(question, workspace.start, choices=choices, instead=instead)
    assert session.running is not None
    assert session.running.wait(60)
    assert session.settle()


def test_a_second_question_waits_for_the_first(workspace: Workspace) -> None:
    session = Session(new_id(), Choices.of(workspace.settings))
    assert session.begin(QUESTION, workspace.start)
    assert not session.begin("another one", workspace.start)
    assert session.running is not None
    assert session.running.wait(60)
    assert session.settle()
    assert not session.begin("   ", workspace.start)


def test_an_error_is_one_sentence_and_the_session_goes_on(workspace: Workspace, index: Index) -> None:
    session = Session(new_id(), Choices(model="nonsense:model"))
    assert session.begin(QUESTION, workspace.start)
    assert session.running is not None
    assert session.running.wait(60)
    assert session.settle()
    (failed,) = session.exchanges
    assert failed.failed == "SettingsError"
    assert "nonsense" in failed.answer.reason
    again = read_session(session.export(), index)
    assert again.exchanges[0].failed == "SettingsError"
    session.choices = Choices.of(workspace.settings)
    _ask(session, workspace, QUESTION, instead=0)
    (answered,) = session.exchanges
    assert answered.failed == ""
    assert answered.others == ()  # what only failed is no answer to go back to


def test_a_question_that_is_stopped_stays_and_is_not_answered_later(workspace: Workspace) -> None:
    session = Session(new_id(), Choices.of(workspace.settings))
    assert session.begin(QUESTION, workspace.start)
    running = session.running
    assert running is not None
    running.stop()
    assert running.wait(1)
    assert session.settle()
    assert session.exchanges[0].failed == "Stopped"
    assert session.exchanges[0].answer.question == QUESTION
    assert session.history() == ()


def test_an_answer_in_another_way_takes_the_place_of_the_one_before_and_both_stay(
    workspace: Workspace, index: Index
) -> None:
    session = Session(new_id(), Choices.of(workspace.settings))
    for question in (QUESTION, OTHER):
        _ask(session, workspace, question)
    first = session.exchanges[0].answer
    _ask(session, workspace, QUESTION, Choices(abstain=1.0), instead=0)
    assert [one.answer.question for one in session.exchanges] == [QUESTION, OTHER]
    assert not session.exchanges[0].answer.answered
    assert [question for question, _ in session.history()] == [OTHER]
    assert session.choices == Choices.of(workspace.settings)  # the other way was for that question alone
    for opened in (session, read_session(session.export(), index)):
        assert [one.answer.answered for one in opened.exchanges[0].versions] == [True, False]
        opened.show_version(0, 0)
        assert opened.exchanges[0].answer.sentences == first.sentences
        assert [one.answer.answered for one in opened.exchanges[0].versions] == [True, False]
        assert [question for question, _ in opened.history()] == [QUESTION, OTHER]


def test_a_question_on_its_way_when_the_server_ends_is_found_again(
    workspace: Workspace, index: Index
) -> None:
    session = Session(new_id(), Choices.of(workspace.settings))
    _ask(session, workspace, QUESTION)
    assert session.begin(OTHER, workspace.start)
    again = read_session(session.to_json(), index)
    assert [(one.answer.question, one.failed) for one in again.exchanges] == [
        (QUESTION, ""),
        (OTHER, INTERRUPTED),
    ]
    assert session.running is not None
    assert session.running.wait(60)
    assert session.settle()
    assert [one.failed for one in read_session(session.to_json(), index).exchanges] == ["", ""]


def test_what_cites_a_removed_document_is_verified_again(sample_index: Path, tmp_path: Path) -> None:
    copy_index(sample_index, tmp_path / "index")
    flags = {"index": str(tmp_path / "index"), "model": "extractive"}
    workspace = Workspace(UiOptions(uploads=str(tmp_path / "uploads"), flags=flags))
    session = Session(new_id(), Choices.of(workspace.settings))
    _ask(session, workspace, QUESTION)
    snapshot = workspace.shared_index.index()
    assert snapshot is not None
    assert not session.refresh(snapshot)
    assert session.exchanges[0].answer.sentences[0].support is Support.VERIFIED
    workspace.remove([citation.file for citation in session.exchanges[0].answer.citations])
    later = workspace.shared_index.index()
    assert later is not None
    assert session.refresh(later)
    assert session.exchanges[0].stale
    assert not any(s.support is Support.VERIFIED for s in session.exchanges[0].answer.sentences)
    assert not session.refresh(later)
    assert read_session(session.to_json(), CurrentPages(later)).exchanges[0].stale  # also after a restart
    assert session.refresh(snapshot)  # the documents are back
    assert not session.exchanges[0].stale
    assert session.exchanges[0].answer.sentences[0].support is Support.VERIFIED


def test_a_visitor_sees_and_deletes_sessions_of_their_own_alone(asked: Session, tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    for visitor in ("ann", "bo"):
        session = Session(new_id(), asked.choices, list(asked.exchanges), name=f"of {visitor}")
        store.adopt(session, visitor)
    (own,) = store.recent("ann")
    assert own.name == "of ann"
    assert store.recent("ann", "profit before tax") == [own]
    assert store.recent("ann", "no such words") == []
    assert not store.delete(own.id, "bo")
    assert store.delete(own.id, "ann")
    assert store.recent("ann") == []


def test_what_is_exported_comes_back_as_it_was(asked: Session, index: Index) -> None:
    again = read_session(asked.export(), index)
    for old, new in zip(asked.exchanges, again.exchanges, strict=True):
        assert (new.answer.question, new.answer.answered) == (old.answer.question, old.answer.answered)
        assert [(s.text, s.support) for s in new.answer.sentences] == [
            (s.text, s.support) for s in old.answer.sentences
        ]
        assert [(c.file, c.page, c.quote, c.spans) for c in new.answer.citations] == [
            (c.file, c.page, c.quote, c.spans) for c in old.answer.citations
        ]
        assert not new.stale
    assert again.exchanges[1].answer.passages[0].text == asked.exchanges[1].answer.passages[0].text
    assert again.choices == asked.choices


@pytest.mark.parametrize("question", ["Thank you!", "고마워요"])
def test_small_talk_stays_small_talk_when_it_comes_back(
    question: str, workspace: Workspace, index: Index
) -> None:
    session = Session(new_id(), Choices.of(workspace.settings))
    _ask(session, workspace, question)
    assert session.exchanges[0].answer.extra["small_talk"] is True
    again = read_session(session.export(), index)
    assert again.exchanges[0].answer.extra["small_talk"] is True
    assert again.exchanges[0].answer.reason == session.exchanges[0].answer.reason
    forged = json.loads(session.to_json())
    forged["turns"][0]["receipt"]["reason"] = "The fee is 5 euros."
    changed = read_session(json.dumps(forged).encode(), index)
    assert "small_talk" not in changed.exchanges[0].answer.extra


def test_each_exported_answer_can_be_verified_alone(asked: Session, index: Index, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(asked.export())) as archive:
        archive.extractall(tmp_path)
    answers = sorted(tmp_path.glob("answer-*.json"))
    assert len(answers) == len(asked.exchanges)
    verification = verify_saved_answer(read_saved_answer(answers[0]), index, index)
    assert verification.holds
    assert verification.checks


def test_a_forged_session_proves_nothing(asked: Session, index: Index) -> None:
    form = json.loads(asked.to_json())
    receipt = form["turns"][0]["receipt"]
    receipt["answer"] = "The profit was £99.9 million."
    receipt["sentences"] = [
        {"text": "The profit was £99.9 million.", "citations": [1], "support": "verified"}
    ]
    receipt["citations"][0]["quote"] = "a profit of £99.9 million before tax"
    forged = read_session(json.dumps(form).encode(), index).exchanges[0]
    assert forged.stale
    assert not any(s.support is Support.VERIFIED for s in forged.answer.sentences)
    assert not any(c.verified for c in forged.answer.citations)


def test_a_forged_sentence_over_a_true_quote_is_not_verified(asked: Session, index: Index) -> None:
    form = json.loads(asked.to_json())
    form["turns"][0]["receipt"]["sentences"][0]["text"] = "The profit was £99.9 million in 1875."
    forged = read_session(json.dumps(form).encode(), index).exchanges[0]
    assert forged.stale
    assert forged.answer.sentences[0].support is not Support.VERIFIED


def test_the_nearest_passages_come_from_the_index_and_not_from_the_file(asked: Session, index: Index) -> None:
    form = json.loads(asked.to_json())
    form["turns"][1]["nearest"][0] |= {"file": "../../etc/passwd", "text": "trust me"}
    form["turns"][1]["nearest"][1]["spans"][0]["end"] = 10**9
    again = read_session(json.dumps(form).encode(), index).exchanges[1]
    assert len(again.answer.passages) == len(asked.exchanges[1].answer.passages[:3]) - 2


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"PK\x03\x04 not a zip", b'{"turns": [{}], "format": "pagequote-session/1"}',
     b'{"turns": [], "format": "pagequote-session/2"}', b"[" * 100_000, b"\xff\xfe"],
)  # fmt: skip
def test_what_is_no_session_is_refused(content: bytes, index: Index) -> None:
    with pytest.raises(UsageError):
        read_session(content, index)


def test_a_zip_bomb_is_not_unpacked(index: Index) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(FILE, b" " * (4 * LARGEST))
    assert len(packed.getvalue()) < LARGEST / 50
    with pytest.raises(UsageError, match="too large"):
        read_session(packed.getvalue(), index)


def test_a_session_is_found_again_after_a_restart(asked: Session, index: Index, tmp_path: Path) -> None:
    SessionStore(tmp_path).save(asked)
    again = SessionStore(tmp_path).get(asked.id, Choices(), index)
    assert again.id == asked.id
    assert [one.answer.question for one in again.exchanges] == [
        one.answer.question for one in asked.exchanges
    ]
    assert [(q, a.split()) for q, a in again.history()] == [(q, a.split()) for q, a in asked.history()]


def test_two_writers_of_one_session_never_leave_half_a_file(
    asked: Session, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tab writes while another is in the middle of writing the same session."""
    store = SessionStore(tmp_path)
    replace = os.replace

    def interleaved(source: Any, target: Any) -> None:
        monkeypatch.setattr(os, "replace", replace)
        store.save(asked)
        replace(source, target)

    monkeypatch.setattr(os, "replace", interleaved)
    store.save(asked)
    assert [path.name for path in tmp_path.iterdir()] == [f"{asked.id}.json"]
    again = read_session((tmp_path / f"{asked.id}.json").read_bytes(), index)
    assert len(again.exchanges) == len(asked.exchanges)


@pytest.mark.parametrize("identity", ["../../secret-secret-secret", "/etc/passwd", "", "x", "a" * 200, None])
def test_other_names_open_no_file(identity: str | None, asked: Session, index: Index, tmp_path: Path) -> None:
    (tmp_path.parent / "secret-secret-secret.json").write_bytes(asked.to_json())
    opened = SessionStore(tmp_path / "a" / "b").get(identity, Choices(), index)
    assert opened.exchanges == []
    assert opened.id != identity


def test_a_planted_link_is_not_followed(asked: Session, index: Index, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_bytes(asked.to_json())
    store = SessionStore(tmp_path / "sessions")
    (tmp_path / "sessions").mkdir()
    identity = new_id()
    (tmp_path / "sessions" / f"{identity}.json").symlink_to(elsewhere)
    assert store.get(identity, Choices(), index).exchanges == []


def test_memory_holds_a_bounded_number_of_sessions(index: Index, tmp_path: Path) -> None:
    store = SessionStore(tmp_path, most=3)
    ids = [store.get(None, Choices(), index).id for _ in range(9)]
    assert len(set(ids)) == 9
    assert len(store._open) == 3


def test_a_visitor_from_elsewhere_names_no_file_of_this_machine(sample_index: Path) -> None:
    flags: dict[str, Any] = {"index": str(sample_index), "model": "extractive"}
    public = Workspace(UiOptions(host="0.0.0.0", flags=flags))
    wanted = Choices(prompt="/etc/prompt.yaml", model="gguf:/etc/passwd", k=3)
    allowed = public.allowed(wanted)
    assert (allowed.prompt, allowed.model, allowed.k) == ("few-shot", None, 3)
    assert Workspace(UiOptions(flags=flags)).allowed(wanted) == wanted


def test_file_names_filter_as_they_are_written() -> None:
    assert Choices(files=("a[1]*.pdf",), conditions=("page=3", " ")).where() == (
        "file=./a[[]1][*].pdf",
        "page=3",
    )
    assert Choices().where() is None


def test_another_template_forgets_the_variables_of_the_old_one() -> None:
    choices = Choices(prompt="persona", variables=(("persona", "a pirate"),))
    assert choices.with_prompt("concise").variables == ()
    assert choices.with_prompt("persona").variables == choices.variables


def test_another_visitors_session_is_copied_not_shared(asked: Session, index: Index, tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    own = store.get(None, Choices(), index, "sender")
    own.exchanges = list(asked.exchanges)
    store.save(own)
    for opened in (store, SessionStore(tmp_path)):  # in memory, and from the disk
        theirs = opened.get(own.id, Choices(), index, "visitor")
        assert theirs.id != own.id
        assert len(theirs.exchanges) == len(own.exchanges)
        theirs.exchanges.append(theirs.exchanges[0])
        theirs.exchanges[0].rating = "down"
        assert own.exchanges[0].rating == ""
        assert len(opened.get(own.id, Choices(), index, "sender").exchanges) == len(asked.exchanges)
        assert opened.get(theirs.id, Choices(), index, "visitor") is theirs
        assert opened.get(own.id, Choices(), index).id != own.id  # a browser without a cookie
    assert b"sender" not in (tmp_path / f"{own.id}.json").read_bytes()


def test_two_tabs_that_save_one_session_do_not_tear_it(asked: Session, index: Index, tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    longer = Session(asked.id, asked.choices, asked.exchanges * 40)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.save, [asked, longer] * 40))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json"]
    assert len(read_session((tmp_path / f"{asked.id}.json").read_bytes(), index).exchanges) in (
        len(asked.exchanges),
        len(longer.exchanges),
    )
