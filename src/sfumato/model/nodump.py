"""Keeps the memory of a process that holds text or keys out of core files and out of debuggers' reach."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4


def seal_memory() -> bool:
    """No core file of this process from now on, and on Linux none through a pipe either; whether all of it worked.

    A limit of 0 stops core files, and is not asked where the system hands cores to a program: there it takes the mark
    `not dumpable`, which also keeps other processes of this user from reading its memory. Neither is inherited by a
    program that is started anew, but for the limit: such a process calls this itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return _prctl(_PR_SET_DUMPABLE, 0) == 0


def is_sealed() -> bool:
    """Whether it is so."""
    return resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) and _prctl(_PR_GET_DUMPABLE, 0) == 0


def _prctl(option: int, value: int) -> int:
    """-1 where the system has no such call."""
    if not sys.platform.startswith("linux"):
        return -1
    return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0))
