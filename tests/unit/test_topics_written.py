"""The tree by a model: groups nest, every leaf has one parent, and what the model fails at is done without it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from test_topics_discover import DOMAIN, Faint, embed, run, world

from sfumato.model.prompt import Reply
from sfumato.privacy.measure import Measurer
from sfumato.topics import hierarchy, parents
from sfumato.topics.discover import discover
from sfumato.topics.lexicon import Lexicon
from sfumato.topics.plan import TopicPlan

CHILDREN = [f"Explain {head}{tail}" for head in ("ba", "do", "ge", "hi") for tail in ("lim", "nor", "pel")]


def evidence_in(prompt):
    return json.loads(prompt.text.split("<evidence>")[1].split("</evidence>")[0])


def step_of(prompt):
    return next(iter(prompt.schema["properties"]))


class Good:
    """A namer that does as it is asked, with words of the evidence. `spoil` may turn any answer into another."""

    def __init__(self, spoil=None):
        self.spoil = spoil
        self.asked = []

    def complete(self, prompts, *, arrived=None):
        self.asked.append(list(prompts))
        return [(self.spoil and self.spoil(prompt)) or self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt):
        shown, step = evidence_in(prompt), step_of(prompt)
        if step == "name":
            words = " and ".join(row["text"] for row in shown["phrases"][:2])
            return Reply(fields={"name": f"Compare {words}", "description": f"Questions on {words}. Plans for them."})
        if step == "names":
            wanted = int(re.search(r"about (\d+) names", prompt.text).group(1))
            texts = shown.get("topics") or shown["proposed"]
            words = list(dict.fromkeys(word for text in texts for word in re.findall(r"[a-z]+(?:dran|fel|gost)", text)))
            return Reply(fields={"names": [f"Discuss {word}" for word in words[:wanted]]})
        candidates = sorted(shown["candidates"])
        return Reply(fields={"parent": candidates[len(shown["topic"]) % len(candidates)]})


def found(namer, topics=40):
    plan = TopicPlan(rho=2 * 10**9, delta=10**3, leaves=topics)
    measurer = Measurer(Faint(), rho=plan.rho, delta=plan.delta)
    epoch = world(topics)[0]
    return discover(epoch, plan=plan, measurer=measurer, embed=embed, facet_domains=DOMAIN, namer=namer)


def same(tree, other):
    return tree.topics == other.topics and (tree.centroids == other.centroids).all()


@pytest.fixture(scope="module")
def good():
    namer = Good()
    return found(namer), namer


@pytest.fixture(scope="module")
def plain():
    return run(world(40)[0], leaves=40)[0]


def test_a_good_namer_names_every_level(good):
    tree, _ = good
    assert {topic.level for topic in tree.topics} == {0, 1, 2}
    for level in range(3):
        names = [topic.name for topic in tree.topics if topic.level == level]
        assert len(set(names)) == len(names)
        assert np.mean([name.startswith("Compare ") for name in names]) > 0.5


def test_the_model_s_tree_nests_and_every_leaf_has_one_parent(good, plain):
    tree, _ = good
    level_of = {topic.id: topic.level for topic in tree.topics}
    for topic in tree.topics:
        assert (topic.parent is None) == (topic.level == 2)
        assert topic.parent is None or level_of[topic.parent] == topic.level + 1
    assert all(any(child.parent == topic.id for child in tree.topics) for topic in tree.topics if topic.level)
    assert [topic.parent for topic in tree.topics] != [topic.parent for topic in plain.topics]


def test_the_number_of_batches_does_not_grow_with_the_topics(good):
    tree, namer = good
    assert len(namer.asked) <= 1 + 2 * 3 + 3  # drafts; propose, one list, assign for two levels; titles of three levels
    assert sum(map(len, namer.asked)) <= 4 * len(tree.topics)


def test_the_same_answers_make_the_same_tree(good):
    assert same(good[0], found(Good()))


def test_parents_are_named_from_their_children(good):
    _, namer = good
    finals = [batch for batch in namer.asked if step_of(batch[0]) == "name"][1:]
    leaf_names = {evidence["text"] for prompt in finals[1] for evidence in evidence_in(prompt)["topics_inside"]}
    assert len(finals[0]) == 40
    assert leaf_names <= {topic.name for topic in good[0].topics if topic.level == 0}


def test_counts_are_consistent_over_the_model_s_tree(good):
    tree, _ = good
    for topic in tree.topics:
        children = [child.users.value for child in tree.topics if child.parent == topic.id]
        if children:
            assert sum(children) == pytest.approx(topic.users.value)


@pytest.mark.parametrize("failure", ["refused", "unavailable"])
def test_a_model_that_answers_nothing_gives_the_tree_of_no_model_exactly(plain, failure):
    silent = found(Good(lambda _: Reply(fields=None, failure=failure)))
    assert same(silent, plain)
    assert silent.leaf_ids == plain.leaf_ids


LIES = {
    "wrong types": lambda _: Reply(fields={"name": 3, "description": [], "names": "all", "parent": {}}),
    "nothing": lambda _: Reply(fields={}),
    "unreleased": lambda _: Reply(
        fields={"name": "Help Alice", "description": "", "names": ["Help Alice"] * 9, "parent": "Help Alice"}
    ),
    "markup": lambda _: Reply(fields={"name": "<b>Plan</b>", "names": ["[Plan](it)"] * 9, "parent": "<b>"}),
    "one name for all": lambda _: Reply(fields={"name": "Plan.", "names": ["Plan it", "plan it"], "parent": "Plan"}),
    "too many names": lambda _: Reply(fields={"names": [f"Plan {'a ' * (i % 9)}trip" for i in range(999)]}),
}  # fmt: skip


@pytest.mark.parametrize("lie", sorted(LIES))
def test_a_model_that_lies_gives_the_tree_of_no_model_exactly(plain, lie):
    assert same(found(Good(LIES[lie])), plain)


def test_a_model_that_assigns_outside_the_candidates_leaves_the_groups_to_distance(plain):
    def elsewhere(prompt):
        return Reply(fields={"parent": "Compare everything"}) if step_of(prompt) == "parent" else None

    tree = found(Good(elsewhere))
    by_leaf = {topic.id: topic.parent for topic in plain.topics}
    assert {topic.id: topic.parent for topic in tree.topics} == by_leaf


def test_a_few_unusable_choices_go_to_the_nearest_name_and_cost_no_level(good, plain):
    seen = []

    def sometimes(prompt):
        if step_of(prompt) != "parent":
            return None
        seen.append(prompt)
        return Reply(fields={"parent": "Compare everything"}) if len(seen) % 9 == 0 else None

    tree = found(Good(sometimes))
    parents_of = {topic.id: topic.parent for topic in tree.topics}
    assert parents_of != {topic.id: topic.parent for topic in plain.topics}
    assert all(parent in parents_of for topic, parent in parents_of.items() if not topic.startswith("top"))


def test_a_level_that_fails_above_one_that_did_not_is_cut_by_distance_and_nests():
    lists = []

    def second(prompt):
        if step_of(prompt) != "names":
            return None
        lists.append(prompt)
        return Reply(fields={"names": []}) if len(lists) > 1 else None

    tree = found(Good(second))
    sizes = [sum(topic.level == level for topic in tree.topics) for level in range(3)]
    assert sizes[2] == hierarchy.level_sizes(40)[1]
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("topics", [0, 1, 2, 5, 10])
def test_small_worlds_and_an_empty_one_are_named_too(topics):
    tree = found(Good(), topics) if topics else discover(
        world(0)[0], plan=TopicPlan(rho=2 * 10**9, delta=10**3), embed=embed, facet_domains=DOMAIN, namer=Good(),
        measurer=Measurer(Faint(), rho=2 * 10**9, delta=10**3),
    )  # fmt: skip
    assert bool(tree.topics) == (topics > 0)


def test_candidates_are_shuffled_from_their_text_alone_and_the_schema_keeps_one_order():
    names = tuple(CHILDREN)
    orders = {parents.shuffled(child, names) for child in CHILDREN}
    assert len(orders) > len(CHILDREN) / 2
    assert all(sorted(order) == sorted(names) for order in orders)
    assert parents.shuffled("x", names) == parents.shuffled("x", names[::-1])
    firsts = {parents.shuffled(f"topic {i}", names)[0] for i in range(200)}
    assert firsts == set(names)
    one, two = (parents.choice_prompt(child, names) for child in ("x", "y"))
    assert one.schema == two.schema
    assert evidence_in(one)["candidates"] != evidence_in(two)["candidates"]


def test_neighbourhoods_hold_forty_on_average_and_every_child_once():
    points = np.random.default_rng(0).normal(size=(330, 8))
    hoods = parents.neighbourhoods(points)
    assert len(hoods) == 8
    assert sorted(np.concatenate(hoods).tolist()) == list(range(330))
    assert [hood.tolist() for hood in hoods] == [hood.tolist() for hood in parents.neighbourhoods(points)]
    near = parents.outside(points, hoods[0])
    assert len(near) == parents.OUTSIDE
    assert not set(near) & set(hoods[0].tolist())


def test_proposals_of_several_neighbourhoods_become_one_list():
    from sfumato.topics.namer import Namer
    from sfumato.topics.naming import Label

    namer, count = Good(), 100
    words = [f"{a}{b}{c}" for a in "bdfghjklmn" for b in ("ax", "ex", "ix", "ox") for c in ("dran", "fel", "gost")]
    bound = Namer(model=namer, embed=embed, lexicon=Lexicon.of(words))
    labels = [Label(name=f"Explain {words[i]}", description="Words.", phrases=()) for i in range(count)]
    groups = bound.groupings(labels, embed(words[:count]))
    steps = [sorted(evidence_in(batch[0])) for batch in namer.asked if step_of(batch[0]) == "names"]
    assert ["proposed"] in steps
    assert len(groups) == 2
    assert all(len(np.unique(groups[1][groups[0] == g])) == 1 for g in np.unique(groups[0]))


@pytest.mark.parametrize(
    ("given", "wanted", "kept"),
    [
        (["Plan trips", "Fix errors"], 2, 2),
        (["Plan trips", "plan trips", "Fix errors"], 2, 2),
        (["Plan trips", "Cure Alice"], 2, 1),
        (["Plan trips"], 4, 0),
        (["Plan a trip", "Plan trips", "Fix errors", "Fix an error"], 2, 0),
        (None, 2, 0),
        ([None, 4, {}], 2, 0),
    ],
)
def test_a_list_of_names_counts_within_half_and_half_over_the_wanted(given, wanted, kept):
    assert len(parents.names_in(Reply(fields={"names": given}), wanted, Lexicon.of(["trip", "error"]))) == kept


def test_without_a_lexicon_the_form_of_a_list_is_checked_still():
    names = ["Help Alice", "<b>Help</b>", "Plan a trip"]
    assert parents.names_in(Reply(fields={"names": names}), 2, None) == ("Help Alice", "Plan a trip")


def test_titles_are_in_the_languages_that_released_counts_show():
    from sfumato.topics.discover import _spoken
    from sfumato.topics.tree import Measured

    few, many = Measured(value=5.0, sigma=4.0), Measured(value=500.0, sigma=4.0)
    assert _spoken({"language": (many, few)}, {"language": ("de", "fr")}) == ("de",)
    assert _spoken({}, {}) == ()
