"""A machine that dies: every change a run makes under a folder is announced before it happens, and its state kept.

What a process leaves that is killed before its n-th change is what lies on the disk at that moment. So one run gives
the state of each of its moments, and no moment costs a run of its own. `Disk` sees what Python asks of the system
(open for writing, write, fsync, rename, link, unlink, mkdir, chmod, utime) and each SQLite statement that changes
anything; inside a commit SQLite answers for itself.

A power cut is harsher than a kill: what was not flushed is lost too. `Disk.flushed` keeps that state.
"""

# ruff: noqa: PTH118, PTH123, PTH115, PTH119, PTH110, PTH112, PTH116
# What is watched must not be used for watching, or only as it was before.

from __future__ import annotations

import builtins
import io
import os
import stat
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import sqlalchemy as sql

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
READING_SQL = ("SELECT", "EXPLAIN")
DATABASE = (".db", ".db-wal", ".db-shm", ".db-journal")
MOMENT = 1_795_262_340  # the date of all files, a minute before `gateways.NOW`


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A folder as it was: directories, and the bytes of each file by its path inside."""

    folders: frozenset[str]
    files: dict[str, bytes]

    def restore(self, root: Path) -> None:
        """Lay it out again under a new folder."""
        root.mkdir(mode=0o700, parents=True)
        for name in sorted(self.folders):
            (root / name).mkdir(mode=0o700)
        for name, content in self.files.items():
            path = root / name
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(content)
            os.utime(path, (MOMENT, MOMENT))

    def names(self) -> set[str]:
        return self.folders | self.files.keys()


def tree_of(root: Path, kept: dict[bytes, bytes]) -> Tree:
    """What lies under a folder now. kept: bytes seen before, so that equal ones are held once."""
    folders, files = set(), {}
    for path, below, names in os.walk(root):
        inside = os.path.relpath(path, root)
        folders.update(os.path.normpath(os.path.join(inside, name)) for name in below)
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                content = file.read()
            files[os.path.normpath(os.path.join(inside, name))] = kept.setdefault(content, content)
    return Tree(folders=frozenset(folders), files=files)


def changed(before: Tree, after: Tree) -> set[str]:
    """What differs between two states, databases aside."""
    names = before.names() ^ after.names()
    names |= {name for name in before.files.keys() & after.files.keys() if before.files[name] != after.files[name]}
    return {name for name in names if not name.endswith(DATABASE)}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Before one change: which, what a kill leaves, what a power cut leaves, and what the run had been promised."""

    call: str
    killed: Tree
    cut: Tree
    promised: object


@dataclass(kw_only=True)
class Disk:
    """Use as a context manager around a run; `promised` is asked at each moment what must not be lost any more."""

    root: Path
    promised: object = lambda: None
    instead: object = None  # told number and name of each call; then no states are kept
    moments: list[Moment] = field(default_factory=list)
    count: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)
    _kept: dict[bytes, bytes] = field(default_factory=dict)
    _contents: dict[int, bytes] = field(default_factory=dict)  # what was flushed, by inode
    _names: dict[str, dict[str, tuple[int, bool]]] = field(default_factory=dict)  # entries flushed, by folder
    _busy: bool = False

    def __enter__(self):
        self._flush_all()
        for name in ("replace", "rename", "link", "unlink", "remove", "mkdir", "rmdir", "chmod", "utime", "truncate"):
            self._patch_path(name)
        for name in ("write", "pwrite", "ftruncate", "fsync", "fdatasync"):
            self._patch_descriptor(name)
        self._patch_open()
        sql.event.listen(sql.engine.Engine, "connect", self._connected)
        self._stack.callback(sql.event.remove, sql.engine.Engine, "connect", self._connected)
        sql.event.listen(sql.pool.Pool, "close", self._closed)
        self._stack.callback(sql.event.remove, sql.pool.Pool, "close", self._closed)
        return self

    def __exit__(self, *_):
        self.announce("the end")
        self._stack.close()

    def announce(self, call: str) -> None:
        """A change is about to be made."""
        if self._busy:
            return
        self._busy = True
        try:
            self.count += 1
            if self.instead is not None:
                self.instead(self.count, call)
                return
            killed = tree_of(self.root, self._kept)
            self.moments.append(Moment(call=call, killed=killed, cut=self._flushed(killed), promised=self.promised()))
        finally:
            self._busy = False

    def _inside(self, path) -> bool:
        return str(path).startswith(str(self.root))

    def _at(self, descriptor: int) -> str:
        return os.readlink(f"/proc/self/fd/{descriptor}")

    def _patch_path(self, name: str) -> None:
        real = getattr(os, name)

        def call(path, *args, **named):
            if not isinstance(path, int) and (self._inside(path) or (args and self._inside(args[0]))):
                self.announce(f"{name} {os.path.basename(path)}")
            return real(path, *args, **named)

        self._stack.enter_context(mock.patch.object(os, name, call))

    def _patch_descriptor(self, name: str) -> None:
        real = getattr(os, name)

        def call(descriptor, *args):
            path = self._at(descriptor)
            if not self._inside(path):
                return real(descriptor, *args)
            self.announce(f"{name} {os.path.basename(path)}")
            result = real(descriptor, *args)
            if name in {"fsync", "fdatasync"}:
                self._flush(path)
            return result

        self._stack.enter_context(mock.patch.object(os, name, call))

    def _patch_open(self) -> None:
        real, real_fdopen, plain = os.open, os.fdopen, builtins.open
        disk = self

        def call(path, flags, *args, **named):
            if disk._inside(path) and flags & WRITES and not (os.path.exists(path) and not flags & os.O_TRUNC):
                disk.announce(f"open {os.path.basename(path)}")
            return real(path, flags, *args, **named)

        class Counted(io.FileIO):
            """A file whose every write to the system is announced."""

            def write(self, content):
                disk.announce(f"write {os.path.basename(disk._at(self.fileno()))}")
                return super().write(content)

        def fdopen(descriptor, mode="r", buffering=-1, **named):
            if "b" in mode and set(mode) & set("wa+") and disk._inside(disk._at(descriptor)):
                return io.BufferedWriter(Counted(descriptor, mode), buffering if buffering > 0 else 8192)
            return real_fdopen(descriptor, mode, buffering, **named)

        def opened(file, mode="r", *args, **named):
            if set(mode) & set("wax+") and disk._inside(file):
                raise AssertionError(f"a way to write that is not counted: open({file}, {mode})")
            return plain(file, mode, *args, **named)

        self._stack.enter_context(mock.patch.object(os, "open", call))
        self._stack.enter_context(mock.patch.object(os, "fdopen", fdopen))
        self._stack.enter_context(mock.patch.object(builtins, "open", opened))
        self._stack.enter_context(mock.patch.object(io, "open", opened))

    def _connected(self, connection, _record) -> None:
        def traced(statement: str) -> None:
            if not statement.lstrip().upper().startswith(READING_SQL):
                self.announce("sql " + statement.strip()[:40].replace("\n", " "))

        connection.set_trace_callback(traced)

    def _closed(self, *_) -> None:
        self.announce("sql close")

    def _flush_all(self) -> None:
        for path, _, names in os.walk(self.root):
            for name in names:
                self._flush(os.path.join(path, name))
            self._flush(path)

    def _flush(self, path: str) -> None:
        """The disk has this file's bytes, or this folder's names, from now on."""
        if os.path.isdir(path):
            found = {}
            with os.scandir(path) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    found[entry.name] = (status.st_ino, stat.S_ISDIR(status.st_mode))
            self._names[os.path.realpath(path)] = found
        elif os.path.exists(path):
            with io.FileIO(path) as file:
                content = file.readall()
            self._contents[os.stat(path).st_ino] = self._kept.setdefault(content, content)

    def _flushed(self, now: Tree) -> Tree:
        """What is left once the power is gone: flushed names and flushed bytes; SQLite flushes its own."""
        folders: set[str] = set()
        files: dict[str, bytes] = {}

        def walk(path: str) -> None:
            for name, (inode, folder) in self._names.get(path, {}).items():
                whole = os.path.join(path, name)
                inside = os.path.relpath(whole, self.root)
                if inside.endswith(DATABASE):
                    continue
                if folder:
                    folders.add(inside)
                    walk(whole)
                else:
                    files[inside] = self._contents.get(inode, b"")

        walk(os.path.realpath(self.root))
        for name, content in now.files.items():
            if name.endswith(DATABASE):
                files[name] = content
                parents = Path(name).parents
                folders.update(str(parent) for parent in parents if str(parent) != ".")
        return Tree(folders=frozenset(folders), files=files)
