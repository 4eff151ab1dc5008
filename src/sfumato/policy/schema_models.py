"""The sections of a policy that say which model may read what, what it is asked, and how much money it may cost."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from sfumato.policy.schema_base import Section, Stated

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_loopback(url: str) -> bool:
    """Whether this address never leaves the machine."""
    return urlsplit(url).hostname in LOOPBACK


def address(url: str) -> str:
    """An address that conversations may be sent to: encrypted, or on this machine; no password, no query.

    Raises:
        ValueError: any other.
    """
    try:
        parts = urlsplit(url)
        odd = parts.username or parts.password or parts.query or parts.fragment or not parts.hostname or parts.port == 0
    except ValueError:
        raise ValueError("not an address; write it as https://host") from None
    if odd or parts.scheme not in {"http", "https"} or not (url.isascii() and url.isprintable()):
        raise ValueError("write the address as https://host, without a password or a query")
    if parts.scheme == "http" and not is_loopback(url):
        raise ValueError("http would send conversations in clear; use https, or http on this machine only")
    return url


MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,127}$"
REGION = r"^[a-z]{2}[a-z0-9-]{0,30}$"
ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME)]
Url = Annotated[str, StringConstraints(max_length=300), AfterValidator(address)]


class Asked(Section):
    """Which model, where. Without `base_url` it is Anthropic's own endpoint."""

    model: ModelName | None = None
    base_url: Url | None = None

    def _named(self, *, needed: bool) -> None:
        if needed and self.model is None:
            raise ValueError("provider anthropic needs a model, such as claude-haiku-4-5")
        if not needed and (self.model is not None or self.base_url is not None):
            raise ValueError("model and base_url belong to provider anthropic; set it, or leave them out")


class Extraction(Asked):
    """Who reads the conversations: `extractive` is words and a language detector; `anthropic` is a language model.

    about: what the summary and the labels of a conversation are of; left out, the user's overall request. window:
    characters of a conversation that the model reads. batch: half the price, answers within a day. concurrency: calls
    in flight. region: where inference must run, as the provider names it.
    """

    provider: Literal["extractive", "anthropic"] = "extractive"
    about: Stated | None = None
    window: Annotated[int, Field(ge=500, le=1_000_000)] = 16_000
    batch: bool = False
    concurrency: Annotated[int, Field(ge=1, le=256)] = 32
    region: Annotated[str, StringConstraints(pattern=REGION)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self._named(needed=self.provider == "anthropic")
        if self.provider == "extractive" and (self.about or self.batch or self.region):
            raise ValueError("about, batch and region are for a model; the extractive provider asks none")
        return self


class Screen(Section):
    """One yes/no question that narrows the epoch: only conversations it is answered `yes` for are analysed."""

    ask: Stated


class Naming(Asked):
    """Who writes names, and from what. `phrases`: the top phrases are the title, no model.

    Private summaries exist in guarded mode only.
    """

    provider: Literal["phrases", "anthropic"] = "phrases"
    evidence: Literal["released_phrases", "private_summaries"] = "released_phrases"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self._named(needed=self.provider == "anthropic")
        if self.evidence == "private_summaries" and self.provider != "anthropic":
            raise ValueError("names from summaries are written by a model: set provider to anthropic")
        return self


class Auditor(Asked):
    """Who reads every string before it is published. `anthropic` stands behind the detectors, not in their place.

    rubric: a file of rules, or a built-in one. minimum: the rating, 1 to 5, that a string needs. on_denial: put a
    coarser string in its place, or drop its topic.
    """

    provider: Literal["detectors", "anthropic"] = "detectors"
    rubric: Annotated[str, StringConstraints(min_length=1, max_length=300)] = "audit/no_individuals.yaml"
    minimum: Annotated[int, Field(ge=1, le=5)] = 4
    on_error: Literal["deny"] = "deny"
    on_denial: Literal["drop", "coarser"] = "coarser"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self._named(needed=self.provider == "anthropic")
        return self


class Spend(Section):
    """Money that the models of one epoch may cost, all steps together, in US dollars. Left out: no limit.

    Where models read and write, a tenth is kept for names and audit: how much was read may not decide what is named.
    """

    usd_per_epoch: Annotated[float, Field(gt=0, le=10_000_000, allow_inf_nan=False)] | None = None
