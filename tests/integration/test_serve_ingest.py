"""Conversations over HTTP: sealed to a key the server has not, delivered once, answered with line numbers alone."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager

import pytest

from api_clients import inside
from gateways import gateway, policy, quiet
from sfumato.collecting import collect
from sfumato.errors import KeyMissing, StorageError, VaultError
from sfumato.inbox import folder
from sfumato.inbox.box import HEAD_BYTES
from sfumato.inbox.folder import Inbox
from sfumato.policy.schema import Access as Roles
from sfumato.serve import routes_ingest
from sfumato.serve.access import Access
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.reading import Reading
from sfumato.serve.store import ReleaseStore
from sfumato.vault.keys import RootKey
from sfumato.vault.opening import PURPOSE, Opener

CANARY = "canary7391"
KEY = "8e1f4b0c-6d2a-4f5e-9b7c-000000000001"
OPENER = Opener(RootKey(b"t" * 32).derive(PURPOSE))


def line(number, **more):
    record = {"conversation_id": f"c{number}", "user_id": f"u{number}", "text": f"{CANARY} number {number}"}
    return json.dumps(record | more)


GOOD = "\n".join(line(number) for number in range(6))


class Desk:
    """A data directory that takes deliveries, and the keys of two ingesters and an analyst."""

    def __init__(self, data):
        self.data = data
        data.mkdir()
        self.inbox = Inbox(data)
        self.inbox.offer(OPENER.public_key())
        keys = ApiKeys.open(data)
        self.tokens = [keys.issue(role) for role in ("ingester", "ingester", "analyst")]
        store, access = ReleaseStore(data), Access(keys, Roles(ingester=("ingest",), analyst=("releases",)))
        extras = [routes_ingest.router(Reading(store=store, access=access), self.inbox)]
        self.client = inside(build_app(store, access, {}, extras=extras))

    def post(self, body=GOOD, *, key=KEY, sender=0, kind="application/x-ndjson", dataset="chats"):
        headers = {"Authorization": f"Bearer {self.tokens[sender]}", "Content-Type": kind}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.client.post(f"/v1/conversations?dataset={dataset}", content=body, headers=headers)

    def boxes(self):
        return sorted((self.data / "inbox").rglob("*.box"))


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "data")


def test_a_delivery_is_answered_with_counts_and_line_numbers_and_not_a_word_of_it(desk):
    broken = f'{GOOD}\n\n{CANARY}\n[1]\n{{"text": "{CANARY}"\n'
    answer = desk.post(broken.encode() + b"\xff\n")
    assert answer.status_code == 202
    assert answer.json() == {
        "lines": 10,
        "accepted": 6,
        "rejections": {"not_json": 2, "not_object": 1, "not_utf8": 1},
        "first_lines": {"not_json": [8, 10], "not_object": [9], "not_utf8": [11]},
    }
    assert CANARY not in answer.text


def test_nothing_that_was_delivered_lies_in_clear_anywhere_in_the_data_directory(desk):
    desk.post()
    held = b"".join(path.read_bytes() for path in desk.data.rglob("*") if path.is_file())
    assert CANARY.encode() not in held
    assert KEY.encode() not in held
    assert len(desk.boxes()) == 1


def test_what_is_kept_of_a_delivery_confirms_no_guess_at_it(desk):
    """Its digest is in no file, and the same body of another sender, or under another key, leaves other bytes."""
    for sender, key in ((0, KEY), (1, KEY), (0, KEY + "x")):
        desk.post(sender=sender, key=key)
    heads = [box.read_bytes()[:HEAD_BYTES] for box in desk.boxes()]
    assert len({*heads}) == 3
    assert not any(hashlib.sha256(GOOD.encode()).digest() in head for head in heads)


def test_the_same_delivery_again_is_the_same_answer_and_one_box(desk):
    first, again = desk.post(), desk.post()
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert len(desk.boxes()) == 1


def test_another_body_under_the_same_key_is_409_and_changes_nothing(desk):
    desk.post()
    (box,) = desk.boxes()
    before = box.read_bytes()
    answer = desk.post(GOOD + "\n" + line(7))
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert box.read_bytes() == before


def test_two_senders_may_choose_the_same_key(desk):
    assert [desk.post(sender=0).status_code, desk.post(line(9), sender=1).status_code] == [202, 202]
    assert len(desk.boxes()) == 2


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"sender": 2}, 403), ({"key": None}, 422), ({"key": "short"}, 422), ({"key": "x" * 129}, 422),
        ({"key": "spaces in a key are not"}, 422), ({"kind": "application/json"}, 415), ({"kind": ""}, 415),
        ({"dataset": "../../etc"}, 422), ({"dataset": ""}, 422), ({"body": ""}, 422), ({"body": "no\nline"}, 422),
    ],
)  # fmt: skip
def test_what_may_not_be_delivered_is_a_problem_and_leaves_no_box(desk, change, status):
    assert desk.post(**change).status_code == status
    assert desk.boxes() == []


def test_a_body_over_the_limit_is_413_however_it_is_sent(desk, monkeypatch):
    monkeypatch.setattr(routes_ingest, "BODY_BYTES", 1000)
    assert desk.post("x" * 1001).status_code == 413
    assert desk.post(iter([b"x" * 600, b"x" * 600])).status_code == 413
    assert desk.post(line(1)).status_code == 202


def test_a_full_inbox_takes_no_more(desk, monkeypatch):
    monkeypatch.setattr(folder, "MOST_WAITING", 1)
    assert desk.post().status_code == 202
    assert desk.post(key=KEY + "x").status_code == 503


def test_without_a_public_key_nothing_is_taken(desk):
    (desk.data / "inbox" / "key.pub").unlink()
    assert desk.post().status_code == 503
    assert desk.boxes() == []


def test_nothing_can_be_read_back(desk):
    desk.post()
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        headers = {"Authorization": f"Bearer {desk.tokens[0]}"}
        assert desk.client.request(method, "/v1/conversations", headers=headers).status_code == 405


@contextmanager
def collecting(desk, opener=OPENER):
    with gateway(desk.data, policy=policy()) as opened:
        yield lambda: collect(opened, desk.inbox, opener, dataset="chats", advance=quiet), opened


def test_the_gateway_collects_what_was_delivered_and_the_boxes_are_gone(desk):
    desk.post()
    desk.post(line(20), key=KEY + "2")
    with collecting(desk) as (run, opened):
        reports = run()
        assert sorted(report.accepted for report in reports.values()) == [1, 6]
        assert opened.waiting() == 7
        assert run() == {}
    assert desk.boxes() == []


def test_a_delivery_that_was_collected_is_still_known(desk):
    first = desk.post()
    with collecting(desk) as (run, _):
        run()
    assert desk.post().content == first.content
    assert desk.post(line(3)).status_code == 409
    assert desk.boxes() == []


def test_lines_the_policy_turns_away_do_not_keep_other_boxes_waiting(desk):
    desk.post(json.dumps({"nobody": 1}))
    desk.post(line(20), key=KEY + "2")
    with collecting(desk) as (run, opened):
        assert sorted(report is None for report in run().values()) == [False, True]
        assert opened.waiting() == 1


@pytest.mark.parametrize("place", [0, 4, 10, HEAD_BYTES, HEAD_BYTES + 40, -1])
def test_an_altered_box_does_not_open(desk, place):
    desk.post()
    (box,) = desk.boxes()
    content = bytearray(box.read_bytes())
    content[place] ^= 1
    box.write_bytes(content)
    with pytest.raises(VaultError), collecting(desk) as (run, _):
        run()
    assert desk.boxes()


def test_a_box_opens_under_its_own_name_dataset_and_key_only(desk):
    desk.post()
    (box,) = desk.boxes()
    content = box.read_bytes()
    assert CANARY.encode() in OPENER.open(content, dataset="chats", name=box.stem)
    for opener, dataset, name in (
        (OPENER, "other", box.stem),
        (OPENER, "chats", "0" * 32),
        (Opener(RootKey(b"u" * 32).derive(PURPOSE)), "chats", box.stem),
    ):
        with pytest.raises(VaultError):
            opener.open(content, dataset=dataset, name=name)


def test_another_root_key_does_not_take_the_inbox_over(desk):
    other = Opener(RootKey(b"u" * 32).derive(PURPOSE))
    with pytest.raises(KeyMissing, match="another root key"):
        desk.inbox.offer(other.public_key())


def test_a_delivery_that_was_cut_off_while_it_was_written_leaves_no_box(desk, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder.os, "fsync", full)
    assert desk.post().status_code == 503
    monkeypatch.undo()
    assert not list((desk.data / "inbox" / "chats").iterdir())
    assert desk.post().status_code == 202


def test_the_name_of_a_box_never_leads_out_of_the_inbox(desk):
    for dataset, name in (("..", "0" * 32), ("chats", "../x"), ("a/b", "0" * 32), ("chats", "0" * 31)):
        with pytest.raises(ValueError, match="name"):
            desk.inbox.put(dataset, name, b"x")


def test_a_storage_failure_of_the_inbox_is_one_of_ours(desk):
    (desk.data / "inbox" / "chats").write_text("a file where a folder belongs")
    with pytest.raises(StorageError):
        desk.inbox.put("chats", "0" * 32, b"x")
