"""Concurrency in one background thread, its results in the calling one: an event loop that ends with the call."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, TypeVar

from sfumato.errors import ModelUnavailable, SfumatoError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

T = TypeVar("T")


class Outside:
    """The calling thread, as seen from the event loop."""

    def __init__(self, box: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        self._box = box

    def tell(self, action: Callable[[], None]) -> None:
        """Have it done over there, in order, without waiting."""
        self._box.put(action)

    async def ask(self, action: Callable[[], T]) -> T:
        """Have it done over there and wait for what it returns. If it raises, the whole work ends with that."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def answer() -> None:
            value = action()
            loop.call_soon_threadsafe(_settle, done, value)

        self._box.put(answer)
        return await done


def _settle(done: asyncio.Future[T], value: T) -> None:
    if not done.done():
        done.set_result(value)


class _Background:
    """The thread, its loop, and how the work ended: nothing, or one of our errors by type and message alone.

    An exception itself would carry frames, and those the texts that were being sent.
    """

    def __init__(self, work: Callable[[Outside], Awaitable[None]]) -> None:
        self.box: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.ended: SfumatoError | None = None
        self._work = work
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, name="sfumato-model", daemon=True)

    def stop(self) -> None:
        """Cancel what is in flight."""
        with self._lock:
            self._stopped = True
            if self._loop is not None and self._task is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._task.cancel)

    def _run(self) -> None:
        try:
            asyncio.run(self._main(), debug=False)  # its warnings would show what is under way
        except asyncio.CancelledError:
            pass
        except SfumatoError as error:
            self.ended = type(error)(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is may hold a text, so only its type may pass
            self.ended = ModelUnavailable(f"the model's adapter failed ({type(error).__name__}): please report this")
        finally:
            self.box.put(None)

    async def _main(self) -> None:
        with self._lock:
            if self._stopped:
                return
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.current_task()
        try:
            await self._work(Outside(self.box))
        finally:
            with self._lock:
                self._task = None


def run(work: Callable[[Outside], Awaitable[None]]) -> None:
    """Run the work to its end on a thread of its own; what it tells is done here, in the calling thread.

    Whatever ends the calling thread's part (an exception of what it is told to do, Ctrl-C) cancels the work and waits
    for its thread. Raises one of our errors where the work does; anything else that it raises becomes
    ModelUnavailable, without its text.
    """
    background = _Background(work)
    background.thread.start()
    try:
        while (action := background.box.get()) is not None:
            action()
    finally:
        background.stop()
        background.thread.join()
    if background.ended is not None:
        raise background.ended


async def all_of(work: Iterable[Callable[[], Coroutine[None, None, None]]]) -> None:
    """All at once; the first to fail is raised, and none of the others takes a step after it.

    One that did could send what is then cancelled: asked, on the bill, and its answer lost.
    """
    tasks: list[asyncio.Task[None]] = []

    def end() -> None:
        for task in tasks:
            task.cancel()

    async def until_one_fails(one: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await one()
        except Exception:
            end()
            raise

    tasks += [asyncio.ensure_future(until_one_fails(one)) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        end()
        await asyncio.gather(*tasks, return_exceptions=True)
