"""Which documents a question names."""

from __future__ import annotations

import pytest

from rag.retrieval.routing import Router
from rag.types import DocumentRecord, Status


def router(*files: str, **titles: str) -> Router:
    return Router(
        DocumentRecord(file, file, "", 1, 1, Status.OK, title=titles.get(file.split(".")[0], ""))
        for file in files
    )


def best(found: dict[str, float] | object) -> str:
    scores = dict(found)  # type: ignore[call-overload]
    return max(scores, key=lambda file: scores[file])


REPORTS = ("NORTHWIND_2021_10K.pdf", "NORTHWIND_2022_10K.pdf", "BLUEHARBOR_2022_10K.pdf")


def test_name_and_year_lead_to_the_report() -> None:
    assert best(router(*REPORTS).route("What was Northwind's revenue in FY2022?")) == "NORTHWIND_2022_10K.pdf"


def test_a_name_written_apart_is_found_joined() -> None:
    assert best(router(*REPORTS).route("How many ships does Blue Harbor own?")) == "BLUEHARBOR_2022_10K.pdf"


def test_a_year_alone_is_a_weak_hint() -> None:
    named = router(*REPORTS).route("Northwind in 2021")
    unnamed = router(*REPORTS).route("What happened in 2021?")
    assert set(unnamed) == {"NORTHWIND_2021_10K.pdf", "NORTHWIND_2022_10K.pdf", "BLUEHARBOR_2022_10K.pdf"} - {
        file for file in unnamed if unnamed[file] <= 0
    }
    assert max(unnamed.values()) < min(0.5, max(named.values()))


@pytest.mark.parametrize("question", ["Did H&H grow in 2022?", "H&H의 매출은?"])
def test_initials_name_a_company_of_two_words(question: str) -> None:
    found = router("HOLLOWAY_HARTE_2022_10K.pdf", *REPORTS).route(question)
    assert best(found) == "HOLLOWAY_HARTE_2022_10K.pdf"


def test_a_korean_name_is_found_before_a_particle() -> None:
    found = router("가람미술관.pdf", "한빛도서관.pdf").route("한빛도서관에서는 책을 몇 권 빌릴 수 있나요?")
    assert best(found) == "한빛도서관.pdf"
    assert "가람미술관.pdf" not in found


def test_one_common_word_counts_little() -> None:
    found = router("Annual_Leave_Policy_Handbook.pdf", "Travel.pdf").route("Who approves annual audits?")
    assert found["Annual_Leave_Policy_Handbook.pdf"] < 0.2


def test_a_meaningless_file_name_leaves_it_to_the_title() -> None:
    routing = router(
        "0000764478-17-000008.pdf", "other.pdf", **{"0000764478-17-000008": "Lanternfish Almanac"}
    )
    assert (
        best(routing.route("What does the Lanternfish Almanac say of tides?")) == "0000764478-17-000008.pdf"
    )


def test_nothing_named_nothing_routed() -> None:
    assert not router(*REPORTS).route("How long is the warranty?")
