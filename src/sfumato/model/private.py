"""The manners of private values: no text in `repr`, no formatting, no pickling."""

from __future__ import annotations

from typing import Never


class Private:
    """Refuses every road by which a value slips into a log, a message or a file by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: private>"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        raise TypeError(f"{type(self).__name__} is private and can't be formatted")

    def __reduce__(self) -> Never:
        raise TypeError(f"{type(self).__name__} is private and can't be pickled")

    def __reduce_ex__(self, _protocol: object) -> Never:
        raise TypeError(f"{type(self).__name__} is private and can't be pickled")
