"""C6 over the network: no answer without an entry, no entry with a word of the caller's; what fails, fails closed."""

from __future__ import annotations

import base64
import sqlite3
import time
from contextlib import closing

import pytest

from audits import KEY, TIME
from sfumato.audit import tree
from sfumato.audit.checkpoint import LogKey, read
from sfumato.audit.event import encode
from sfumato.errors import StorageError
from sfumato.model.layout import Layout
from sfumato.model.strict_json import dumps
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.audited import Reads
from sfumato.serve.oidc import principal_id
from sites import HERE, RELEASE, Site

CANARY = "canary7391"


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr("sfumato.serve.policy_watch.LOOK_SECONDS", 0.2)
    return Site(tmp_path / "data")


class Unwritable:
    """A log whose disk is full, until it is not."""

    def __init__(self, log):
        self.log = log
        self.full = False

    def __getattr__(self, name):
        return getattr(self.log, name)

    def append(self, event):
        self._check()
        return self.log.append(event)

    def append_many(self, events):
        self._check()
        return self.log.append_many(events)

    def _check(self):
        if self.full:
            raise StorageError("the audit log can't be used (disk full); nothing goes on without it")


def test_a_denial_is_on_disk_before_it_is_answered(site):
    with site.client() as client:
        assert client.get("/v1/releases").status_code == 401
        assert [(event.actor, event.rule) for event in site.written("denied")] == [("nobody", "credential.no_key")]
        assert client.get(HERE, headers=site.bearer("admin")).status_code == 403
        assert site.written("denied")[-1].rule == "access.admin"
        assert site.written("denied")[-1].release == RELEASE.id


def test_a_read_is_in_the_log_within_half_a_second_with_key_release_and_policy(site):
    with site.client() as client:
        assert client.get(HERE, headers=site.bearer("analyst")).status_code == 200
        time.sleep(0.6)
        (event,) = site.written("read")
    assert (event.actor, event.role) == (site.tokens["analyst"].split("_")[1], "analyst")
    assert (event.release, event.rule, event.decision) == (RELEASE.id, "access.analyst", "allow")
    assert event.policy is not None


def test_every_read_is_recorded_also_those_answered_from_memory(site):
    with site.client() as client:
        for _ in range(25):
            assert client.get(HERE, headers=site.bearer("analyst")).status_code == 200
    reads = site.written("read")
    assert len(reads) == 25
    assert {event.release for event in reads} == {RELEASE.id}


def test_reads_that_wait_are_flushed_when_the_server_ends(site):
    with site.client() as client:
        for _ in range(10):
            client.get("/v1/releases", headers=site.bearer("analyst"))
    assert len(site.written("read")) == 10


def test_nothing_a_caller_writes_reaches_the_log(site):
    with site.client() as client:
        for address in (f"/v1/{CANARY}", f"{HERE}/topics/{CANARY}", f"/v1/releases/{CANARY}?q={CANARY}"):
            client.get(address, headers=site.bearer("analyst") | {"User-Agent": CANARY})
            client.get(address, headers={"Authorization": f"Bearer {CANARY}"})
    with closing(sqlite3.connect(Layout(data=site.data).audit / "log.db")) as db:
        held = [bytes(body) for (body,) in db.execute("select body from audit_entries")]
    assert len(held) > 4
    assert not any(CANARY.encode() in body for body in held)


def test_a_denial_that_cant_be_recorded_is_503_and_says_nothing_else(site):
    with closing(site.log()) as real:
        log = Unwritable(real)
        with site.client(log=log) as client:
            log.full = True
            answer = client.get("/v1/releases")
            log.full = False
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


def test_reads_go_on_while_the_log_fails_until_the_queue_is_full_and_all_of_them_are_written_once_it_can_be(site):
    with closing(site.log()) as real:
        log = Unwritable(real)
        reads = Reads(log.append_many, most=3)
        log.full = True
        with reads:
            first = site_events(4)
            for event in first[:3]:
                reads.add(event)
            with pytest.raises(StorageError, match="nothing is read meanwhile"):
                reads.add(first[3])
            time.sleep(0.3)
            assert reads.waiting() == 3
            log.full = False
    assert len(site.written("read")) == 3


def test_a_server_that_ends_with_unwritten_reads_says_so(site):
    with closing(site.log()) as real:
        log = Unwritable(real)
        log.full = True
        reads = Reads(log.append_many)
        reads.__enter__()
        reads.add(site_events(1)[0])
        with pytest.raises(StorageError, match="disk full"):
            reads.__exit__(None, None, None)


def site_events(count):
    from audits import event

    return [event(number, operation="read", shape=None, charge=None) for number in range(count)]


def test_a_key_that_was_revoked_is_refused_although_its_decision_was_remembered(site):
    with site.client() as client:
        assert client.get(HERE, headers=site.bearer("analyst")).status_code == 200
        with closing(ApiKeys.open(site.data)) as keys:
            keys.revoke(site.tokens["analyst"].split("_")[1])
        assert client.get(HERE, headers=site.bearer("analyst")).status_code == 401
        assert site.written("denied")[-1].rule == "credential.revoked"


def test_the_policy_at_the_start_and_every_change_of_it_is_recorded(site):
    with site.client() as client:
        assert [event.rule for event in site.written("policy_change")] == ["policy.in_force"]
        assert client.get("/v1/policy", headers=site.bearer("admin")).status_code == 200
        before = client.get("/v1/policy", headers=site.bearer("admin")).json()["digest"]
        site.policy.write_text(site.policy.read_text().replace("analyst: [releases]", "analyst: []"))
        wait_until(lambda: len(site.written("policy_change")) == 3)
        wait_until(lambda: client.get(HERE, headers=site.bearer("analyst")).status_code == 403)
        after = client.get("/v1/policy", headers=site.bearer("admin")).json()["digest"]
    changes = [(event.rule, event.policy, event.actor) for event in site.written("policy_change")]
    assert before != after
    assert changes[1:] == [("policy.superseded", before, "system"), ("policy.in_force", after, "system")]


def test_a_server_started_again_under_the_same_policy_records_no_change_and_under_another_one_does(site):
    for _ in range(2):
        with site.client():
            pass
    assert len(site.written("policy_change")) == 1
    site.policy.write_text(site.policy.read_text().replace("epsilon: 8.0", "epsilon: 7.0"))
    with site.client():
        pass
    assert [event.rule for event in site.written("policy_change")][1:] == ["policy.superseded", "policy.in_force"]


def test_a_bad_policy_is_refused_recorded_and_leaves_the_one_in_force(site):
    with site.client() as client:
        site.policy.write_text("analyst: everything\n")
        wait_until(lambda: site.written("policy_change")[-1].decision == "deny")
        assert client.get(HERE, headers=site.bearer("analyst")).status_code == 200
    assert site.written("policy_change")[-1].rule == "policy.refused"


def test_a_policy_change_that_cant_be_recorded_does_not_happen(site):
    with closing(site.log()) as real:
        log = Unwritable(real)
        with site.client(log=log) as client:
            log.full = True
            site.policy.write_text(site.policy.read_text().replace("admin: [policy, keys]", "admin: []"))
            time.sleep(1.0)
            assert client.get("/v1/policy", headers=site.bearer("admin")).status_code == 200
            log.full = False
            wait_until(lambda: client.get("/v1/policy", headers=site.bearer("admin")).status_code == 403)


def wait_until(condition, seconds=8.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def signed(site):
    with closing(site.log()) as log:
        log.append_many(site_events(70))
        log.checkpoint(log.signer(KEY), time=TIME)
    return site


def test_entries_come_in_pages_and_their_canonical_bytes_are_the_leaves_that_a_proof_joins_to_the_signed_root(signed):
    with signed.client() as client:
        page = client.get("/v1/audit/events?first=40&limit=10", headers=signed.bearer("auditor")).json()
        kept = client.get("/v1/audit/checkpoints", headers=signed.bearer("auditor")).json()
        note = client.get("/v1/audit/checkpoint", headers=signed.bearer("auditor")).content
        proof = client.get("/v1/audit/proofs/inclusion?seq=42&size=70", headers=signed.bearer("auditor")).json()
    assert [one["seq"] for one in page["events"]] == list(range(40, 50))
    assert page["next"] == 50
    checkpoint = read(note, [LogKey.parse(key) for key in kept["keys"]])
    body = dumps(page["events"][2]["entry"])
    hashes = [base64.b64decode(one) for one in proof["hashes"]]
    assert checkpoint.size == 70
    assert tree.verify_inclusion(42, 70, tree.leaf_hash(body), hashes, checkpoint.root)
    assert not tree.verify_inclusion(42, 70, tree.leaf_hash(body + b" "), hashes, checkpoint.root)
    assert body == encode(signed.events()[42], 42)


def test_a_proof_of_consistency_joins_two_sizes_of_the_log(signed):
    with signed.client() as client:
        answer = client.get("/v1/audit/proofs/consistency?old=33&new=70", headers=signed.bearer("auditor"))
    assert answer.status_code == 200
    assert answer.json()["hashes"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("events?first=-1", 422), ("events?limit=0", 422), ("events?limit=1001", 422), ("events?first=x", 422),
        ("proofs/inclusion?seq=5&size=5", 404), ("proofs/inclusion?seq=0&size=100000", 404),
        ("proofs/consistency?old=0&new=5", 404), ("proofs/consistency?old=9&new=5", 404),
    ],
)  # fmt: skip
def test_what_the_log_does_not_have_is_a_problem_in_one_shape(signed, query, status):
    with signed.client() as client:
        answer = client.get(f"/v1/audit/{query}", headers=signed.bearer("auditor"))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_empty_page_beyond_the_end_ends_the_walk(signed):
    with signed.client() as client:
        page = client.get("/v1/audit/events?first=9000", headers=signed.bearer("auditor")).json()
    assert (page["events"], page["next"]) == ([], None)


@pytest.mark.parametrize("role", ["analyst", "admin", "ingester"])
def test_only_a_role_with_the_operation_audit_reads_the_log(signed, role):
    with signed.client() as client:
        assert client.get("/v1/audit/events", headers=signed.bearer(role)).status_code == 403


def test_reading_the_log_is_in_the_log(signed):
    with signed.client() as client:
        client.get("/v1/audit/head", headers=signed.bearer("auditor"))
    assert signed.written("audit_read")[-1].role == "auditor"


def test_a_person_has_the_same_16_digits_under_one_issuer_and_others_under_another():
    assert principal_id("https://one", "ab") == principal_id("https://one", "ab")
    assert principal_id("https://one", "ab") != principal_id("https://two", "ab")
    assert principal_id("a\nb", "c") != principal_id("a", "b\nc")
