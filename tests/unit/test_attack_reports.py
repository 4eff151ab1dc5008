"""What an attack prints is of what the policy does: it is tried, with a control that runs the attacker, or refused."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from gateways import modelled_policy, one_worker, policy
from sfumato.cli import attack
from sfumato.cli.app import app
from sfumato.errors import InputError, Refused
from sfumato.evaluate.attacks import crowd, differencing, membership, oracle, pipeline, telling_apart, transcript
from sfumato.evaluate.attacks.telling_apart import told_apart
from sfumato.evaluate.attacks.terms import terms
from sfumato.model.taxonomy import Node, Taxonomy
from sfumato.planning import Resources
from sfumato.policy.load import builtin_path, load, parse

TREE = [
    *({"id": f"a{top}", "name": f"area {top}"} for top in range(3)),
    *({"id": f"t{leaf}", "parent": f"a{leaf % 3}", "name": f"task {leaf}"} for leaf in range(30)),
]
DECLARED = """\
apiVersion: sfumato/v1
kind: PrivacyPolicy
metadata: {name: declared}
unit: user
epoch: month
guarantee:
  budget: {epsilon: 4.0, delta: 1.0e-5}
  yearly: {epsilon: 4.0, delta: 1.0e-5}
thresholds: {min_users: 30, min_conversations: 30}
topics: {taxonomy: {file: tree.jsonl}}
facets: [{name: turns}]
"""


@pytest.fixture
def noise():
    with one_worker() as opened:
        yield opened


@pytest.fixture
def declared():
    """Formal mode at epsilon 4 over thirty declared topics."""
    loaded = parse(DECLARED)
    tree = Taxonomy(nodes=tuple(Node(**{"parent": None, **node}) for node in TREE), digest="0" * 64)
    return terms(loaded, files=Resources(taxonomies={loaded.topics.taxonomy: tree}))


def quiet(_count):
    pass


def attacked(*arguments: object):
    """The exit code of `sfumato attack`, and all that it says."""
    done = CliRunner().invoke(app, ["attack", *map(str, arguments), "--json"])
    told = str(done.exception) if isinstance(done.exception, Refused) else done.output
    return getattr(done.exception, "exit_code", done.exit_code), told


@pytest.mark.parametrize(
    "words",
    [
        ["membership"],
        ["membership", "--level", "counts"],
        ["differencing"],
        ["oracle"],
        ["reconstruction"],
        ["timing"],
    ],
    ids=" ".join,
)
def test_what_knows_formal_mode_alone_is_refused_for_a_guarded_policy(words):
    code, told = attacked(*words, "--policy", "clio")
    assert code == 3
    assert "guarded" in told
    assert "`sfumato attack cliopatra` and `sfumato attack sybil` show what guarded mode loses" in told


@pytest.mark.parametrize(
    "words", [["differencing"], ["averaging"], ["membership", "--level", "pipeline"]], ids=lambda words: words[0]
)
def test_a_policy_with_a_model_is_refused_and_its_refusals_are_not_counted_as_a_defence(words):
    code, told = attacked(*words, "--policy", "safety_monitor")
    assert code == 3
    assert "use a policy that names none" in told


def test_a_first_release_that_is_refused_is_no_defence_either(noise):
    with pytest.raises(Refused):
        differencing.between_releases(terms(modelled_policy()), noise=noise)


def test_the_command_line_knows_how_many_trials_train_a_rule():
    assert attack.FEWEST == 2 * telling_apart.FEWEST


def test_an_attack_that_was_asked_for_too_few_trials_says_how_many_it_ran():
    code, told = attacked("membership", "--level", "counts", "--trials", 3)
    assert code == 0
    assert "needs 8 trials" in told
    assert '"trials":8' in told.replace(" ", "")


def test_more_accounts_than_chats_are_a_usage_error():
    code, told = attacked("cliopatra", "--poison", 3, "--accounts", 5)
    assert code == 2
    assert "1 <= accounts <= poison" in told


def test_a_rule_without_runs_to_train_on_tells_nothing_apart():
    """It said 1.0 of a threshold that was no number."""
    runs = np.ones((4, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="at least 8 trials"):
            told_apart(runs[:1], runs)
        with pytest.raises(ValueError, match="finite"):
            told_apart(runs, runs * np.nan)


def test_the_oracles_control_is_its_own_attacker_who_needs_the_target(under_testing):
    """Exact counts tell; and nothing is told where the target is on neither side."""
    epochs = oracle._epochs(under_testing)
    assert oracle._without_noise(epochs, under_testing) == 1
    assert oracle._without_noise(epochs[:1] * 2, under_testing) == 0.5


@pytest.mark.parametrize("name", ["standard", "strict", "safety_monitor", "election"])
def test_the_oracle_finds_what_there_is_to_find_under_every_policy_that_ships(name):
    under = terms(load(builtin_path(name)))
    assert oracle._without_noise(oracle._epochs(under), under) == 1


@pytest.fixture
def under_testing():
    """Formal mode at epsilon 1."""
    return terms(policy(), epsilon=1.0, delta=1e-5)


def test_whole_gateways_are_told_apart_where_epsilon_is_large_and_the_attack_says_so(noise, monkeypatch):
    errors, card = pipeline._told(terms(policy(), epsilon=pipeline.WEAK), 8, noise, quiet)
    assert errors.right >= 3
    monkeypatch.setattr(pipeline, "_told", lambda *_: (errors, card))
    found = pipeline.attack(terms(policy()), trials=8, noise=noise, advance=quiet).as_json()
    assert found["control"]["success"] == errors.right / 4


@pytest.mark.parametrize("level", ["counts", "mechanisms", "discover"])
def test_declared_topics_are_attacked_as_they_are_counted(declared, level):
    """The control has to find the target; that they use no more than is paid is compared exactly, below."""
    found = membership.attack(level, declared, trials=24, advance=quiet).as_json()
    assert found["control"]["success"] > 0.8


def test_the_target_uses_nearly_all_of_the_budget_of_declared_topics_and_never_more(declared):
    game = membership.game_of("mechanisms", declared)
    pairs, _ = game.pairs(game.out, transcript.InProcess())
    used = np.linalg.norm([transcript.moved(*pair) for pair in pairs]) / np.sqrt(2 * game.rho / 1e9)
    assert 0.8 < used <= 1 + 1e-9


def test_the_oracle_and_subtraction_succeed_on_exact_counts_of_declared_topics(declared):
    assert oracle._without_noise(oracle._epochs(declared), declared) == 1
    assert differencing._without_noise(membership.game_of("discover", declared)) == 1


def test_a_crowd_stands_far_apart_in_a_declared_tree_and_each_row_for_as_many_leaves_as_may_be(declared):
    plan = replace(declared.plan, at_most=3)
    codes = crowd.epoch([crowd.extreme(7, embedder=membership.HashedEmbedder())], plan).facets["topic"]
    assert codes.shape == (7, 3)
    assert len(np.unique(codes)) == len(crowd.WORDS)


@pytest.fixture
def deployed(tmp_path):
    (tmp_path / "tree.jsonl").write_text("".join(json.dumps(node) + "\n" for node in TREE))
    (tmp_path / "policy.yaml").write_text(DECLARED)
    return tmp_path / "policy.yaml"


def test_the_tree_that_a_policy_names_is_read(deployed):
    code, told = attacked("oracle", "--policy", deployed, "--trials", 8)
    assert code == 0
    assert json.loads(told)["control"]["success"] == 1


def test_whole_gateways_read_it_too(deployed, noise):
    code, told = attacked("differencing", "--policy", deployed, "--trials", 8)
    assert code == 0
    assert json.loads(told)["releases"] == 1


@pytest.mark.parametrize("name", ["cliopatra", "sybil"])
def test_where_no_word_of_anybody_is_published_attacks_on_words_are_refused(deployed, name):
    code, told = attacked(name, "--policy", deployed)
    assert code == 3
    assert "declares its topics" in told


def test_a_tree_that_is_not_there_is_named(deployed):
    (deployed.parent / "tree.jsonl").unlink()
    done = CliRunner().invoke(app, ["attack", "oracle", "--policy", str(deployed)])
    assert done.exception.exit_code == 2
    assert "tree.jsonl" in str(done.exception)
