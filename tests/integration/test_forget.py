"""Erasure by person: unreadable and uncounted from then on, recorded without the person, truthful about what stays."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audits import report_on
from gateways import NOW, gateway, policy, quiet, write_corpus, write_distinct
from searching import contents, found
from sfumato.audit.log import AuditLog
from sfumato.errors import InputError, Refused, StorageError
from sfumato.ingest.pseudonym import Pseudonyms
from sfumato.model.layout import Layout
from sfumato.privacy.bounds import bound
from sfumato.vault.keys import RootKey
from sfumato.vault.segments import read_segment
from terminal import sfumato

PERSON, STRANGER = "person-00003", "nobody-at-all"
PSEUDONYMS = Pseudonyms(RootKey(b"t" * 32).derive("pseudonyms"), dataset="chats")
KEEPING = policy(("facets:", "retention: {derived: keep_until_ttl}\nfacets:"))
POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "chats.jsonl", users=60)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def units(opened) -> set[bytes]:
    return {unit for batch in opened._batches() for unit in batch.unit_ids}


def events(data: Path) -> list:
    with closing(AuditLog.read_only(Layout(data=data).audit)) as log:
        return [event for _, event in log.events()]


def test_forgotten_before_extraction_their_text_is_read_by_nobody_and_counts_nowhere(corpus, data):
    person = PSEUDONYMS.user(PERSON)
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.forget(PERSON)
        key = opened._raw.key()
        read = [one.unit_id for path in opened._raw.segments() for one in read_segment(path, key)]
        assert len(read) == 118
        assert person not in read
        opened.extract(advance=quiet)
        assert len(units(opened)) == 59
        assert person not in units(opened)


def test_forgotten_after_extraction_their_rows_are_gone_and_nobody_elses(corpus, data):
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        before = bound(opened._batches(), conversations_per_unit=20)
        opened.forget(PERSON)
        after = bound(opened._batches(), conversations_per_unit=20)
        assert (before.units - after.units, len(before) - len(after)) == (1, 2)
        assert units(opened) == {PSEUDONYMS.user(f"person-{n:05d}") for n in range(60)} - {PSEUDONYMS.user(PERSON)}
        assert not list(opened._derived.glob(".*"))


def test_what_is_measured_from_then_on_is_a_log_without_them(tmp_path):
    """Forgotten before extraction, after it, or never ingested: the same rows, bit for bit."""
    corpus = write_corpus(tmp_path / "chats.jsonl", users=60)
    without = tmp_path / "without.jsonl"
    without.write_text("".join(line + "\n" for line in corpus.read_text().splitlines() if PERSON not in line))

    def rows(name: str, source: Path, *, before: bool = False, after: bool = False) -> set[tuple]:
        with gateway(tmp_path / name, policy=policy()) as opened:
            opened.ingest(str(source), advance=quiet)
            if before:
                opened.forget(PERSON)
            opened.extract(advance=quiet)
            if after:
                opened.forget(PERSON)
            return {
                (batch.conversation_ids[row], batch.unit_ids[row], batch.phrases[row], batch.vectors[row].tobytes())
                for batch in opened._batches()
                for row in range(len(batch))
            }

    never = rows("never", without)
    assert rows("before", corpus, before=True) == rows("after", corpus, after=True) == never
    assert rows("neither", corpus) > never


def test_what_they_wrote_before_does_not_come_back_under_any_epoch_and_what_they_write_later_does(tmp_path, data):
    def line(user: str, when: datetime | None) -> str:
        record = {"conversation_id": f"{user}{when}", "user_id": user, "text": "a question about sourdough bread"}
        return json.dumps(record | ({} if when is None else {"timestamp": when.isoformat()}))

    log = tmp_path / "log.jsonl"
    moments = [None, NOW - timedelta(days=2), NOW + timedelta(days=2)]
    log.write_text("\n".join(line(user, when) for user in (PERSON, "other") for when in moments))
    with gateway(data, policy=policy()) as opened:
        opened.forget(PERSON)
    for epoch in ("2026-11", "2026-12"):
        with gateway(data, policy=policy(), epoch=epoch) as opened:
            report = opened.ingest(str(log), advance=quiet)
            assert (report.accepted, report.rejections) == (4, {"forgotten": 2})


def test_the_same_is_told_and_written_of_somebody_who_was_never_there(corpus, tmp_path):
    told, written = [], []
    for person in (PERSON, STRANGER):
        data = tmp_path / person
        with gateway(data, policy=policy()) as opened:
            opened.ingest(str(corpus), advance=quiet)
            opened.extract(advance=quiet)
            told.append(asdict(opened.forget(person)))
        written.append([event for event in events(data) if event.operation == "forget"])
    assert told[0] == told[1]
    assert written[0] == written[1]
    assert [(one.dataset, one.epoch, one.decision, one.rule) for one in written[0]] == [
        ("chats", None, "allow", "unit"),
        ("chats", "2026-11", "allow", "unit"),
    ]
    assert report_on(Layout(data=tmp_path / PERSON).audit).good


def test_neither_the_id_nor_its_pseudonym_nor_a_plain_hash_of_it_is_left_on_the_disk(corpus, data):
    from hashlib import sha256

    with gateway(data, policy=KEEPING) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.forget(PERSON)
        opened.extract(advance=quiet)
        opened.forget("person-00007")
    needles = {PERSON.encode(), PSEUDONYMS.user(PERSON), PSEUDONYMS.user(PERSON).hex().encode()}
    needles |= {sha256(PERSON.encode()).digest(), sha256(PERSON.encode()).hexdigest().encode()}
    assert not found(needles, contents(data))
    (data / "planted").write_bytes(PSEUDONYMS.user(PERSON))
    assert found(needles, contents(data)) == {PSEUDONYMS.user(PERSON)}


def test_after_a_release_it_says_which_releases_stand_and_under_what_bound(tmp_path, data):
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(write_corpus(tmp_path / "chats.jsonl", users=120)), advance=quiet)
        opened.extract(advance=quiet)
        nothing = opened.forget(STRANGER)
        release = json.loads(opened.release())
        told = opened.forget(PERSON)
    assert "No release was made here" in nothing.remains[0]
    (standing,) = told.releases
    assert (standing.id, standing.epsilon) == (release["id"], release["guarantee"]["epsilon"])
    assert release["id"] in told.remains[0]
    assert f"e^{standing.epsilon:.4g}" in told.remains[0]
    assert "nothing can be taken out" in told.remains[0]


def test_of_a_guarded_release_it_says_that_names_have_no_bound(data):
    from releases import guarantee as card
    from releases import sample, store_release

    with gateway(data, policy=policy()) as opened:
        store_release(data, sample(guarantee=card(mode="guarded")))
        told = opened.forget(PERSON)
    assert "no such bound" in told.remains[0]


def test_a_kept_epoch_is_erased_after_its_release_too(corpus, data):
    with gateway(data, policy=KEEPING) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        opened.release()
        opened.forget(PERSON)
        assert PSEUDONYMS.user(PERSON) not in units(opened)


def test_every_epoch_and_dataset_is_gone_through_and_one_that_is_at_work_keeps_all_waiting(corpus, data):
    for epoch in ("2026-10", "2026-11"):
        with gateway(data, policy=policy(), epoch=epoch) as opened:
            opened.ingest(str(corpus), advance=quiet)
    with gateway(data, policy=policy(), epoch="2026-10") as busy, gateway(data, policy=policy()) as opened:
        with pytest.raises(Refused, match="at work"):
            opened.forget(PERSON)
        assert busy.waiting() == 120
    with gateway(data, policy=policy()) as opened:
        told = opened.forget(PERSON)
    assert {part.partition(".")[0] for _, part, _ in told.parts} == {"2026-10", "2026-11"}
    with gateway(data, policy=policy(), epoch="2026-10") as opened:
        opened.extract(advance=quiet)
        assert PSEUDONYMS.user(PERSON) not in units(opened)


def test_answers_of_a_model_that_may_be_about_them_go_and_the_bill_stays(corpus, data):
    from sfumato.vault.journal import Journal

    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        (segment,) = opened._raw.segments()
        key = opened._ports.epoch_keys.create("chats", opened._part, "derived")
        for name in (segment.stem, "f" * 32, "spent"):
            with Journal(opened._derived, name, key) as journal:
                journal.put(b"q" * 32, b"an answer")
        opened.forget(STRANGER)
        assert {path.name.partition(".")[0] for path in opened._derived.glob("*.jnl")} == {segment.stem, "spent"}
        opened.forget(PERSON)
        assert {path.name.partition(".")[0] for path in opened._derived.glob("*.jnl")} == {"spent"}


def test_what_a_killed_writer_left_of_extracts_goes_too(corpus, data):
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        opened.extract(advance=quiet)
        (path,) = opened._derived.glob("*.drv")
        left = path.with_name(f".{path.name}.0011.tmp")
        left.write_bytes(path.read_bytes())
        opened.forget(PERSON)
        assert not left.exists()


def test_under_a_unit_of_conversation_no_user_can_be_named_and_a_conversation_can(tmp_path, data):
    loaded = policy(("unit: user", "unit: conversation"))
    with gateway(data, policy=loaded) as opened:
        opened.ingest(str(write_corpus(tmp_path / "chats.jsonl", users=30, each=1)), advance=quiet)
        with pytest.raises(Refused, match="no user id was kept"):
            opened.forget(PERSON)
        opened.forget("c3-0", named="conversation")
        opened.extract(advance=quiet)
        assert len(units(opened)) == 29
    assert [event.rule for event in events(data) if event.decision == "deny"] == ["refused"]


def test_a_failure_is_recorded_and_an_empty_id_is_none(corpus, data, monkeypatch):
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(corpus), advance=quiet)
        with pytest.raises(InputError):
            opened.forget("  ")
        monkeypatch.setattr(type(opened._ports.epoch_keys), "cut", _full)
        with pytest.raises(StorageError):
            opened.forget(PERSON)
    assert [event.rule for event in events(data) if event.decision == "deny"] == ["failed.input", "failed.storage"]


def _full(*_args: object) -> None:
    raise StorageError("the disk is full")


def test_a_damaged_list_lets_nobody_in(corpus, data):
    with gateway(data, policy=policy()) as opened:
        opened.forget(PERSON)
        (path,) = Layout(data=data).forgotten.iterdir()
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(StorageError, match="damaged"):
            opened.ingest(str(corpus), advance=quiet)


def test_deliveries_that_wait_are_told_of(data):
    from sfumato.inbox.folder import Inbox

    Inbox(data).put("elsewhere", "0" * 32, b"a box")
    with gateway(data, policy=policy()) as opened:
        told = opened.forget(PERSON)
    assert told.datasets == ("chats", "elsewhere")
    assert any("wait in the inbox" in line for line in told.remains)


def test_the_command_takes_the_id_from_standard_input_and_prints_what_remains(tmp_path):
    home, data, corpus = tmp_path / "home", tmp_path / "data", write_distinct(tmp_path / "chats.jsonl", users=30)
    at = ["--data", data, "--dataset", "chats"]
    done = sfumato("ingest", POLICIES / "standard.yaml", corpus, *at, home=home)
    assert done.returncode == 0, done.stderr
    said = [
        sfumato("forget", "-", "--policy", POLICIES / "standard.yaml", "--data", data, "--json", home=home, stdin=one)
        for one in (b"person-00003\n", b"never-seen\n", b"", b"one\ntwo\n")
    ]
    assert [one.returncode for one in said] == [0, 0, 1, 1]
    found_here = json.loads(said[0].stdout)
    assert found_here == json.loads(said[1].stdout)
    assert (found_here["unit"], found_here["datasets"], found_here["releases"]) == ("user", ["chats"], [])
    spoken = b"".join(one.stdout + one.stderr for one in said)
    assert b"person-00003" not in spoken
    plain = sfumato("forget", "person-00004", "--policy", POLICIES / "standard.yaml", "--data", data, home=home)
    assert plain.returncode == 0
    assert b"person-00004" not in plain.stdout + plain.stderr
    refused = sfumato(
        "forget", "c1", "--conversation", "--policy", POLICIES / "standard.yaml", "--data", data, home=home
    )
    assert refused.returncode == 3
    assert refused.stderr.count(b"\n") == 1


def test_the_moment_counts_and_not_the_second_time_it_is_asked(data):
    """Asked again later, what was written in between is forgotten as well."""
    from sfumato.ingest.forgotten import Forgotten
    from sfumato.model.conversation import Conversation

    def of(when: datetime | None) -> Conversation:
        return Conversation(
            conversation_id=b"c" * 16, unit_id=PSEUDONYMS.user(PERSON), messages=(), timestamp=when, attributes={}
        )

    book = Forgotten(data / "forgotten", PSEUDONYMS, dataset="chats")
    assert not book.covers(of(None))
    book.add(PSEUDONYMS.user(PERSON), NOW)
    later = NOW + timedelta(days=1)
    assert book.covers(of(None))
    assert book.covers(of(NOW - timedelta(seconds=1)))
    assert not book.covers(of(later))
    book.add(PSEUDONYMS.user(PERSON), later)
    book.add(PSEUDONYMS.user(PERSON), NOW)
    assert Forgotten(data / "forgotten", PSEUDONYMS, dataset="chats").covers(of(later.astimezone(UTC)))
