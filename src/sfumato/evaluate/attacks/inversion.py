"""Embedding inversion: a thief of the derived data, before retention ended, guesses diagnoses from stolen vectors.

The thief has a copy of the data directory: sealed extracts, wrapped keys, everything but the root key, which is not
there. They know the vector model, everybody's symptoms, and of the target age, sex and one symptom: they compare what
they can read with the vectors of what each disease's patient would have written (nearest neighbours, as in Morris et
al. 2023, "Text Embeddings Reveal (Almost) As Much As Text", which does better still).
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import KeyMissing, VaultError
from sfumato.evaluate.attacks import guesser, patients
from sfumato.evaluate.attacks.hashed import WIDTH, HashedEmbedder
from sfumato.evaluate.attacks.rehearsal import DATASET, EPOCH
from sfumato.evaluate.attacks.report import Control, Outcome, interval
from sfumato.extract.extractive import extract
from sfumato.model.conversation import Conversation, Message
from sfumato.vault.derived import DerivedStore
from sfumato.vault.keys import RootKey
from sfumato.vault.keystore import EpochKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sfumato.evaluate.attacks.patients import Patient
    from sfumato.evaluate.attacks.terms import Terms
    from sfumato.model.extract import Extracts

KNOWS = (
    "a copy of the data directory taken while extracts lived, without the root key; the vector model; of the target "
    "age, sex and one symptom"
)
BACKGROUND = 200
MEDICAL = 0.1
PART = f"{EPOCH}.stolen"
TRIED_KEYS = 4
MOST_WINDOWS = 4096


def attack(under: Terms, *, trials: int, advance: Callable[[int], None]) -> Outcome:
    """Each trial: a new target among others, extracted and sealed; success: the thief names the disease."""
    rng, embedder = Random(), HashedEmbedder()
    others = _extracted(_others(rng), 1, embedder, under)
    hits = guesses = with_key = afterwards = 0
    for number in range(trials):
        target = patients.draw(rng)
        own = _extracted([patients.chat(target, rng)], BACKGROUND + 1 + number, embedder, under)
        with TemporaryDirectory() as folder:
            stolen, root = Path(folder) / "stolen", RootKey(os.urandom(32))
            _sealed(Path(folder) / "data", root, [others, own])
            shutil.copytree(Path(folder) / "data", stolen)
            hits += _guess(_unopened(stolen), target, embedder) == target.disease
            with_key += _guess(_opened(stolen, root), target, embedder) == target.disease
            late = Path(folder) / "late"
            _discarded(Path(folder) / "data", late, root)
            afterwards += _guess(_opened(late, root), target, embedder) == target.disease
        guesses += guesser.without_release(target) == target.disease
        advance(1)
    return Outcome(
        attack="inversion",
        knows=KNOWS,
        hits=hits,
        trials=trials,
        baseline=guesses / trials,
        epsilon=under.policy.guarantee.budget.epsilon,
        delta=under.policy.guarantee.budget.delta,
        mode=under.plan.mode,
        control=Control(what="the same thief with the root key too", success=with_key / trials),
        details={
            "baseline_interval": interval(guesses, trials),
            "with_the_root_key_after_the_epoch_key_is_destroyed": round(afterwards / trials, 4),
            "background": BACKGROUND,
        },
    )


def _others(rng: Random) -> list[str]:
    """Everybody else's chats, some of them patients'."""
    return [
        patients.chat(patients.draw(rng), rng) if rng.random() < MEDICAL else patients.everyday(rng)
        for _ in range(BACKGROUND)
    ]


def _extracted(chats: Sequence[str], first: int, embedder: HashedEmbedder, under: Terms) -> Extracts:
    """What extraction leaves of chats of one user each; their numbers begin with `first`."""
    return extract(
        [
            Conversation(
                conversation_id=row.to_bytes(16, "big"),
                unit_id=row.to_bytes(16, "big"),
                messages=(Message(role="user", content=text),),
                attributes={},
            )
            for row, text in enumerate(chats, first)
        ],
        facets=[facet for facet in under.plan.facets if not facet.is_asked],
        embed=embedder,
        phrases_limit=1,
    )


def _sealed(data: Path, root: RootKey, batches: Sequence[Extracts]) -> None:
    """As extraction seals them."""
    key = EpochKeys(data / "keystore", root).create(DATASET, PART, "derived")
    DerivedStore(data / "derived", key).write("0" * 32, batches)


def _discarded(data: Path, late: Path, root: RootKey) -> None:
    """Retention ends, and then the thief comes; files of extracts that some backup kept are theirs as well."""
    EpochKeys(data / "keystore", root).destroy(DATASET, PART, "derived")
    shutil.copytree(data, late)


def _opened(stolen: Path, root: RootKey) -> NDArray[np.float32]:
    """The vectors, where the key opens them; none else."""
    with suppress(KeyMissing, VaultError):
        key = EpochKeys(stolen / "keystore", root).open(DATASET, PART, "derived")
        return np.concatenate([batch.vectors for batch in DerivedStore(stolen / "derived", key).batches()]).astype(
            np.float32
        )
    return np.zeros((0, WIDTH), np.float32)


def _unopened(stolen: Path) -> NDArray[np.float32]:
    """What can be read without the key: what guessed keys open, and the files' bytes taken as vectors."""
    for _ in range(TRIED_KEYS):
        opened = _opened(stolen, RootKey(os.urandom(32)))
        if len(opened):
            return opened
    raw = b"".join(path.read_bytes() for path in sorted((stolen / "derived").rglob("*")) if path.is_file())
    windows = [np.frombuffer(raw[at : at + 2 * WIDTH], "<f2") for at in range(0, len(raw) - 2 * WIDTH + 1, WIDTH)]
    rows = np.nan_to_num(np.asarray(windows[:MOST_WINDOWS], np.float32), posinf=0, neginf=0)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)


def _guess(rows: NDArray[np.float32], target: Patient, embedder: HashedEmbedder) -> str:
    """The disease whose patient, told as far as is known, lies nearest to a row; without rows, the likeliest."""
    if not len(rows):
        return guesser.without_release(target)
    known = f"{target.sex} {target.age} {target.symptoms[0]}"
    likely = {disease: chance for disease, chance in patients.prior(target).items() if chance > 0}
    wanted = embedder.embed([f"{known} {disease}" for disease in likely])
    return list(likely)[int((rows @ wanted.T).max(axis=0).argmax())]
