"""Message Batches: half the price, results in any order, failed entries sent again, nothing paid twice after a kill."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from messages_server import DROP, MessagesServer, Say, error, message, running
from sfumato.adapters.anthropic import AnthropicModel
from sfumato.adapters.endpoint import Endpoint
from sfumato.adapters.pacing import Tempo
from sfumato.errors import ModelUnavailable, StorageError
from sfumato.model.prompt import Prompt, Reply, Usage

QUICK = Tempo(first_wait_s=0.01, longest_wait_s=0.03, knock_s=0.05, first_poll_s=0.01, longest_poll_s=0.02)


class Shelf:
    """Tickets in memory, which outlive a model; a write may be the last thing that happens, or not happen at all."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.writes = 0
        self.dies_at: int | None = None
        self.dies_after: int | None = None

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.writes += 1
        if self.writes == self.dies_at:
            raise KeyboardInterrupt
        self.values[key] = value
        if self.writes == self.dies_after:
            raise KeyboardInterrupt


def prompts(*texts: str) -> list[Prompt]:
    return [Prompt(system="Label.", text=text, schema={"type": "object"}, max_tokens=50) for text in texts]


def model(server: MessagesServer, shelf: Shelf | None = None, name: str = "claude-haiku-4-5") -> AnthropicModel:
    endpoint = Endpoint(model=name, base_url=server.url, batch=True, patience_s=1)
    return AnthropicModel(endpoint, api_key="k", tickets=shelf, tempo=QUICK)


def labels(replies) -> list[str]:
    return [reply.fields["label"] if reply.failure is None else reply.failure for reply in replies]


def entries(**special):
    """A batch's entry: the special results for these texts, once or always; else a good one."""

    def entry(_name: str, params: dict) -> dict:
        text = params["messages"][0]["content"]
        results = special.get(text)
        if results:
            return results.pop(0) if len(results) > 1 else results[0]
        return good(text)

    return entry


def good(text: str) -> dict:
    return {"type": "succeeded", "message": message({"label": text})}


def errored(kind: str, said: str = "no") -> dict:
    return {"type": "errored", "error": error(kind, said)}


def test_a_batch_brings_every_reply_in_order_at_batch_price_and_no_single_call_is_made() -> None:
    told: list[int] = []
    with running() as server:
        replies = model(server).complete(prompts("a", "b", "c", "a"), arrived=lambda index, _: told.append(index))
    assert labels(replies) == ["a", "b", "c", "a"]
    assert sorted(told) == [0, 1, 2, 3]
    assert replies[0].usage == Usage(input=100, output=10, batch=True)
    assert server.messages == []
    (batch,) = server.batches.values()
    assert len({one["custom_id"] for one in batch["requests"]}) == 4
    assert batch["requests"][0]["params"]["output_config"]["format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("results", "label", "batches"),
    [
        ([errored("api_error"), good("x")], "x", 2),
        ([errored("overloaded_error"), {"type": "expired"}, good("x")], "x", 3),
        ([{"type": "canceled"}, good("x")], "x", 2),
        ([{"type": "succeeded", "message": message(text="prose")}, good("x")], "x", 2),
        ([{"type": "succeeded", "message": message(text="{", stop="max_tokens")}, good("x")], "x", 2),
        ([{"type": "succeeded", "message": message(text="no", stop="refusal")}], "refused", 1),
        ([{"type": "succeeded", "message": message(text="{", stop="max_tokens")}], "truncated", 2),
        ([errored("invalid_request_error")], "rejected", 1),
        ([errored("invalid_request_error", "output_config: unknown"), good("x")], "x", 2),
        ([errored("api_error")], "unavailable", 5),
        ([{"type": "expired"}], "unavailable", 5),
    ],
    ids=[
        "error",
        "expired",
        "canceled",
        "prose",
        "cut",
        "refused",
        "cut_twice",
        "rejected",
        "fallback",
        "errors",
        "always",
    ],
)
def test_entries_that_failed_are_sent_again_as_often_as_it_makes_sense(results: list, label: str, batches: int) -> None:
    with running() as server:
        server.entry = entries(bad=list(results))
        assert labels(model(server).complete(prompts("good", "bad"))) == ["good", label]
    sizes = [len(batch["requests"]) for batch in server.batches.values()]
    assert sizes == [2] + [1] * (batches - 1)


def test_results_that_break_off_are_read_again_and_nothing_is_counted_twice() -> None:
    told: list[int] = []
    with running() as server:
        server.cuts = 2
        garbled = {"type": "succeeded", "message": message(text="oops")}
        server.entry = lambda name, params: garbled if name.endswith("-2") else good(params["messages"][0]["content"])
        asked = model(server)
        replies = asked.complete(prompts("a", "b", "c"), arrived=lambda index, _: told.append(index))
    assert labels(replies) == ["a", "b", "c"]
    assert sorted(told) == [0, 1, 2]
    assert [len(batch["requests"]) for batch in server.batches.values()] == [3, 1]
    assert asked.meter.by_model()["claude-haiku-4-5"].replies == 4


def test_a_process_killed_after_creating_a_batch_goes_on_with_it() -> None:
    """Also when it asks for fewer prompts than before, in another order, with one more among them."""
    shelf = Shelf()
    with running() as server:
        server.polls_until_ended = 10**9
        shelf.dies_after = 2
        with pytest.raises(KeyboardInterrupt):
            model(server, shelf).complete(prompts("a", "b", "c"))
        shelf.dies_after, server.polls_until_ended = None, 0
        assert labels(model(server, shelf).complete(prompts("c", "new", "a"))) == ["c", "new", "a"]
    sizes = [len(batch["requests"]) for batch in server.batches.values()]
    assert sizes == [3, 1]


def test_a_process_killed_between_creating_a_batch_and_noting_its_id_finds_it_again() -> None:
    shelf = Shelf()
    with running() as server:
        shelf.dies_at = 2
        with pytest.raises(KeyboardInterrupt):
            model(server, shelf).complete(prompts("a", "b"))
        assert len(server.batches) == 1
        foreign = [
            {"custom_id": f"other-{i}", "params": server.batches["msgbatch_0"]["requests"][i]["params"]} for i in (0, 1)
        ]
        server.batches["foreign"] = server.batches["msgbatch_0"] | {"id": "foreign", "requests": foreign}
        assert labels(model(server, shelf).complete(prompts("a", "b"))) == ["a", "b"]
    assert sorted(server.batches) == ["foreign", "msgbatch_0"]


def test_a_process_killed_before_creating_its_batch_creates_it() -> None:
    shelf = Shelf()
    with running() as server:
        server.on_create = lambda _: Say(status=500, body=error("api_error"))
        with pytest.raises(ModelUnavailable):
            model(server, shelf).complete(prompts("a", "b"))
        assert server.batches == {}
        server.on_create = lambda _: None
        assert labels(model(server, shelf).complete(prompts("a", "b"))) == ["a", "b"]
    assert len(server.batches) == 1


def test_a_batch_whose_creation_got_no_answer_is_looked_for_before_another_is_made() -> None:
    with running() as server:
        server.on_create = lambda _: DROP
        assert labels(model(server).complete(prompts("a", "b"))) == ["a", "b"]
    assert len(server.batches) == 1


def test_a_batch_that_is_gone_is_made_again() -> None:
    shelf = Shelf()
    with running() as server:
        model(server, shelf).complete(prompts("a"))
        server.batches.clear()
        assert labels(model(server, shelf).complete(prompts("a"))) == ["a"]
    assert len(server.batches) == 1


def test_tickets_that_can_not_be_read_stop_the_work_before_anything_is_paid() -> None:
    class Torn(Shelf):
        def get(self, key: bytes) -> bytes | None:
            return b'{"version":1,"batches":[{"nonce":3}]}'

    with running() as server, pytest.raises(StorageError, match="restore it"):
        model(server, Torn()).complete(prompts("a"))
    assert server.seen == []


def test_tickets_hold_digests_and_no_text() -> None:
    shelf = Shelf()
    with running() as server:
        model(server, shelf).complete(prompts("the quick brown fox"))
    (value,) = shelf.values.values()
    (ticket,) = json.loads(value)["batches"]
    assert set(ticket) == {"nonce", "at", "id", "prompts"}
    assert b"quick" not in value


def test_an_endpoint_without_batches_says_what_to_set() -> None:
    with running() as server:
        server.on_create = lambda _: Say(status=404, body=error("not_found_error"))
        with pytest.raises(ModelUnavailable, match="set batch to false"):
            model(server).complete(prompts("a"))


def test_a_key_that_may_not_use_the_model_is_raised_from_inside_a_batch() -> None:
    with running() as server:
        server.entry = entries(a=[errored("permission_error")])
        with pytest.raises(ModelUnavailable, match="ask for access"):
            model(server).complete(prompts("a"))


def test_replies_of_a_batch_are_counted_at_half_the_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Endpoint, "loopback", property(lambda _: False))
    with running() as server:
        asked = model(server, name="claude-sonnet-4-6")
        replies: list[Reply] = list(asked.complete(prompts("a", "b")))
    assert asked.meter.spent == asked.meter.at_most == Decimal("0.00045")
    assert [reply.usage.batch for reply in replies] == [True, True]
