"""The promise of `open_sealed` and of a sealed file: the plaintext, or VaultError, and nothing else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sfumato.errors import VaultError
from sfumato.model.conversation import Conversation, Message
from sfumato.vault.envelope import Place, open_sealed, seal
from sfumato.vault.keystore import EpochKey
from sfumato.vault.segments import SegmentWriter, read_segment, segment_paths

KEY = bytes(range(32))
PLACE = Place(key_id=b"k" * 16, segment=b"s" * 16, index=1)
SEALED = seal(KEY, PLACE, b"a short text", context=b"c")
EPOCH_KEY = EpochKey(dataset="ds", epoch="e", zone="raw", id=b"k" * 16, secret=KEY)


@given(st.binary(max_size=400))
@example(b"")
@example(SEALED[:94])
def test_random_bytes_never_open(blob):
    with pytest.raises(VaultError):
        open_sealed(KEY, PLACE, blob, context=b"c")


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255), st.integers(0, 20), st.binary(max_size=8))
def test_mutated_bytes_never_open(at, flip, cut, tail):
    blob = bytearray(SEALED)
    blob[at] ^= flip
    with pytest.raises(VaultError):
        open_sealed(KEY, PLACE, bytes(blob[: len(blob) - cut]) + tail, context=b"c")


@pytest.fixture(scope="module")
def segment(tmp_path_factory):
    directory = tmp_path_factory.mktemp("raw")
    with SegmentWriter(directory, EPOCH_KEY) as writer:
        for number in range(3):
            writer.add(
                Conversation(
                    conversation_id=bytes(16),
                    unit_id=bytes(16),
                    messages=(Message(role="user", content=f"text {number}"),),
                    attributes={},
                )
            )
    (path,) = segment_paths(directory)
    return path, path.read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
def test_a_mutated_segment_gives_conversations_as_they_were_up_to_a_vault_error(segment, data):
    path, content = segment
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    changed = content[:start] + data.draw(st.binary(max_size=40)) + content[end:]
    path.write_bytes(changed)
    found = []
    with contextlib.suppress(VaultError):
        found.extend(one.messages[0].content for one in read_segment(path, EPOCH_KEY))
        assert changed == content
    path.write_bytes(content)
    assert found == ["text 0", "text 1", "text 2"][: len(found)]
