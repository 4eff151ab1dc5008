"""The spend cap of an epoch: no run passes it, a killed one neither, and what is paid is never paid again."""

from __future__ import annotations

import os
import signal
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateways import gateway, modelled_policy, quiet, stats, write_distinct
from processes import APART
from sfumato.adapters.endpoint import Endpoint
from sfumato.adapters.prices import tariff_of
from sfumato.adapters.roles import PolicyModels
from sfumato.errors import Refused
from sfumato.extraction import READING, billed
from sfumato.model.layout import Layout
from sfumato.model.prompt import Usage
from sfumato.privacy.ledger import Ledger
from sfumato.standin.server import running
from sfumato.vault.derived import DerivedStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.extraction import Models
    from sfumato.gateway import Gateway
    from sfumato.policy.schema import Policy

USERS = 80
READER = "claude-haiku-4-5"


def capped(dollars: str) -> Policy:
    return modelled_policy(
        ("model: claude-haiku-4-5", "model: claude-haiku-4-5, concurrency: 8"),
        ("facets:", f"spend: {{usd_per_epoch: {dollars}}}\nfacets:"),
    )


def charging(loaded: Policy, url: str) -> Callable[[Decimal], Models]:
    environment = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sk-test"}
    return lambda spent: PolicyModels(loaded, environment=environment, spent_before=spent)


def charge() -> None:
    """Calls to this machine are free; from now on they cost what the model's name says."""
    Endpoint.loopback = property(lambda _: False)


@pytest.fixture
def charged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Endpoint, "loopback", property(lambda _: False))


def opened(data: Path, dollars: str, url: str) -> Gateway:
    loaded = capped(dollars)
    return gateway(data, policy=loaded, models=charging(loaded, url))


def noted(gateway: Gateway) -> Decimal:
    """US dollars that the next run would begin with."""
    begun: list[Decimal] = []

    def models(before: Decimal) -> Models:
        begun.append(before)
        return gateway._ports.models(before)

    key = gateway._ports.epoch_keys.open("chats", gateway._part, "derived")
    with billed(gateway._derived, key, models, work=READING):
        return begun[0]


def bill(url: str) -> Decimal:
    """US dollars for all tokens that the server has counted."""
    tokens = stats(url)["tokens"]
    used = Usage(
        input=tokens.get("input_tokens", 0),
        output=tokens.get("output_tokens", 0),
        cache_read=tokens.get("cache_read_input_tokens", 0),
        cache_write=tokens.get("cache_creation_input_tokens", 0),
    )
    tariff = tariff_of(READER)
    assert tariff is not None
    return tariff.cost(used)


@pytest.mark.usefixtures("charged")
def test_a_run_stops_before_the_cap_and_after_raising_it_only_the_rest_is_paid(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running() as url:
        first = opened(data, "0.02", url)
        with first:
            first.ingest(str(write_distinct(tmp_path / "chats.jsonl", users=USERS)), advance=quiet)
            for _ in range(2):  # the second time there is nothing left to spend
                with pytest.raises(Refused, match=r"spend cap of \$0\.018: raise the cap") as stopped:
                    first.extract(advance=quiet)
                done = stats(url)["answered"]
                assert Decimal("0.01") < bill(url) <= noted(first) <= Decimal("0.018")  # a tenth is kept for names
        assert (stopped.value.exit_code, "\n" in str(stopped.value)) == (3, False)
        assert 20 < done < USERS
        second = opened(data, "0.30", url)
        with second:
            paid: list[Decimal] = []
            second.extract(advance=quiet, paid=paid.append)
        assert stats(url)["answered"] == USERS
        assert len(paid) == USERS - done
        assert bill(url) <= noted(second) <= Decimal("0.27")
        key = second._ports.epoch_keys.open("chats", second._part, "derived")
        assert sum(len(batch) for batch in DerivedStore(second._derived, key).batches()) == USERS
        third = opened(data, "0.001", url)
        with third, pytest.raises(Refused, match="spend cap"):
            third.release()  # nothing is left to ask for names with, which is said before anything is charged
    book = Ledger(Layout(data=data).ledger)
    assert not book.entries()
    book.close()


def extracting(data: Path, dollars: str, url: str) -> None:
    charge()
    with opened(data, dollars, url) as begun:
        begun.extract(advance=quiet)


@pytest.mark.usefixtures("charged")
def test_killed_runs_together_never_pass_the_cap_for_what_is_in_flight_is_noted_before_it_is_sent(
    tmp_path: Path,
) -> None:
    data, cap = tmp_path / "data", "0.10"
    with running(latency=0.02) as url:
        whole = opened(data, cap, url)
        with whole:
            whole.ingest(str(write_distinct(tmp_path / "chats.jsonl", users=USERS)), advance=quiet)
        for answers in (1, 30):
            victim = APART.Process(target=extracting, args=(data, cap, url))
            victim.start()
            while stats(url)["answered"] < answers:
                assert victim.is_alive()
                time.sleep(0.01)
            os.kill(victim.pid or 0, signal.SIGKILL)
            victim.join(60)
            while stats(url)["in_flight"]:
                time.sleep(0.02)
            assert 0 < bill(url) <= noted(whole) <= Decimal(cap)
        with whole:
            try:
                whole.extract(advance=quiet)
            except Refused:
                assert stats(url)["answered"] > 40
        assert bill(url) <= noted(whole) <= Decimal(cap)
