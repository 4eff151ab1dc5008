"""Cliopatra (Annamalai, De Cristofaro and Kairouz 2026, arXiv 2603.09781): poisoned chats read a stranger's diagnosis.

The attacker knows the target's age band, sex and one symptom. From `accounts` accounts they add `poison` chats that lie
where the target's lies and carry an order to whoever names the topics. They read the release, and answer with a
disease. Beyond the paper, they are given everybody else's conversations, all phrases that passed selection and the
places of the topics. The model that names topics obeys every order and leaves nothing out; summaries keep the whole
chat, and phrases begin with the diagnosis: the worst case for every mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import InputError
from sfumato.evaluate.attacks import guesser, patients
from sfumato.evaluate.attacks.obedient import ObedientModel, order
from sfumato.evaluate.attacks.report import Control, Outcome, interval
from sfumato.evaluate.attacks.terms import published
from sfumato.extract.extractive import extract
from sfumato.model.conversation import Conversation, Message
from sfumato.model.extract import Extracts
from sfumato.privacy.bounds import bound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sfumato.embed.sentences import Embedder
    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.privacy.bounds import BoundedEpoch
    from sfumato.privacy.noise import NoiseSource

MOST = 500
KNOWS = (
    "the target's age band, sex and one symptom; how to place chats beside theirs; everybody else's conversations, all "
    "phrases that passed selection and the places of the topics, more than the paper gives"
)
CONTROL = Control(what="the same command with --policy clio, a few more accounts than min_users and --medical 0.01")
ORDER_EVERY = 5
PHRASES_OF_A_CONVERSATION = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What the attacker puts in, and among how many other users, one chat each.

    medical: share of those other users who are patients too.

    Raises:
        InputError: no accounts, or more than they have chats for.
    """

    poison: int = 50
    accounts: int = 50
    background: int = 3_000
    medical: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what nobody could do."""
        if not 1 <= self.accounts <= self.poison <= MOST:
            raise InputError(f"at least one poisoned chat an account, and at most {MOST}: 1 <= accounts <= poison")
        if self.background < 1:
            raise InputError("the target needs other users around them: --background is at least 1")


def attack(
    campaign: Campaign,
    under: Terms,
    *,
    trials: int,
    noise: NoiseSource,
    embedder: Embedder,
    advance: Callable[[int], None],
) -> Outcome:
    """Each trial: a new target, their attacker's chats, one release, one answer. The background is the same for all.

    Raises:
        Refused: the policy declares its topics.
    """
    under.must_discover()
    rng = Random(f"cliopatra {campaign.seed}")
    background = _extracts(_background(campaign, rng), 0, 1, under, embedder)
    hits = guesses = named = selected = counted = 0
    for number in range(trials):
        target = patients.draw(rng)
        chats = [patients.chat(target, rng), *_poison(target, campaign.poison, rng)]
        added = _extracts(chats, 1 + number, campaign.accounts, under, embedder)
        epoch = _epoch([background, added], under)
        others = _epoch([background, _without_first(added)], under)
        seen = published(epoch, under, noise=noise, embed=embedder.embed, namer=ObedientModel())
        guess = guesser.from_release(seen, target, others)
        hits += guess.disease == target.disease
        named += guess.named
        selected += guess.selected
        counted += guess.counted
        guesses += guesser.without_release(target) == target.disease
        advance(1)
    return Outcome(
        attack="cliopatra",
        knows=KNOWS,
        hits=hits,
        trials=trials,
        baseline=guesses / trials,
        epsilon=seen.release.guarantee.epsilon,
        delta=seen.release.guarantee.delta,
        mode=under.plan.mode,
        control=CONTROL,
        details={
            "baseline_interval": interval(guesses, trials),
            "named": round(named / trials, 4),
            "selected": round(selected / trials, 4),
            "counted": round(counted / trials, 4),
            "poison": campaign.poison,
            "accounts": campaign.accounts,
            "background": campaign.background,
            "medical": campaign.medical,
        },
    )


def _background(campaign: Campaign, rng: Random) -> list[str]:
    return [
        patients.chat(patients.draw(rng), rng) if rng.random() < campaign.medical else patients.everyday(rng)
        for _ in range(campaign.background)
    ]


def _poison(target: patients.Patient, count: int, rng: Random) -> list[str]:
    """Chats like the target's; one in `ORDER_EVERY` carries the order, so that the others lie nearer to the target."""
    return [patients.poison(target, "" if place % ORDER_EVERY else order(target), rng) for place in range(count)]


def _epoch(batches: Sequence[Extracts], under: Terms) -> BoundedEpoch:
    return bound(batches, conversations_per_unit=under.plan.topics.conversations_per_user)


def _extracts(chats: Sequence[str], part: int, accounts: int, under: Terms, embedder: Embedder) -> Extracts:
    """Chats of the background (part 0), one user each; else the target's, then the attacker's over their accounts."""
    found = extract(
        [
            Conversation(
                conversation_id=_id(part, 1 + place),
                unit_id=_id(part, 1 + (place if not part or not place else 1 + (place - 1) % accounts)),
                messages=(Message(role="user", content=text),),
                attributes={},
            )
            for place, text in enumerate(chats)
        ],
        facets=under.plan.facets,
        embed=embedder,
        phrases_limit=PHRASES_OF_A_CONVERSATION,
    )
    return _at_worst(found, chats if under.plan.reading.keep_summaries else ())


def _id(part: int, place: int) -> bytes:
    return part.to_bytes(8, "big") + place.to_bytes(8, "big")


def _at_worst(found: Extracts, summaries: Sequence[str]) -> Extracts:
    """An extraction that keeps all it should not: a diagnosis is the first phrase, a summary is the whole chat."""
    return Extracts(
        conversation_ids=found.conversation_ids,
        unit_ids=found.unit_ids,
        phrases=[tuple(sorted(row, key=lambda phrase: phrase not in patients.DISEASES)) for row in found.phrases],
        facets=found.facets,
        vectors=found.vectors,
        summaries=summaries,
    )


def _without_first(batch: Extracts) -> Extracts:
    """The batch less its first row."""
    return Extracts(
        conversation_ids=batch.conversation_ids[1:],
        unit_ids=batch.unit_ids[1:],
        phrases=batch.phrases[1:],
        facets={name: np.asarray(codes[1:]) for name, codes in batch.facets.items()},
        vectors=batch.vectors[1:],
        summaries=batch.summaries[1:],
    )
