"""What operators see of requests: listed fields, closed labels, spans without content; never a caller's words."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
import urllib.request

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sfumato.errors import StorageError
from sfumato.serve import gathered, logs, metrics, observe
from sfumato.serve.gathered import Gathered
from sites import HERE, Site

CANARY = "canary7391"


@pytest.fixture
def lines():
    stream = io.StringIO()
    with logs.written(stream) as allow:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()], allow


def test_a_field_that_is_not_listed_is_dropped_and_counted(lines):
    read, allow = lines
    logs.line(logging.getLogger("sfumato.test"), "answered", status=200, prompt=CANARY, user_id=CANARY)
    (line,) = read()
    assert (line["status"], line["event"], line["dropped_fields"]) == (200, "answered", 2)
    assert CANARY not in json.dumps(line)
    assert allow.dropped == 2


@pytest.mark.parametrize("value", ["two words", "x" * 101, "a\nb", 5, None, ["GET"]])
def test_a_listed_field_with_a_value_of_another_kind_is_dropped(lines, value):
    read, _ = lines
    logs.line(logging.getLogger("sfumato.test"), "answered", method=value)
    assert "method" not in read()[0]


def test_the_listed_fields_are_written(lines):
    """The control of the two tests above."""
    read, allow = lines
    logs.line(logging.getLogger("sfumato.test"), "answered", method="GET", route="/v1/x/{id}", milliseconds=1.5)
    (line,) = read()
    assert (line["method"], line["route"], line["milliseconds"], allow.dropped) == ("GET", "/v1/x/{id}", 1.5, 0)


def test_a_requests_line_may_wait_but_comes_before_any_later_one_and_none_is_lost(monkeypatch):
    stream = io.StringIO()
    ours = logging.getLogger("sfumato.test")
    with logs.written(stream) as allow:
        only = [handler for handler in logging.root.handlers if isinstance(handler, Gathered)]
        monkeypatch.setattr(logging.root, "handlers", only)  # as a server has it, without those of the test's runner
        for number in range(3):
            logs.line(ours, "answered", status=number, method="GET", prompt=CANARY)
        ours.error("it failed")
        from_many = [
            threading.Thread(target=lambda: [logs.line(ours, "answered", count=1) for _ in range(500)])
            for _ in range(4)
        ]
        for thread in from_many:
            thread.start()
        for thread in from_many:
            thread.join()
    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in written[:4]] == ["answered"] * 3 + ["it failed"]
    assert [line["status"] for line in written[:3]] == [0, 1, 2]
    assert sum(line.get("count", 0) for line in written) == 2000
    assert (written[0]["level"], written[0]["logger"], written[0]["dropped_fields"]) == ("info", "sfumato.test", 1)
    assert (allow.dropped, CANARY in stream.getvalue()) == (3, False)


class _Slow(io.StringIO):
    """Takes a while for each write, so that whoever writes next waits for it."""

    def write(self, text: str) -> int:
        time.sleep(0.002)
        return super().write(text)


def test_lines_that_wait_and_lines_that_do_not_never_wait_for_each_other_for_ever(monkeypatch):
    monkeypatch.setattr(gathered, "WAIT_SECONDS", 0)
    stream = _Slow()
    handler = Gathered(stream)
    record = logging.makeLogRecord({"msg": "refused"})

    def at_once():
        for _ in range(100):
            handler.handle(record)

    def soon():
        for _ in range(100):
            handler.take("answered")
            time.sleep(0.001)
        handler._ended.set()

    threads = [threading.Thread(target=work, daemon=True) for work in (at_once, handler._run, soon)]
    for thread in threads:
        thread.start()
    for thread in (threads[0], threads[2]):
        thread.join(20)
    handler._some.set()
    threads[1].join(20)
    assert not any(thread.is_alive() for thread in threads)
    handler._write_waiting()
    assert sorted(stream.getvalue().split()) == ["answered"] * 100 + ["refused"] * 100


def test_a_line_is_the_same_whether_a_record_was_made_for_it_or_not(lines):
    read, allow = lines
    ours = logging.getLogger("sfumato.test")
    fields = {"method": "GET", "route": "/v1/x/{id}", "status": 200, "milliseconds": 1.5, "key_id": "two words"}
    logs.line(ours, "answered", **fields)
    (line,) = read()
    direct = json.loads(allow.line("info", ours.name, "answered", 0.0, fields))
    assert direct | {"timestamp": line["timestamp"]} == line
    assert direct["timestamp"] == "1970-01-01T00:00:00.000000Z"


def test_another_librarys_line_and_any_exceptions_text_stay_out(lines):
    read, _ = lines
    logging.getLogger("somebody.elses").error("Invalid request: %s", CANARY)
    try:
        int(CANARY)
    except ValueError:
        logging.getLogger("sfumato.test").exception("it failed")
    written = read()
    assert [line.get("exception") for line in written] == [None, "ValueError"]
    assert CANARY not in json.dumps(written)


def test_a_line_of_ours_is_one_line_whatever_is_in_it(lines):
    read, _ = lines
    logging.getLogger("sfumato.test").error("%s", StorageError("broken\nline\x1b[31m"))
    (line,) = read()
    assert line["event"] == "broken line [31m"


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "data")


def ask(client, site):
    client.get(HERE, headers=site.bearer("analyst"))
    client.get(HERE, headers=site.bearer("analyst"))
    client.get(f"/v1/{CANARY}")
    client.get(f"/v1/releases/{CANARY}?q={CANARY}", headers={"Authorization": f"Bearer {CANARY}", "X-A": CANARY})
    client.request(CANARY.upper(), "/v1/releases")


def test_log_lines_of_requests_hold_templates_and_decisions_and_no_word_of_the_caller(site):
    stream = io.StringIO()
    with site.client() as client, logs.written(stream):
        ask(client, site)
    answered = [json.loads(line) for line in stream.getvalue().splitlines() if '"answered"' in line]
    assert [line["status"] for line in answered] == [200, 200, 404, 401, 405]
    assert {line["route"] for line in answered[:2]} <= {"/v1/releases/{release_id}", "held"}
    assert (answered[0]["decision"], answered[0]["role"]) == ("allow", "analyst")
    assert answered[3]["reason"] == "unknown_key"
    assert CANARY not in stream.getvalue().lower()


def test_a_head_request_is_counted_under_the_route_that_answered_it(site):
    stream = io.StringIO()
    with site.client() as client, logs.written(stream):
        for _ in range(2):
            assert client.head(HERE, headers=site.bearer("analyst")).status_code == 200
        assert client.head(f"/v1/releases/rel_{0:020x}", headers=site.bearer("analyst")).status_code == 404
    answered = [json.loads(line) for line in stream.getvalue().splitlines() if '"answered"' in line]
    template = "/v1/releases/{release_id}"
    assert [(line["method"], line["route"]) for line in answered] == [
        ("HEAD", template),
        ("HEAD", "held"),
        ("HEAD", template),
    ]


def test_metrics_count_requests_and_decisions_under_closed_labels(site):
    with site.client(metrics_at=("127.0.0.1", 0)) as client:
        counted = client.app._metrics
        ask(client, site)
        text = counted.text().decode()
    assert 'sfumato_decisions_total{decision="allow",operation="releases",reason="granted"} 2.0' in text
    assert 'sfumato_decisions_total{decision="deny",operation="releases",reason="unknown_key"} 1.0' in text
    assert 'status="4xx"' in text
    assert 'method="other"' in text
    assert "sfumato_audit_waiting" in text
    assert CANARY not in text.lower()


def test_a_thousand_addresses_make_no_new_label(site):
    with site.client() as client:
        for number in range(40):
            client.get(f"/v1/{CANARY}{number}")
            client.get(f"/v1/releases/rel_{number:020x}", headers=site.bearer("analyst"))
        text = client.app._metrics.text().decode()
    routes = {line.split('route="')[1].split('"')[0] for line in text.splitlines() if 'route="' in line}
    assert routes <= {"none", "held", "/v1/releases/{release_id}", "/{path:path}", "/"}


def test_metrics_are_answered_on_a_port_of_their_own_and_nowhere_else(site):
    counted = metrics.Metrics()
    counted.decision("releases", allowed=True, reason="granted")
    with (
        metrics.served(counted, host="127.0.0.1", port=0) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert b"sfumato_decisions_total" in answer.read()
    with site.client() as client:
        assert "sfumato_" not in client.get("/metrics").text


def test_a_port_for_metrics_that_is_taken_is_one_line_of_ours():
    with (
        metrics.served(metrics.Metrics(), host="127.0.0.1", port=0) as port,
        pytest.raises(StorageError, match="metrics"),
        metrics.served(metrics.Metrics(), host="127.0.0.1", port=port),
    ):
        pass


def test_spans_hold_templates_and_closed_words_and_no_exceptions_text(site):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with site.client() as client:
        client.app._tracer = provider.get_tracer("test")
        ask(client, site)
    spans = exporter.get_finished_spans()
    assert [span.attributes["http.response.status_code"] for span in spans] == [200, 200, 404, 401, 405]
    assert spans[0].attributes["sfumato.decision"] == "allow"
    assert CANARY not in "".join(span.to_json() for span in spans).lower()
    assert not any(span.events for span in spans)
    provider.shutdown()


def test_without_a_provider_spans_go_nowhere():
    made = observe.tracer()
    with made.start_as_current_span("x") as span:
        assert not span.is_recording()
