"""Which model a policy lets be asked where, in which role, with whose key, and what of its bill is noted when."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateways import guarded_policy, modelled_policy, policy
from messages_server import Say, message, running
from sfumato.adapters.endpoint import Endpoint
from sfumato.adapters.roles import PolicyModels
from sfumato.errors import ModelUnavailable, Refused
from sfumato.model.prompt import Prompt
from sfumato.model.release import ModelUse

LOCAL = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
KEY = {"ANTHROPIC_API_KEY": "sk-test"}
ROLES = ("extraction", "naming", "auditor")
NAMES = ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5")


def models(loaded, environment, spent="0"):
    return PolicyModels(loaded, environment=environment, spent_before=Decimal(spent))


@pytest.mark.parametrize("role", ROLES)
def test_an_address_in_the_environment_that_is_not_this_machine_is_refused(role):
    away = models(modelled_policy(), {"ANTHROPIC_BASE_URL": "https://models.example"} | KEY)
    with pytest.raises(Refused, match="points away from this machine"):
        away.open(role)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_the_policy_gives_to_no_model_can_not_be_opened(role):
    with pytest.raises(Refused, match=r"\.provider"):
        models(policy(), LOCAL).open(role)


@pytest.mark.parametrize("loaded", [modelled_policy(), guarded_policy()], ids=["formal", "guarded"])
def test_every_model_is_named_with_the_host_that_is_asked(loaded):
    uses = models(loaded, LOCAL).uses()
    assert uses == tuple(
        ModelUse(role=role, model=name, host="127.0.0.1:9") for role, name in zip(ROLES, NAMES, strict=True)
    )


def test_without_a_key_only_a_model_on_this_machine_can_be_opened():
    with models(modelled_policy(), LOCAL).open("naming"):
        pass
    with pytest.raises(ModelUnavailable, match=r"no key for api\.anthropic\.com: set ANTHROPIC_API_KEY"):
        models(modelled_policy(), {}).open("naming")


def test_an_address_in_the_policy_holds_whatever_the_environment_says():
    named = modelled_policy(("model: claude-sonnet-4-5", "model: claude-sonnet-4-5, base_url: http://127.0.0.1:7"))
    uses = models(named, LOCAL).uses()
    assert [use.host for use in uses] == ["127.0.0.1:9", "127.0.0.1:7", "127.0.0.1:9"]


def test_a_cap_and_a_model_without_a_price_do_not_go_together():
    odd = modelled_policy(("claude-haiku-4-5", "my-model"), ("facets:", "spend: {usd_per_epoch: 5}\nfacets:"))
    with pytest.raises(Refused, match="does not know my-model"):
        models(odd, KEY).open("extraction")


def capped(batch=False):
    more = "model: claude-haiku-4-5, batch: true" if batch else "model: claude-haiku-4-5"
    return modelled_policy(("model: claude-haiku-4-5", more), ("facets:", "spend: {usd_per_epoch: 5}\nfacets:"))


@pytest.fixture
def charged(monkeypatch):
    """Calls to this machine are free; here they cost what the model's name says."""
    monkeypatch.setattr(Endpoint, "loopback", property(lambda _: False))


@pytest.mark.usefixtures("charged")
def test_a_call_is_noted_at_its_dearest_before_it_is_let_out_and_at_its_price_once_nothing_is_in_flight():
    noted = []
    seen = []

    def plan(_):
        seen.append(list(noted))
        return Say(body=message({"label": "x"}))

    with running(plan) as server:
        asked = models(capped(), {"ANTHROPIC_BASE_URL": server.url} | KEY, spent="1")
        asked.note_to(noted.append)
        with asked.open("extraction") as model:
            model.complete([Prompt(system="", text="a", schema={"type": "object"}, max_tokens=100)] * 3)
    assert all(len(before) > place for place, before in enumerate(seen))
    assert noted[-1] == asked.at_most == 1 + 3 * Decimal("0.00015")
    assert max(noted) > noted[-1]


@pytest.mark.usefixtures("charged")
def test_of_a_batch_nothing_is_noted_before_it_comes():
    noted = []
    with running() as server:
        asked = models(capped(batch=True), {"ANTHROPIC_BASE_URL": server.url} | KEY)
        asked.note_to(noted.append)
        with asked.open("extraction") as model:
            model._tempo = type(model._tempo)(first_poll_s=0.01, longest_poll_s=0.02)
            model.complete([Prompt(system="", text="a", schema={"type": "object"}, max_tokens=100)] * 2)
    assert noted == [Decimal("0.000075"), Decimal("0.00015")]


def test_a_model_on_this_machine_costs_nothing_and_nothing_is_noted():
    noted = []
    with running() as server:
        asked = models(capped(), {"ANTHROPIC_BASE_URL": server.url})
        asked.note_to(noted.append)
        with asked.open("extraction") as model:
            model.complete([Prompt(system="", text="a", schema={"type": "object"}, max_tokens=100)])
    assert (noted, asked.at_most) == ([], 0)


def test_whether_there_is_money_for_a_name_does_not_depend_on_what_reading_cost():
    """It is an exact sum over conversations: were it to decide whether names are written, it would show."""
    capped = modelled_policy(("facets:", "spend: {usd_per_epoch: 10.0}\nfacets:"))
    rooms = []
    for spent in ("0", "8.9999"):
        used = models(capped, KEY | LOCAL, spent)
        used.open("extraction")
        rooms.append((used._meter(reads=True).room, models(capped, KEY | LOCAL)._meter(reads=False).room))
    assert [room for room, _ in rooms] == [Decimal("9.0"), Decimal("0.0001")]
    assert [room for _, room in rooms] == [Decimal("1.0"), Decimal("1.0")]


def test_both_shares_of_a_cap_are_the_cap_and_a_policy_with_one_kind_of_work_keeps_it_whole():
    capped = modelled_policy(("facets:", "spend: {usd_per_epoch: 10.0}\nfacets:"))
    both = models(capped, KEY | LOCAL)
    assert both._meter(reads=True).cap + both._meter(reads=False).cap == 10
    lone = policy(("facets:", "extraction: {provider: anthropic, model: m}\nspend: {usd_per_epoch: 10.0}\nfacets:"))
    assert models(lone, KEY | LOCAL)._meter(reads=True).cap == 10
