"""Live questions about made-up people: a policy that allows them, what they are read against, and a desk that answers.

The policy under attack gives the budget, thresholds, bounds and prices; its facets are replaced by one trait that is
secret and by marks that the attacker knows of everybody.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from sfumato.audit.log import AuditLog
from sfumato.evaluate.attacks.hashed import HashedEmbedder
from sfumato.evaluate.attacks.rehearsal import DATASET, EPOCH, NOW, ROOT, SIGNER, Deployment
from sfumato.live import columns, opening
from sfumato.live import terms as live_terms
from sfumato.live.desk import Ports
from sfumato.live.frame import Frame
from sfumato.model.extract import Extracts
from sfumato.model.layout import Layout
from sfumato.model.question import Filter, Question, tidy
from sfumato.planning import NO_FILES
from sfumato.policy.schema import Policy
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.noise import OpenDPNoise
from sfumato.vault.derived import DerivedStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from sfumato.live.columns import Columns
    from sfumato.live.desk import Desk
    from sfumato.live.terms import Terms

TRAIT, YES = "trait", "yes"
MARKS = {"mark_a": 12, "mark_b": 12, "mark_c": 12}
PRICE = 0.05  # epsilon of a question, where the policy under attack allows none
SHARE = 0.5  # of the budget for questions, likewise
SAID = "a question about letters"


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """n people of one conversation each. trait: (n,) whether they have it. marks: of each mark (n,) values."""

    trait: NDArray[np.bool_]
    marks: Mapping[str, NDArray[np.int16]]

    def __len__(self) -> int:
        return len(self.trait)

    def without(self, person: int) -> People:
        """Everybody else."""
        return People(
            trait=np.delete(self.trait, person),
            marks={name: np.delete(row, person) for name, row in self.marks.items()},
        )


def people(number: int, draw: np.random.Generator) -> People:
    """Half of them have the trait; marks are all different as long as there are enough of them."""
    every = draw.permutation(int(np.prod(list(MARKS.values()))))
    places = np.unravel_index(np.resize(every, number), tuple(MARKS.values()))
    return People(
        trait=draw.permutation(np.arange(number) % 2 == 0),
        marks={name: place.astype(np.int16) for name, place in zip(MARKS, places, strict=True)},
    )


def questioned(policy: Policy) -> Policy:
    """The policy with the made-up facets, live questions about all of them, and no model."""
    held = policy.model_dump()
    budget, queries = held["guarantee"]["budget"], held["queries"]
    if not policy.queries.live:
        budget |= {"release": 1 - SHARE, "queries": SHARE}
        queries |= {"epsilon_per_query": min(PRICE, budget["epsilon"] / 4)}
    queries |= {
        "live": True,
        "measures": ("users", "conversations"),
        "group_by": (TRAIT, *MARKS),
        "per_analyst": {"epsilon": budget["epsilon"]},  # whoever has one API key has friends with others
    }
    changed = {
        "epoch": "month",
        "access": {"analyst": ("queries",)},
        "guarantee": {**held["guarantee"], "mode": "formal"},
        "facets": (_category(TRAIT, ("no", YES)), *(_category(name, _values(size)) for name, size in MARKS.items())),
        "retention": {**held["retention"], "derived": "keep_until_ttl"},
        "queries": queries,
    }
    kept = {name: held[name] for name in held.keys() - {"extraction", "naming", "auditor", "screen", "topics", "spend"}}
    return Policy.model_validate(kept | changed)


def terms(policy: Policy) -> Terms:
    """What a question costs under a policy of `questioned`."""
    return live_terms.terms(policy, dataset=DATASET, epoch=EPOCH)


def frame(under: Terms) -> Frame:
    """What questions are read against."""
    return Frame(facets={facet.name: facet for facet in under.plan.facets}, reach=under.conversations)


def extracts(who: People) -> Extracts:
    """What extraction would leave of these people."""
    vector = HashedEmbedder().embed([SAID])[0].astype(np.float16)
    return Extracts(
        conversation_ids=[row.to_bytes(16, "big") for row in range(len(who))],
        unit_ids=[row.to_bytes(16, "big") for row in range(len(who))],
        phrases=[("letters",)] * len(who),
        facets={TRAIT: who.trait.astype(np.int16), **who.marks},
        vectors=np.tile(vector, (len(who), 1)),
    )


def loaded(who: People, under: Terms) -> Columns:
    """The columns that questions read."""
    return columns.load([extracts(who)], under, None)


def how_many(chosen: Mapping[str, NDArray[np.int16]]) -> Question:
    """How many people have the trait, among those with one of these values of each mark."""
    where = [Filter(field=name, values=tuple(f"v{value}" for value in values)) for name, values in chosen.items()]
    return tidy(Question(measure="users", where=(Filter(field=TRAIT, values=(YES,)), *where)))


@contextmanager
def desk(policy: Policy, who: People, *, noise: OpenDPNoise) -> Iterator[tuple[Desk, Ledger]]:
    """A whole deployment of these people, released, and its desk; the clock of its questions moves a minute each."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        layout, place = Layout(data=Path(folder)), Deployment(data=Path(folder), noise=noise)
        with place.gateway(policy, EPOCH) as gateway:
            part = f"{EPOCH}.{terms(policy).plan.extraction_digest[:12]}"
            key = place.keys().create(DATASET, part, "derived")
            DerivedStore(layout.derived / DATASET / part, key).write("0" * 32, [extracts(who)])
            gateway.release()
        ledger, log = Ledger(layout.ledger), AuditLog.open(layout.audit)
        stack.callback(ledger.close)
        stack.callback(log.close)
        minutes = count()
        ports = Ports(
            ledger=ledger,
            noise=lambda: OpenDPNoise(workers=1),
            now=lambda: NOW + timedelta(minutes=next(minutes)),
            log=log.append,
        )
        opened = stack.enter_context(
            opening.desk(policy, layout, root=ROOT, signer=SIGNER.public_key(), files=NO_FILES, ports=ports)
        )
        opened.warm()
        yield opened, ledger


def _category(name: str, domain: tuple[str, ...]) -> dict[str, object]:
    return {"name": name, "kind": "category", "domain": domain}


def _values(size: int) -> tuple[str, ...]:
    return tuple(f"v{value}" for value in range(size))
