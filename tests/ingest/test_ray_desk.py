"""The desk of a Ray run, when it is killed and started again, and when workers of an earlier pass go on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ingest.engines.ray import leases
from ingest.engines.ray.desk import Desk, Errand, Terms
from ingest.engines.ray.journal import EventJournal
from ingest.engines.ray.leases import Leases, name_of
from ingest.options import Passwords
from rag.settings import load_settings
from rag.types import Usage
from rag.usage.prices import Prices

MODEL = "compatible:m"
FIRST, SECOND = name_of(1, "a"), name_of(1, "b")


@pytest.fixture
def terms(tmp_path: Path) -> Terms:
    """A cap of a dollar, and a model at a dollar for a million tokens."""
    prices = tmp_path / "prices.toml"
    prices.write_text(f'[models."{MODEL}"]\ninput = 1\n', encoding="utf-8")
    from rag.usage.prices import load_prices

    return Terms(load_prices(prices), 1.0, None, 1_000, tmp_path / "journal", {}, None)


def test_the_cap_holds_when_the_desk_is_started_again(terms: Terms) -> None:
    desk = Desk(terms)
    assert desk.reserve("one", (FIRST, 1), MODEL, 900_000) is True
    assert (
        desk.reserve("two", (SECOND, 1), MODEL, 900_000) is False
    )  # may fit when the first turns out cheaper
    again = Desk(terms)
    assert again.reserve("two", (SECOND, 1), MODEL, 900_000) is False
    again.book("one", MODEL, Usage(900_000, 0, 0.9, calls=1), False)
    refusal = again.reserve("two", (SECOND, 1), MODEL, 900_000)
    assert isinstance(refusal, str)
    assert "of the cap of $1 is spent" in refusal
    third = Desk(terms)
    assert isinstance(third.reserve("three", (SECOND, 1), MODEL, 900_000), str)
    assert third.reserve("small", (SECOND, 1), MODEL, 50_000) is True


def test_a_call_that_was_dropped_is_not_set_aside_again(terms: Terms) -> None:
    desk = Desk(terms)
    assert desk.reserve("one", (FIRST, 1), MODEL, 900_000) is True
    desk.drop("one")
    assert Desk(terms).reserve("two", (SECOND, 1), MODEL, 900_000) is True


def test_a_worker_that_died_with_the_desk_pays_in_full(terms: Terms, monkeypatch: pytest.MonkeyPatch) -> None:
    Desk(terms).reserve("one", (FIRST, 1), MODEL, 900_000)
    again = Desk(terms)
    later = time.monotonic()
    for _ in range(10):  # news is asked for all the time
        later += leases.LEASE_SECONDS / 8
        monkeypatch.setattr(time, "monotonic", lambda now=later: now)
        again.beat(SECOND)
        again.news(0)
    events, _ = again.news(0)
    assert [event["name"] for event in events if event["kind"] == "booked"] == ["one"]
    assert isinstance(again.reserve("two", (SECOND, 1), MODEL, 900_000), str)


def test_the_rate_limit_starts_empty_when_something_was_sent(terms: Terms) -> None:
    assert Desk(terms).pace(900) == 0.0
    desk = Desk(terms)
    desk.tell("one", "note", {"text": "began"})
    assert Desk(terms).pace(900) > 30.0


def test_a_line_that_was_cut_off_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    EventJournal(path).add("one", "note", {})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"name": "two", "ki')
    after = EventJournal(path)
    assert not after.knows("two")
    after.add("stop", "stop", {})
    assert [event["name"] for event in EventJournal(path).events] == ["one", "stop"]


def test_a_file_is_not_begun_before_its_passwords_are_known(terms: Terms) -> None:
    desk = Desk(terms)
    permit = desk.begin(FIRST, "read 0", "locked.pdf")
    assert permit is not None
    assert permit.passwords is None
    errand = Errand(load_settings({}, env={}, dotenv_path=None), Prices({}), "m", 3, None, "0", True)
    desk.hand_over(errand, Passwords(("open sesame",)))
    permit = desk.begin(FIRST, "read 0", "locked.pdf")
    assert permit is not None
    assert (permit.deaths, permit.passwords) == (0, ("open sesame",))
    assert "sesame" not in repr(desk.errand())


def test_a_worker_of_an_earlier_pass_keeps_what_it_is_paying_for() -> None:
    gone: list[str] = []
    held = Leases(gone.append)
    next_one = name_of(2, "c")
    held.begin(FIRST, "embed 1")
    assert held.claim(FIRST, ["x", "y"]) == [0, 1]
    assert held.begin(next_one, "embed 1") == 1
    assert held.claim(next_one, ["x", "y", "z"]) == [2]
    assert gone == []
    held.release(FIRST, ["x", "y"])
    assert held.claim(next_one, ["x", "y"]) == [0, 1]


def test_a_worker_of_the_same_pass_takes_over_from_a_dead_one() -> None:
    gone: list[str] = []
    held = Leases(gone.append)
    held.begin(FIRST, "embed 1")
    held.claim(FIRST, ["x"])
    assert held.begin(SECOND, "embed 1") == 1
    assert (gone, held.claim(SECOND, ["x"])) == ([FIRST], [0])


def test_nobody_is_taken_for_dead_while_the_desk_was_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    held = Leases(gone.append)
    held.beat(FIRST)
    later = time.monotonic() + 2 * leases.LEASE_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    held.sweep()
    assert gone == []
