"""A rotation killed at any of its calls to the system leaves every key openable, and the next run finishes it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Single-threaded, so it may fork: each child rotates and dies, without any clean-up, before its n-th call that changes
# or flushes anything. `before` files lie outside the store as second names of what will be replaced.
DRIVER = '''
import json, os, shutil, sys
from pathlib import Path

from sfumato.errors import SfumatoError
from sfumato.vault import deployment, inventory, rotation, superseding
from sfumato.vault.keys import PURPOSES, RootKey
from sfumato.vault.keystore import EpochKeys
from sfumato.vault.names import context
from sfumato.vault import wrapped

folder, begins, dies, then = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]


class Remote:
    """A key service's key: what it wraps differs each time."""

    def __init__(self, secret):
        self._inner = RootKey(secret)
        self.id = "remote:" + self._inner.id

    def wrap(self, secret, context):
        pad = os.urandom(8)
        return pad + self._inner.wrap(pad + secret, {**context, "key": pad.hex() * 2, "of": context["key"]})

    def unwrap(self, blob, context):
        pad = blob[:8]
        return self._inner.unwrap(blob[8:], {**context, "key": pad.hex() * 2, "of": context["key"]})[8:]


first, second, third = RootKey(b"1" * 32), RootKey(b"2" * 32), Remote(b"3" * 32)
OLD, NEW = {"file": (first, second), "file to remote": (first, third), "remote": (third, second)}[begins]
NAMES = [("ds", "2026-03", "raw"), ("ds", "2026-03", "derived"), ("ds", "2026-04", "raw")]
DATE = 1_700_000_000


def fresh(at):
    shutil.rmtree(at, ignore_errors=True)
    at.mkdir()
    store, before = at / "store", at / "before"
    before.mkdir()
    derives = deployment.secrets(store, OLD)
    keys = EpochKeys(store, OLD)
    secrets = {name: keys.create(*name) for name in NAMES}
    for path in store.iterdir():
        if path.suffix == ".key":
            os.utime(path, (DATE, DATE))
        os.link(path, before / path.name)
    return store, secrets, {p: derives.derive(p) for p in PURPOSES}


def dying(n):
    """os functions that count and end the process, as kill -9 would, before the n-th."""
    count = [0]

    def wrap(name):
        real = getattr(os, name)

        def call(*args, **kwargs):
            if name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return real(*args, **kwargs)
            count[0] += 1
            if count[0] == n:
                if dies == "torn" and name == "fsync":  # half of what was written reached the disk
                    size = os.fstat(args[0]).st_size
                    try:
                        os.ftruncate(args[0], size // 2)
                    except OSError:
                        pass
                os._exit(9)
            return real(*args, **kwargs)

        setattr(os, name, call)

    for name in ("open", "fsync", "link", "unlink", "rename", "replace", "utime"):
        wrap(name)


def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as failure:
            sys.stderr.write(repr(failure) + "\\n")
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def opens(path, name, root):
    found = wrapped.read(path)
    try:
        return wrapped.opened(found, root, context(name, found.id), what="it")
    except SfumatoError:
        return None


def check(store, secrets, derived):
    """Each key opens under exactly one of the two, and gives what it did. Says whether status calls it half done."""
    under = set()
    for name in NAMES:
        path = EpochKeys(store, OLD)._path(*name)
        found = [opens(path, name, root) for root in (OLD, NEW)]
        assert sum(one is not None for one in found) == 1, (name, found)
        assert secrets[name].secret in found
        under.add(found[1] is not None)
    derive = 0
    for root in (OLD, NEW):
        try:
            derives = deployment.secrets(store, root)
        except SfumatoError:
            continue
        assert {p: derives.derive(p) for p in PURPOSES} == derived, "derived keys changed"
        derive += 1
    assert derive == 1
    dates = [int(EpochKeys(store, OLD)._path(*name).stat().st_mtime) for name in NAMES]
    assert OLD is third or sum(date != DATE for date in dates) <= 1, "more than one key got younger"
    here = inventory.inventory(store)
    moved = here.root == NEW.id
    assert here.half_rotated == (moved and False in under), (here, under)
    assert moved or under == {False}, "keys moved before the switch"
    if moved:
        try:
            EpochKeys(store, OLD).create("ds", "2026-05", "raw")
        except SfumatoError:
            pass
        else:
            raise AssertionError("a key was made under the old root key")
    return here.half_rotated


def finished(store, secrets, derived):
    keys = EpochKeys(store, NEW)
    assert {name: keys.open(*name).secret for name in NAMES} == {name: secrets[name].secret for name in NAMES}
    assert all(keys.made(*name) == DATE or OLD is third for name in NAMES)
    assert all(int(keys._path(*name).stat().st_mtime) == keys.made(*name) for name in NAMES)
    assert {p: deployment.secrets(store, NEW).derive(p) for p in PURPOSES} == derived
    assert not superseding.leftovers(store)
    assert not any(any(path.read_bytes()) for path in (store.parent / "before").iterdir()), "an old copy is left"
    assert sorted(path.name for path in store.iterdir()) == sorted(
        ["deployment.secret", *(keys._path(*name).name for name in NAMES)]
    )


def destroyed(store, secrets):
    """Nobody finishes the rotation; the keys are destroyed as they lie."""
    keys = EpochKeys(store, NEW)
    for name in NAMES:
        assert keys.destroy(*name).key_id == secrets[name].id.hex()
        assert keys.remains(name[0], name[1], secrets[name].id.hex(), former=[OLD]) == []
    rest = b"".join(path.read_bytes() for path in store.iterdir())
    assert not any(key.id in rest for key in secrets.values())


half = n = 0
while True:
    n += 1
    store, secrets, derived = fresh(folder / "at")
    code = child(lambda: (dying(n), rotation.rotate(store, old=OLD, new=NEW)))
    assert code in (0, 9), code
    half += check(store, secrets, derived)
    if then == "destroy":
        destroyed(store, secrets)
    else:
        if then == "die again" and code == 9:
            code2 = child(lambda: (dying(2 + n % 5), rotation.rotate(store, old=OLD, new=NEW)))
            assert code2 in (0, 9), code2
            check(store, secrets, derived)
        rotation.rotate(store, old=OLD, new=NEW)
        finished(store, secrets, derived)
        rotation.rotate(store, old=OLD, new=NEW)
        finished(store, secrets, derived)
    if code == 0:
        break
print(json.dumps({"calls": n - 1, "half": half}))
'''


@pytest.mark.parametrize(
    ("begins", "dies", "then"),
    [
        ("file", "torn", "finish"),
        ("file to remote", "torn", "finish"),
        ("remote", "torn", "finish"),
        ("file", "whole", "die again"),
        ("remote", "torn", "destroy"),
        ("file", "whole", "destroy"),
    ],
)
def test_at_whatever_call_it_dies_each_key_opens_under_one_root_key_and_the_next_run_finishes(
    tmp_path, begins, dies, then
):
    command = [sys.executable, "-c", DRIVER, str(tmp_path), begins, dies, then]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
    found = json.loads(result.stdout)
    assert found["calls"] > 30
    assert found["half"] > 10
