"""The last few of something that is costly to make and never changes, by name."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Thing = TypeVar("Thing")


class Kept(Generic[Thing]):
    """At most `most` things. One is made at a time: who waits for the same one finds it made."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: OrderedDict[str, Thing] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str, make: Callable[[], Thing]) -> Thing:
        """The thing of this name, made now if it isn't there."""
        with self._lock:
            if name not in self._things:
                self._things[name] = make()
                while len(self._things) > self._most:
                    self._things.popitem(last=False)
            self._things.move_to_end(name)
            return self._things[name]
