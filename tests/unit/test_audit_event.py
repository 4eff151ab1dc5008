"""An audit entry: what belongs together, and that only the bytes `encode` writes are an entry."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from audits import event
from sfumato.audit.event import Charge, Shape, decode, encode, utc
from sfumato.errors import InputError


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"actor": "operator"}, "a role exactly where"),
        ({"role": None}, "a role exactly where"),
        ({"decision": "deny"}, "charges nothing"),
        ({"operation": "denied", "charge": None}, "is a denial"),
        ({"time": "2026-13-21T06:50:00Z"}, "time"),
        ({"time": "2026-11-21T06:50:00+01:00"}, "time"),
        ({"time": "2026-11-21T06:50:00.123Z"}, "time"),
        ({"actor": "0" * 32}, "actor"),
        ({"shape": {"measure": "users"}}, "shape"),
        ({"charge": (1, 2)}, "charge"),
        ({"operation": "exfiltrate"}, "operation"),
    ],
    ids=[
        "operator with a role", "key without a role", "charged denial", "allowed denial", "no such month", "other zone",
        "fraction of a second", "a user's pseudonym", "shape of another type", "charge of another type",
        "unknown operation",
    ],
)  # fmt: skip
def test_what_does_not_belong_together_is_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        event(**changes)


def test_a_value_forced_in_past_the_constructor_is_refused_when_it_is_written() -> None:
    forced = event()
    object.__setattr__(forced, "rule", "she asked about her divorce")
    with pytest.raises(ValueError, match="rule"):
        encode(forced, 0)


def test_a_moment_is_written_in_utc_and_whole_seconds() -> None:
    moment = datetime(2026, 11, 21, 7, 50, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert utc(moment) == event().time


@pytest.mark.parametrize("rho", [-1, 2**53, True, 1.0])
def test_a_charge_is_whole_nano_units(rho: object) -> None:
    with pytest.raises(ValueError, match=r"charge\.rho"):
        Charge(rho=rho, delta=0)


def test_a_shape_names_a_bounded_number_of_facets() -> None:
    assert len(Shape(measure="users", by=("language",) * 64).by) == 64
    with pytest.raises(ValueError, match=r"shape\.by"):
        Shape(measure="users", by=("language",) * 65)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"null", b"\xff",
        encode(event(), 3) + b" ",
        encode(event(), 3).replace(b'"seq":3', b'"seq": 3'),
        encode(event(), 3).replace(b'"seq":3', b'"seq":3.0'),
        encode(event(), 3).replace(b'"seq":3', b'"seq":-1'),
        encode(event(), 3).replace(b'"seq":3', b'"seq":3,"text":"a"'),
        encode(event(), 3).replace(b'"seq":3', b'"receipt":null,"seq":3'),
        encode(event(), 3).replace(b"sfumato.audit/1", b"sfumato.audit/2"),
        encode(event(), 3).replace(b'"rho":0', b'"rho":0,"users":412'),
        encode(event(), 3).replace(b'"charge":', b'"Charge":'),
    ],
    ids=[
        "nothing", "empty object", "list", "null", "not UTF-8", "a space after", "a space within", "a float for a seq",
        "a negative seq", "a field more", "a null", "another version", "a count in the charge", "another case",
    ],
)  # fmt: skip
def test_only_the_bytes_that_encode_writes_are_an_entry(body: bytes) -> None:
    with pytest.raises(InputError, match="not an entry of"):
        decode(body)
