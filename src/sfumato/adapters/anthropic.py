"""Any language model behind the Messages API, as the port `sfumato.model.prompt.Model`."""

from __future__ import annotations

import threading
from functools import cached_property, partial
from typing import TYPE_CHECKING

from sfumato.adapters import attempts, background, client
from sfumato.adapters.batches import Batches
from sfumato.adapters.line import Line
from sfumato.adapters.meter import Meter
from sfumato.adapters.pacing import Health, Pace, Tempo
from sfumato.adapters.prices import FREE, price_list, tariff_of
from sfumato.adapters.tickets import Book
from sfumato.errors import Refused

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from sfumato.adapters.endpoint import Endpoint
    from sfumato.adapters.tickets import Tickets
    from sfumato.model.prompt import Prompt, Reply


class AnthropicModel:
    """A `Model`: calls in flight on one background thread, replies told in the calling one.

    api_key: None where the server wants none. meter: counts and caps what is spent, shared by the models of a job.
    tickets: where batches under way are remembered; without it a killed process pays for its batches again.

    Raises:
        Refused: the environment would print what is sent, the key can't be one, or there is a spend cap and the price
            of the model is not known.
        ModelUnavailable: the HTTP client is not installed.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        api_key: str | None,
        meter: Meter | None = None,
        tickets: Tickets | None = None,
        tempo: Tempo | None = None,
    ) -> None:
        client.check_environment()
        client.check_key(api_key)
        tariff = FREE if endpoint.loopback else tariff_of(endpoint.model)
        self.meter = meter or Meter()
        if self.meter.cap is not None and tariff is None:
            raise Refused(
                f"there is a spend cap, and the price list of {price_list().as_of} does not know {endpoint.model}: "
                "name a model it knows, or take the cap away"
            )
        client.hush()
        self.endpoint = endpoint
        self._key = api_key
        self._tickets = tickets
        self._tempo = tempo or Tempo()
        self._account = attempts.Account(endpoint, self.meter, tariff)
        self._limit: float | None = None
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return f"<AnthropicModel {self.endpoint.model} at {self.endpoint.place}>"

    def complete(
        self, prompts: Sequence[Prompt], *, arrived: Callable[[int, Reply], None] | None = None
    ) -> Sequence[Reply]:
        """One reply for each prompt, in order; see `Model`. One call at a time: others wait for their turn.

        Raises:
            ModelUnavailable: the endpoint can't be used, nobody answers, or nothing has succeeded for too long.
            Refused: the spend cap would be passed by going on.
        """
        replies: dict[int, Reply] = {}

        def arrive(index: int, reply: Reply) -> None:
            replies[index] = reply
            if arrived is not None:
                arrived(index, reply)

        with self._turn:
            if prompts:
                background.run(partial(self._work, prompts, arrive))
        return [replies[index] for index in range(len(prompts))]

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return client.trusted()

    async def _work(
        self, prompts: Sequence[Prompt], arrive: Callable[[int, Reply], None], outside: background.Outside
    ) -> None:
        def tell(index: int, reply: Reply) -> None:
            outside.tell(partial(arrive, index, reply))

        pace = Pace(self.endpoint.concurrency, limit=self._limit)
        async with client.open_client(self.endpoint, self._key, self._trust) as opened:
            line = Line(opened, self.endpoint, pace=pace, health=Health(self.endpoint), tempo=self._tempo)
            try:
                if self.endpoint.batch:
                    book = Book(self._tickets, self.endpoint, outside)
                    await Batches(self._account, line, book=book, tell=tell).complete(prompts)
                else:
                    await self._one_by_one(prompts, line, tell=tell)
            finally:
                self._limit = pace.limit

    async def _one_by_one(self, prompts: Sequence[Prompt], line: Line, *, tell: Callable[[int, Reply], None]) -> None:
        todo = iter(enumerate(prompts))

        async def worker() -> None:
            for index, prompt in todo:
                tell(index, await attempts.complete(prompt, self._account, line))

        await background.all_of([worker] * min(self.endpoint.concurrency, len(prompts)))
