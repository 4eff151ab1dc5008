"""The adapter to language models, call by call: what is sent, what is retried, what is given up, what is raised."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from messages_server import DROP, MessagesServer, Say, Seen, echo, error, message, running
from sfumato.adapters.anthropic import AnthropicModel
from sfumato.adapters.endpoint import Endpoint
from sfumato.adapters.pacing import Tempo
from sfumato.errors import ModelUnavailable, PolicyError
from sfumato.model.prompt import Prompt, Reply, Usage

SCHEMA = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
QUICK = Tempo(first_wait_s=0.01, longest_wait_s=0.05, knock_s=0.05, first_poll_s=0.01, longest_poll_s=0.05)


def prompt(text: str, max_tokens: int = 50) -> Prompt:
    return Prompt(system="You label requests.", text=text, schema=SCHEMA, max_tokens=max_tokens)


def model(server: MessagesServer, **values) -> AnthropicModel:
    endpoint = {"model": "claude-haiku-4-5", "base_url": server.url, "concurrency": 4, "patience_s": 1.0} | values
    return AnthropicModel(Endpoint(**endpoint), api_key="sk-test", tempo=QUICK)


def first_then(*first: Say, then=echo):
    """A plan: these answers first, in order, and after them the other plan."""
    return lambda seen: first[seen.nth] if seen.nth < len(first) else then(seen)


def label(reply: Reply) -> str:
    assert reply.failure is None, reply.failure
    return reply.fields["label"]


def test_replies_come_in_order_and_are_told_one_by_one_from_the_calling_thread() -> None:
    told = {}
    with running(lambda seen: Say(body=message({"label": seen.text}), after=0.002 * (9 - int(seen.text)))) as server:
        replies = model(server).complete(
            [prompt(str(i)) for i in range(10)],
            arrived=lambda index, reply: told.update({index: (label(reply), threading.get_ident())}),
        )
    assert [label(reply) for reply in replies] == [str(i) for i in range(10)]
    assert told == {i: (str(i), threading.get_ident()) for i in range(10)}
    assert replies[0].usage == Usage(input=100, output=10)


def test_the_request_carries_schema_cache_mark_and_key_and_no_user() -> None:
    with running() as server:
        model(server).complete([prompt("one")])
    (seen,) = server.seen
    assert seen.path == "/v1/messages"
    assert seen.body == {
        "model": "claude-haiku-4-5",
        "max_tokens": 50,
        "system": [{"type": "text", "text": "You label requests.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "one"}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "thinking": {"type": "disabled"},
    }
    assert seen.headers["authorization"] == "Bearer sk-test"
    assert seen.headers["content-type"] == "application/json"


def test_a_region_is_asked_for_and_nothing_more_is_sent_once_a_reply_ran_elsewhere() -> None:
    def plan(seen: Seen) -> Say:
        ran = "us" if seen.text == "one" else "global"
        return Say(body=message({"label": seen.text}, inference_geo=ran))

    with running(plan) as server, pytest.raises(ModelUnavailable, match="outside the region us"):
        model(server, concurrency=1, region="us").complete([prompt("one"), prompt("two"), prompt("three")])
    assert [seen.body["inference_geo"] for seen in server.seen] == ["us", "us"]


def test_an_endpoint_that_knows_no_regions_gets_no_prompt_answered_without_one() -> None:
    refusal = Say(status=400, body=error("invalid_request_error", "inference_geo: not supported for this model"))
    with running(lambda _: refusal) as server:
        (reply,) = model(server, region="us").complete([prompt("one")])
    assert (reply.failure, len(server.seen)) == ("rejected", 1)


def test_no_key_means_no_authorization_header() -> None:
    with running() as server:
        AnthropicModel(Endpoint(model="m", base_url=server.url), api_key=None).complete([prompt("one")])
    assert "authorization" not in server.seen[0].headers


def test_no_prompts_mean_no_call() -> None:
    with running() as server:
        assert model(server).complete([]) == []
    assert server.seen == []


def no_structured(seen: Seen) -> Say:
    if "output_config" in seen.body:
        return Say(status=400, body=error("invalid_request_error", "output_config: Extra inputs are not permitted"))
    return Say(body=message(text='Sure! Here it is:\n```json\n{"label": "' + seen.text + '"}\n```'))


def test_an_endpoint_without_structured_outputs_is_told_the_schema_in_words_from_then_on() -> None:
    with running(no_structured) as server:
        asked = model(server, concurrency=1)
        replies = asked.complete([prompt("one"), prompt("two")])
        asked.complete([prompt("three")])
    assert [label(reply) for reply in replies] == ["one", "two"]
    assert ["output_config" in seen.body for seen in server.seen] == [True, False, False, False]
    assert json.dumps(SCHEMA) in server.seen[1].body["system"][0]["text"]


def test_an_endpoint_that_ignores_the_schema_is_told_it_in_words_after_the_first_garbled_reply() -> None:
    def plan(seen: Seen) -> Say:
        told = "JSON Schema" in seen.body["system"][0]["text"]
        return echo(seen) if told else Say(body=message(text="happy to help"))

    with running(plan) as server:
        replies = model(server, concurrency=1).complete([prompt("one"), prompt("two")])
    assert [label(reply) for reply in replies] == ["one", "two"]
    assert len(server.seen) == 3


def test_one_garbled_reply_among_good_ones_changes_nothing_for_the_others() -> None:
    with running(lambda seen: Say(body=message(text="oops")) if seen.nth == 1 else echo(seen)) as server:
        model(server, concurrency=1).complete([prompt("one"), prompt("two"), prompt("three")])
    assert ["JSON Schema" in seen.body["system"][0]["text"] for seen in server.seen] == [False, False, True, False]


def test_a_model_whose_thinking_can_not_be_turned_off_gets_room_for_it() -> None:
    def plan(seen: Seen) -> Say:
        if "thinking" in seen.body:
            return Say(status=400, body=error("invalid_request_error", "thinking.type: this is not supported"))
        return echo(seen)

    with running(plan) as server:
        assert label(model(server, concurrency=1).complete([prompt("one")])[0]) == "one"
    assert [seen.body.get("thinking", {}).get("type") for seen in server.seen] == ["disabled", "between_tools", None]
    assert server.seen[-1].body["max_tokens"] > 4000
    assert server.seen[-1].body["output_config"]["effort"] == "low"


@pytest.mark.parametrize(("first", "status"), [(2, 500), (2, 502), (3, 529), (3, 429), (2, 503), (4, 408)], ids=str)
def test_passing_failures_are_tried_again_until_they_pass(first: int, status: int) -> None:
    with running(first_then(*[Say(status=status, body=error("api_error"))] * first)) as server:
        assert label(model(server).complete([prompt("one")])[0]) == "one"
    assert len(server.seen) == first + 1


@pytest.mark.parametrize("name", ["retry-after", "retry-after-ms", "a date"])
def test_the_whole_endpoint_waits_as_long_as_it_is_asked_to(name: str) -> None:
    times: list[float] = []
    header = {
        "retry-after": {"retry-after": "0.4"},
        "retry-after-ms": {"retry-after-ms": "400", "retry-after": "30"},
        "a date": {"retry-after": formatdate(time.time() + 2, usegmt=True)},
    }[name]

    def plan(seen: Seen) -> Say:
        times.append(time.monotonic())
        if seen.nth == 0:
            return Say(status=429, body=error("rate_limit_error"), headers=header)
        return echo(seen)

    with running(plan) as server:
        model(server, concurrency=1).complete([prompt("one"), prompt("two")])
    assert 0.35 < times[1] - times[0] < 4


def test_too_many_requests_lower_the_number_in_flight() -> None:
    """Half of the places are gone after the first complaint, so the second wave is smaller than the first."""

    def plan(seen: Seen) -> Say:
        if seen.nth < 16:
            return Say(status=429, body=error("rate_limit_error"), headers={"retry-after": "0.3"}, after=0.1)
        with server.lock:
            waves.append(server.in_flight)
        return Say(body=message({"label": seen.text}), after=0.05)

    waves: list[int] = []
    with running(plan) as server:
        replies = model(server, concurrency=16).complete([prompt(str(i)) for i in range(32)])
    assert server.most_in_flight == 16
    assert max(waves[:16]) <= 9
    assert all(reply.failure is None for reply in replies)


def test_a_dropped_connection_is_tried_again() -> None:
    with running(first_then(DROP, DROP)) as server:
        assert label(model(server).complete([prompt("one")])[0]) == "one"
    assert len(server.seen) == 3


def test_a_call_that_stalls_ends_at_its_time_limit_and_is_tried_again() -> None:
    with running(first_then(Say(body=message(), after=1.5))) as server:
        began = time.monotonic()
        assert label(model(server, timeout_s=0.2).complete([prompt("one")])[0]) == "one"
        assert time.monotonic() - began < 1.2


def test_a_page_of_a_proxy_is_not_taken_for_a_message() -> None:
    with running(first_then(Say(body="<html>hello</html>"), Say(body={"choices": []}))) as server:
        assert label(model(server).complete([prompt("one")])[0]) == "one"


@pytest.mark.parametrize(
    ("say", "failure", "calls"),
    [
        (Say(body=message(text="I can't.", stop="refusal")), "refused", 1),
        (Say(body=message(text='{"lab', stop="max_tokens")), "truncated", 2),
        (Say(body=message(text="no json here")), "malformed", 3),
        (Say(body=message(text='{"label": 1, "label": 2}')), "malformed", 3),
        (Say(body=message(text='{"label": 1} {"label": 2}')), "malformed", 3),
        (Say(body=message(text='{"label": NaN}')), "malformed", 3),
        (Say(body=message(text='{"label": "\\ud800"}')), "malformed", 3),
        (Say(body=message(text='{"a":' * 90_000)), "malformed", 3),
        (Say(status=400, body=error("invalid_request_error", "prompt is too long")), "rejected", 1),
        (Say(status=413, body="too large"), "rejected", 1),
        (Say(status=500, body=error("api_error")), "unavailable", 5),
        (DROP, "unavailable", 5),
    ],
    ids=["refused", "cut", "prose", "twice", "two", "nan", "surrogate", "deep", "400", "413", "500", "dropped"],
)
def test_what_is_about_one_prompt_ends_in_its_reply_and_the_others_go_on(say: Say, failure: str, calls: int) -> None:
    def plan(seen: Seen) -> Say:
        return say if seen.text == "bad" else echo(seen)

    with running(plan) as server:
        bad, good = model(server).complete([prompt("bad"), prompt("good")])
    assert (bad.failure, bad.fields) == (failure, None)
    assert label(good) == "good"
    assert len([seen for seen in server.seen if seen.text == "bad"]) == calls


def test_a_reply_that_was_cut_off_gets_more_room_once_and_both_calls_are_counted() -> None:
    with running(first_then(Say(body=message(text='{"la', stop="max_tokens")))) as server:
        asked = model(server)
        (reply,) = asked.complete([prompt("one")])
    assert label(reply) == "one"
    assert [seen.body["max_tokens"] for seen in server.seen] == [50, 100]
    assert reply.usage == Usage(input=200, output=20)
    assert asked.meter.by_model()["claude-haiku-4-5"].replies == 2


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "API key"), (402, "paid"), (403, "ask for access"), (404, "no model"), (307, "elsewhere"), (405, "405")],
)
def test_an_endpoint_that_can_not_be_used_is_raised_after_one_call(status: int, says: str) -> None:
    with (
        running(lambda _: Say(status=status, body=error("any"), headers={"location": "http://127.0.0.1:9/"})) as server,
        pytest.raises(ModelUnavailable, match=says),
    ):
        model(server, concurrency=1).complete([prompt("one"), prompt("two")])
    assert len(server.seen) == 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_nobody_listening_is_raised_when_patience_ends() -> None:
    endpoint = Endpoint(model="m", base_url=f"http://127.0.0.1:{free_port()}", patience_s=0.3)
    began = time.monotonic()
    with pytest.raises(ModelUnavailable, match="nobody answers"):
        AnthropicModel(endpoint, api_key=None, tempo=QUICK).complete([prompt("one")] * 3)
    assert 0.3 <= time.monotonic() - began < 3


def self_signed(folder: Path) -> ssl.SSLContext:
    """What a server presents that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_a_certificate_that_nobody_vouches_for_ends_the_run_before_a_word_is_said(tmp_path: Path) -> None:
    with running() as server:
        server.socket = self_signed(tmp_path).wrap_socket(server.socket, server_side=True)
        endpoint = Endpoint(model="m", base_url=server.url.replace("http:", "https:"))
        with pytest.raises(ModelUnavailable, match="certificate"):
            AnthropicModel(endpoint, api_key=None, tempo=QUICK).complete([prompt("one")])
        assert server.seen == []


def test_an_address_with_a_path_keeps_it() -> None:
    with running(lambda seen: Say(status=404, body=error("not_found_error"))) as server:
        endpoint = Endpoint(model="m", base_url=f"{server.url}/behind/a proxy/".replace(" ", "%20"))
        with pytest.raises(ModelUnavailable):
            AnthropicModel(endpoint, api_key=None, tempo=QUICK).complete([prompt("one")])
    assert [seen.path for seen in server.seen] == ["/behind/a%20proxy/v1/messages"]


def test_a_server_that_restarts_within_the_patience_costs_no_prompt() -> None:
    port = free_port()
    endpoint = Endpoint(model="m", base_url=f"http://127.0.0.1:{port}", concurrency=4, patience_s=20)
    replies: list = []

    def ask() -> None:
        replies.extend(
            AnthropicModel(endpoint, api_key=None, tempo=QUICK).complete([prompt(str(i)) for i in range(40)])
        )

    asking = threading.Thread(target=ask)
    with running(lambda seen: Say(body=message({"label": seen.text}), after=0.05), port=port):
        asking.start()
        time.sleep(0.2)
    time.sleep(0.5)
    with running(port=port):
        asking.join(timeout=20)
    assert [label(reply) for reply in replies] == [str(i) for i in range(40)]


@pytest.mark.parametrize("status", [500, 400])
def test_many_prompts_failing_in_a_row_are_held_against_the_endpoint(status: int) -> None:
    refusal = Say(status=status, body=error("any"))
    with running(lambda _: refusal) as server, pytest.raises(ModelUnavailable, match="in a row"):
        model(server).complete([prompt(str(i)) for i in range(200)])
    assert len(server.seen) < 200


def test_an_endpoint_that_is_always_too_busy_is_given_up_in_the_end() -> None:
    busy = Say(status=529, body=error("overloaded_error"))
    with running(lambda _: busy) as server, pytest.raises(ModelUnavailable, match="too busy"):
        model(server, patience_s=0.1).complete([prompt(str(i)) for i in range(20)])


def test_an_exception_of_the_caller_stops_the_calls_and_leaves_no_thread() -> None:
    class DiskFullError(Exception):
        pass

    def arrived(_index: int, _reply: Reply) -> None:
        raise DiskFullError

    before = threading.active_count()
    with running(first_then(Say(body=message()), then=lambda _: Say(body=message(), after=2))) as server:
        began = time.monotonic()
        with pytest.raises(DiskFullError):
            model(server, concurrency=4).complete([prompt(str(i)) for i in range(50)], arrived=arrived)
        assert time.monotonic() - began < 1.5
        assert not [thread for thread in threading.enumerate() if thread.name == "sfumato-model"]
    time.sleep(0.05)
    assert len(server.seen) < 12
    assert threading.active_count() <= before + 5  # the server's own, still asleep


def test_ctrl_c_stops_the_calls_at_once() -> None:
    def arrived(_index: int, _reply: Reply) -> None:
        raise KeyboardInterrupt

    plan = first_then(Say(body=message()), then=lambda _: Say(body=message(), after=2))
    with running(plan) as server, pytest.raises(KeyboardInterrupt):
        model(server, concurrency=2).complete([prompt("one"), prompt("two"), prompt("three")], arrived=arrived)
    assert not [thread for thread in threading.enumerate() if thread.name == "sfumato-model"]


def test_a_lone_surrogate_in_a_prompt_is_replaced_not_fatal() -> None:
    with running() as server:
        (reply,) = model(server).complete([prompt("half \ud83d emoji")])
    assert label(reply) == "half ? emoji"


@pytest.mark.parametrize(
    "values",
    [
        {"base_url": "ftp://host"},
        {"base_url": "https://user:secret@host"},
        {"base_url": "https://host?key=1"},
        {"concurrency": 0},
        {"timeout_s": 0.0},
        {"patience_s": float("nan")},
        {"model": ""},
        {"region": "EU or so"},
    ],
    ids=["scheme", "password", "query", "concurrency", "timeout", "patience", "name", "region"],
)
def test_an_endpoint_of_impossible_values_is_an_error_that_does_not_repeat_them(values: dict) -> None:
    with pytest.raises(PolicyError) as raised:
        Endpoint(**({"model": "m"} | values))
    assert "secret" not in str(raised.value)
