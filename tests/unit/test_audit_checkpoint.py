"""A checkpoint: a signed note that only its own key made, in exactly one form."""

from __future__ import annotations

import base64
import dataclasses
import pickle

import pytest

from audits import KEY, OTHER_KEY, TIME
from sfumato.audit.checkpoint import Checkpoint, LogKey, Signer, read
from sfumato.errors import InputError

ORIGIN, OTHER_ORIGIN = "sfumato.audit/0123456789abcdef", "sfumato.audit/fedcba9876543210"
SIGNER = Signer(ORIGIN, KEY)
CHECKPOINT = Checkpoint(origin=ORIGIN, size=12, root=bytes(range(32)), time=TIME)
NOTE = SIGNER.sign(CHECKPOINT)


def test_what_was_signed_is_read_back() -> None:
    assert read(NOTE, [Signer(ORIGIN, OTHER_KEY).key, SIGNER.key]) == CHECKPOINT


@pytest.mark.parametrize(
    "signer", [Signer(ORIGIN, OTHER_KEY), Signer(OTHER_ORIGIN, KEY)], ids=["another key", "another log"]
)
def test_another_s_signature_does_not_hold(signer: Signer) -> None:
    with pytest.raises(InputError, match="signed by none"):
        read(NOTE, [signer.key])
    with pytest.raises(InputError, match="signed by none"):
        read(NOTE, [])
    theirs = signer.sign(dataclasses.replace(CHECKPOINT, origin=signer.key.origin))
    with pytest.raises(InputError, match="signed by none"):
        read(theirs, [SIGNER.key])


def test_a_signer_does_not_sign_for_another_log() -> None:
    with pytest.raises(ValueError, match="its own log only"):
        Signer(OTHER_ORIGIN, KEY).sign(CHECKPOINT)


@pytest.mark.parametrize(
    "note",
    [
        b"", b"\xff", NOTE + b"\n", b"\n" + NOTE, NOTE.replace(b"\n12\n", b"\n012\n"), NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(b"time ", b"time\n"), NOTE + NOTE, NOTE[:-1], NOTE + b"\xe2\x80\x94 other AAAA\n", b"a" * 2000,
    ],
    ids=[
        "nothing", "not UTF-8", "a line more", "a line before", "a zero more", "other line ends", "a line split",
        "twice", "no line end", "a second signature", "long",
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_note_is_refused(note: bytes) -> None:
    with pytest.raises(InputError, match="not a checkpoint"):
        read(note, [SIGNER.key])


@pytest.mark.parametrize("line", [2, -1], ids=["root", "signature"])
def test_base64_with_stray_bits_is_refused(line: int) -> None:
    """The same bytes in two forms would let a note be altered unseen."""
    text = NOTE.splitlines()[line].split()[-1]
    stray = text[:-2] + bytes([text[-2] + 1]) + b"="
    assert base64.b64decode(stray) == base64.b64decode(text)
    with pytest.raises(InputError, match="altered"):
        read(NOTE.replace(text, stray), [SIGNER.key])


def test_a_key_survives_its_text_and_nothing_else_is_a_key() -> None:
    text = str(SIGNER.key)
    assert str(LogKey.parse(text)) == text
    other = str(Signer(OTHER_ORIGIN, KEY).key)
    for bad in (
        "",
        text + "\n",
        text.replace("+", " "),
        text[:-1] + "A",
        other.partition("+")[0] + text[len(ORIGIN) :],
    ):
        with pytest.raises(InputError, match="not the public key"):
            LogKey.parse(bad)


def test_a_signer_shows_nothing_and_can_t_be_pickled() -> None:
    assert repr(SIGNER) == "<Signer: private>"
    with pytest.raises(TypeError):
        pickle.dumps(SIGNER)
