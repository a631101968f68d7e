"""An index directory from a stranger: no code runs, nothing outside it is touched, the error is a sentence."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import IndexDamaged, IndexError_, IndexMismatch, RagError
from rag.store import Index, open_index
from tests.store import corpus
from tests.store.corpus import document, question, vectors_of
from tests.store.processes import run


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of one document, for `filled` to copy."""
    location = tmp_path_factory.mktemp("sound") / "index"
    corpus.fill(location, [document("a.pdf", [corpus.ENGLISH[0], corpus.KOREAN[0]], title="Fees")])
    return location


@pytest.fixture
def filled(location: Path, sound: Path) -> Path:
    shutil.copytree(sound, location)
    return location / "index.db"


def use_all(location: Path) -> None:
    """Open and use the index in every way, reading and writing."""
    with open_index(location) as index:
        index.counts()
        index.document_statuses()
        index.pages("a.pdf")
        index.passages(range(5))
        index.search_dense(question("mooring"), 3)
        index.search_keywords(["mooring"], 3)
        index.search_pages(["mooring"], 3)
        with index.writer() as writer:
            item = document("a.pdf", [corpus.ENGLISH[3]])
            writer.put(item, vectors_of(item))


def tamper(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for statement in statements:
            connection.execute(statement)
    connection.close()


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (str(self.target),))


def test_a_pickle_is_never_loaded(filled: Path, location: Path, tmp_path: Path) -> None:
    for name in ("index.pkl", "vectors.pkl", "vectors.faiss", "docstore.pkl"):
        (location / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    use_all(location)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON sources BEGIN DELETE FROM chunks; END",
        "CREATE TRIGGER t AFTER UPDATE ON state BEGIN SELECT load_extension('/tmp/x.so'); END",
        "CREATE VIEW v AS SELECT writefile('/tmp/x', 'y')",
        "CREATE TABLE extra (a)",
        "CREATE INDEX i ON chunks (upper(text))",
        "ALTER TABLE chunks ADD COLUMN more TEXT",
        "DROP TABLE pages",
        "DROP INDEX chunks_page",
        "CREATE VIRTUAL TABLE v USING fts5(a)",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE pages (id INTEGER)' WHERE name = 'pages'",
        "UPDATE sqlite_schema SET sql = replace(sql, 'title TEXT', 'title ANY') WHERE name = 'sources'",
    ],
)
def test_a_changed_schema_is_refused(filled: Path, location: Path, statement: str) -> None:
    tamper(filled, statement)
    for _ in range(2):
        with pytest.raises(IndexDamaged, match=r"index\.db is damaged.*--rebuild"):
            use_all(location)


def test_a_view_in_the_place_of_a_table_is_refused(filled: Path, location: Path) -> None:
    rows = "SELECT 1 AS id, 1 AS content, 0 AS ordinal"
    tamper(filled, "DROP TABLE chunks", f"CREATE VIEW chunks AS {rows}")
    with pytest.raises(IndexDamaged, match="view chunks"):
        use_all(location)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chunks SET spans = '[[1,2]]'",
        "UPDATE chunks SET spans = 'nonsense'",
        "UPDATE chunks SET spans = CAST(x'ff' AS TEXT)",
        "UPDATE pages SET furniture = '{\"a\": 1}'",
        "UPDATE pages SET status = 'running'",
        "UPDATE chunks SET page_end = 99999999",
        "UPDATE chunks SET page = -5",
        "UPDATE chunks SET page = 2, page_end = 1",
        "UPDATE chunks SET spans = '[[1,0,1e999]]'",
        "UPDATE chunks SET spans = '[[1,0,' || printf('%.5000d', 1) || ']]'",
        "UPDATE chunks SET spans = '[[99999999,0,5]]'",
        "UPDATE chunks SET spans = replace(hex(zeroblob(50000)), '00', '[')",
        "UPDATE pages SET furniture = replace(hex(zeroblob(50000)), '00', '[')",
        "UPDATE pages SET furniture = '[[1e999,1]]'",
        "UPDATE sources SET metadata = replace(hex(zeroblob(50000)), '00', '[')",
        "UPDATE state SET spec = replace(hex(zeroblob(50000)), '00', '[')",
        "UPDATE sources SET status = 'x'",
        "UPDATE sources SET metadata = '[1]'",
        "UPDATE sources SET metadata = '{'",
        "UPDATE state SET spec = '{}'",
        "UPDATE state SET spec = json_set(spec, '$.dimension', 1000000000)",
        "UPDATE state SET spec = json_set(spec, '$.dimension', 'x')",
        "UPDATE state SET published = 99",
        "UPDATE state SET instance = 'not hexadecimal'",
        "DELETE FROM state",
    ],
)
def test_impossible_rows_are_one_sentence(filled: Path, location: Path, statement: str) -> None:
    tamper(filled, statement)
    with pytest.raises(IndexDamaged) as caught:
        use_all(location)
    assert "\n" not in str(caught.value)
    assert "--rebuild" in str(caught.value)


def test_embeddings_of_the_wrong_size_are_refused(filled: Path, location: Path) -> None:
    tamper(filled, "UPDATE embeddings SET vector = zeroblob(12)")
    (location / "vectors.faiss").unlink()
    with pytest.raises(IndexDamaged, match="dimension"):
        use_all(location)


def test_a_huge_blob_is_not_loaded(filled: Path, location: Path) -> None:
    tamper(filled, "UPDATE pages SET text = CAST(zeroblob(65 * 1024 * 1024) AS TEXT) WHERE number = 1")
    with open_index(location) as index, pytest.raises(IndexDamaged, match="too big"):
        index.pages("a.pdf")


@pytest.mark.parametrize(
    "content", [b"", b"x", b"not a database" * 1000, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_other_files_in_its_place(filled: Path, location: Path, content: bytes) -> None:
    for path in location.glob("index.db*"):
        path.unlink()
    filled.write_bytes(content)
    with pytest.raises(IndexDamaged, match="--rebuild"):
        use_all(location)


def test_overwritten_pages_are_an_error_and_never_a_crash(location: Path, fill: Callable) -> None:
    fill(corpus.generated(12))
    sound = (location / "index.db").read_bytes()
    damaged = []
    for start in range(8192, len(sound), 8192):
        damaged.append(location.with_name(f"damaged at {start}"))
        shutil.copytree(location, damaged[-1])
        (damaged[-1] / "index.db").write_bytes(sound[:start] + os.urandom(3000) + sound[start + 3000 :])
    outcomes = run("ask", *damaged, all_lines=True)
    assert len(outcomes) == len(damaged) > 10
    for outcome in outcomes:
        assert "answers" in outcome or outcome["error"] in ("IndexDamaged", "IndexError_")


def test_a_newer_format_says_to_upgrade(filled: Path, location: Path) -> None:
    tamper(filled, "PRAGMA user_version = 7")
    with pytest.raises(IndexMismatch, match=r"newer pagequote .*upgrade"):
        use_all(location)


@pytest.mark.parametrize("name", ["index.db", "index.db-wal", "index.db-journal"])
def test_a_link_in_the_place_of_the_database_is_refused(
    filled: Path, location: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "private"
    target.write_bytes(filled.read_bytes())
    before = target.read_bytes()
    (location / name).unlink(missing_ok=True)
    (location / name).symlink_to(target)
    with pytest.raises(IndexDamaged, match="not a plain file"):
        use_all(location)
    assert target.read_bytes() == before


@pytest.mark.parametrize(
    "place",
    [
        "vectors.faiss",
        "keywords",
        "keywords/1",
        "keywords/1/chunks",
        "keywords/1/pages/meta.json",
        "keywords/1/chunks/.tantivy-writer.lock",
    ],
)
def test_links_in_the_place_of_derived_files_are_replaced_not_followed(
    filled: Path, location: Path, tmp_path: Path, place: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "chunks").mkdir(parents=True)
    for name in ("precious.txt", "chunks/meta.json", "meta.json"):
        (outside / name).write_text("precious")
    path = location / place
    if path.is_dir():
        path.rename(tmp_path / "moved")
        path.symlink_to(outside)
    else:
        path.unlink(missing_ok=True)
        path.symlink_to(outside / "precious.txt")
    use_all(location)
    for name in ("precious.txt", "chunks/meta.json", "meta.json"):
        assert (outside / name).read_text() == "precious"
    assert sorted(p.name for p in outside.rglob("*")) == ["chunks", "meta.json", "meta.json", "precious.txt"]
    with open_index(location) as index:
        assert index.verify() == []


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"instance": 1, "generation": 1e999, "tokeniser": 0}', b"[" * 4000]
)
def test_a_nonsense_stamp_of_the_keywords_is_repaired(filled: Path, location: Path, content: bytes) -> None:
    (location / "keywords/1/stamp.json").write_bytes(content)
    use_all(location)
    with open_index(location) as index:
        assert index.verify() == []


@pytest.mark.parametrize("name", ["writer.lock", "readers.lock", "writer.json"])
def test_links_in_the_place_of_locks_are_not_followed(
    filled: Path, location: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "precious.txt"
    target.write_text("precious")
    (location / name).unlink(missing_ok=True)
    (location / name).symlink_to(target)
    with contextlib.suppress(IndexError_):
        use_all(location)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("name", ["index.db", "vectors.faiss", "keywords/1/chunks/meta.json"])
def test_a_pipe_does_not_hang(filled: Path, location: Path, name: str) -> None:
    (location / name).unlink()
    os.mkfifo(location / name)
    outcome = run("ask", location)
    assert ("error" in outcome) == (name == "index.db")


def test_rebuilding_a_damaged_index_keeps_the_embeddings_that_can_be_read(
    filled: Path, location: Path
) -> None:
    tamper(filled, "CREATE TABLE extra (a)")
    notices: list[str] = []
    with open_index(location, create=corpus.spec(), rebuild=True, notify=notices.append) as index:
        with index.writer() as writer:
            known = writer.cached_vectors(
                [f"Fees\n{corpus.ENGLISH[0]}", f"Fees\n{corpus.KOREAN[0]}", "other"]
            )
            assert sorted(known) == [0, 1]
        assert index.documents() == []
        assert index.verify() == []
    assert len(notices) == 1
    assert "index.db.damaged" in notices[0]


def test_rebuilding_rubbish_makes_an_index(location: Path) -> None:
    location.mkdir()
    (location / "index.db").write_bytes(b"rubbish" * 5000)
    with open_index(location, create=corpus.spec(), rebuild=True) as index:
        assert isinstance(index, Index)
        assert index.verify() == []


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RagError, match="file"):
        open_index(tmp_path / "file", create=corpus.spec())
    with pytest.raises(RagError, match="file"):
        open_index(tmp_path / "file")
