"""The processes that hold the model: texts go in over a pipe, vectors come back, nothing touches a disk."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, cast

from sfumato.errors import WHY_NO_START, ModelUnavailable
from sfumato.model.nodump import seal_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.context import ForkServerContext, SpawnContext

    import numpy as np
    from numpy.typing import NDArray

    from sfumato.embed.encoder import Precision
    from sfumato.embed.weights import Weights

_PATIENCE = 2.0  # seconds a worker may take to leave before it is made to
_READY = "ready"
_AHEAD = "sfumato.embed.ahead"


class Worker:
    """One process, and the parent's end of its pipe. It says `ready` once the model is loaded.

    On Linux it is forked from a server process that has read nothing but the libraries, which take two seconds to load;
    elsewhere it is spawned, for system libraries there do not bear a fork.
    """

    def __init__(self, weights: Weights, precision: Precision) -> None:
        context = _context()
        self.pipe, far = context.Pipe()
        self.process = context.Process(target=_serve, args=(far, weights, precision), daemon=True)
        resource_tracker.ensure_running()  # else `start` launches it, and that unblocks the signal again
        old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited: Ctrl-C is for the parent alone
        try:
            self.process.start()
        except BaseException:
            self.pipe.close()
            raise
        finally:
            far.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, old)

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


class Pool:
    """Up to `size` workers, started when there is work for them and kept until `close`. Not for two threads at once."""

    def __init__(self, weights: Weights, *, size: int, precision: Precision) -> None:
        if size < 1:
            raise ValueError("a pool needs at least one worker")
        self._weights = weights
        self._precision = precision
        self._size = size
        self._workers: list[Worker] = []

    def map(self, errands: Sequence[list[str]], done: Callable[[int], None] | None = None) -> list[NDArray[np.float32]]:
        """The vectors of each errand's texts, in the errands' order; `done` is told how many texts are through.

        Raises:
            ModelUnavailable: a worker died or could not load the model. The next call starts fresh workers.
        """
        try:
            return self._map(errands, done)
        except (EOFError, OSError):
            self.close()
            raise ModelUnavailable("a sentence-vector worker ended early (out of memory?): use fewer workers") from None
        except BaseException:
            self.close()  # answers still under way must not be taken for the next call's
            raise

    def close(self) -> None:
        """Ends every worker. Harmless when there is none."""
        while self._workers:
            self._workers.pop().close()

    def _map(self, errands: Sequence[list[str]], done: Callable[[int], None] | None) -> list[NDArray[np.float32]]:
        left = iter(range(len(errands)))
        busy: dict[Connection, int | None] = {}
        for worker in self._workers:
            _hand_out(worker.pipe, errands, left=left, busy=busy)
        while len(self._workers) < min(self._size, len(errands)):
            worker = Worker(self._weights, self._precision)
            self._workers.append(worker)
            busy[worker.pipe] = None
        results: dict[int, NDArray[np.float32]] = {}
        while busy:
            for pipe in cast("list[Connection]", wait(list(busy))):
                number = busy.pop(pipe)
                reply = _first(pipe) if number is None else _reply(pipe)
                _hand_out(pipe, errands, left=left, busy=busy)
                if number is not None and reply is not None:
                    results[number] = reply
                    if done is not None:
                        done(len(errands[number]))
        return [results[number] for number in range(len(errands))]


def _context() -> ForkServerContext | SpawnContext:
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_AHEAD])
    return context


def _hand_out(
    pipe: Connection, errands: Sequence[list[str]], *, left: Iterator[int], busy: dict[Connection, int | None]
) -> None:
    number = next(left, None)
    if number is not None:
        pipe.send(errands[number])
        busy[pipe] = number


def _first(pipe: Connection) -> NDArray[np.float32] | None:
    try:
        return _reply(pipe)
    except (EOFError, OSError):
        raise ModelUnavailable(f"a sentence-vector worker could not start: {WHY_NO_START}") from None


def _reply(pipe: Connection) -> NDArray[np.float32] | None:
    """Vectors, or None where the worker has only said that it is ready."""
    reply: NDArray[np.float32] | str = pipe.recv()
    if isinstance(reply, str):
        if reply != _READY:
            raise ModelUnavailable(reply)
        return None
    return reply


def _serve(pipe: Connection, weights: Weights, precision: Precision) -> None:
    """A worker's life: load, then answer errands until the parent hangs up."""
    seal_memory()
    with suppress(EOFError, OSError), pipe:
        try:
            from sfumato.embed.ahead import Encoder

            encoder = Encoder(weights, precision=precision)
            pipe.send(_READY)
            while True:
                pipe.send(encoder.embed(pipe.recv()))
        except ModelUnavailable as reason:
            pipe.send(str(reason))
        except (EOFError, OSError):
            raise
        except Exception as reason:  # noqa: BLE001 - the type alone crosses: a message might quote the text
            pipe.send(f"a sentence-vector worker failed with {type(reason).__name__}")
