"""The worker: charged before it answers, the same answer for ever, nothing to learn from a refusal, killed or not."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from api_clients import inside
from live_queries import (
    ANALYST,
    DATASET,
    EPOCH,
    OTHER,
    ROOT,
    asking,
    desk,
    extracts,
    policy,
    publish,
    random_questions,
    terms_of,
)
from processes import APART
from releases import pin
from sfumato.errors import NoiseFailure, Refused, StorageError
from sfumato.live import measure, worker
from sfumato.live.schedule import Schedule
from sfumato.live.worker import Worker
from sfumato.model.layout import Layout
from sfumato.model.question import Ask, encode_ask
from sfumato.model.strict_json import dumps
from sfumato.policy.schema import Access as Roles
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.noise import OpenDPNoise
from sfumato.serve import routes_queries
from sfumato.serve.access import Access
from sfumato.serve.api import build_app
from sfumato.serve.api_keys import ApiKeys
from sfumato.serve.query import WorkerSocket
from sfumato.serve.store import ReleaseStore
from sfumato.vault.derived import DerivedStore
from sfumato.vault.keystore import EpochKeys

POLICY = policy()
BATCH = extracts(400, 3)


@pytest.fixture
def data(tmp_path):
    publish(tmp_path, POLICY, BATCH)
    return tmp_path


def reply(opened, ask, analyst=ANALYST, role="analyst"):
    said = opened.reply(ask, analyst=analyst, role=role)
    return said.outcome, said.body


def queries(ledger):
    return [one for one in ledger.entries() if one.purpose == "queries"]


def test_a_thousand_repeats_have_no_variance_and_cost_one_charge(data):
    """Averaging: the first answer's bytes are every answer's, for every spelling, every analyst and every process."""
    with desk(data, POLICY) as (opened, ledger):
        said = {
            reply(opened, asking(by=("plan", "mood")[:: 1 - 2 * (n % 2)]), (ANALYST, OTHER)[n % 2]) for n in range(1000)
        }
        assert len(said) == 1
        assert [one.state for one in queries(ledger)] == ["released"]
    with desk(data, POLICY) as (opened, ledger):
        assert reply(opened, asking(by=("mood", "plan"))) in said
        assert len(queries(ledger)) == 1
    answer = json.loads(said.pop()[1])["answers"][0]
    assert answer["outcome"] == "answered"
    assert len(answer["cells"]) > 1  # which of them show a number, the noise decides


def test_an_answer_is_near_the_truth(data):
    with desk(data, POLICY) as (opened, _):
        said = reply(opened, asking())[1]
    body = json.loads(said)
    assert said == dumps(body), "an answer is canonical, its padding included"
    users = body["answers"][0]["cells"][0]["numbers"]["users"]
    sigma = body["answers"][0]["guarantee"]["mechanisms"][0]["sigma"]
    assert abs(users["value"] - 400) < 6 * sigma
    assert users["low"] <= users["value"] <= users["high"]


def test_differencing_is_charged_each_time_and_refused_when_the_budget_ends(data):
    """A filter more or a filter less is another question; the last of them finds the analyst's share spent."""
    values = ["1", "2", "3", "4", "5"]
    asked = [asking(where={"mood": values[:n]}) for n in range(1, 6)]
    asked += [asking(where={"pages": [value]}) for value in ("<0", "0-10", "10-100", ">=100", "unknown")]
    asked += [asking(where={"plan": ["free"], "mood": [value]}) for value in values]
    asked += [asking(by=("plan",), where={"mood": [value]}) for value in values]
    asked += [asking(by=("tools",), where={"mood": [value]}) for value in values]
    price, share = terms_of(POLICY).rho, terms_of(POLICY).analyst_rho
    with desk(data, POLICY) as (opened, ledger):
        outcomes = [reply(opened, one)[0] for one in asked]
        granted = share // price
        assert granted < len(asked)
        assert outcomes == ["answer"] * granted + ["exhausted"] * (len(asked) - granted)
        assert sum(one.rho for one in queries(ledger)) == granted * price <= share
        outcome, body = reply(opened, asked[-1])
        assert outcome == "exhausted"
        assert json.loads(body)["left"]["questions"] == 0
        assert (json.loads(body)["next_epoch"], json.loads(body)["begins"]) == ("2026-12", "2026-12-01T00:00:00Z")
        assert reply(opened, asked[0])[0] == "answer", "what was answered once costs nothing now either"
        assert reply(opened, asked[-1], OTHER)[0] == "answer", "another analyst has a share of their own"


def test_analysts_together_stay_within_the_share_of_queries_and_the_release_keeps_its_own(data):
    terms = terms_of(POLICY)
    with desk(data, POLICY) as (opened, ledger):
        for n, question in enumerate(random_questions(400, seed=8)):
            asked = Ask(dataset=DATASET, epochs=(EPOCH,), question=question)
            if reply(opened, asked, f"{n // 4:016x}")[0] == "exhausted":
                break
        else:
            pytest.fail("400 questions did not use up the budget")
        spent = sum(one.rho for one in queries(ledger))
        assert terms.caps.purpose_rho - terms.rho < spent <= terms.caps.purpose_rho
        assert ledger.spent(dataset=DATASET, epoch=EPOCH)[0] <= terms.caps.epoch_rho


def test_a_quote_is_the_charge_and_reads_no_data(data, monkeypatch):
    """A hundred random questions: what `dry_run` says is what the ledger then enters."""
    plenty = policy(("_query: 0.2", "_query: 0.01"), ("{epsilon: 1.0}", "{epsilon: 3.9}"))
    with desk(data, plenty) as (opened, ledger):
        load = measure.measured
        for question in random_questions(100, seed=3):
            monkeypatch.setattr(measure, "measured", None)
            quoted = json.loads(
                reply(opened, Ask(dataset=DATASET, epochs=(EPOCH,), question=question, dry_run=True))[1]
            )
            monkeypatch.setattr(measure, "measured", load)
            (quote,) = quoted["quotes"]
            before = ledger.spent(dataset=DATASET)[0]
            outcome, body = reply(opened, Ask(dataset=DATASET, epochs=(EPOCH,), question=question))
            charged = ledger.spent(dataset=DATASET)[0] - before
            assert quote["charge"]["rho"] == charged / 1e9
            if charged:
                assert outcome == "answer"
                guarantee = json.loads(body)["answers"][0]["guarantee"]
                assert guarantee["epsilon"] == quote["charge"]["epsilon"] <= 0.01
                assert guarantee["mechanisms"][0]["sigma"] == pytest.approx(quote["noise"]["users"]["sigma"], abs=1e-4)


def test_a_quote_alone_never_opens_the_extracts(data):
    for file in (data / "derived").rglob("*.drv"):
        file.write_bytes(b"")
    with desk(data, POLICY) as (opened, ledger):
        assert reply(opened, asking(by=("topic",), dry_run=True))[0] == "quote"
        assert queries(ledger) == []


WITHHELD = {
    "a value that is not known": asking(where={"plan": ["gold"]}),
    "a topic that is not released": asking(where={"topic": ["leaf-005"]}),
    "a facet that is not known": asking(where={"colour": ["red"]}),
    "a filter that is not allowed": asking(where={"secret": ["one"]}),
    "a breakdown that is not allowed": asking(by=("secret",)),
    "an epoch that is not released": asking(epochs=("2026-10",)),
    "an epoch of another length": asking(epochs=("2026-W10",)),
    "a release that is not known": asking(by=("topic",), release="rel_" + "0" * 20),
}
SUPPRESSED = asking(where={"plan": ["free"], "mood": ["1"], "tools": ["code"], "pages": ["<0"], "topic": ["leaf-001"]})


class Clock:
    """Time that passes only as somebody sleeps or works."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@contextmanager
def running(data, loaded, *, schedule=None):
    """A worker at its socket, in a thread of this process."""
    with desk(data, loaded) as (opened, ledger):
        path, ready = data / "worker.sock", threading.Event()
        at = Worker(opened, path, schedule=schedule or Schedule(beat=0.01))
        thread = threading.Thread(target=at.serve, args=(lambda _path: ready.set(),))
        thread.start()
        assert ready.wait(30)
        try:
            yield path, ledger
        finally:
            at.stop()
            thread.join(30)


@pytest.mark.parametrize("work", [0.02, 0.3], ids=["quick", "slow"])
def test_suppressed_unknown_and_forbidden_look_alike_from_outside(data, monkeypatch, work):
    """Status, size and beat are the same for an answer below its threshold, an unknown name and a forbidden one."""
    clock = Clock()
    measured = measure.measured
    monkeypatch.setattr(measure, "measured", lambda *a, **k: (clock.sleep(work), measured(*a, **k))[1])
    with running(data, POLICY, schedule=Schedule(beat=0.5, clock=clock, sleep=clock.sleep)) as (path, ledger):
        client, token = site(data, WorkerSocket(path))
        seen = {}
        for name, ask in {"below the threshold": SUPPRESSED, **WITHHELD}.items():
            before = clock.now
            answer = post(client, token, ask)
            (one,) = answer.json()["answers"]
            assert not any(cell["numbers"] for cell in one["cells"]), name
            seen[name] = (answer.status_code, len(answer.content), tuple(sorted(one)), round(clock.now - before, 6))
        assert len(set(seen.values())) == 1, seen
        assert {one[0] for one in seen.values()} == {200}
        assert len(queries(ledger)) == 1, "only what could be answered was charged"


def test_a_dry_run_tells_what_an_answer_does_not(data):
    with desk(data, POLICY) as (opened, _):
        for name, ask in WITHHELD.items():
            dry = dataclasses.replace(ask, dry_run=True)
            (quote,) = json.loads(reply(opened, dry)[1])["quotes"]
            assert (quote["allowed"], quote["charge"]["rho"]) == (False, 0), name
            assert quote["rule"] in {"unknown", "queries.group_by"}
            assert "gold" not in quote["reason"]


def test_epochs_are_charged_and_answered_one_by_one(tmp_path):
    publish(tmp_path, POLICY, BATCH, epoch="2026-10")
    publish(tmp_path, POLICY, extracts(300, 2, seed=4), epoch="2026-11")
    with desk(tmp_path, POLICY) as (opened, ledger):
        both = json.loads(reply(opened, asking(epochs=("2026-10", "2026-11"), by=("topic",)))[1])["answers"]
        assert [one["epoch"] for one in both] == ["2026-10", "2026-11"]
        assert [one.epoch for one in queries(ledger)] == ["2026-10", "2026-11"]
        alone = json.loads(reply(opened, asking(epochs=("2026-10",), by=("topic",)))[1])["answers"]
        assert alone == both[:1]
        assert len(queries(ledger)) == 2


def test_another_epochs_topics_can_be_asked_of_this_one(tmp_path):
    """That is how trends are asked for: one release's topics, week after week."""
    first = publish(tmp_path, POLICY, BATCH, epoch="2026-10")
    publish(tmp_path, POLICY, BATCH, epoch="2026-11")
    with desk(tmp_path, POLICY) as (opened, _):
        found = json.loads(reply(opened, asking(by=("topic",), level=1, release=first.id))[1])["answers"][0]
        assert found["question"]["release"] == first.id
        assert [cell["at"] for cell in found["cells"]] == [["top-001"], ["top-002"]]


def test_a_warm_desk_reads_no_extracts_for_a_question(data, monkeypatch):
    """What it read at its start serves for all: no question's time tells how many extracts there are to decrypt."""
    read, really = [], DerivedStore.batches
    monkeypatch.setattr(DerivedStore, "batches", lambda store: read.append(store) or really(store))
    with desk(data, POLICY) as (opened, _):
        opened.warm()
        assert read
        read.clear()
        assert reply(opened, asking(by=("topic",)))[0] == "answer"
        assert reply(opened, asking(by=("plan",)))[0] == "answer"
        assert not read


def test_what_is_destroyed_is_let_go_of_and_its_answers_stay(data):
    with desk(data, POLICY) as (opened, ledger):
        before = reply(opened, asking(by=("plan",)))
        part = next(one for _, one, zone in EpochKeys(Layout(data=data).keystore, None).held() if zone == "derived")
        EpochKeys(Layout(data=data).keystore, None).destroy(DATASET, part, "derived")
        assert json.loads(reply(opened, asking(by=("mood",)))[1])["answers"][0]["outcome"] == "withheld"
        assert reply(opened, asking(by=("plan",))) == before
        assert len(queries(ledger)) == 1
        assert not opened._shelf._columns
        assert not opened._shelf._keys


def test_who_is_forgotten_is_in_no_later_answer_of_a_worker_that_runs(data):
    with desk(data, POLICY) as (opened, _):
        before = opened._shelf.columns(terms_of(POLICY), None)
        assert before is opened._shelf.columns(terms_of(POLICY), None)
        part = f"{EPOCH}.{terms_of(POLICY).plan.extraction_digest[:12]}"
        layout = Layout(data=data)
        key = EpochKeys(layout.keystore, ROOT).open(DATASET, part, "derived")
        DerivedStore(layout.derived / DATASET / part, key).forget((3).to_bytes(16, "big"))
        after = opened._shelf.columns(terms_of(POLICY), None)
        assert len(set(before.unit_of)) - len(set(after.unit_of)) == 1
        assert list(opened._shelf._columns.values()) == [after]


def test_a_desk_holds_no_way_to_the_root_key(data):
    """Once it is open, nothing refers to the root key because of it, and nothing that it reaches opens another key."""
    before = sys.getrefcount(ROOT)
    with desk(data, POLICY) as (opened, _):
        gc.collect()
        assert sys.getrefcount(ROOT) == before
        assert {zone for *_, zone in opened._shelf._held()} == {"derived"}
        keys = opened._shelf._held.__self__
        with pytest.raises(Exception, match="no root key"):
            keys._root.unwrap(b"", {})


def test_noise_that_fails_after_the_charge_burns_it_and_the_next_question_is_answered(data, monkeypatch):
    with desk(data, POLICY) as (opened, ledger):
        assert reply(opened, asking())[0] == "answer"
        real = OpenDPNoise.gaussian

        def failing(self, values, scale):
            if scale != 1.0:
                raise NoiseFailure("gone")
            return real(self, values, scale)

        monkeypatch.setattr(OpenDPNoise, "gaussian", failing)
        with pytest.raises(NoiseFailure):
            reply(opened, asking(by=("plan",)))
        monkeypatch.setattr(OpenDPNoise, "gaussian", real)
        assert reply(opened, asking(by=("plan",)))[0] == "answer"
        assert [one.state for one in queries(ledger)] == ["released", "burned", "released"]


def test_a_noise_process_that_died_between_questions_is_replaced_before_anything_is_charged(data):
    with desk(data, POLICY) as (opened, ledger):
        opened._noise = lambda: OpenDPNoise(workers=1)  # not the one that other tests use as well
        assert reply(opened, asking())[0] == "answer"
        for process in list(opened._source._pool._processes.values()):
            os.kill(process.pid, signal.SIGKILL)
            process.join(10)
        time.sleep(0.2)
        assert reply(opened, asking(by=("plan",)))[0] == "answer"
        assert [one.state for one in queries(ledger)] == ["released", "released"]


def test_no_other_noise_can_be_answered_with(data):
    class Quiet(OpenDPNoise):
        def gaussian(self, values, scale):
            return values

    with desk(data, POLICY) as (opened, ledger):
        opened._noise = Quiet
        with pytest.raises(NoiseFailure, match="only OpenDP"):
            reply(opened, asking())
        assert queries(ledger) == []


def dies_measuring(data):
    measure.measured = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    with desk(data, POLICY) as (opened, _):
        reply(opened, asking(by=("plan",)))


def test_kill_9_between_charge_and_answer_burns_the_charge_and_a_new_worker_answers(data):
    victim = APART.Process(target=dies_measuring, args=(data,))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    with desk(data, POLICY) as (opened, ledger):
        assert [one.state for one in queries(ledger)] == ["burned"]
        assert reply(opened, asking(by=("plan",)))[0] == "answer"
        assert [one.state for one in queries(ledger)] == ["burned", "released"]


def draws_and_dies(told):
    with OpenDPNoise(workers=1) as noise:
        told.put(next(iter(noise._pool._processes)))
        told.close()
        told.join_thread()
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_leaves_no_noise_process_behind():
    told = APART.Queue()
    victim = APART.Process(target=draws_and_dies, args=(told,))
    victim.start()
    orphan = told.get(timeout=120)
    victim.join(60)
    for _ in range(600):
        if not alive(orphan):
            return
        time.sleep(0.1)
    pytest.fail("the noise process outlives its parent")


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_ledger_that_lost_the_release_answers_nothing(tmp_path):
    """A charge that a question paid does not stand in for the release's."""
    publish(tmp_path, POLICY, BATCH, paid=False)
    here, ledger = terms_of(POLICY), Ledger(Layout(data=tmp_path).ledger)
    charge = here.charge("0" * 64, analyst=ANALYST, created="2026-11-21T00:00:00Z")
    ledger.released(ledger.reserve(charge, here.caps), "{}")
    ledger.close()
    with pytest.raises(StorageError, match="does not account"), desk(tmp_path, POLICY):
        pass


def test_a_policy_without_live_questions_opens_no_desk(data):
    off = policy(("live: true", "live: false"))
    with pytest.raises(Refused), desk(data, off):
        pass


def test_an_analyst_who_asks_too_often_is_told_to_wait(data):
    slow = policy(("most_per_minute: 6000", "most_per_minute: 3"))
    with desk(data, slow) as (opened, _):
        assert [reply(opened, asking())[0] for _ in range(4)] == ["answer"] * 3 + ["busy"]
        assert reply(opened, asking(), OTHER)[0] == "answer"


def test_the_socket_is_this_users_alone_and_a_second_worker_is_refused(data):
    with running(data, POLICY) as (path, _):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with desk(data, POLICY) as (opened, _), pytest.raises(Refused):
            Worker(opened, path).serve()
    assert not path.exists()


def test_a_caller_of_another_user_is_not_answered(data, monkeypatch):
    monkeypatch.setattr(worker, "_uid_of", lambda _connection: os.geteuid() + 1)
    with running(data, POLICY) as (path, _), suppress(ConnectionResetError):  # it hung up before it read
        assert said(path, b"{}\n") == b""


@pytest.mark.parametrize(
    "line",
    [
        b"\n", b"{}\n", b"[]\n", b"\xff\n", b'{"analyst":"x","ask":{},"role":"analyst"}\n', b"[" * 5000 + b"\n",
        dumps({"analyst": ANALYST, "ask": {"why": 1}, "role": "analyst"}) + b"\n",
        dumps({"analyst": ANALYST.upper(), "ask": encode_ask(asking()), "role": "analyst"}) + b"\n",
    ],
    ids=range(8),
)  # fmt: skip
def test_a_line_that_is_no_question_is_malformed_and_the_worker_lives_on(data, line):
    with running(data, POLICY) as (path, _):
        assert said(path, line) == b'{"body":{},"outcome":"malformed"}\n'
        good = dumps({"analyst": ANALYST, "ask": encode_ask(asking()), "role": "analyst"}) + b"\n"
        assert b'"outcome":"answer"' in said(path, good)


def said(path, line):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(line)
        found = b""
        while piece := connection.recv(65536):
            found += piece
        return found


def site(data, asker):
    """The server's application with live queries, and a token of an analyst."""
    pin(data) if not (data / "release_key.pub").exists() else None
    keys = ApiKeys.open(data)
    access = Access(ApiKeys.read_only(data), Roles(analyst=("releases", "queries"), auditor=("audit",)))
    app = build_app(ReleaseStore(data), access, {}, extras=[routes_queries.router(access, asker)])
    return inside(app), {role: keys.issue(role) for role in ("analyst", "auditor")}


def post(client, token, ask, role="analyst"):
    body = ask if isinstance(ask, dict) else encode_ask(ask)
    return client.post("/v1/queries", json=body, headers={"Authorization": f"Bearer {token[role]}"})


def test_over_http_the_same_question_has_the_same_bytes(data):
    with running(data, POLICY) as (path, ledger):
        client, token = site(data, WorkerSocket(path))
        first, second = (post(client, token, asking(by=("topic",), level=1)) for _ in range(2))
        assert first.status_code == 200
        assert first.content == second.content
        assert len(queries(ledger)) == 1
        assert len(first.content) == 4096
        routes_queries.SaidShape.model_validate_json(first.content)
        quote = post(client, token, asking(by=("plan",), dry_run=True))
        routes_queries.SaidShape.model_validate_json(quote.content)
        assert quote.json()["quotes"][0]["left"]["questions"] > 0


def test_a_server_without_a_worker_says_that_live_queries_are_not_running(data):
    for asker in (None, WorkerSocket(data / "nothing.sock")):
        client, token = site(data, asker)
        answer = post(client, token, asking())
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == "Live queries are not running."


def test_a_spent_budget_is_429_with_what_is_left_and_when_the_next_epoch_begins(data):
    small = policy(("per_analyst: {epsilon: 1.0}", "per_analyst: {epsilon: 0.2}"))
    with running(data, small) as (path, _):
        client, token = site(data, WorkerSocket(path))
        assert post(client, token, asking()).status_code == 200
        answer = post(client, token, asking(by=("plan",)))
        assert answer.status_code == 429
        assert answer.headers["content-type"] == "application/problem+json"
        found = routes_queries.SpentProblem.model_validate_json(answer.content)
        assert found.left.questions == 0
        assert (found.next_epoch, found.begins) == ("2026-12", "2026-12-01T00:00:00Z")


def test_who_may_not_ask_gets_no_further_than_the_server(data):
    class Never:
        def ask(self, *_, **__):
            pytest.fail("the question was passed on")

    client, token = site(data, Never())
    assert client.post("/v1/queries", json=encode_ask(asking())).status_code == 401
    assert post(client, token, asking(), role="auditor").status_code == 403
    answer = post(client, token, {"dataset": "canary7391", "epochs": ["canary7391"], "measure": "canary7391"})
    assert answer.status_code == 422
    assert "canary7391" not in answer.text


def hang_up(door):
    door.accept()[0].close()


def test_a_worker_that_breaks_off_is_a_503_and_repeats_nothing(data):
    path = data / "broken.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(path))
        door.listen()
        threading.Thread(target=hang_up, args=(door,), daemon=True).start()
        client, token = site(data, WorkerSocket(path))
        answer = post(client, token, asking(where={"plan": ["canary7391"]}))
    assert answer.status_code == 503
    assert "canary7391" not in answer.text


def test_the_server_loads_no_module_that_could_open_anything():
    code = "import sfumato.serve.api, sfumato.serve.query, sfumato.serve.routes_queries, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    private = (
        "live",
        "vault",
        "extract",
        "ingest",
        "embed",
        "topics",
        "privacy",
        "gate",
        "gateway",
        "planning",
        "publication",
    )
    assert not {name for name in loaded if name.startswith(tuple(f"sfumato.{one}" for one in private))}
    assert not {"opendp", "pyarrow"} & set(loaded)


def test_the_worker_answers_from_a_process_of_its_own_and_ends_when_told(data):
    """Killed with SIGKILL it leaves its socket behind, and the next one takes its place."""
    for ending in (signal.SIGKILL, signal.SIGTERM):
        process = APART.Process(target=works, args=(data,))
        process.start()
        client, token = site(data, WorkerSocket(data / "worker.sock"))
        for _ in range(300):
            answer = post(client, token, asking(by=("plan",)))
            if answer.status_code == 200:
                break
            time.sleep(0.1)
        assert answer.status_code == 200
        os.kill(process.pid, ending)
        process.join(30)
        assert process.exitcode == -ending
    ledger = Ledger(Layout(data=data).ledger)
    assert [one.state for one in queries(ledger)] == ["released"]
    ledger.close()


def works(data):
    with desk(data, POLICY) as (opened, _):
        Worker(opened, data / "worker.sock", schedule=Schedule(beat=0.05)).serve()
