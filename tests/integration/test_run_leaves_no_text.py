"""After a run, no piece of a conversation and no user id is on the disk or in what was printed: a search would tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateways import for_a_small_log, gateway, policy, quiet, write_corpus
from searching import contents, found, pieces
from sfumato.errors import KeyMissing
from sfumato.model.layout import Layout
from terminal import sfumato

if TYPE_CHECKING:
    from collections.abc import Callable


def texts_and_users(corpus: Path) -> tuple[list[str], set[str]]:
    """What people wrote, and who they are."""
    records = [json.loads(line) for line in corpus.read_text().splitlines()]
    texts = [turn["content"] for record in records for turn in record["messages"]]
    return texts, {record["user_id"] for record in records}


def test_nothing_readable_is_on_the_disk_at_any_stage_of_a_run(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "chats.jsonl", users=200)
    texts, users = texts_and_users(corpus)
    needles = pieces(texts) | {user.encode() for user in users}
    data = tmp_path / "data"
    with gateway(data, policy=policy()) as opened:
        for step in (
            lambda: opened.ingest(str(corpus), advance=quiet),
            lambda: opened.extract(advance=quiet),
            opened.release,
        ):
            step()
            assert not found(needles, contents(data))
    somebody = min(users)
    (data / "releases" / "planted").write_text(f"a note about {somebody}: {texts[0]}")
    planted = found(needles, contents(data))
    assert somebody.encode() in planted
    assert planted & pieces([texts[0]])


def test_once_the_epoch_key_is_gone_nothing_decrypts_even_from_a_copy_of_the_segments(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with gateway(data, policy=policy()) as opened:
        opened.ingest(str(write_corpus(tmp_path / "chats.jsonl", users=50)), advance=quiet)
        copies = {path: path.read_bytes() for path in Layout(data=data).raw.rglob("*.seg")}
        opened.extract(advance=quiet)
        for path, ciphertext in copies.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(ciphertext)
        assert copies
        with pytest.raises(KeyMissing):
            opened.extract(advance=quiet)


@pytest.mark.model
@pytest.mark.slow
def test_a_real_log_becomes_topics_and_leaves_neither_text_nor_nicknames(
    tmp_path: Path, irc: Callable[[int], Path]
) -> None:
    corpus, data, plain = irc(600), tmp_path / "data", tmp_path / "plain.yaml"
    plain.write_text(for_a_small_log("standard"))
    result = sfumato("run", plain, corpus, "--data", data, "--json", home=tmp_path / "home")
    assert result.returncode == 0, result.stderr.decode()
    release = json.loads(result.stdout)
    assert release["topics"]
    records = [json.loads(line) for line in corpus.read_text().splitlines()]
    texts = [turn["content"] for record in records for turn in record["messages"]]
    haystacks = [*contents(data), result.stdout, result.stderr]
    assert not found(pieces(texts), haystacks)
    spoken = {record["user_id"] for record in records} | {
        turn["user_id"] for record in records for turn in record["messages"]
    }
    published = release_words(release)
    nicknames = {nick.encode() for nick in spoken if len(nick) >= 6 and nick.lower() not in published}
    assert len(nicknames) > 250
    assert not found(nicknames, haystacks)


def release_words(release: dict) -> set[str]:
    """Words a reader of the release is meant to see: released phrases, and the document's own fixed words."""
    frame = {key: value for key, value in release.items() if key != "topics"}
    phrases = " ".join(phrase["text"] for topic in release["topics"] for phrase in topic["phrases"])
    words = set(phrases.split())
    for text in (json.dumps(frame), "description conversations parent level unnamed people phrases"):
        words |= set("".join(c if c.isalnum() else " " for c in text.lower()).split())
    return words
