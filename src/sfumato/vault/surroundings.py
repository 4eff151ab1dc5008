"""What lies around a discard and could undo it: databases, files and their modes, leftovers, swap and core files."""

from __future__ import annotations

import os
import re
import resource
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfumato.model.layout import Layout

Verdict = Literal["good", "bad", "unknown"]
PROC = Path("/proc")
SHOWN = 5
_OPEN = stat.S_IRWXG | stat.S_IRWXO
_HEX32 = "[0-9a-f]{32}"
_DB = r"(-wal|-shm|-journal)?"
# Every file that sfumato makes under a data directory. Whatever is not here is somebody else's, or a crash's.
KNOWN = tuple(
    re.compile(pattern)
    for pattern in (
        rf"raw/[^/]+/[^/]+/({_HEX32}\.(seg|ref|stray)|extracted\.jsonl|discard\.json|unfinished-[0-9a-f]{{16}})",
        rf"derived/[^/]+/[^/]+/({_HEX32}\.drv|({_HEX32}|spent)\.\d{{6}}\.jnl|extraction-begun|discard\.json)",
        r"keystore/([^/]+@[^/]+@(raw|derived)(\.key|\.[0-9a-f]{16}\.cut)|deployment\.secret)",
        rf"receipts/{_HEX32}\.(json|followed)",
        r"releases/[^/]+\.(json|places)",
        r"forgotten/[^/]+\.gone",
        r"inbox/(key\.pub|[^/]+/[0-9a-f]{32}\.(box|collected))",
        rf"audit/(log\.db{_DB}|keys(/[^/]+)?|[^/]+\.pub)",
        rf"(ledger|access)\.db{_DB}",
        r"release_key\.pub|access\.pepper|worker\.sock|\..+\.lock",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. verdict: unknown where it can't be told. told: a sentence without a file's content."""

    what: str
    verdict: Verdict
    told: str


def findings(layout: Layout, *, proc: Path = PROC) -> tuple[Finding, ...]:
    """All of it. proc: where the kernel tells of itself; elsewhere than on Linux it is not there, and much unknown."""
    return (
        _files(layout),
        _modes(layout),
        *_databases(layout),
        _swap(proc),
        _cores(proc),
    )


def _files(layout: Layout) -> Finding:
    """Leftovers: temporary files, and what sfumato never makes."""
    strange = [path for path, _ in _under(layout) if not any(known.fullmatch(path) for known in KNOWN)]
    if not strange:
        return Finding(what="leftover files", verdict="good", told="every file here is one that sfumato keeps")
    told = f"{len(strange)} files here are none that sfumato keeps: {_some(strange)}; look at them and remove them"
    return Finding(what="leftover files", verdict="bad", told=told)


def _modes(layout: Layout) -> Finding:
    if not layout.data.is_dir():
        return Finding(what="file modes", verdict="unknown", told="there is no data directory here")
    mine = layout.data.stat().st_uid
    others = [path for path, status in _under(layout) if status.st_uid != mine]
    private = [path for path, status in _under(layout) if status.st_mode & _OPEN and not _public(path)]
    if layout.data.stat().st_mode & _OPEN and private:
        told = f"others may open {_some(private)}: chmod 700 the data directory"
        return Finding(what="file modes", verdict="bad", told=told)
    if others:
        return Finding(what="file modes", verdict="bad", told=f"another user owns {_some(others)}")
    told = "sealed data, keys and databases are their owner's alone"
    return Finding(what="file modes", verdict="good", told=told)


def _public(path: str) -> bool:
    return path.startswith(("releases/", "audit/keys")) or path.endswith((".pub", ".sock"))


def _databases(layout: Layout) -> Iterator[Finding]:
    """No database holds a key or text; what is deleted from one is still to be overwritten, not only unlinked."""
    expected = {layout.ledger: "wal", layout.access: "delete", layout.audit / "log.db": "wal"}
    for path, wanted in expected.items():
        if not path.is_file():
            continue
        what = f"database {path.name}"
        try:
            with closing(sqlite3.connect(f"file:{path.resolve()}?mode=ro", uri=True)) as opened:
                (mode,) = opened.execute("pragma journal_mode").fetchone()
                (free,) = opened.execute("pragma freelist_count").fetchone()
        except sqlite3.Error:
            yield Finding(what=what, verdict="unknown", told="it can't be read now")
            continue
        if mode != wanted:
            told = f"its journal is of the mode {mode}, which sfumato never sets: another program wrote to it"
            yield Finding(what=what, verdict="bad", told=told)
            continue
        told = f"journal of the mode {mode}, {free} pages freed; sfumato opens it to write with secure_delete on"
        yield Finding(what=what, verdict="good", told=told)


def _swap(proc: Path) -> Finding:
    """Pages of memory may have gone to swap; swap in memory (zram) is none."""
    try:
        devices = [line.split()[0] for line in (proc / "swaps").read_text().splitlines()[1:] if line.strip()]
    except OSError:
        return Finding(what="swap", verdict="unknown", told="this system does not tell of its swap")
    written = [device for device in devices if not device.startswith("/dev/zram")]
    if not written:
        return Finding(what="swap", verdict="good", told="no memory is swapped to a disk now")
    told = (
        f"memory may be written to {_some(written)}: turn it off, or encrypt it with a key that dies with the machine"
    )
    return Finding(what="swap", verdict="bad", told=told)


def _cores(proc: Path) -> Finding:
    """Where the core of a crashed process would go. Commands that open text forbid it for themselves."""
    try:
        pattern = (proc / "sys/kernel/core_pattern").read_text().strip()
        setuid = (proc / "sys/fs/suid_dumpable").read_text().strip()
    except OSError:
        return Finding(what="core files", verdict="unknown", told="this system does not tell where core files go")
    own = "commands that open text are not dumpable, whatever the limit"
    if setuid != "0":
        told = f"fs.suid_dumpable is {setuid}: processes that are not dumpable are dumped all the same; set it to 0"
        return Finding(what="core files", verdict="bad", told=told)
    if pattern.startswith("|"):
        return Finding(what="core files", verdict="good", told=f"cores are handed to a program; {own}")
    limit = resource.getrlimit(resource.RLIMIT_CORE)[1]
    told = "the limit on core files is 0" if limit == 0 else f"core files may be written by other programs; {own}"
    return Finding(what="core files", verdict="good", told=told)


def _under(layout: Layout) -> Iterator[tuple[str, os.stat_result]]:
    for folder, _, names in os.walk(layout.data):
        for name in names:
            path = Path(folder) / name
            yield str(path.relative_to(layout.data)), path.lstat()


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(sorted(names)[:SHOWN]) + more
