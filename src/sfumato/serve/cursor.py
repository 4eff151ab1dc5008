"""Where a page of releases ended, as an opaque word: it holds the place of a release and nothing that was asked."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import TYPE_CHECKING

from sfumato.errors import InputError
from sfumato.model.document import RELEASE_ID

if TYPE_CHECKING:
    from sfumato.model.release import Release

Place = tuple[datetime, str]
PATTERN = "^[A-Za-z0-9_-]{8,128}$"
_VERSION = "1"


def place_of(release: Release) -> Place:
    """What releases are sorted by, newest first: when they were made, then their id."""
    return datetime.fromisoformat(release.created), release.id


def after(release: Release) -> str:
    """The cursor of the page that begins after this release."""
    plain = f"{_VERSION}\n{release.created}\n{release.id}"
    return urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def read(cursor: str) -> Place:
    """The place that a page begins after, whether the release that stood there is still there or not.

    Raises:
        InputError: nothing that `after` made.
    """
    try:
        plain = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        version, created, identity = plain.split("\n")
        place = datetime.fromisoformat(created), identity
        sound = version == _VERSION and re.fullmatch(RELEASE_ID, identity) and place[0].utcoffset() is not None
    except (binascii.Error, ValueError):
        sound = None
    if not sound:
        raise InputError("this is no cursor of ours; begin without one")
    return place
