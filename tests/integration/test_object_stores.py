"""Sealed segments in a bucket: what is there is what was put, what is deleted is gone, a failure is one line."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from buckets import CREDENTIALS, buckets
from crashes import (
    IN_A_SEGMENT,
    NEEDLES,
    USERS,
    check_discarded,
    check_whole,
    keys_of,
    opened_at,
    small_and_in_one_process,
)
from gateways import NOW, POLICY, quiet, write_distinct
from sfumato.adapters import object_input, object_stores, object_urls
from sfumato.adapters.object_urls import Place
from sfumato.errors import InputError, Refused, StorageError, VaultError
from sfumato.model.layout import Layout
from sfumato.vault import discard, elsewhere
from terminal import sfumato

NAME = "chats/2026-11.0123456789ab/" + "a" * 32 + ".seg"


@pytest.fixture(scope="module")
def s3():
    with buckets("plain", versioned=["versioned"], locked=["locked"]) as (door, client):
        yield SimpleNamespace(door=door, client=client)


@pytest.fixture
def env(s3, monkeypatch):
    """The environment that an operator sets, few retries, and the door in a good mood."""
    s3.door.be("well")
    s3.door.asked.clear()
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": s3.door.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(object_urls, "RETRIES", 2)
    return os.environ


def impatient(store, monkeypatch, seconds):
    """The same store, which waits for an answer only so long."""
    monkeypatch.setattr(object_urls, "REQUEST_S", seconds)
    return object_stores.opened(store.url, environment=os.environ)


@pytest.fixture
def store(env, request):
    return object_stores.opened(f"s3://plain/{request.node.name.replace('[', '-').replace(']', '')}", environment=env)


def test_what_is_put_is_there_is_never_overwritten_and_goes(store):
    assert store.get(NAME) is None
    store.put(NAME, b"one")
    assert store.get(NAME) == b"one"
    with pytest.raises(StorageError, match="not overwritten"):
        store.put(NAME, b"two")
    store.put(NAME, b"one")  # again after a lost answer
    assert store.get(NAME) == b"one"
    store.remove([NAME, NAME.replace("a", "b")])
    assert store.get(NAME) is None
    store.remove([NAME])


def test_a_large_segment_goes_up_in_parts(store, s3):
    content = os.urandom(object_stores.PART_BYTES * 2 + 5)
    store.put(NAME, content)
    parts = [size for verb, path, size in s3.door.asked if verb == "PUT" and "partNumber" in path]
    assert sorted(parts) == [5, object_stores.PART_BYTES, object_stores.PART_BYTES]
    assert store.get(NAME) == content
    with pytest.raises(StorageError, match="not overwritten"):
        store.put(NAME, content + b"x")


@pytest.mark.parametrize("mood", ["busy", "deaf", "slow"])
def test_a_store_that_fails_once_is_asked_again(store, s3, mood, monkeypatch):
    store.put(NAME, b"one")
    s3.door.be(mood, "GET", times=1)
    assert impatient(store, monkeypatch, 2 if mood == "slow" else 60).get(NAME) == b"one"


@pytest.mark.parametrize("mood", ["busy", "deaf", "slow", "denied"])
@pytest.mark.parametrize("verb", ["PUT", "GET", "POST"])
def test_a_store_that_goes_on_failing_is_one_line(store, s3, mood, verb, monkeypatch):
    store.put(NAME, b"one")
    s3.door.be(mood, verb)
    if mood == "slow":
        store = impatient(store, monkeypatch, 0.5)
    call = {"PUT": lambda: store.put(NAME[:-5] + "b.seg", b"two"), "GET": lambda: store.get(NAME)}
    with pytest.raises(StorageError, match="denied" if mood == "denied" else "does not answer") as caught:
        call.get(verb, lambda: store.remove([NAME]))()
    assert "\n" not in str(caught.value)
    assert s3.door.url not in str(caught.value)


def test_a_put_whose_answer_is_lost_counts_once_it_is_seen_to_be_there(store, s3):
    store.put(NAME, b"one")
    other = NAME[:-5] + "b.seg"
    s3.door.be("late", "PUT", times=1)
    try:
        store.put(other, b"two")
    except StorageError:
        store.put(other, b"two")
    assert store.get(other) == b"two"


@pytest.mark.parametrize("mood", ["cut", "rotten"])
def test_a_body_that_is_cut_short_or_altered_is_never_taken_for_the_segment(store, s3, mood, tmp_path):
    folder = tmp_path / "chats" / "2026-11.0123456789ab"
    folder.mkdir(parents=True)
    elsewhere.put(folder, "a" * 32, [b"ciphertext " * 1000], records=3, store=store)
    (note,) = folder.iterdir()
    s3.door.be(mood, "GET")
    with pytest.raises((StorageError, VaultError)):
        elsewhere.fetch(note, store)
    s3.door.be("well")
    assert elsewhere.fetch(note, store) == b"ciphertext " * 1000


@pytest.mark.parametrize("bucket", ["versioned", "locked"])
def test_a_bucket_that_keeps_old_versions_is_refused_unless_that_is_accepted(env, bucket, s3):
    with pytest.raises(Refused, match="old-versions=accepted"):
        object_stores.opened(f"s3://{bucket}/x", environment=env).put(NAME, b"one")
    accepting = object_stores.opened(f"s3://{bucket}/x?old-versions=accepted", environment=env)
    accepting.put(NAME, b"one")
    accepting.remove([NAME])
    assert accepting.get(NAME) is None
    assert s3.client.list_object_versions(Bucket=bucket, Prefix="x/chats")["Versions"], "this is what was accepted"


def test_what_a_refused_bucket_was_to_get_is_cleared_once_it_is_accepted(env, tmp_path):
    folder = tmp_path / "chats" / "2026-11.0123456789ab"
    folder.mkdir(parents=True)
    refused = object_stores.opened("s3://versioned/y", environment=env)
    with pytest.raises(Refused):
        elsewhere.put(folder, "a" * 32, [b"ciphertext"], records=1, store=refused)
    accepting = object_stores.opened("s3://versioned/y?old-versions=accepted", environment=env)
    elsewhere.put(folder, "b" * 32, [b"ciphertext"], records=1, store=accepting)
    assert sorted(path.suffix for path in folder.iterdir()) == [".ref", ".stray"]
    elsewhere.clear(folder, accepting)
    assert [path.suffix for path in folder.iterdir()] == [".ref"]


def test_a_bucket_that_is_not_there_is_said_so(env):
    with pytest.raises(StorageError, match="no such bucket"):
        object_stores.opened("s3://nowhere/x", environment=env).put(NAME, b"one")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://", "takes s3://"),
        ("ftp://bucket/x", "takes s3://"),
        ("s3://key:secret@bucket/x", "never from the URL"),
        ("s3://bucket/x?versions=1", "one option"),
        ("s3://bucket/x y", "takes s3://"),
        ("bucket", "takes s3://"),
    ],
)
def test_a_url_that_is_none_or_holds_a_secret_is_refused_and_not_repeated(url, words):
    with pytest.raises(InputError, match=words) as caught:
        Place.parse(url)
    assert "secret" not in str(caught.value)


def test_google_and_azure_urls_reach_the_right_kind_of_store(monkeypatch):
    """As far as this can be seen without them: the stores are built; nothing is sent."""
    from obstore.store import AzureStore, GCSStore

    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    google = object_urls.connect(Place.parse("gs://bucket/a/b"), os.environ)
    azure = object_urls.connect(Place.parse("az://container/a/b"), os.environ)
    assert isinstance(google, GCSStore)
    assert isinstance(azure, AzureStore)
    assert google.prefix.strip("/") == azure.prefix.strip("/") == "a/b"


@pytest.mark.parametrize("endpoint", ["http://s3.example", "http://10.0.0.1:9000"])
def test_plain_http_is_for_this_machine_only(env, monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(StorageError):
        object_stores.opened("s3://plain/x", environment=env).get(NAME)


@pytest.fixture
def run(tmp_path, store):
    corpus = write_distinct(tmp_path / "chats.jsonl", users=USERS)
    with small_and_in_one_process():
        yield SimpleNamespace(data=tmp_path / "data", corpus=str(corpus), store=store)


def objects(s3, store):
    found = s3.client.list_objects_v2(Bucket="plain", Prefix=store.url.removeprefix("s3://plain/"))
    return [one["Key"] for one in found.get("Contents", [])]


def test_a_run_seals_into_the_bucket_extracts_from_it_and_leaves_nothing_there(run, s3):
    with opened_at(run.data, raw_store=run.store) as opened:
        opened.ingest(run.corpus, advance=quiet)
        assert opened.waiting() == USERS
        sealed = objects(s3, run.store)
        assert len(sealed) == USERS // IN_A_SEGMENT
        assert not list(run.data.rglob("*.seg"))
        for key in sealed:
            content = s3.client.get_object(Bucket="plain", Key=key)["Body"].read()
            assert content.startswith(b"SFSEAL2\0")
            assert not any(needle in content or needle in key.encode() for needle in NEEDLES)
        opened.extract(advance=quiet)
        check_whole(opened)
    assert objects(s3, run.store) == []
    check_discarded(run.data, derived_too=False, store=run.store)


def test_a_receipt_says_where_segments_lay_and_is_not_good_until_that_is_looked_into(run, s3):
    with opened_at(run.data, raw_store=run.store) as opened:
        opened.ingest(run.corpus, advance=quiet)
        kept = {key: s3.client.get_object(Bucket="plain", Key=key)["Body"].read() for key in objects(s3, run.store)}
        opened.extract(advance=quiet)
    layout, (path,) = Layout(data=run.data), Layout(data=run.data).receipts.glob("*.json")
    assert f"The segments lay in {run.store.url}" in json.loads(path.read_text())["does_not_prove"]

    def verified(store):
        found = discard.verify(
            layout,
            keys_of(run.data),
            holds=lambda *_: True,
            store=store,
        )
        return found["good"], found["receipts"][0]["problems"]

    assert verified(run.store) == (True, [])
    assert verified(None)[0] is False
    assert "--raw-store" in verified(None)[1][0]
    for key, content in kept.items():
        s3.client.put_object(Bucket="plain", Key=key, Body=content)
    assert "still in" in verified(run.store)[1][0]


def go(run):
    with opened_at(run.data, raw_store=run.store) as opened:
        opened.ingest(run.corpus, advance=quiet)
        opened.extract(advance=quiet)
        check_whole(opened)


@pytest.mark.parametrize("verb", ["PUT", "GET", "POST"])
def test_a_store_that_fails_stops_the_run_and_the_next_one_finishes(run, s3, verb):
    """While sealed (PUT), while read or listed (GET), while deleted (POST)."""
    with opened_at(run.data, raw_store=run.store) as opened:
        opened.ingest(run.corpus, advance=quiet)
    s3.door.be("busy", verb)
    with pytest.raises(StorageError):
        go(run)
    s3.door.be("well")
    go(run)
    assert objects(s3, run.store) == []
    check_discarded(run.data, derived_too=False, store=run.store)


def test_a_store_that_is_gone_does_not_keep_the_key_alive(run, s3):
    """Past its limit raw text is made unreadable, though the bucket can't be asked to delete it."""
    with opened_at(run.data, raw_store=run.store) as opened:
        opened.ingest(run.corpus, advance=quiet)
        key = opened._raw.key()
    s3.door.be("busy")
    late = NOW + timedelta(days=4000)
    with pytest.raises(StorageError):
        opened_at(run.data, raw_store=run.store, now=lambda: late).__enter__()
    assert opened._ports.epoch_keys.remains("chats", opened._part, key.id.hex()) == []
    s3.door.be("well")
    with opened_at(run.data, raw_store=run.store, now=lambda: late):
        pass
    assert objects(s3, run.store) == []


def test_a_segment_that_something_else_deleted_is_an_alarm(run, s3):
    with opened_at(run.data, raw_store=run.store) as opened:
        opened.ingest(run.corpus, advance=quiet)
        s3.client.delete_object(Bucket="plain", Key=objects(s3, run.store)[0])
        with pytest.raises(VaultError, match="is gone from"):
            opened.extract(advance=quiet)


def test_another_store_or_none_is_no_substitute(run, env):
    with opened_at(run.data, raw_store=run.store) as opened:
        opened.ingest(run.corpus, advance=quiet)
    for other in (None, object_stores.opened("s3://plain/other", environment=env)):
        with opened_at(run.data, raw_store=other) as opened, pytest.raises(StorageError, match="name it with --raw"):
            opened.extract(advance=quiet)


def test_a_log_is_read_from_a_bucket_in_pieces_and_as_one_version(run, s3, env, monkeypatch):
    monkeypatch.setattr(object_input, "PIECE_BYTES", 64)
    packed = gzip.compress(Path(run.corpus).read_bytes())
    s3.client.put_object(Bucket="plain", Key="logs/chats.jsonl.gz", Body=packed)
    source = object_input.opened("s3://plain/logs/chats.jsonl.gz", environment=env)
    s3.door.asked.clear()
    s3.door.be("busy", "GET", times=1)
    with opened_at(run.data) as opened:
        assert opened.ingest(source, advance=quiet).accepted == USERS
    assert len([one for one in s3.door.asked if one[0] == "GET"]) >= len(packed) // 64
    with source.begin() as stream:
        stream.read1(100)
        s3.client.put_object(Bucket="plain", Key="logs/chats.jsonl.gz", Body=packed + b"x")
        with pytest.raises(InputError, match="replaced while it was read"):
            stream.read(1000)
    with pytest.raises(InputError, match="no such object"):
        object_input.opened("s3://plain/logs/none.jsonl", environment=env).begin()


def test_a_segment_goes_with_its_hash_for_the_store_to_check(store, s3):
    store.put(NAME, b"one")
    sent = [headers for verb, path, headers in s3.door.headers if verb == "PUT" and path.endswith(".seg")]
    assert sent[-1]["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(b"one").digest()).decode()
    assert sent[-1]["if-none-match"] == "*"


def test_the_command_line_reads_from_one_bucket_and_seals_into_another(run, s3, env, tmp_path):
    s3.client.put_object(Bucket="plain", Key="logs/today.jsonl", Body=Path(run.corpus).read_bytes())
    (tmp_path / "policy.yaml").write_text(POLICY)
    key, url = tmp_path / "root.key", f"{run.store.url}/cli"
    assert sfumato("keys", "init", "--key-file", key, home=tmp_path).returncode == 0
    told = ("--data", run.data, "--key-file", key, "--raw-store", url)
    done = sfumato("ingest", tmp_path / "policy.yaml", "s3://plain/logs/today.jsonl", *told, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{USERS} accepted".encode() in done.stderr
    assert [path.suffix for path in Layout(data=run.data).raw.rglob("*") if path.is_file()] == [".ref"]
    assert len(objects(s3, run.store)) == 1
