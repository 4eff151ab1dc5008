"""Tokens and money: exact prices, a meter that several models share, and a cap that is never passed."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from messages_server import DROP, Say, Seen, echo, message, running
from sfumato.adapters import prices
from sfumato.adapters.anthropic import AnthropicModel
from sfumato.adapters.endpoint import Endpoint
from sfumato.adapters.meter import Meter
from sfumato.adapters.pacing import Tempo
from sfumato.adapters.prices import Price, Tariff, price_list, tariff_of
from sfumato.errors import Refused
from sfumato.model.prompt import Prompt, Usage

QUICK = Tempo(first_wait_s=0.01, longest_wait_s=0.05, knock_s=0.05)
PRICED = "claude-sonnet-4-6"  # 3 dollars a million tokens in, 15 out


@pytest.fixture
def charged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls to this machine are free; here they cost what the model's name says."""
    monkeypatch.setattr(Endpoint, "loopback", property(lambda _: False))


def prompts(number: int) -> list[Prompt]:
    return [Prompt(system="", text=f"text {i}", schema={"type": "object"}, max_tokens=1000) for i in range(number)]


def dear(seen: Seen) -> Say:
    """Every reply uses all that it may."""
    return Say(body=message(output_tokens=1000, input_tokens=len(str(seen.body))))


def test_every_price_has_all_four_kinds_and_no_model_of_the_sdk_costs_nothing() -> None:
    listed = price_list()
    assert listed.as_of == "2026-11-21"
    assert {"claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"} <= set(listed.tariffs)
    for tariff in listed.tariffs.values():
        assert 0 < tariff.price.cache_read < tariff.price.input < tariff.price.cache_write < tariff.price.output


def test_a_model_that_is_not_listed_has_no_price() -> None:
    assert tariff_of("claude-sonnet-4-6") is not None
    assert tariff_of("claude-sonnet-4-6-nightly") is None


def test_a_cost_is_exact_and_a_batch_costs_half() -> None:
    tariff = Tariff(
        price=Price(input=Decimal(3), output=Decimal(15), cache_read=Decimal("0.3"), cache_write=Decimal("3.75"))
    )
    used = {"input": 100, "output": 10, "cache_read": 1000, "cache_write": 200}
    assert tariff.cost(Usage(**used)) == Decimal("0.0015")
    assert tariff.cost(Usage(**used, batch=True)) == Decimal("0.00075")


def test_inference_bound_to_a_region_costs_a_tenth_more_as_the_reply_says() -> None:
    used = Usage(input=1000, output=1000)
    for ran, factor in (("us", Decimal("1.1")), ("global", 1), (None, 1)):
        meter = Meter()
        meter.count("m", used, tariff_of(PRICED), regional=ran not in {None, "global"})
        assert meter.spent == Decimal("0.018") * factor


def test_a_long_prompt_is_priced_by_its_own_band_cached_tokens_included() -> None:
    tariff = tariff_of("claude-haiku-5-5")
    assert tariff.cost(Usage(input=100_000, output=1000)) == Decimal("0.0105")
    assert tariff.cost(Usage(input=100, cache_read=100_000, output=1000)) == Decimal("0.00755")


@pytest.mark.parametrize(
    "usage", [Usage(input=5000, output=300), Usage(cache_write=5000, output=300), Usage(cache_read=9)]
)
def test_no_usage_within_the_bounds_costs_more_than_the_worst_case(usage: Usage) -> None:
    for tariff in price_list().tariffs.values():
        assert tariff.cost(usage) <= tariff.at_most(prompt_tokens=5000, max_tokens=300, batch=False)


def test_the_meter_adds_up_what_threads_count_at_the_same_time() -> None:
    meter = Meter(spent_before=Decimal(2))
    tariff = Tariff(price=Price(input=Decimal(1)))

    def work() -> None:
        for _ in range(500):
            assert meter.admit(Decimal("0.1")) == "yes"
            meter.count("m", Usage(input=10), tariff)
            meter.settle(Decimal("0.1"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (meter.by_model()["m"].replies, meter.by_model()["m"].input) == (2000, 20_000)
    assert meter.spent == meter.at_most == Decimal("2.02")


def test_a_model_without_a_price_is_counted_in_tokens_and_not_in_dollars() -> None:
    meter = Meter()
    meter.count("m", Usage(input=10), None)
    assert (meter.by_model()["m"].input, meter.by_model()["m"].dollars, meter.spent) == (10, None, 0)


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.usefixtures("charged")
def test_the_cap_is_never_passed_and_what_is_in_flight_still_arrives(concurrency: int) -> None:
    cap = Decimal("0.30")
    meter = Meter(cap=cap, spent_before=Decimal("0.05"))
    arrived: list[int] = []
    with running(dear) as server:
        endpoint = Endpoint(model=PRICED, base_url=server.url, concurrency=concurrency)
        asked = AnthropicModel(endpoint, api_key=None, meter=meter, tempo=QUICK)
        with pytest.raises(Refused, match=r"cap of \$0\.30: raise the cap"):
            asked.complete(prompts(60), arrived=lambda index, _: arrived.append(index))
        calls = len(server.messages)
    assert len(arrived) == calls > 10
    assert cap - Decimal("0.03") < meter.spent == meter.at_most <= cap


@pytest.mark.usefixtures("charged")
def test_a_call_without_an_answer_counts_at_its_dearest() -> None:
    meter = Meter(cap=Decimal(1))
    with running(lambda seen: DROP if seen.nth == 0 else echo(seen)) as server:
        endpoint = Endpoint(model=PRICED, base_url=server.url)
        AnthropicModel(endpoint, api_key=None, meter=meter, tempo=QUICK).complete(prompts(1))
    assert meter.spent == Decimal("0.00045")
    assert meter.at_most > meter.spent + Decimal("0.015")


def test_a_cap_with_a_model_of_unknown_price_is_refused_before_anything_is_sent() -> None:
    endpoint = Endpoint(model="some-model", base_url="https://models.example")
    with pytest.raises(Refused, match="does not know some-model"):
        AnthropicModel(endpoint, api_key="k", meter=Meter(cap=Decimal(1)))
    AnthropicModel(endpoint, api_key="k", meter=Meter())


def test_a_model_on_this_machine_costs_nothing_under_any_cap() -> None:
    meter = Meter(cap=Decimal(0))
    with running(dear) as server:
        AnthropicModel(Endpoint(model="some-model", base_url=server.url), api_key=None, meter=meter).complete(
            prompts(3)
        )
    assert (meter.spent, meter.by_model()["some-model"].dollars) == (0, 0)


@pytest.mark.usefixtures("charged")
def test_batches_are_made_small_enough_for_the_cap_and_end_before_it() -> None:
    meter = Meter(cap=Decimal("0.10"))
    arrived: list[int] = []
    with running() as server:
        server.entry = lambda _, params: {"type": "succeeded", "message": dear(_seen(params)).body}
        endpoint = Endpoint(model=PRICED, base_url=server.url, batch=True)
        quick = Tempo(first_poll_s=0.01, longest_poll_s=0.02)
        with pytest.raises(Refused, match="spend cap"):
            AnthropicModel(endpoint, api_key=None, meter=meter, tempo=quick).complete(
                prompts(60), arrived=lambda index, _: arrived.append(index)
            )
        sent = sum(len(batch["requests"]) for batch in server.batches.values())
    assert len(arrived) == sent > 8
    assert len(server.batches) < 6
    assert Decimal("0.08") < meter.at_most <= Decimal("0.10")


def _seen(params: dict) -> Seen:
    return Seen(nth=0, method="POST", path="", headers={}, body=params)


def test_the_price_file_says_where_its_figures_are_from() -> None:
    raw = (prices.files("sfumato.adapters") / "prices.json").read_text()
    assert '"source": "https://platform.claude.com' in raw
