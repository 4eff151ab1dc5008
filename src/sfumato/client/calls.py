"""Everything that can be asked of a server, once for both clients: which request, and what its reply is read as."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import quote as quoted

from sfumato.client import parse
from sfumato.client.drivers import call, paged
from sfumato.client.exchange import Request, attempted
from sfumato.client.failures import failure
from sfumato.client.kept import conditional
from sfumato.client.signed import SignedRelease
from sfumato.errors import InputError
from sfumato.model import document, question, signature
from sfumato.model.question import Ask
from sfumato.model.strict_json import Node, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sfumato.client.answers import Answer, Quote
    from sfumato.client.exchange import Draw, Steps
    from sfumato.client.findings import Breakdown, Budget, Comparison, Findings, Measure, Side, Summary, Trend
    from sfumato.client.kept import Kept
    from sfumato.client.line import Line
    from sfumato.client.parse import Page
    from sfumato.client.signed import Card, OneTopic, Tree
    from sfumato.model.strict_json import Json, JsonObject

PAGE = "100"  # releases
OK, UNCHANGED = 200, 304
Result = TypeVar("Result")


class Calls:
    """The methods of a client.

    Each may raise Unreachable, an ApiError (`sfumato.client.failures`), or InputError where an id has not the form of
    one or the server's answer can't be read.
    """

    line: Line
    _release_key: Ed25519PublicKey | None
    _kept: Kept
    _draw: Draw
    _attempts: int

    @paged
    def releases(
        self, *, dataset: str | None = None, epoch: str | None = None
    ) -> Callable[[str | None], Steps[Page[Summary]]]:
        """Releases, newest first, as an iterator."""

        def page(cursor: str | None) -> Steps[Page[Summary]]:
            asked = {"limit": PAGE, "dataset": dataset, "epoch": epoch, "cursor": cursor}
            query = tuple((name, value) for name, value in asked.items() if value is not None)
            return self._read(Request(path="/v1/releases", query=query), parse.summaries)

        return page

    @call
    def release(self, release: str) -> Steps[SignedRelease]:
        """A whole release, its signature checked; of another key than the pinned one, InputError."""
        return self._release(release)

    @call
    def tree(self, release: str) -> Steps[Tree]:
        """The topics of a release under their parents, cut from the signed document."""
        return (yield from self._release(release)).tree()

    @call
    def topic(self, release: str, topic: str) -> Steps[OneTopic]:
        """One topic with phrases and breakdowns, cut from the signed document."""
        return (yield from self._release(release)).topic(topic)

    @call
    def guarantee(self, release: str) -> Steps[Card]:
        """The guarantee of a release, cut from the signed document."""
        return (yield from self._release(release)).card()

    @call
    def breakdown(self, release: str, facet: str, *, topic: str | None = None) -> Steps[Breakdown]:
        """A facet of a release or of one topic, with shares; worked out by the server."""
        if facet in {"", ".", ".."}:
            raise InputError("this is no name of a facet; the release's `facets` name those it has")
        path = f"{_release_path(release)}/facets/{quoted(facet, safe='')}"
        query = () if topic is None else (("topic", topic),)
        return (yield from self._read(Request(path=path, query=query), parse.breakdown))

    @call
    def compare(self, measure: Measure, a: Side, b: Side) -> Steps[Comparison]:
        """One released number with another; worked out by the server."""
        body: JsonObject = {"measure": measure, "a": _side(a), "b": _side(b)}
        return self._read(Request(method="POST", path="/v1/compare", body=body), parse.comparison)

    @call
    def search(self, release: str, text: str, *, limit: int = 10) -> Steps[Findings]:
        """Topics of a release that answer a text, best first. limit: at most 50."""
        body: JsonObject = {"release": release, "text": text, "limit": limit}
        return self._read(Request(method="POST", path="/v1/search", body=body), parse.search)

    @call
    def trend(self, dataset: str, topic: str) -> Steps[Trend]:
        """A topic over the releases of a dataset."""
        query = (("dataset", dataset), ("topic", topic))
        return self._read(Request(path="/v1/trends", query=query), parse.trend)

    @call
    def policy(self) -> Steps[Mapping[str, Json]]:
        """The policy in force; needs a key whose role may read it."""
        return self._read(Request(path="/v1/policy"), _members)

    @call
    def budget(self, dataset: str, epoch: str) -> Steps[Budget]:
        """What an epoch and its year have spent and left; needs a key whose role may read the ledger."""
        query = (("dataset", dataset), ("epoch", epoch))
        return self._read(Request(path="/v1/budget", query=query), partial(parse.budget, dataset=dataset, epoch=epoch))

    @call
    def quote(self, asked: Ask | Mapping[str, Json]) -> Steps[Quote]:
        """What a question would cost now; no data is read and nothing is charged.

        asked: an `Ask`, or its JSON, `{"dataset", "epochs", "measure", "of", "by", "where", "level", "release"}`.
        """
        return self._read(Request(method="POST", path="/v1/queries", body=_question(asked, dry_run=True)), parse.quote)

    @call
    def ask(self, asked: Ask | Mapping[str, Json]) -> Steps[Answer]:
        """The answer to a question, charged to the epoch once: the same question gets the same answer for ever.

        Spent, a BudgetExhausted, where the budget pays for no more. A server that breaks off is not asked again, since
        the charge may stand; asked anew, a question that was answered costs nothing.
        """
        body = _question(asked, dry_run=False)
        return self._read(Request(method="POST", path="/v1/queries", body=body, charged=True), parse.answer)

    def _release(self, release: str) -> Steps[SignedRelease]:
        return self._read_bytes(Request(path=_release_path(release)), partial(self._verified, wanted=release))

    def _verified(self, body: bytes, *, wanted: str) -> SignedRelease:
        read = loads(body)
        signer = signature.verify(read, self._release_key)
        made = document.decode(read)
        if made.id != wanted:
            raise InputError("the server sent another release than the one asked for")
        pinned = self._release_key is not None
        return SignedRelease(release=made, body=body, signer=signature.key_id(signer), pinned=pinned)

    def _read(self, request: Request, read: Callable[[Node], Result]) -> Steps[Result]:
        def understood(body: bytes) -> Result:
            try:
                return read(Node(loads(body)))
            except InputError as problem:
                what = str(problem).removeprefix("release document, ")
                raise InputError(f"the server's answer can't be read: {what}") from None

        return self._read_bytes(request, understood)

    def _read_bytes(self, request: Request, read: Callable[[bytes], Result]) -> Steps[Result]:
        """Ask, unless what is kept is confirmed. A release never changes but may be withdrawn, so it is asked for."""
        held = self._kept.get(request.address) if request.method == "GET" else None
        reply = yield from attempted(conditional(request, held), self._draw, self._attempts)
        if held is not None and reply.status == UNCHANGED:
            return cast("Result", held.value)
        if reply.status != OK:
            raise failure(reply, redact=self.line.redact)
        value = read(reply.body)
        if request.method == "GET":
            self._kept.keep(request.address, reply.headers.get("etag"), value)
        return value


def _release_path(release: str) -> str:
    if not re.fullmatch(document.RELEASE_ID, release):
        raise InputError("this is no id of a release: `rel_` and 20 hexadecimal digits are expected")
    return f"/v1/releases/{release}"


def _side(side: Side) -> JsonObject:
    parts = {"release": side.release, "topic": side.topic, "facet": side.facet, "value": side.value}
    return {name: value for name, value in parts.items() if value is not None}


def _question(asked: Ask | Mapping[str, Json], *, dry_run: bool) -> JsonObject:
    try:
        plain = question.encode_ask(asked) if isinstance(asked, Ask) else dict(asked)
        return question.encode_ask(question.parse({**plain, "dry_run": dry_run}))
    except InputError as problem:
        raise InputError(f"this is no question: {str(problem).removeprefix('release document, ')}") from None


def _members(node: Node) -> Mapping[str, Json]:
    return {name: one.value for name, one in node.entries().items()}
