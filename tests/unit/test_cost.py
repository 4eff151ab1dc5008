"""Estimated cost of extraction: priced call by call, beside Clio's own figures, and nothing where no model reads."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sfumato.evaluate.cost import CLIO, PER, cost, usage_of
from sfumato.extract.facets import path, yes_no
from sfumato.extract.questions import Questions, prompts_for
from sfumato.model.conversation import Conversation, Message
from sfumato.model.taxonomy import Node, Taxonomy

TREE = Taxonomy(nodes=(Node(id="a", parent=None, name="A"), Node(id="b", parent="a", name="B")), digest="0" * 64)
ASKED = Questions(facets=(yes_no("success", ask="Did it work?"),), screen="Is it about bread?")


def price(usage):
    dollars = Decimal(usage.input) / 1_000_000 + Decimal(usage.output) * 5 / 1_000_000
    return dollars / 2 if usage.batch else dollars


def conversation(text):
    return Conversation(
        conversation_id=bytes(16), unit_id=bytes(16), messages=(Message(role="user", content=text),), attributes={}
    )


def test_without_facets_a_call_costs_about_what_clios_does():
    told = cost(Questions(), price=price)
    assert 1_000 * PER < told["input_tokens"] < 1_300 * PER
    assert 0.8 < told["tokens_to_clios"] < 1.1
    assert told["clio"] == CLIO
    assert told["usd"] == pytest.approx(told["input_tokens"] / 1e6 + told["output_tokens"] * 5 / 1e6, abs=0.02)


def test_the_total_is_the_sum_of_the_steps_and_only_the_screener_is_asked_of_everybody():
    questions = Questions(facets=(path("area", TREE, ask="Which?"),), screen="Is it about bread?")
    whole, half = (cost(questions, price=price, let_through=share) for share in (1.0, 0.5))
    assert list(whole["steps"]) == ["screen", "facets", "paths"]
    assert whole["usd"] == pytest.approx(sum(step["usd"] for step in whole["steps"].values()), abs=0.02)
    assert half["steps"]["screen"] == whole["steps"]["screen"]
    assert half["steps"]["facets"]["calls"] == PER // 2
    assert half["steps"]["paths"]["usd"] == pytest.approx(whole["steps"]["paths"]["usd"] / 2, abs=0.02)


def test_a_sample_stands_for_its_mean_and_a_batch_is_half_the_price():
    sample = [conversation("bread " * 10), conversation("bread " * 900), conversation("")]
    told = cost(ASKED, price=price, sample=sample)
    usages = [usage_of(prompt) for one in sample for prompt in prompts_for(one, ASKED)]
    assert told["input_tokens"] == round(sum(usage.input for usage in usages) * PER / 3)
    assert told["steps"]["facets"]["calls"] == round(2 * PER / 3)
    assert cost(ASKED, price=price, sample=sample, batch=True)["usd"] == pytest.approx(told["usd"] / 2, abs=0.02)


def test_a_price_that_is_not_known_is_not_guessed_and_no_model_costs_nothing():
    told = cost(ASKED, price=None)
    assert told["usd"] is None
    assert told["steps"]["facets"]["usd"] is None
    assert told["input_tokens"] > 0
    free = cost(None, price=None)
    assert (free["usd"], free["input_tokens"], free["steps"]) == (0.0, 0, {})


def test_a_long_conversation_costs_no_more_than_its_window():
    short, long = (
        cost(Questions(window=size), price=price, sample=[conversation("bread " * 9_000)]) for size in (500, 5_000)
    )
    assert short["input_tokens"] < 400 * PER < long["input_tokens"] < 1_500 * PER
