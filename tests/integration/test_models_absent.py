"""A model that can't be asked: before the charge nothing is charged, after it the release is made without the model."""

from __future__ import annotations

import json
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateways import asking, gateway, modelled_policy, quiet, write_corpus
from sfumato.adapters.roles import PolicyModels
from sfumato.asking import PROBE
from sfumato.errors import ModelUnavailable
from sfumato.model import document
from sfumato.model.layout import Layout
from sfumato.model.prompt import Reply
from sfumato.privacy.ledger import Ledger
from sfumato.standin.faults import Rule, Rules, When
from sfumato.standin.server import running
from terminal import sfumato

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sfumato.gateway import Gateway
    from sfumato.model.prompt import Model, Prompt
    from sfumato.model.release import Release, Role

TEXT = "an ordinary question of mine"
POLICY = """\
apiVersion: sfumato/v1
kind: PrivacyPolicy
metadata: {name: testing}
unit: user
epoch: month
guarantee:
  budget: {epsilon: 8.0, delta: 1.0e-5}
  yearly: {epsilon: 16.0, delta: 1.0e-4}
extraction: {provider: anthropic, model: claude-haiku-4-5}
"""


class Dying:
    """Answers `lives` calls of `complete`, then nobody is there any more."""

    def __init__(self, model: Model, lives: int) -> None:
        self._model = model
        self.lives = lives
        self.waited = 0

    def complete(
        self, prompts: Sequence[Prompt], *, arrived: Callable[[int, Reply], None] | None = None
    ) -> Sequence[Reply]:
        if self.lives == 0:
            self.waited += 1
            raise ModelUnavailable("nobody answers at models.example, 120 s by now: start the model")
        self.lives -= 1
        return self._model.complete(prompts, arrived=arrived)


class Mortals(PolicyModels):
    """Models of which the one of a role dies."""

    role: Role
    lives: int
    dying: Dying

    @contextmanager
    def open(self, role: Role, *, journal: Any = None) -> Iterator[Model]:
        with super().open(role, journal=journal) as model:
            if role == self.role:
                self.dying = Dying(model, self.lives)
            yield self.dying if role == self.role else model


def released(folder: Path, role: Role, lives: int) -> tuple[Release, Dying]:
    """The release of 300 users with a mortal model."""
    loaded, made = modelled_policy(), []
    with running() as url:

        def models(spent: Decimal) -> Mortals:
            found = Mortals(loaded, environment={"ANTHROPIC_BASE_URL": url}, spent_before=spent)
            found.role, found.lives = role, lives
            made.append(found)
            return found

        with gateway(folder / "data", policy=loaded, models=models) as opened:
            opened.ingest(str(write_corpus(folder / "chats.jsonl", users=300, each=1)), advance=quiet)
            opened.extract(advance=quiet)
            release = document.decode(json.loads(opened.release()))
            assert opened.stored() is not None
    assert [one.state for one in _entries(folder / "data")] == ["released"]
    return release, made[-1].dying


def _entries(data: Path) -> list[Any]:
    book = Ledger(Layout(data=data).ledger)
    try:
        return list(book.entries())
    finally:
        book.close()


@pytest.mark.parametrize("lives", [1, 2], ids=["at once", "after the first names"])
def test_a_namer_that_dies_after_the_charge_leaves_a_release_with_phrase_titles(tmp_path: Path, lives: int) -> None:
    release, dying = released(tmp_path, "naming", lives)
    assert release.topics
    phrases = {phrase.text for topic in release.topics for phrase in topic.phrases}
    assert all(set(topic.name.split(" · ")) <= phrases for topic in release.topics)
    assert dying.waited == 1  # each further wait would be two minutes more


def test_an_auditor_that_dies_after_the_probe_denies_everything_and_the_release_is_well_formed(tmp_path: Path) -> None:
    release, _ = released(tmp_path, "auditor", 1)
    assert release.topics
    assert {topic.name for topic in release.topics} == {"unnamed topic"}
    assert not any(topic.description or topic.phrases for topic in release.topics)
    denied = [one for one in release.audit if not one.allowed]
    assert len(denied) >= 3 * len(release.topics)
    assert {one.rule for one in denied} == {"model.failed"}


@contextmanager
def ready(folder: Path, rules: Rules) -> Iterator[Gateway]:
    """Twenty users extracted; what a release asks first meets the rules."""
    loaded = modelled_policy()
    with running(rules) as url, gateway(folder / "data", policy=loaded, models=asking(loaded, url)) as opened:
        opened.ingest(str(write_corpus(folder / "chats.jsonl", users=20, each=1)), advance=quiet)
        opened.extract(advance=quiet)
        yield opened


@pytest.mark.parametrize("status", [401, 500])
def test_a_model_that_can_not_be_asked_before_the_charge_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("sfumato.adapters.attempts.MOST_FAILED", 2)
    broken = Rules(rules=(Rule(when=When(contains=PROBE.text), do="error", status=status),))
    with ready(tmp_path, broken) as opened:
        for _ in range(2):
            with pytest.raises(ModelUnavailable) as said:
                opened.release()
            assert (said.value.exit_code, "\n" in str(said.value)) == (1, False)
        opened.check_budget()
    assert _entries(tmp_path / "data") == []


@pytest.mark.model
@pytest.mark.parametrize(
    ("environment", "code", "says"),
    [
        ({"ANTHROPIC_BASE_URL": "https://models.example", "ANTHROPIC_API_KEY": "sk"}, 3, "points away from this"),
        ({"ANTHROPIC_BASE_URL": "http://10.0.0.1:8000", "ANTHROPIC_API_KEY": "sk"}, 3, "points away from this"),
        ({}, 1, "no key for api.anthropic.com: set ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": "sk", "ANTHROPIC_LOG": "debug"}, 3, "ANTHROPIC_LOG asks for more than `info`"),
        ({"ANTHROPIC_API_KEY": "s k\n"}, 3, "API key is empty or holds a space"),
    ],
    ids=["another host", "another machine", "no key", "a log of what is sent", "no key that could be one"],
)
def test_an_environment_that_does_not_do_is_one_line_before_anything_is_sent(
    tmp_path: Path, environment: dict[str, str], code: int, says: str
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "chats.jsonl").write_text(json.dumps({"user_id": "u1", "text": TEXT}) + "\n")
    words = ("run", tmp_path / "policy.yaml", tmp_path / "chats.jsonl", "--data", tmp_path / "data")
    found = sfumato(*words, home=tmp_path / "home", without=("SFUMATO_", "ANTHROPIC_"), **environment)
    told = found.stderr.decode()
    last = told.strip().splitlines()[-1]
    assert (found.returncode, found.stdout) == (code, b"")
    assert last.startswith("sfumato: ")
    assert says in last
    assert "Traceback" not in told
    assert TEXT not in told
