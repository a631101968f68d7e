"""`rag tokens`: counts and prices before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.conftest import SAMPLE

OPENAI = ("--embeddings", "openai:text-embedding-3-small", "--model", "openai:gpt-4o-mini")


def test_files_are_read_as_ingest_reads_them(rag: Run) -> None:
    done = rag(
        "tokens", SAMPLE / "tarn-340-user-manual.pdf", SAMPLE / "달무리정밀-사내생활-faq.html", "--json"
    )
    assert done.code == 0
    rows = {row["file"]: row for row in done.json["files"]}
    assert set(rows) == {"tarn-340-user-manual.pdf", "달무리정밀-사내생활-faq.html"}
    assert rows["tarn-340-user-manual.pdf"]["pages"] == 4
    for row in rows.values():
        assert row["chunks"] > 1
        assert row["embedding"]["model"] == "e5-small"
        assert row["embedding"]["exact"]
        assert row["embedding"]["cost_usd"] == 0
        assert "chat" not in row, "sentences that are only copied have no price"
    total = done.json["totals"]
    assert total["embedding"]["tokens"] == sum(row["embedding"]["tokens"] for row in rows.values())


def test_the_price_follows_from_tokens_and_price_list(rag: Run, workdir: Path) -> None:
    (workdir / "prices.toml").write_text('[models."openai:gpt-4o-mini"]\ninput = 1000.0\n', encoding="utf-8")
    (workdir / ".env").write_text("RAG_PRICES=prices.toml\n", encoding="utf-8")
    form = rag("tokens", SAMPLE / "wexcombe-volunteer-faq.md", *OPENAI, "--json").json["totals"]
    assert form["chat"]["cost_usd"] == pytest.approx(form["chat"]["tokens"] * 1000 / 1e6)
    assert form["embedding"]["exact"], "text-embedding-3 uses cl100k_base, which is carried"
    assert 0 < form["embedding"]["cost_usd"] < 0.001


def test_an_unknown_price_is_not_zero(rag: Run) -> None:
    arguments = ("tokens", SAMPLE / "wexcombe-volunteer-faq.md", "--model", "compatible:some-model")
    form = rag(*arguments, "--json").json["totals"]["chat"]
    assert form["cost_usd"] is None
    assert not form["exact"]
    shown = rag(*arguments).out
    assert "unknown" in shown
    assert f"~{form['tokens']:,}" in shown
    assert "approximated" in shown


def test_standard_input_is_counted_exactly_for_the_embedding(rag: Run) -> None:
    # cl100k_base: "hello world" is two tokens
    form = rag("tokens", "-", *OPENAI, "--json", stdin="hello world").json["files"][0]
    assert form["embedding"] == {
        "model": "openai:text-embedding-3-small",
        "tokens": 2,
        "exact": True,
        "cost_usd": pytest.approx(2 * 0.02 / 1e6),
    }


def test_a_file_that_cannot_be_read_is_named(rag: Run, workdir: Path) -> None:
    (workdir / "broken.pdf").write_bytes(b"%PDF-1.7\nno more")
    done = rag("tokens", "broken.pdf")
    assert done.code == 3
    assert "broken.pdf" in done.out
    assert "damaged" in done.out
    missing = rag("tokens", "nowhere.pdf")
    assert missing.code == 2
    assert "nowhere.pdf does not exist" in missing.err
