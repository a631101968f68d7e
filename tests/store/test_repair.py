"""Derived indexes that are missing, behind or damaged are repaired from the database, and it is said."""

from __future__ import annotations

import random
import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.store import open_index
from tests.store import corpus
from tests.store.corpus import question
from tests.store.damage import put_in_place

ASKED = question("turbine cracks storm 부산항 컨테이너")
TERMS = ["turbine", "storm", "부산", "컨테"]


def answers(location: Path, notices: list[str]) -> tuple[object, ...]:
    with open_index(location, notify=notices.append) as index:
        return (
            index.search_dense(ASKED, 8),
            index.search_keywords(TERMS, 8),
            index.search_pages(TERMS, 8),
            index.verify(),
        )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of eight documents, for `sound` to copy."""
    location = tmp_path_factory.mktemp("filled") / "index"
    corpus.fill(location, corpus.generated(8))
    return location


@pytest.fixture
def sound(location: Path, filled: Path) -> tuple[object, ...]:
    """A filled index and its answers."""
    shutil.copytree(filled, location)
    notices: list[str] = []
    found = answers(location, notices)
    assert notices == found[3] == []
    return found


def cut(path: Path) -> None:
    put_in_place(path, path.read_bytes()[: path.stat().st_size // 2])


def lengthen(path: Path) -> None:
    put_in_place(path, path.read_bytes() + b"\0" * 999)


def patch(offset: int, data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        content = bytearray(path.read_bytes())
        at = offset % len(content)
        content[at : at + len(data)] = data
        put_in_place(path, bytes(content))

    return write


def noise(path: Path) -> None:
    put_in_place(path, random.Random(3).randbytes(path.stat().st_size))


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        cut,
        lengthen,
        noise,
        lambda path: put_in_place(path, b""),
        patch(0, b"IwFl"),
        patch(4, struct.pack("<i", 8)),
        patch(8, struct.pack("<q", 10**12)),
        patch(37, b"IxHN"),
        patch(45, struct.pack("<q", 10**9)),
        patch(74, struct.pack("<Q", 2**61)),
        patch(-4, b"\0\0\0\0"),
        patch(-30, b"\xff"),
    ],
    ids=lambda damage: getattr(damage, "__name__", None),
)
def test_vectors(location: Path, sound: tuple[object, ...], damage: Callable[[Path], None]) -> None:
    damage(location / "vectors.faiss")
    notices: list[str] = []
    assert answers(location, notices) == sound
    assert len(notices) == 1
    assert "vectors.faiss" in notices[0]
    assert answers(location, notices) == sound
    assert len(notices) == 1, "repaired once and for all"


def keywords_of(location: Path) -> Path:
    """The keyword index of the published generation."""
    (folder,) = (location / "keywords").iterdir()
    return folder


def gone(folder: Path) -> None:
    """Moved away at once: a thread of Tantivy's could leave its lock in a folder that is being emptied."""
    folder.rename(Path(tempfile.mkdtemp()) / "gone")


def break_segments(folder: Path) -> None:
    for path in folder.iterdir():
        if path.suffix in (".idx", ".term", ".fast", ".fieldnorm", ".store"):
            data = bytearray(path.read_bytes())
            data[: len(data) // 2] = random.Random(5).randbytes(len(data) // 2)
            put_in_place(path, bytes(data))


@pytest.mark.parametrize(
    "damage",
    [
        gone,
        lambda folder: (folder / "meta.json").unlink(),
        lambda folder: put_in_place(folder / "meta.json", b"{"),
        lambda folder: put_in_place(folder / "meta.json", b'{"segments": [], "schema": [], "opstamp": 0}'),
        lambda folder: put_in_place(folder / "meta.json", b"\xff" * 100),
        lambda folder: [path.unlink() for path in folder.glob("*.idx")],
        lambda folder: [cut(path) for path in folder.glob("*.term")],
        lambda folder: [put_in_place(path, b"") for path in folder.glob("*.fast")],
        lambda folder: put_in_place(folder / ".managed.json", b"[1, 2"),
        break_segments,
    ],
    ids=[
        "gone",
        "no meta",
        "cut meta",
        "other meta",
        "binary meta",
        "no idx",
        "cut term",
        "empty fast",
        "managed",
        "noise",
    ],
)
@pytest.mark.parametrize("level", ["chunks", "pages"])
def test_keywords(
    location: Path, sound: tuple[object, ...], level: str, damage: Callable[[Path], object]
) -> None:
    damage(keywords_of(location) / level)
    notices: list[str] = []
    assert answers(location, notices) == sound
    assert len(notices) == 1
    assert "keywords" in notices[0]
    assert answers(location, notices) == sound
    assert len(notices) == 1


def test_all_derived_files_gone(location: Path, sound: tuple[object, ...]) -> None:
    (location / "vectors.faiss").unlink()
    gone(location / "keywords")
    notices: list[str] = []
    assert answers(location, notices) == sound
    assert len(notices) == 2


def test_files_of_an_older_state_are_brought_up(
    location: Path, sound: tuple[object, ...], fill: Callable
) -> None:
    older = location.with_name("older")
    shutil.copytree(location, older)
    fill([corpus.document("new.pdf", ["turbine storm turbine"])])
    expected = answers(location, [])
    gone(location / "keywords")
    (location / "vectors.faiss").unlink()
    shutil.copy(older / "vectors.faiss", location)
    shutil.copytree(older / "keywords", location / "keywords")
    notices: list[str] = []
    assert answers(location, notices) == expected
    assert len(notices) == 2


def test_derived_files_of_an_earlier_version_are_rebuilt_once(
    location: Path, sound: tuple[object, ...]
) -> None:
    keywords = keywords_of(location)
    for level in ("chunks", "pages"):
        (keywords / level).rename(location / "keywords" / level)
    gone(keywords)
    patch(-60, b"PQVECT01")(location / "vectors.faiss")
    notices: list[str] = []
    assert answers(location, notices) == sound
    assert len(notices) == 2
    assert all("earlier version" in notice for notice in notices)
    with open_index(location, notify=notices.append) as index, index.writer() as writer:
        item = corpus.document("new.pdf", ["turbine storm turbine"])
        writer.put(item, corpus.vectors_of(item))
    assert answers(location, notices)[3] == []
    assert len(notices) == 2
    assert not (location / "keywords" / "chunks").exists()


def test_vectors_that_a_killed_writer_published_but_did_not_move_are_used(
    location: Path, sound: tuple[object, ...]
) -> None:
    path = location / "vectors.faiss"
    beside = path.rename(f"{path}.{keywords_of(location).name}")
    notices: list[str] = []
    assert answers(location, notices) == sound
    with open_index(location, notify=notices.append) as index, index.writer():
        pass
    assert (path.exists(), beside.exists()) == (True, False)
    assert answers(location, notices) == sound
    assert notices == []


def test_files_of_another_index_are_not_trusted(
    location: Path, sound: tuple[object, ...], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    with open_index(other, create=corpus.spec()) as index, index.writer() as writer:
        for item in corpus.generated(8, seed=99):
            writer.put(item, corpus.vectors_of(item))
    shutil.copy(other / "vectors.faiss", location)
    gone(location / "keywords")
    shutil.copytree(other / "keywords", location / "keywords")
    assert answers(location, []) == sound


def test_another_tokeniser_is_repaired_and_said(
    location: Path, sound: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag.text import keywords

    monkeypatch.setattr(keywords, "TOKENISER_ID", "keywords-next")
    notices: list[str] = []
    assert answers(location, notices) == sound
    assert len(notices) == 1
    assert "another tokeniser" in notices[0]
    with open_index(location, create=corpus.spec(tokeniser="keywords-next")) as index:
        assert index.verify() == []


def test_verify_sees_vectors_that_were_changed(location: Path, sound: tuple[object, ...]) -> None:
    patch(90, b"\x01\x02")(location / "vectors.faiss")
    with open_index(location) as index:
        assert [fault for fault in index.verify() if "other vectors" in fault]


def test_a_writer_repairs_and_says_so_too(location: Path, sound: tuple[object, ...]) -> None:
    (location / "vectors.faiss").unlink()
    gone(keywords_of(location) / "pages")
    notices: list[str] = []
    with open_index(location, notify=notices.append) as index, index.writer():
        pass
    assert [Path(notice.split(" is missing")[0]).name for notice in notices] == ["vectors.faiss", "keywords"]
    assert answers(location, notices) == sound
    assert len(notices) == 2


def test_the_log_of_a_lost_database_is_not_replayed_into_a_new_one(location: Path, fill: Callable) -> None:
    fill([])
    with open_index(location) as index, index.writer() as writer:
        for item in corpus.generated(4):
            writer.put(item, corpus.vectors_of(item))
        shutil.copy(location / "index.db-wal", location / "kept")
    (location / "index.db").unlink()
    (location / "kept").rename(location / "index.db-wal")
    with open_index(location, create=corpus.spec()) as index:
        assert index.documents() == []
        assert index.verify() == []
