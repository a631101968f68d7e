"""Prices, the cap, the usage log: what is spent is known, and never more than was allowed."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rag.errors import BudgetReached, RagError, SettingsError
from rag.providers.registry import chat_model, embedding_model, new_meter
from rag.usage.log import UsageLog
from rag.usage.meter import DEFAULT_CAP_USD, Meter, UsageTotal, counting_usage
from rag.usage.prices import Price, Prices, load_prices
from tests.providers.support import AT_ONCE, CHAT, EMBEDDINGS, price_file, settings_for
from tests.servers.openai_server import Fault, OpenAIServer


def test_known_models_have_prices_and_unknown_ones_have_none() -> None:
    prices = load_prices()
    assert prices.find("openai:gpt-4o-mini") == Price(0.15, 0.60, 0.075)
    assert prices.find("openai:gpt-4o-mini-2024-07-18") == prices.find("openai:gpt-4o-mini")
    assert prices.find("openai:gpt-4o-2024-05-13") == Price(5.0, 15.0)
    assert prices.find("e5-small") == prices.find("extractive") == prices.find("gguf:/m.gguf") == Price(0.0)
    for unknown in ("openai:gpt-99", "azure:my-gpt-4o", "compatible:x", "ollama:x", "anthropic:claude"):
        assert prices.find(unknown) is None
    # an older snapshot may cost more than its family: it has a price of its own
    assert prices.find("openai:gpt-3.5-turbo-0125") == Price(0.5, 1.5)
    assert prices.find("openai:gpt-3.5-turbo-1106") == Price(1.0, 2.0)
    assert prices.checked
    assert prices.source.startswith("https://")


def test_cost_counts_what_the_server_had_cached() -> None:
    price = Price(2.0, 8.0, 0.5)
    assert price.cost(1_000_000, 500_000) == pytest.approx(6.0)
    assert price.cost(1_000_000, 0, cached_input=400_000) == pytest.approx(1.2 + 0.2)
    assert Price(2.0).cost(1_000_000, 10, cached_input=400_000) == pytest.approx(2.0)


def test_a_list_of_ones_own_adds_and_overrules(tmp_path: Path) -> None:
    own = price_file(tmp_path, **{"azure__mine": (1.0, 2.0), "openai__gpt-4o": (9.0, 9.0)})
    prices = load_prices(own)
    assert prices.find("azure:mine") == Price(1.0, 2.0)
    assert prices.find("openai:gpt-4o") == Price(9.0, 9.0)
    assert prices.find("openai:gpt-4o-mini") is not None


@pytest.mark.parametrize(
    "content",
    [
        "not toml [",
        "",
        '[models."x:y"]\noutput = 1.0\n',
        '[models."x:y"]\ninput = -1\n',
        '[models."x:y"]\ninput = "a"\n',
    ],
)
def test_a_wrong_list_is_one_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"prices\.toml"):
        load_prices(path)
    with pytest.raises(SettingsError, match=r"none\.toml"):
        load_prices(tmp_path / "none.toml")


def test_the_cap_has_a_small_default() -> None:
    assert Meter(load_prices()).cap == DEFAULT_CAP_USD == 1.0
    assert Meter(load_prices(), max_cost=0.0).cap == 0.0


def test_a_call_that_could_pass_the_cap_is_not_made() -> None:
    with OpenAIServer(reply="Yes.") as server:
        model = chat_model(CHAT, settings_for(server, max_cost=0.0001), retry=AT_ONCE)
        with pytest.raises(BudgetReached, match=r"--max-cost") as caught:
            model.invoke("Well?", max_tokens=1000)
        assert server.requests == []
        assert caught.value.exit_code == 5
        assert model.invoke("Well?", max_tokens=50).text == "Yes."


def test_free_and_unpriced_models_do_not_touch_the_cap(tmp_path: Path) -> None:
    with OpenAIServer(reply="Yes.") as server:
        model = chat_model("compatible:x", settings_for(server, max_cost=0.0), retry=AT_ONCE)
        assert model.invoke("Well?").text == "Yes."
        assert model.guards.meter.usage.cost_usd is None
        with pytest.raises(SettingsError, match="price of azure:x is not known"):
            chat_model(
                "azure:x", settings_for(server, max_cost=0.5, azure_openai_endpoint="https://a.example")
            )
        own = price_file(tmp_path, azure__x=(1.0, 1.0))
        chat_model("azure:x", settings_for(server, max_cost=0.5, prices=own))


def test_failed_calls_that_may_have_been_billed_count_in_full() -> None:
    with OpenAIServer(reply="Yes.", faults=[Fault("drop"), Fault("500"), None]) as server:
        model = chat_model(CHAT, settings_for(server), retry=AT_ONCE)
        model.invoke("Well?", max_tokens=100)
        meter = model.guards.meter
        assert meter.usage.calls == 2
        assert meter.spent >= server.bill.cost(0.15, 0.60)
        assert meter.spent >= 100 * 0.60 / 1e6
        assert meter.total.estimated == {CHAT}


def test_parallel_calls_cannot_pass_the_cap_together() -> None:
    price = Price(10.0, 10.0)
    meter = Meter(Prices({"x:m": price}), max_cost=0.01)  # 1,000 tokens
    billed = 0
    lock = threading.Lock()

    def call(seed: int) -> bool:
        nonlocal billed
        chance = random.Random(seed)
        try:
            reservation = meter.reserve("x:m", 50, 50)
        except BudgetReached:
            return False
        used = chance.randint(1, 100)
        with lock:
            billed += used
        if chance.random() < 0.2:
            with lock:
                billed -= used
            reservation.release()
        else:
            reservation.settle(used // 2, used - used // 2)
        return True

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(call, range(200)))
    assert billed <= 1000
    assert billed > 900  # waiting callers used up what others gave back
    assert not all(made)
    assert meter.spent == pytest.approx(price.cost(billed))


def test_a_thread_does_not_wait_for_itself() -> None:
    meter = Meter(Prices({"x:m": Price(1.0)}), max_cost=1.0)
    held = meter.reserve("x:m", 700_000)
    with pytest.raises(BudgetReached):
        meter.reserve("x:m", 700_000)
    held.release()
    meter.reserve("x:m", 700_000).settle(700_000)


def test_a_reservation_is_closed_once() -> None:
    meter = Meter(Prices({"x:m": Price(1.0, 1.0)}))
    reservation = meter.reserve("x:m", 100, 100)
    reservation.settle(10, 10)
    reservation.forfeit()
    reservation.release()
    assert (meter.usage.input_tokens, meter.usage.output_tokens, meter.usage.calls) == (10, 10, 1)


def test_a_tally_counts_what_happens_inside_it_and_its_threads() -> None:
    with OpenAIServer(reply="Yes.") as server:
        settings = settings_for(server)
        meter = new_meter(settings)
        model = chat_model(CHAT, settings, meter=meter, retry=AT_ONCE)
        provider = embedding_model(EMBEDDINGS, settings, meter=meter, retry=AT_ONCE, dimension=64)
        first, second = UsageTotal(), UsageTotal()
        with counting_usage(first):
            model.invoke("One?")
            with counting_usage(second):
                provider.embed([f"text {i}" for i in range(600)])
        model.invoke("Two?")
    assert set(first.by_model) == {CHAT, EMBEDDINGS}
    assert set(second.by_model) == {EMBEDDINGS}
    assert second.total.calls == 3
    assert meter.usage.calls == first.total.calls + 1


def test_logged_usage_adds_up_by_day_model_and_command(tmp_path: Path) -> None:
    log = UsageLog(tmp_path / "deep" / "usage.db")
    assert log.summary() == []
    meter = Meter(load_prices())
    for spec, given, made in (("openai:gpt-4o-mini", 1000, 500), ("compatible:x", 10, 20)):
        meter.reserve(spec, given, made).settle(given, made, estimated=spec == "compatible:x")
    monday, tuesday = datetime(2026, 3, 2, 12, tzinfo=UTC), datetime(2026, 3, 3, 12, tzinfo=UTC)
    log.record("ask", meter.total, at=monday)
    log.record("eval", meter.total, at=tuesday)
    log.record("search", UsageTotal(), at=tuesday)
    days = log.summary("day")
    assert [line.key for line in days] == ["2026-03-02", "2026-03-03"]
    assert [line.key for line in log.summary("command")] == ["ask", "eval"]
    models = {line.key: line for line in log.summary("model")}
    assert models["openai:gpt-4o-mini"].cost_usd == pytest.approx(2 * (1000 * 0.15 + 500 * 0.6) / 1e6)
    assert (models["compatible:x"].cost_usd, models["compatible:x"].unpriced_calls) == (0.0, 2)
    assert models["compatible:x"].estimated
    assert not models["openai:gpt-4o-mini"].estimated
    assert models["compatible:x"].output_tokens == 40


def test_a_damaged_usage_log_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(RagError, match="move the file away"):
        UsageLog(path).summary()
