"""The policy while serving: read again on SIGHUP or when its files change, taken if it is good, and always recorded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, Self

from sfumato.errors import SfumatoError, StorageError
from sfumato.policy.load import digest, located

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sfumato.policy.schema import Policy
    from sfumato.serve.access import Access

LOOK_SECONDS = 2.0
_log = logging.getLogger(__name__)
Stamps = tuple[tuple[str, int, int, int], ...]


class Recorder(Protocol):
    """Who writes it down before it holds."""

    def policy_in_force(self, digest: str) -> bool: ...
    def policy_refused(self) -> None: ...


class PolicyView(Mapping[str, object]):
    """What /v1/policy shows: always that of the policy in force."""

    def __init__(self, policy: Policy) -> None:
        self.replace(policy)

    def replace(self, policy: Policy) -> None:
        """Show this one from now on."""
        self.policy = policy
        self._shown: dict[str, object] = {"digest": digest(policy), "policy": policy.model_dump(mode="json")}

    def __getitem__(self, name: str) -> object:
        return self._shown[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shown)

    def __len__(self) -> int:
        return len(self._shown)


class PolicyWatch:
    """Looks at the policy's files from a thread of its own. Use as a context manager.

    load: reads the policy as it was read at first, with its signature. A policy that can't be read, is refused or
    can't be recorded leaves the one before in force.
    """

    def __init__(
        self, load: Callable[[], Policy], *, stamps: Callable[[], Stamps], recorder: Recorder, in_force: Policy
    ) -> None:
        self._load = load
        self._stamps = stamps
        self._recorder = recorder
        self._digest = digest(in_force)
        self._seen = stamps()
        self._called = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)
        self._obey: list[Callable[[Policy], None]] = []

    def obeyed_by(self, replace: Callable[[Policy], None]) -> Self:
        """Whom to hand a new policy."""
        self._obey.append(replace)
        return self

    def __enter__(self) -> Self:
        self._recorder.policy_in_force(self._digest)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._called.set()
        self._thread.join()

    def call(self) -> None:
        """Look now, whatever the files' times say; for SIGHUP."""
        self._seen = ()
        self._called.set()

    def look(self) -> bool:
        """Take the policy if its files changed; whether another is in force now.

        Raises:
            StorageError: it could not be recorded, so it is not taken; it is tried again.
        """
        found = self._stamps()
        if found == self._seen:
            return False
        try:
            policy = self._load()
        except SfumatoError as problem:
            _log.error("the policy in force stays: %s", problem)
            self._recorder.policy_refused()
            self._seen = found
            return False
        changed = digest(policy) != self._digest
        if changed:
            self._recorder.policy_in_force(digest(policy))
            self._digest = digest(policy)
            for replace in self._obey:
                replace(policy)
            _log.warning("another policy is in force: %s", self._digest)
        self._seen = found
        return changed

    def _run(self) -> None:
        while not self._ended.is_set():
            self._called.wait(LOOK_SECONDS)
            self._called.clear()
            try:
                self.look()
            except StorageError as failure:
                _log.error("the policy in force stays: %s", failure)


def stamps_of(name: str, trusted_keys: Path | None) -> Callable[[], Stamps]:
    """Times and sizes of the policy's file, what lies beside it (what it extends, signatures), and the trusted keys."""
    place = located(name)

    def stamps() -> Stamps:
        files = [*sorted(place.parent.glob("*.y*ml*")), place, *([trusted_keys] if trusted_keys else [])]
        return tuple(_stamp(path) for path in files)

    return stamps


def _stamp(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return path.name, 0, 0, 0
    return path.name, found.st_ino, found.st_size, found.st_mtime_ns


def roles_of(access: Access) -> Callable[[Policy], None]:
    """Give an `Access` the roles of a new policy."""

    def replace(policy: Policy) -> None:
        access.roles = policy.access

    return replace
