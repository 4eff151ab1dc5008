"""Facets that a model answers: every kind has a closed domain ending in `unknown`, and codes that fit in a column."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.errors import PolicyError
from sfumato.extract.facets import Facet, bin_of, category, column, computed, multi_label, number, path, scale, yes_no
from sfumato.model.taxonomy import Node, Taxonomy
from sfumato.planning import facets_of, questions_of
from sfumato.policy.schema import Topics
from sfumato.policy.schema_facets import FacetSection, TaxonomySection
from sfumato.policy.schema_models import Extraction, Screen

TREE = Taxonomy(
    nodes=(Node(id="a", parent=None, name="Art"), Node(id="b", parent="a", name="Brushes")), digest="0" * 64
)
CATEGORY = FacetSection(name="use", kind="category", domain=("work", "play"), ask="What for?")


@pytest.mark.parametrize(
    ("facet", "domain"),
    [
        (scale("s", 1, 5, ask="?"), ("1", "2", "3", "4", "5", "unknown")),
        (scale("s", -1, 1, ask="?"), ("-1", "0", "1", "unknown")),
        (number("n", (1, 2.5, 10), ask="?"), ("<1", "1-2.5", "2.5-10", ">=10", "unknown")),
        (yes_no("y", ask="?"), ("yes", "no", "unknown")),
        (path("p", TREE, ask="?"), ("a", "b", "unknown")),
        (multi_label("m", ("x", "y"), ask="?"), ("x", "y", "unknown")),
        (category("c", ("x",), ask="?"), ("x", "unknown")),
    ],
    ids=["scale", "negative_scale", "number", "yes_no", "path", "multi_label", "category"],
)
def test_the_domain_follows_from_the_declaration_and_ends_in_unknown(facet, domain):
    assert facet.domain == domain
    assert facet.is_asked
    assert facet.unknown == len(domain) - 1


@pytest.mark.parametrize(("value", "shown"), [(-5, "<1"), (1, "1-2.5"), (2.5, "2.5-10"), (10, ">=10"), (1e300, ">=10")])
def test_a_number_falls_into_the_bin_that_includes_its_lower_edge(value, shown):
    facet = number("n", (1, 2.5, 10), ask="?")
    assert facet.domain[bin_of(facet, value)] == shown


def test_what_is_read_or_computed_asks_nothing():
    assert not category("plan", ["free"]).is_asked
    assert not computed("language").is_asked


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Facet(name="y", kind="yes_no", domain=("yes", "no", "unknown")),
        lambda: Facet(name="y", kind="yes_no", domain=("no", "yes", "unknown"), ask="?"),
        lambda: Facet(name="c", kind="category", domain=("x", "unknown"), ask="?", attribute="c"),
        lambda: Facet(name="s", kind="scale", domain=("1", "3", "unknown"), ask="?"),
        lambda: Facet(name="p", kind="path", domain=("a", "unknown"), ask="?"),
        lambda: Facet(name="c", kind="category", domain=("x", "unknown"), ask="?", at_most=2),
        lambda: Facet(name="m", kind="multi_label", domain=("x", "unknown"), ask="?", at_most=2),
        lambda: number("n", (), ask="?"),
        lambda: number("n", (2, 1), ask="?"),
        lambda: number("n", (1, float("nan")), ask="?"),
        lambda: multi_label("m", ("x", "x"), ask="?"),
        lambda: category("c", map(str, range(40_000)), ask="?"),
    ],
    ids=[
        "unasked", "reordered", "read_and_asked", "gap_in_a_scale", "no_taxonomy", "two_of_a_category",
        "more_than_there_are", "no_edge", "falling_edges", "nan_edge", "twice", "too_wide",
    ],
)  # fmt: skip
def test_a_facet_whose_parts_contradict_each_other_is_refused(wrong):
    with pytest.raises(ValueError):  # noqa: PT011 - each has a wording of its own
        wrong()


def test_a_column_has_one_code_for_each_row_or_as_many_as_allowed_filled_up():
    one, several = yes_no("y", ask="?"), multi_label("m", ("x", "y", "z"), ask="?", at_most=2)
    assert column(one, [(1,), (2,)]).tolist() == [1, 2]
    wide = column(several, [(0, 2), (3,)])
    assert wide.tolist() == [[0, 2], [3, -1]]
    assert wide.dtype == np.int16
    assert column(several, []).shape == (0, 2)


class Declared:
    """A policy, as far as facets and questions of it go."""

    def __init__(self, *declared, provider="anthropic"):
        self.facets = declared
        self.topics = Topics()
        self.screen = Screen(ask="Is it about work?")
        self.extraction = Extraction(provider=provider, model="m" if provider == "anthropic" else None, window=900)


def test_every_kind_that_a_policy_declares_becomes_its_facet():
    tree = TaxonomySection(file="t.jsonl")
    declared = Declared(
        CATEGORY,
        FacetSection(name="language"),
        FacetSection(name="plan", kind="category", domain=("free",), attribute="tier"),
        FacetSection(name="m", kind="multi_label", domain=("x", "y", "z"), ask="?", at_most=2),
        FacetSection(name="every", kind="multi_label", domain=("x", "y"), ask="?"),
        FacetSection(name="s", kind="scale", range=(1, 3), ask="?"),
        FacetSection(name="n", kind="number", bins=(1.0, 2.0), ask="?"),
        FacetSection(name="y", kind="yes_no", ask="?"),
        FacetSection(name="p", kind="path", taxonomy=tree, ask="?", at_most=2),
    )
    assert facets_of(declared, {tree: TREE}) == (
        category("use", ("work", "play"), ask="What for?"),
        computed("language"),
        category("plan", ("free",), attribute="tier"),
        multi_label("m", ("x", "y", "z"), ask="?", at_most=2),
        multi_label("every", ("x", "y"), ask="?", at_most=2),
        scale("s", 1, 3, ask="?"),
        number("n", (1, 2), ask="?"),
        yes_no("y", ask="?"),
        path("p", TREE, ask="?", at_most=2),
    )
    asked = questions_of(declared, {tree: TREE})
    assert (asked.screen, asked.window, asked.about) == ("Is it about work?", 900, "the user's overall request")
    with pytest.raises(PolicyError, match="taxonomy was not read"):
        facets_of(declared)


def test_a_facet_that_takes_a_name_of_the_form_is_refused_and_without_a_model_nothing_is_asked():
    with pytest.raises(PolicyError, match="none is called"):
        questions_of(Declared(FacetSection(name="summary", kind="yes_no", ask="?")))
    assert questions_of(Declared(provider="extractive")) is None
