"""What the system says when it refuses a file, as what to do about it."""

from __future__ import annotations

import errno

CAUSES = {
    errno.ENOSPC: "no space is left there: free some and run again",
    errno.EDQUOT: "the disk quota is used up: free some space and run again",
    errno.EROFS: "it is read-only: mount it writable or choose another data directory",
    errno.EACCES: "permission denied: it must belong to the user who runs sfumato",
    errno.EPERM: "permission denied: it must belong to the user who runs sfumato",
    errno.EEXIST: "a file lies where a directory belongs",
    errno.ENOENT: "it is not there",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.ELOOP: "it is a symbolic link, which is not followed here",
}


def cause(failure: OSError) -> str:
    """One clause, without the path."""
    return CAUSES.get(failure.errno or 0) or failure.strerror or "the system refused"
