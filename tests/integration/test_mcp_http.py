"""/mcp of the running server: sessions of a real client, each call decided, limited and recorded as any request."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client as Agent
from mcp.client.streamable_http import streamable_http_client

from api_clients import listening
from sfumato.mcp_server import NOTICE
from sfumato.serve.limits import Rates
from sites import RELEASE, Site

CANARY = "canary7391"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_releases", "arguments": {}}}
ACCEPTS = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "data")


@asynccontextmanager
async def session(url, key, mode="auto"):
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as line,
        Agent(streamable_http_client(f"{url}mcp", http_client=line), mode=mode) as agent,
    ):
        yield agent


def told(url, key, *calls, mode="auto"):
    async def run():
        async with session(url, key, mode) as agent:
            return [await agent.call_tool(name, asked) for name, asked in calls]

    return asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_reads_over_http_with_its_own_key_and_each_read_is_in_the_log(site, mode):
    with site.app() as app, listening(app) as url:
        listed, one = told(
            f"{url}/", site.tokens["analyst"],
            ("list_releases", {}), ("topic", {"release": RELEASE.id, "topic": "t002"}), mode=mode,
        )  # fmt: skip
        assert listed.structured_content["notice"] == NOTICE
        assert [found["id"] for found in listed.structured_content["data"]["releases"]] == [RELEASE.id]
        assert one.structured_content["data"]["topic"]["name"]
    reads = site.written("read")
    holder = site.tokens["analyst"].split("_")[1]
    assert {event.actor for event in reads} == {holder}
    assert any(event.release == RELEASE.id for event in reads), "the tool's own request, by the release it was about"


def test_what_a_role_may_not_a_tool_may_not_either(site):
    with site.app() as app, listening(app) as url:
        (refused,) = told(f"{url}/", site.tokens["analyst"], ("budget", {"dataset": "logs", "epoch": "2025-06"}))
    assert refused.is_error
    assert "404" in refused.content[0].text or "403" in refused.content[0].text


@pytest.mark.parametrize(
    ("key", "status"), [(None, 401), ("sfk_" + "0" * 16 + "_" + "A" * 43, 401), ("auditor", 403), ("ingester", 403)]
)
def test_without_a_key_that_reads_releases_nothing_of_the_protocol_is_spoken(site, key, status):
    with site.client() as client:
        sent = {} if key is None else {"Authorization": f"Bearer {site.tokens.get(key, key)}"}
        answer = client.post("/mcp", json=CALL, headers={**sent, **ACCEPTS})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert site.written("denied")


def test_an_agent_that_asks_too_often_is_limited_as_everybody_is(site):
    with site.client(rates=Rates(principal=5)) as client:
        answers = [client.post("/mcp", json=CALL, headers=site.bearer("analyst") | ACCEPTS) for _ in range(6)]
    assert answers[-1].status_code == 429
    assert "retry-after" in answers[-1].headers
    assert any("429" in answer.text for answer in answers[:-1]), "the tool's own request is counted, and not waited for"


def test_a_page_of_another_origin_is_refused_and_one_of_this_is_not(site):
    with site.client() as client:
        sent = site.bearer("analyst") | ACCEPTS
        assert client.post("/mcp", json=CALL, headers=sent | {"Origin": "https://evil.example"}).status_code == 403
        assert client.post("/mcp", json=CALL, headers=sent | {"Origin": "http://testserver"}).status_code == 200
        assert client.get("/mcp", headers=sent).status_code == 405


BROKEN = {
    "no JSON": b"{" + CANARY.encode(),
    "a string": json.dumps(CANARY).encode(),
    "no request": json.dumps({"jsonrpc": CANARY, "method": CANARY}).encode(),
    "no method": json.dumps({**CALL, "method": CANARY}).encode(),
    "no tool": json.dumps({**CALL, "params": {"name": CANARY, "arguments": {CANARY: CANARY}}}).encode(),
    "no parameters": json.dumps({**CALL, "params": {CANARY: CANARY}}).encode(),
    "a wrong argument": json.dumps(
        {**CALL, "params": {"name": "list_releases", "arguments": {"limit": CANARY}}}
    ).encode(),
    "an undeclared field": json.dumps(
        {**CALL, "params": {"name": "compare", "arguments": {"measure": CANARY, "a": {CANARY: 1}, "b": CANARY}}}
    ).encode(),
    "no release": json.dumps({**CALL, "params": {"name": "guarantee", "arguments": {"release": CANARY}}}).encode(),
    "no question": json.dumps(
        {**CALL, "params": {"name": "ask", "arguments": {"question": {"dataset": CANARY, "measure": CANARY}}}}
    ).encode(),
    "too long": json.dumps({**CALL, "params": {"name": CANARY * 4000}}).encode(),
}  # fmt: skip


def test_no_answer_of_the_protocol_repeats_what_was_sent(site, caplog):
    """Whatever is sent under whatever version of the protocol; nor does the log, or the audit log."""
    caplog.set_level("INFO", "sfumato")
    with site.client() as client:
        for version in (None, "2025-06-18", "2026-07-28", CANARY):
            sent = site.bearer("analyst") | ACCEPTS | {"Content-Type": "application/json"}
            sent |= {} if version is None else {"MCP-Protocol-Version": version}
            for name, body in BROKEN.items():
                answer = client.post("/mcp", content=body, headers=sent)
                assert answer.status_code < 500, name
                assert CANARY not in answer.text + str(answer.headers), name
                assert "Traceback" not in answer.text, name
    assert CANARY not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("sfumato"))
    assert CANARY not in "".join(str(event) for event in site.events())
