"""`--where` in both engines, and its mistakes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

import pytest

from rag.errors import UsageError
from rag.store import Filter, Index, open_index
from rag.store.filters import all_of
from tests.kinds import BOTH_KINDS
from tests.store import corpus
from tests.store.corpus import document, question

KINDS = BOTH_KINDS

FILES = {
    "2023/아세아.pdf": {"format": "pdf", "year": "2023", "author": "Kim"},
    "2023/deep/beta.md": {"format": "md", "year": "2023", "author": "Lee"},
    "2024/gamma.pdf": {"format": "PDF", "year": "2024", "author": "kim"},
    "2023-draft/delta.pdf": {"format": "pdf", "year": "2023"},
    "odd[1]*/epsilon.pdf": {"format": "pdf"},
}
REPORTS = ("report.pdf", "2023/report.pdf", "2024/report.pdf", "2024/annex.pdf", "[a]?.pdf")


@pytest.fixture(scope="module")
def filled(new_location: Callable) -> Iterator[Index]:
    with open_index(new_location(), create=corpus.spec()) as index:
        with index.writer() as writer:
            for file, metadata in FILES.items():
                item = document(file, [f"anchor rope {file} {page}" for page in range(1, 13)], **metadata)
                writer.put(item, corpus.vectors_of(item))
        yield index


@pytest.mark.parametrize(
    ("conditions", "files"),
    [
        (["file=2023/*"], {"2023/아세아.pdf", "2023/deep/beta.md"}),
        (["file=*.md"], {"2023/deep/beta.md"}),
        (["file=gamma.pdf"], {"2024/gamma.pdf"}),
        (["file=아세아.pdf"], {"2023/아세아.pdf"}),
        ([unicodedata.normalize("NFD", "file=아세아.pdf")], {"2023/아세아.pdf"}),
        (["file=gamma.pdf", "file=*beta*"], {"2024/gamma.pdf", "2023/deep/beta.md"}),
        (["folder=2023"], {"2023/아세아.pdf", "2023/deep/beta.md"}),
        (["folder=2023/deep/"], {"2023/deep/beta.md"}),
        (["folder=odd[1]*"], {"odd[1]*/epsilon.pdf"}),
        (["folder=."], set(FILES)),
        (["format=pdf"], set(FILES) - {"2023/deep/beta.md"}),
        (["author=KIM"], {"2023/아세아.pdf", "2024/gamma.pdf"}),
        (["author=Kim", "author=Lee", "year=2023"], {"2023/아세아.pdf", "2023/deep/beta.md"}),
        (["author=Nobody"], set()),
        (["file=2023/*", "format=md"], {"2023/deep/beta.md"}),
    ],
)
def test_files_and_metadata(filled: Index, conditions: list[str], files: set[str]) -> None:
    where = Filter.parse(conditions)
    dense = filled.search_dense(question("anchor rope"), 100, where)
    keyword = filled.search_keywords(["anchor"], 100, where)
    pages = filled.search_pages(["anchor"], 100, where)
    found = {p.file for p in filled.passages([hit.chunk_id for hit in dense])}
    assert found == {p.file for p in filled.passages([hit.chunk_id for hit in keyword])} == files
    assert {hit.file for hit in pages} == files
    assert len(dense) == len(keyword) == len(pages) == 12 * len(files)


@pytest.mark.parametrize(
    ("condition", "pages"),
    [
        ("page=3", {3}),
        ("page=3-5", {3, 4, 5}),
        ("page=11-", {11, 12}),
        ("page=-2", {1, 2}),
        ("pages=40-50", set()),
    ],
)
def test_pages(filled: Index, condition: str, pages: set[int]) -> None:
    where = Filter.parse([condition, "file=gamma.pdf"])
    dense = filled.search_dense(question("anchor rope"), 100, where)
    keyword = filled.search_keywords(["anchor"], 100, where)
    assert {p.page for p in filled.passages([hit.chunk_id for hit in dense])} == pages
    assert {p.page for p in filled.passages([hit.chunk_id for hit in keyword])} == pages
    assert {hit.page for hit in filled.search_pages(["anchor"], 100, where)} == pages


def test_the_best_within_the_filter_not_the_filtered_best(filled: Index) -> None:
    where = Filter.parse(["file=gamma.pdf", "page=7"])
    asked = "anchor rope 2023/deep/beta.md 3"
    (hit,) = filled.search_dense(question(asked), 1, where)
    (passage,) = filled.passages([hit.chunk_id])
    assert (passage.file, passage.page) == ("2024/gamma.pdf", 7)


@pytest.mark.parametrize(
    "condition", ["gamma", "=x", "file=", "page=x", "page=5-3", "page=-", "page=1-2-3", "  =  ", ""]
)
def test_mistakes_say_what_is_understood(condition: str) -> None:
    with pytest.raises(UsageError, match=r"use .*"):
        Filter.parse([condition])


def test_two_page_ranges_are_refused() -> None:
    with pytest.raises(UsageError, match="second time"):
        Filter.parse(["page=1", "page=2"])


def test_no_condition_is_no_filter() -> None:
    assert Filter.parse([]) is None


@pytest.fixture(scope="module")
def reports(new_location: Callable) -> Iterator[Index]:
    with open_index(new_location(), create=corpus.spec()) as index:
        with index.writer() as writer:
            for file in REPORTS:
                item = document(file, [f"anchor rope {file}"])
                writer.put(item, corpus.vectors_of(item))
        yield index


def _found(index: Index, where: Filter | None) -> set[str]:
    hits = index.search_keywords(["anchor"], 100, where)
    return {passage.file for passage in index.passages([hit.chunk_id for hit in hits])}


@pytest.mark.parametrize(
    ("condition", "files"),
    [
        ("file=report.pdf", {"report.pdf"}),
        ("file=./report.pdf", {"report.pdf"}),
        ("file=./2024/report.pdf", {"2024/report.pdf"}),
        ("file=annex.pdf", {"2024/annex.pdf"}),
        ("file=./annex.pdf", set()),
        ("file=./*.pdf", set(REPORTS)),
        ("file=*report.pdf", {"report.pdf", "2023/report.pdf", "2024/report.pdf"}),
        ("file=./[[]a][?].pdf", {"[a]?.pdf"}),
        ("file=[a]?.pdf", {"[a]?.pdf"}),
    ],
)
def test_an_exact_file_can_be_selected(reports: Index, condition: str, files: set[str]) -> None:
    assert _found(reports, Filter.parse([condition])) == files


def test_documents_are_chosen_and_left_out_by_their_exact_names(reports: Index) -> None:
    assert _found(reports, Filter(documents=("report.pdf", "[a]?.pdf"))) == {"report.pdf", "[a]?.pdf"}
    assert _found(reports, Filter(without=("report.pdf",))) == set(REPORTS) - {"report.pdf"}
    both = Filter(files=("*report.pdf",), without=("2023/report.pdf", "report.pdf"))
    assert _found(reports, both) == {"2024/report.pdf"}
    assert _found(reports, Filter(documents=())) == set()


def test_thousands_of_conditions_are_one_list(reports: Index) -> None:
    names = [f"file {number}.pdf" for number in range(5_000)]
    assert _found(reports, Filter.parse([f"file={name}" for name in [*names, "annex.pdf"]])) == {
        "2024/annex.pdf"
    }
    assert _found(reports, Filter.parse([f"folder={name}" for name in [*names, "2023"]])) == {
        "2023/report.pdf"
    }
    assert _found(reports, Filter(without=tuple(names))) == set(REPORTS)
    assert _found(reports, Filter.parse([f"format={name}" for name in names])) == set()


def test_what_the_database_would_refuse_is_wrong_usage(reports: Index) -> None:
    for conditions in (["file=" + "x" * 60_000], [f"k{number}=x" for number in range(1_500)]):
        with pytest.raises(UsageError):
            _found(reports, Filter.parse(conditions))


def test_a_field_that_no_document_has_is_a_mistake(filled: Index, reports: Index) -> None:
    with pytest.raises(UsageError, match="did you mean `file`"):
        _found(filled, Filter.parse(["fle=x"]))
    with pytest.raises(UsageError, match="year"):
        _found(reports, Filter.parse(["year=2023"]))
    assert _found(reports, Filter.parse(["author=Kim"])) == set()


def test_quotes_in_a_value_are_only_text(filled: Index) -> None:
    where = Filter.parse(["author='; DROP TABLE sources; --", "year=x y'\"=1"])
    assert filled.search_dense(question("anchor"), 5, where) == []
    assert filled.counts().chunks == 60


@pytest.mark.parametrize(
    ("given", "own", "files", "pages"),
    [
        (["file=2023/*"], ["file=*.md"], {"2023/deep/beta.md"}, 12),
        (["file=2023/*"], ["file=2024/*"], set(), 0),
        (["author=Kim"], ["author=Lee"], set(), 0),
        (["page=3-8", "folder=2023"], ["page=6-", "format=md"], {"2023/deep/beta.md"}, 3),
        ([], ["file=gamma.pdf"], {"2024/gamma.pdf"}, 12),
    ],
)
def test_the_conditions_of_two_sources_must_both_hold(
    filled: Index, given: list[str], own: list[str], files: set[str], pages: int
) -> None:
    where = all_of(given, own)
    dense = filled.search_dense(question("anchor rope"), 100, where)
    found = filled.search_pages(["anchor"], 100, where)
    assert {p.file for p in filled.passages([one.chunk_id for one in dense])} == files
    assert {one.file for one in found} == files
    assert len(dense) == len(found) == pages * len(files)
