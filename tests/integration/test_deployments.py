"""The deployments in `policies/`: lint, cases, and a run of each from a log to a release, models by the stand-in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateways import for_a_small_log, one_worker
from sfumato.cli.app import app
from sfumato.errors import PolicyError
from sfumato.forecast import forecast
from sfumato.model import document, signature
from sfumato.policy import cases
from sfumato.policy.directions import compare, overall
from sfumato.policy.finding import Circumstances
from sfumato.policy.lint import lint
from sfumato.policy.load import builtin_names, builtin_path, load, parse, utc_today
from sfumato.standin import server
from stand_ins import HashedEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
USERS = 1_500
ASKS = {  # policy: users, for a stand-in for a model takes a few milliseconds a question; more where epsilon is small
    "economic_index_patterns": 500, "election": 900, "safety_monitor": 900, "values": 500,
}  # fmt: skip
JUSTIFIED = {  # warnings that policies/README.md gives a reason for
    "clio": {"names-without-guarantee"},
    "economic_index": {"taxonomy-not-pinned"},
    "economic_index_patterns": {"taxonomy-not-pinned"},
    "values": {"taxonomy-not-pinned"},
    "election": {"year-ends-early"},
}
# Each subject has words of every screener's question but the last one's, which no question speaks of.
SUBJECTS = (
    "bake sourdough bread for a job, is that good, may somebody be harmed, which candidates bake, in an election",
    "prepare tax returns for a job, is honesty good, may somebody be harmed, which candidates tax, in an election",
    "write python tests for a job, is patience good, may somebody be harmed, which candidates write, in an election",
    "plant tulips in autumn",
)
PLAIN = ("bake sourdough bread", "prepare tax returns", "write python tests", "plant tulips in autumn")
TREE = (
    ("make", None, "bake bread and prepare food", ""),
    ("books", None, "prepare tax returns and accounts", ""),
    ("code", None, "write python programs", ""),
    ("make-1", "make", "bake sourdough bread", "bread that rises with sourdough"),
    ("books-1", "books", "prepare tax returns", "returns of income tax"),
    ("code-1", "code", "write python tests", "tests of python programs"),
)
VALUES = (
    ("good", None, "good", ""),
    ("honesty", "good", "honesty", "say what is true"),
    ("patience", "good", "patience", "take the time"),
)


def finding_rules(name: str, users: int = 25_000) -> dict[str, str]:
    policy = load(builtin_path(name))
    found = lint(policy, forecast(policy), Circumstances(today=utc_today(), users=users))
    return {finding.rule: finding.severity for finding in found}


def written(path: Path, tree) -> Path:
    nodes = [dict(zip(("id", "parent", "name", "description"), node, strict=True)) for node in tree]
    path.write_text("".join(json.dumps(node) + "\n" for node in nodes))
    return path


def log(path: Path, subjects: list[tuple[str, int]]) -> Path:
    """One user a subject, with so many conversations about it."""
    with path.open("w") as file:
        for user, (subject, talks) in enumerate(subjects):
            for number in range(talks):
                turns = [
                    {"role": "user", "content": f"how do people {subject}"},
                    {"role": "assistant", "content": "step by step"},
                ]
                record = {"conversation_id": f"c{user}-{number}", "user_id": f"person-{user}", "messages": turns}
                file.write(json.dumps(record) + "\n")
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in, with trees of our own, a root key, a stand-in for the sentence model, one noise process."""

    @contextmanager
    def stand_in(_policy):
        yield HashedEmbedder()

    monkeypatch.setattr("sfumato.wiring.embedder", stand_in)
    monkeypatch.setattr("sfumato.wiring.noise", one_worker)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SFUMATO_KEY_FILE", str(tmp_path / "root.key"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    assert CliRunner().invoke(app, ["keys", "init"]).exit_code == 0
    written(tmp_path / "onet.jsonl", TREE)
    written(tmp_path / "values.jsonl", VALUES)
    return tmp_path


def run(policy: str, source: Path, *, epoch: str, data: str = "data"):
    arguments = ["run", policy, str(source), "--data", data, "--epoch", epoch, "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    signature.verify(found, None)
    return document.decode(found)


@pytest.mark.parametrize("name", builtin_names())
def test_each_policy_lints_without_errors_and_its_warnings_are_the_ones_the_readme_gives_a_reason_for(
    name: str,
) -> None:
    found = finding_rules(name)
    assert set(found) == JUSTIFIED.get(name, set())
    assert "error" not in found.values()
    readme = (ROOT / "policies" / "README.md").read_text()
    assert all(f"`{rule}`" in readme for rule in found)


@pytest.mark.parametrize("name", builtin_names())
def test_each_policy_passes_its_cases(name: str) -> None:
    outcomes = cases.run(load(builtin_path(name)), cases.read(builtin_path(name).with_suffix(".cases.yaml")))
    assert len(outcomes) >= 10
    assert [outcome.case.name for outcome in outcomes if not outcome.passed] == []


@pytest.mark.parametrize("name", ["economic_index", "economic_index_patterns"])
def test_the_published_thresholds_of_the_economic_index_are_an_error_here(name: str) -> None:
    """5 accounts and 15 conversations are below the noise of a count: tasks of nobody would be shown."""
    text = builtin_path(name).read_text()
    published = text.replace("{min_users: 60, min_conversations: 60}", "{min_users: 5, min_conversations: 15}")
    assert published != text
    policy = parse(published)
    found = lint(policy, forecast(policy), Circumstances(today=utc_today(), users=25_000))
    assert {"threshold-below-noise"} == {one.rule for one in found if one.severity == "error"}


def test_the_economic_index_without_a_model_is_nowhere_looser_than_the_one_with_it() -> None:
    """But for the screener, which narrows what is analysed and can't be compared."""
    changes = compare(load(builtin_path("economic_index_patterns")), load(builtin_path("economic_index")))
    assert {change.field for change in changes if change.verdict == "incomparable"} == {"screen"}
    assert overall(tuple(change for change in changes if change.field != "screen")) == "stronger"


@pytest.mark.parametrize(
    ("name", "how"), [("economic_index", "sfumato taxonomy onet DIR"), ("values", "values_tree.csv")]
)
def test_without_the_tree_that_the_user_supplies_one_line_says_how_to_get_it(name, how, place):
    for file in ("onet.jsonl", "values.jsonl"):
        (place / file).unlink()
    corpus = log(place / "chats.jsonl", [(SUBJECTS[0], 1)])
    done = CliRunner().invoke(app, ["run", name, str(corpus), "--data", "data"])
    assert isinstance(done.exception, PolicyError)
    told = str(done.exception)
    assert "no such taxonomy file; " in told
    assert how in told
    assert "\n" not in told
    assert not (place / "data").exists()


def test_the_economic_index_counts_users_of_each_task_without_a_model(place):
    subjects = [(PLAIN[user % 4], 1 + user % 2) for user in range(USERS)]
    found = run("economic_index", log(place / "chats.jsonl", subjects), epoch="2026-10")
    users = {topic.id: topic.users for topic in found.topics}
    assert set(users) == {node[0] for node in TREE}
    assert all(abs(users[node].value - USERS / 4) < 80 for node in users)
    assert found.models == ()
    assert found.guarantee.epsilon <= 2.0


@pytest.fixture(scope="module")
def model():
    with server.running() as url:
        yield url


@pytest.mark.parametrize("name", ASKS)
def test_each_policy_that_asks_a_model_runs_from_a_log_to_a_release(name, place, model, monkeypatch):
    """Only what a screener lets through is counted; topics, their facets and the models' names are in the release."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", model)
    policy = load(builtin_path(name))
    inside = ASKS[name] * 5 // 6
    subjects = [(SUBJECTS[user % 2 if user < inside else 3], 1) for user in range(ASKS[name])]
    epoch = "2026-W41" if policy.epoch == "week" else "2026-10"
    found = run(name, log(place / "chats.jsonl", subjects), epoch=epoch)
    assert found.topics
    assert {use.role for use in found.models} >= {"extraction"}
    assert set(found.facets) == {facet.name for facet in policy.facets} | {"screened"}
    screened = {cell.value: cell.users for cell in found.facets["screened"]}
    assert screened["in"] is not None
    assert abs(screened["in"].value - inside) < 5 * (screened["in"].high - screened["in"].value) / 2
    if policy.topics.taxonomy is not None:
        nodes = {node[0] for node in (VALUES if name == "values" else TREE)}
        assert {topic.id for topic in found.topics} <= nodes
        assert max(topic.users.value for topic in found.topics) > inside / 4


def test_signals_reads_growth_and_dispersion_from_two_releases_and_nothing_else(place):
    """What grew stands out, by about as much as it grew; so does the subject about which each user has six talks."""
    sizes = {"2026-10": (300, 300, 300), "2026-11": (300, 300, 700)}
    for epoch, counts in sizes.items():
        people = [(PLAIN[at], 6 if at == 1 else 1) for at, count in enumerate(counts) for _ in range(count)]
        release = run("economic_index", log(place / f"{epoch}.jsonl", people), epoch=epoch)
        assert len(release.topics) == len(TREE)
    stored = sorted(place.glob("data/**/rel_*.json"), key=lambda path: json.loads(path.read_text())["epoch"])
    script = [sys.executable, str(ROOT / "examples" / "signals.py")]
    done = subprocess.run([*script, *map(str, stored)], capture_output=True, text=True, check=True, timeout=60)
    growth, dispersion = (part.splitlines()[1:] for part in done.stdout.split("\n\n"))
    starred = {_id(line) for line in growth if line.startswith("*")}
    assert {"code", "code-1"} <= starred
    gained = {_id(line): int(line[1:].split()[0].replace(",", "")) for line in growth if line.endswith("]")}
    for node, users in {"make": 0, "make-1": 0, "books": 0, "books-1": 0, "code": 400, "code-1": 400}.items():
        assert abs(gained[node] - users) < 150
    busy = {line.rpartition(" > ")[2] for line in dispersion if line.startswith("*") and " > " in line}
    assert busy == {"prepare tax returns"}
    again = subprocess.run([*script, str(stored[0]), "nowhere.json"], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)


def _id(line: str) -> str:
    """Of a declared topic, at the end of its line."""
    return line.rstrip("]").rpartition("[")[2]


@pytest.mark.model
@pytest.mark.slow
def test_the_economic_index_over_onet_on_real_support_conversations(corpora, irc, whole, tmp_path):
    """Real CLI, real vectors: a hierarchy of O*NET's, each node's users within its parent's. Whole: 20,000 nodes.

    The built-in policy, a larger epsilon and lower thresholds for a small log.
    """
    fewer = "min_users: 60, min_conversations: 60", "min_users: 20, min_conversations: 20"
    (tmp_path / "small.yaml").write_text(for_a_small_log("economic_index", fewer))
    environment = {"SFUMATO_KEY_FILE": str(tmp_path / "root.key")}
    command(["taxonomy", "onet", str(corpora / "onet")], tmp_path, environment, into=tmp_path / "onet.jsonl")
    if not whole:
        thinned(tmp_path / "onet.jsonl", with_computers)
    command(["keys", "init"], tmp_path, environment)
    source = irc(600)
    command(
        ["run", "small.yaml", str(source), "--data", "data", "--epoch", "2026-10", "--json"],
        tmp_path,
        environment,
        into=tmp_path / "release.json",
    )
    found = document.decode(json.loads((tmp_path / "release.json").read_text()))
    levels = Counter(topic.level for topic in found.topics)
    assert set(levels) >= ({0, 1, 2, 3, 4} if whole else {3, 4})
    users = {topic.id: topic.users.value for topic in found.topics}
    assert all(topic.parent is None or topic.users.value <= users[topic.parent] for topic in found.topics)
    speakers = {json.loads(line)["user_id"] for line in source.read_text().splitlines()}
    assert abs(found.users.value - len(speakers)) < 200


@pytest.mark.slow
def test_values_over_the_published_tree(corpora, whole, place, model, monkeypatch):
    """Conversations that name three of its values are counted there and in the clusters above, however deep."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", model)
    (place / "values.jsonl").write_bytes((corpora / "values_in_the_wild" / "tree.jsonl").read_bytes())
    if not whole:
        thinned(place / "values.jsonl", lambda at, _: at % 20 == 0)
    tree = [json.loads(line) for line in (place / "values.jsonl").read_text().splitlines()]
    by_id = {node["id"]: node for node in tree}
    leaves = [node for node in tree if node["level"] == 0 and len(node["name"].split()) == 1][:3]
    subjects = [(f"{_way(leaf, by_id)} is that good", 1) for leaf in leaves for _ in range(130)]
    found = run("values", log(place / "chats.jsonl", subjects), epoch="2026-10")
    assert {topic.level for topic in found.topics} == {0, 1, 2, 3}
    assert max(topic.users.value for topic in found.topics if topic.level == 3) > 100


def thinned(tree: Path, keep: Callable[[int, dict], bool]) -> None:
    """Only leaves to keep, by their place and node, stay in the tree, and what stands over them."""
    nodes = [json.loads(line) for line in tree.read_text().splitlines()]
    above = {node["id"]: node["parent"] for node in nodes}
    inner = set(above.values())
    leaves = [node for node in nodes if node["id"] not in inner]
    kept = {leaf["id"] for place, leaf in enumerate(leaves) if keep(place, leaf)}
    for _ in range(10):
        kept |= {above[name] for name in kept} - {None, ""}
    tree.write_text("".join(json.dumps(node) + "\n" for node in nodes if node["id"] in kept))


def with_computers(place: int, task: dict) -> bool:
    """A few tasks of every sort, more of those that have to do with computers."""
    return place % (10 if task["parent"].startswith("4.A.3.b.1.") else 1500) == 0


def _way(node, by_id) -> str:
    names = []
    while node is not None:
        names.append(node["name"])
        node = by_id.get(node["parent"])
    return " ".join(names)


def command(arguments, folder: Path, environment: dict[str, str], *, into: Path | None = None) -> None:
    import os

    done = subprocess.run(
        [str(Path(sys.executable).parent / "sfumato"), *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,  # it reads 30,000 texts, and another worker may be reading too
    )
    assert done.returncode == 0, done.stderr
    if into is not None:
        into.write_text(done.stdout)
