"""What a client shows and keeps to itself: markup and control characters come to nothing, the key is nowhere."""

from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path

import httpx2
import pytest

from api_clients import HERE, OWN, PIN, scripted
from releases import KEY, MARKUP, OTHER_KEY, guarantee, sample, topic
from sfumato import AsyncClient, Client
from sfumato.client import drivers
from sfumato.client import table as tables
from sfumato.client.failures import ApiError, Rejected, Spent, Throttled, Unavailable, Unreachable
from sfumato.client.plain import clean, cleaned
from sfumato.client.signed import SignedRelease
from sfumato.errors import BudgetExhausted, InputError, KeyMissing, Refused, SfumatoError
from sfumato.model.document import encode
from sfumato.model.signature import sign
from sfumato.model.strict_json import dumps

HOSTILE = "\x1b[2J\u202eevil\u2066\x07 <script>alert('x')</script>\r\nnext\u200b \U000e0041line"
RELEASE = sample(
    topics=(
        topic(1, None, 1, HOSTILE, 900, facets={"<b>": ()}),
        topic(2, 1, 0, MARKUP, 300),
    )
)
SIGNED = SignedRelease(release=RELEASE, body=b"", signer="0" * 16, pinned=False)


def body(release=RELEASE, key=KEY, **changes) -> bytes:
    return dumps({**sign(encode(release), key), **changes})


def said(status: int, found: object = None, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, json=found or {"detail": "why"}, headers=headers)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(drivers.time, "sleep", lambda _seconds: None)
    monkeypatch.delenv("SFUMATO_API_KEY", raising=False)


@pytest.mark.parametrize("shown", [SIGNED, SIGNED.tree(), SIGNED.topic("t001"), SIGNED.card()], ids=range(4))
def test_a_notebook_gets_markup_as_text_and_the_numbers_with_their_intervals(shown):
    drawn = shown._repr_html_()
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "<b>" not in drawn
    assert drawn.count("<table>") == drawn.count("</table>") == 1
    assert not set(drawn) & set("\x1b\x07\r\u202e\u2066\u200b\U000e0041")


def test_names_and_intervals_are_in_both_the_text_and_the_html():
    for drawn in (repr(SIGNED.tree()), SIGNED.tree()._repr_html_()):
        assert "900 [891, 909]" in drawn
        assert "cooking" in drawn
    assert "&lt;img src=x onerror=alert(1)&gt; cooking &amp; &lt;b&gt;baking&lt;/b&gt;" in SIGNED._repr_html_()


def test_a_terminal_gets_one_line_for_each_topic_whatever_its_name_holds():
    assert len(repr(SIGNED.tree()).splitlines()) == 2 + len(RELEASE.topics)
    assert "\x1b" not in repr(SIGNED)


def test_a_long_table_says_how_much_of_it_is_not_shown():
    many = sample(topics=tuple(topic(number, None, 0, "Bread", 100) for number in range(tables.MOST_SHOWN + 5)))
    drawn = SignedRelease(release=many, body=b"", signer="", pinned=False)
    assert repr(drawn).endswith("and 5 more")
    assert drawn._repr_html_().endswith("<p>and 5 more</p>")
    assert drawn.to_arrow().num_rows == tables.MOST_SHOWN + 5


def test_a_guarded_release_says_in_its_heading_that_names_carry_no_guarantee():
    guarded = sample(guarantee=guarantee(mode="guarded"))
    assert "no formal guarantee" in repr(SignedRelease(release=guarded, body=b"", signer="", pinned=False))


def test_cleaning_keeps_what_languages_need_and_reaches_keys_and_lists():
    assert clean("नमस्\u200dते می\u200cخواهم 👩\u200d💻") == "नमस्\u200dते می\u200cخواهم 👩\u200d💻"
    assert clean(HOSTILE) == "[2Jevil <script>alert('x')</script>  next line"
    assert cleaned({"\x00a": ["\x1bb", ({"c": "\u202ed"},), 1, None]}) == {"a": ["b", [{"c": "d"}], 1, None]}


def test_arrow_gets_every_row_with_types_though_all_values_of_a_column_are_withheld():
    found = SIGNED.topic("t002").to_arrow()
    assert str(found.schema.field("users").type) == "int64"
    assert found.column("value").to_pylist()[-3:] == ["en", "de", "pt-BR"]
    assert found.column("users").to_pylist()[-1] is None
    nothing = SignedRelease(release=sample(topics=()), body=b"", signer="", pinned=False)
    assert nothing.to_arrow().num_rows == 0


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_a_library_that_is_not_installed_is_one_line_that_says_so(library, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(SfumatoError, match=f"pip install {library}"):
        getattr(SIGNED, f"to_{library}")()


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_the_key_is_in_no_repr_and_leaves_the_client_in_no_pickle(kind):
    client = kind(HERE, key=OWN)
    held = [client, client.line, *vars(client).values(), *vars(client.line)]
    assert not any(OWN in f"{one!r}{one!s}" for one in held if one is not client.line._key)
    for road in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            road(client.line)


@pytest.mark.parametrize(
    "answers",
    [
        [said(401, {"detail": f"bad key {OWN}", "errors": [{"pointer": OWN, "code": OWN}]})],
        [said(500, {"title": OWN, "detail": OWN})],
        [said(429, {"detail": OWN}, **{"retry-after": OWN})],
        [httpx2.ReadError(OWN)] * 4,
        [httpx2.Response(200, content=OWN.encode())],
        [httpx2.Response(200, json={OWN: OWN})],
    ],
    ids=range(6),
)
def test_the_key_is_in_no_error_though_a_server_repeats_it(answers):
    client, heard = scripted(*answers)
    with pytest.raises(SfumatoError) as caught:
        client.budget("logs", "2025-06")
    assert heard[0].headers["authorization"] == f"Bearer {OWN}"
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert OWN not in shown


@pytest.mark.parametrize(
    "url",
    [
        "http://sfumato.example.org", "http://10.0.0.7", "ftp://127.0.0.1", "sfumato.example.org", "", "https://",
        "https://me:secret@sfumato.example.org", "https://sfumato.example.org/?key=1", "https://[::1", "https://a:b",
    ],
    ids=range(10),
)  # fmt: skip
def test_a_key_is_sent_in_clear_to_nobody_but_this_machine(url):
    with pytest.raises(InputError) as caught:
        Client(url, key=OWN)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:8470", "http://127.0.0.1:1/", "http://[::1]", "https://a.example/b/"]
)
def test_these_addresses_are_taken_and_only_what_is_encrypted_goes_through_a_proxy(url):
    client = Client(url, key=OWN)
    assert client.line.url == url.rstrip("/")
    assert client.line.through_proxies == url.startswith("https")


def test_the_key_may_stand_in_the_environment_and_without_one_nothing_begins(monkeypatch):
    for missing in (None, "", "short", "with space in it", "ключ-ключ-ключ", f"{OWN}\nX-Other: 1"):
        with pytest.raises(KeyMissing, match="SFUMATO_API_KEY"):
            Client(HERE, key=missing)
    monkeypatch.setenv("SFUMATO_API_KEY", f"{OWN}\n")
    assert Client(HERE).line.redact(OWN) == "[key]"


@pytest.mark.parametrize(
    ("answer", "kind", "root"),
    [
        (said(401), ApiError, KeyMissing),
        (said(403), ApiError, Refused),
        (said(404), ApiError, InputError),
        (said(422, {"detail": "d", "errors": [{"pointer": "/body/a", "code": "missing"}]}), Rejected, InputError),
        (said(429, **{"retry-after": "3600"}), Throttled, SfumatoError),
        (said(500), Unavailable, SfumatoError),
        (httpx2.Response(302, headers={"location": "https://elsewhere.example"}), ApiError, SfumatoError),
        (httpx2.Response(418, content=b"\xff<html>"), ApiError, InputError),
        (httpx2.Response(299, content=b"[]"), ApiError, SfumatoError),
    ],
    ids=range(9),
)
def test_a_refusal_is_an_error_of_the_one_tree_with_status_and_title(answer, kind, root):
    client, heard = scripted(answer)
    with pytest.raises(kind) as caught:
        client.policy()
    assert isinstance(caught.value, root)
    assert caught.value.status == answer.status_code
    assert str(caught.value).startswith(f"{answer.status_code} {caught.value.title}: ")
    assert "\n" not in str(caught.value)
    assert len(heard) == 1


def test_a_refusal_names_what_was_not_accepted():
    client, _ = scripted(said(422, {"detail": "d", "errors": [{"pointer": "/body/a", "code": "missing"}]}))
    with pytest.raises(Rejected, match="/body/a: missing") as caught:
        client.policy()
    assert caught.value.errors == (("/body/a", "missing"),)


def test_a_spent_budget_says_what_is_left_and_is_not_waited_for():
    found = {"left": {"rho": 0.0, "questions": 0}, "next_epoch": "2026-12", "begins": "2026-12-01T00:00:00Z"}
    client, heard = scripted(said(429, {"detail": "spent", **found}))
    with pytest.raises(Spent) as caught:
        client.ask({"dataset": "logs", "epochs": ["2026-11"], "measure": "users"})
    assert isinstance(caught.value, BudgetExhausted)
    assert (caught.value.questions_left, caught.value.next_epoch) == (0, "2026-12")
    assert len(heard) == 1


def test_a_question_that_may_have_been_charged_is_not_sent_again():
    client, heard = scripted(httpx2.ReadError("gone"))
    with pytest.raises(Unreachable):
        client.ask({"dataset": "logs", "epochs": ["2026-11"], "measure": "users"})
    assert len(heard) == 1


def test_a_read_survives_dropped_connections_and_busy_servers():
    busy = said(503, **{"retry-after": "1"})
    client, heard = scripted(httpx2.ConnectError("x"), busy, httpx2.ReadTimeout("x"), said(200, {"unit": "user"}))
    assert client.policy() == {"unit": "user"}
    assert len(heard) == 4


@pytest.mark.parametrize(
    ("document", "pin", "message"),
    [
        (body(key=OTHER_KEY), PIN, "another key"),
        (body(epoch="2099-01"), PIN, "changed after"),
        (body(epoch="2099-01"), None, "changed after"),
        (body(sample(epoch="2025-07")), PIN, "another release"),
        (dumps(encode(RELEASE)), PIN, "not signed"),
        (b"{}", None, "not signed"),
        (b"\xff", None, "UTF-8"),
    ],
    ids=range(7),
)
def test_a_release_that_is_not_what_it_says_is_not_shown(document, pin, message):
    client, _ = scripted(httpx2.Response(200, content=document), release_key=pin)
    with pytest.raises(InputError, match=message):
        client.tree(RELEASE.id)


def test_a_signature_is_checked_without_a_pin_too_and_the_release_says_that_nobody_was_expected():
    client, _ = scripted(httpx2.Response(200, content=body(key=OTHER_KEY)))
    found = client.release(RELEASE.id)
    assert not found.pinned
    assert "was not pinned" in repr(found)
    assert found.body == body(key=OTHER_KEY)


def test_a_release_that_was_read_is_confirmed_and_not_sent_again_and_one_withdrawn_is_gone():
    tag = {"etag": f'"{RELEASE.id}"'}
    answers = [httpx2.Response(200, content=body(), headers=tag), httpx2.Response(304, headers=tag), said(404)]
    client, heard = scripted(*answers, release_key=PIN)
    first = client.release(RELEASE.id)
    assert client.release(RELEASE.id) is first
    assert [one.headers.get("if-none-match") for one in heard] == [None, tag["etag"]]
    with pytest.raises(InputError):
        client.tree(RELEASE.id)


@pytest.mark.parametrize("bad", ["", "rel_", "rel_../../v1/policy", f"{RELEASE.id}/../x", f"{RELEASE.id}\n", "REL"])
def test_what_is_no_id_of_a_release_is_not_put_into_an_address(bad):
    client, heard = scripted()
    for asked in (client.release, client.tree, lambda one: client.breakdown(one, "language")):
        with pytest.raises(InputError, match="no id of a release"):
            asked(bad)
    assert not heard


def test_the_name_of_a_facet_can_lead_nowhere_else():
    client, heard = scripted(said(404), said(404))
    for name in (".", "..", ""):
        with pytest.raises(InputError, match="no name of a facet"):
            client.breakdown(RELEASE.id, name)
    for name in ("../../policy?x=1#y", "a b/é"):
        with pytest.raises(InputError):
            client.breakdown(RELEASE.id, name)
    start = f"/v1/releases/{RELEASE.id}/facets/".encode()
    assert [one.url.raw_path for one in heard] == [start + b"..%2F..%2Fpolicy%3Fx%3D1%23y", start + b"a%20b%2F%C3%A9"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"dataset": "logs", "epochs": [], "measure": "users"},
        {"dataset": "a b", "epochs": ["2026"], "measure": "users"},
    ],
    ids=range(3),
)
def test_what_is_no_question_is_said_before_it_is_sent(asked):
    client, heard = scripted()
    for method in (client.quote, client.ask):
        with pytest.raises(InputError, match="no question"):
            method(asked)
    assert not heard


@pytest.mark.parametrize(
    "answer", [{}, {"releases": {}, "next": None}, {"releases": [{"id": 1}], "next": None}], ids=range(3)
)
def test_an_answer_of_another_form_is_one_line_that_names_the_place(answer):
    client, _ = scripted(said(200, answer) if answer else httpx2.Response(200, content=b"{}"))
    with pytest.raises(InputError, match="the server's answer can't be read: "):
        list(client.releases())


def test_what_a_newer_server_adds_is_left_alone():
    page = {"releases": [], "next": None, "newer": {"thing": 1}}
    assert list(scripted(said(200, page))[0].releases()) == []


def test_a_list_that_goes_in_circles_ends():
    page = {"releases": [], "next": "AAAAAAAA"}
    client, _ = scripted(*[said(200, page)] * 3)
    with pytest.raises(InputError, match="does not go on"):
        list(client.releases())


def test_nothing_heavy_is_loaded_by_the_client():
    import subprocess
    import sys

    code = "import sfumato; sfumato.Client; import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pyarrow", "fastapi", "pydantic", "opendp", "sklearn", "torch", "polars", "pandas", "mcp"} & set(loaded)
    assert {name for name in loaded if name.startswith("sfumato.") and name.count(".") == 1} <= {
        "sfumato.client", "sfumato.model", "sfumato.errors",
    }  # fmt: skip
    assert Path(drivers.__file__).parent.name == "client"
