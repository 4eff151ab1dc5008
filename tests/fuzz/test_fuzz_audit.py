"""Bytes of any kind given to the audit log's readers: a value or our error, nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audits import KEY, TIME, event
from sfumato.audit import export
from sfumato.audit.checkpoint import Checkpoint, LogKey, Signer, read
from sfumato.audit.event import decode, encode
from sfumato.audit.verify import Trust, verify
from sfumato.errors import InputError, SfumatoError

SIGNER = Signer("sfumato.audit/0123456789abcdef", KEY)
NOTE = SIGNER.sign(Checkpoint(origin=SIGNER.key.origin, size=1, root=bytes(32), time=TIME))
ENTRY = encode(event(), 0)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def mutated(whole: bytes) -> st.SearchStrategy[bytes]:
    """Any bytes, and the good ones with a piece replaced."""
    places = st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole)), st.binary(max_size=8))
    return st.binary(max_size=200) | places.map(lambda one: whole[: min(one[:2])] + one[2] + whole[max(one[:2]) :])


@settings(max_examples=500, deadline=None)
@given(mutated(ENTRY))
def test_an_entry_is_itself_or_our_error(body: bytes) -> None:
    with suppress(InputError):
        seq, found = decode(body)
        assert encode(found, seq) == body


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(sorted(json.loads(ENTRY))), JSON)
def test_an_entry_with_a_field_of_any_json_is_itself_or_our_error(field: str, value: object) -> None:
    body = json.dumps(json.loads(ENTRY) | {field: value}, sort_keys=True, separators=(",", ":")).encode()
    with suppress(InputError):
        seq, found = decode(body)
        assert encode(found, seq) == body


@settings(max_examples=500, deadline=None)
@given(mutated(NOTE))
def test_a_note_is_the_signed_one_or_our_error(note: bytes) -> None:
    with suppress(InputError):
        read(note, [SIGNER.key])
        assert note == NOTE


@settings(max_examples=300, deadline=None)
@given(mutated(str(SIGNER.key).encode()))
def test_a_key_is_its_text_or_our_error(text: bytes) -> None:
    with suppress(InputError):
        assert str(LogKey.parse(text.decode("latin-1"))).encode() == text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports") / "log.jsonl"


HEAD = json.dumps(
    {"checkpoints": [], "format": export.FORMAT, "keys": [str(SIGNER.key)]}, sort_keys=True, separators=(",", ":")
).encode()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=mutated(HEAD + b"\n" + ENTRY + b"\n"))
def test_an_exported_file_is_reported_on_or_our_error(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    with suppress(SfumatoError), export.reading(place) as stored:
        assert not verify(stored, Trust()).good  # it has no last line
