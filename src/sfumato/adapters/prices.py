"""What a reply costs: the published price list of a known day, and arithmetic in exact decimals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from sfumato.model.prompt import Usage

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens of each kind."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    cache_read: Decimal = Decimal(0)
    cache_write: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What one model costs; prompts of more than `above` tokens, cached ones included, may cost `long` instead.

    Factors: of a batch, and of inference that is bound to one region.
    """

    price: Price
    long: Price | None = None
    above: int = 0
    batch_factor: Decimal = Decimal("0.5")
    region_factor: Decimal = Decimal("1.1")

    def cost(self, usage: Usage, *, regional: bool = False) -> Decimal:
        """US dollars for one reply."""
        prompt = usage.input + usage.cache_read + usage.cache_write
        price = self.long if self.long is not None and prompt > self.above else self.price
        dollars = (
            usage.input * price.input
            + usage.output * price.output
            + usage.cache_read * price.cache_read
            + usage.cache_write * price.cache_write
        ) / MILLION
        dollars *= self.region_factor if regional else 1
        return dollars * self.batch_factor if usage.batch else dollars

    def at_most(self, *, prompt_tokens: int, max_tokens: int, batch: bool) -> Decimal:
        """The dearest that a call can come to.

        That is its whole prompt written to the cache, its reply as long as allowed, and all of it bound to a region,
        as the account may be without our asking.
        """
        written = Usage(cache_write=prompt_tokens, output=max_tokens, batch=batch)
        read = Usage(input=prompt_tokens, output=max_tokens, batch=batch)
        return max(self.cost(written, regional=True), self.cost(read, regional=True))


FREE = Tariff(price=Price())


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Tariffs by model name, as published on the day `as_of` (ISO 8601)."""

    as_of: str
    tariffs: dict[str, Tariff]


@cache
def price_list() -> PriceList:
    """The list that comes with this version."""
    raw = json.loads(files("sfumato.adapters").joinpath("prices.json").read_text(encoding="utf-8"))
    factors = {name: Decimal(raw[name]) for name in ("batch_factor", "region_factor")}
    tariffs = {model: _tariff(entry, factors) for entry in raw["tariffs"] for model in entry["models"]}
    return PriceList(as_of=raw["as_of"], tariffs=tariffs)


def tariff_of(model: str) -> Tariff | None:
    """The tariff of a model, or None where the list does not know its name: a guess would make a cap meaningless."""
    return price_list().tariffs.get(model)


def _tariff(entry: dict[str, Any], factors: dict[str, Decimal]) -> Tariff:
    long = entry.get("long_prompt")
    return Tariff(
        price=_price(entry),
        long=_price(long) if long else None,
        above=long["above"] if long else 0,
        **factors,
    )


def _price(entry: dict[str, Any]) -> Price:
    return Price(**{kind: Decimal(entry[kind]) for kind in ("input", "output", "cache_read", "cache_write")})
