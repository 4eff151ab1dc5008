"""`evaluate topics`: how well released topics fit labels that are known, under the guarantee of a policy.

For labelled, non-sensitive data: it works in memory, keeps nothing, and its scores compare exact labels with releases.
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import InputError, Refused
from sfumato.evaluate import scores
from sfumato.extract.extractive import extract
from sfumato.ingest.pseudonym import Pseudonyms, canonical
from sfumato.ingest.record import BadRecord, Records
from sfumato.ingest.report import IngestReport
from sfumato.ingest.source import lines, opened
from sfumato.model.extract import Extracts
from sfumato.planning import allowance, facets_of, field_mapping, topic_plan
from sfumato.policy import decide
from sfumato.privacy import accounting
from sfumato.privacy.bounds import BoundedEpoch, bound
from sfumato.privacy.measure import Measurer
from sfumato.topics.discover import discover
from sfumato.topics.tree import assign

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from sfumato.embed.sentences import Embedder
    from sfumato.model.conversation import Conversation
    from sfumato.policy.schema import Policy
    from sfumato.privacy.noise import NoiseSource
    from sfumato.topics.tree import TopicTree

BATCH = 4096
LABEL = "\0label"  # no declared facet can have this name
LARGEST_CODE = 32_767
PHRASES_OF_A_CONVERSATION = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A labelled corpus, read and extracted once: n records, their label codes carried along as one more facet."""

    policy: Policy
    extracts: tuple[Extracts, ...]
    labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One run against the labels; `topics` counts released leaves. What each figure means: `evaluate.scores`."""

    topics: float
    purity: float
    nmi: float
    ari: float
    coverage: float
    count_error: float


def read_labelled(source: str, *, label_field: str, policy: Policy, embedder: Embedder) -> Labelled:
    """Read and extract a labelled JSON Lines corpus.

    A record without a user id is its own user. Where no record has one, one record is all that anybody contributes, so
    the unit becomes the conversation, which is then the same thing with tighter bounds.

    Raises:
        InputError: unreadable, or no record has the label and a text. Refused: the policy asks a model, or declares
            its topics.
    """
    if policy.extraction.provider != "extractive" or policy.topics.taxonomy is not None:
        raise Refused(
            "evaluate topics measures discovery from words: take a policy that asks no model and declares no tree"
        )
    pairs = list(_records(source, label_field, policy))
    if not pairs:
        raise InputError(f"no record of {source} has a text and the field {label_field}; name it with --label-field")
    alone = not any(user for _, _, user in pairs)
    unit_policy = policy.model_copy(update={"unit": "conversation"}) if alone else policy
    codes = {label: code for code, label in enumerate(sorted({label for _, label, _ in pairs}))}
    if len(codes) > LARGEST_CODE:
        raise InputError(f"{label_field} has more than {LARGEST_CODE} different values; that is no label")
    batches = [
        _extract(pairs[start : start + BATCH], codes, unit_policy, embedder) for start in range(0, len(pairs), BATCH)
    ]
    return Labelled(policy=unit_policy, extracts=tuple(batches), labels=len(codes))


def evaluate(
    corpus: Labelled, *, epsilon: float, delta: float, seeds: int, noise: NoiseSource, embedder: Embedder
) -> dict[str, object]:
    """Means of the scores over `seeds` independent runs, each charged the whole (epsilon, delta)."""
    started = time.monotonic()
    allowed = allowance(epsilon, delta)
    plan = topic_plan(corpus.policy, rho=allowed.rho, delta=allowed.selection_delta)
    epoch = bound(corpus.extracts, conversations_per_unit=plan.conversations_per_user)
    domains = {facet.name: facet.domain for facet in facets_of(corpus.policy)}
    runs, spent = [], []
    for _ in range(seeds):
        measurer = Measurer(noise, rho=allowed.rho, delta=allowed.selection_delta)
        tree = discover(epoch, plan=plan, measurer=measurer, embed=embedder.embed, facet_domains=domains)
        runs.append(_score(tree, epoch, corpus.policy))
        spent.append(_epsilon(measurer, allowed.conversion_delta))
    means = {name: _mean([getattr(run, name) for run in runs]) for name in Score.__dataclass_fields__}
    return {
        "n": sum(len(batch) for batch in corpus.extracts),
        "counted": len(epoch),
        "labels": corpus.labels,
        **means,
        "epsilon": max(spent),
        "delta": delta,
        "unit": corpus.policy.unit,
        "seeds": seeds,
        "runs": [asdict(run) for run in runs],
        "seconds": round(time.monotonic() - started, 2),
    }


def _score(tree: TopicTree, epoch: BoundedEpoch, policy: Policy) -> Score:
    limits = policy.thresholds
    by_id = {topic.id: topic for topic in tree.topics}
    leaves = [by_id[leaf] for leaf in tree.leaf_ids]
    shown = np.array(
        [
            decide.release_topic(limits, users=leaf.users.value, conversations=leaf.conversations.value).allowed
            for leaf in leaves
        ],
        dtype=bool,
    )
    labels, units = epoch.facets[LABEL].astype(np.int64), epoch.unit_of.astype(np.int64)
    nearest = assign(epoch.vectors, tree.centroids) if leaves else np.full(len(epoch), -1, np.int32)
    topics = np.where(shown[nearest], nearest, -1) if shown.any() else np.full(len(epoch), -1, np.int32)
    return Score(
        topics=int(shown.sum()),
        purity=scores.purity(labels, topics),
        nmi=scores.nmi(labels, topics),
        ari=scores.ari(labels, topics),
        coverage=scores.coverage(labels, units, topics, min_users=limits.min_users),
        count_error=scores.count_error(
            {index: leaf.users.value for index, leaf in enumerate(leaves) if shown[index]}, topics, units
        ),
    )


def _epsilon(measurer: Measurer, conversion_delta: Fraction) -> float:
    """What this run really cost: the sum over its mechanisms, not what it was allowed."""
    rho, delta = sum(m.rho for m in measurer.mechanisms), sum(m.delta for m in measurer.mechanisms)
    return accounting.stated(rho=rho, selection_delta=delta, conversion_delta=conversion_delta)[0]


def _mean(values: list[float]) -> float | None:
    known = [value for value in values if value == value]  # noqa: PLR0124 - nan is not itself
    return round(statistics.fmean(known), 4) if known else None


def _records(source: str, label_field: str, policy: Policy) -> Iterator[tuple[Conversation, str, bool]]:
    """Conversation, label, and whether the record names a user. Records that can't be read are left out."""
    mapping = field_mapping(policy)
    hidden = Pseudonyms(bytes(32), dataset="evaluation")  # nothing is kept, so nothing has to be hidden
    report = IngestReport()
    by_user = Records(mapping=mapping, unit="user", pseudonyms=hidden, report=report, source=source)
    alone = Records(mapping=mapping, unit="conversation", pseudonyms=hidden, report=report, source=source)
    with opened(source) as stream:
        for number, line in enumerate(lines(stream, name=source, limit=policy.input.line_bytes), 1):
            if not line or line.isspace():
                continue
            try:
                record = json.loads(line)
                label = canonical(record[label_field])
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            if label is None:
                continue
            yield from _conversation(record, line, number, label, by_user, alone)


def _conversation(
    record: object, line: bytes, number: int, label: str, by_user: Records, alone: Records
) -> Iterator[tuple[Conversation, str, bool]]:
    """The record under its user; under itself where it names none."""
    place = b"%d\0%s" % (number, line)
    for records, named in ((by_user, True), (alone, False)):
        if named and records.unit != "user":
            continue
        try:
            yield records.conversation(record, place, number), label, named
        except BadRecord as bad:
            if named and bad.reason == "no_user":
                continue
        return


def _extract(
    pairs: list[tuple[Conversation, str, bool]], codes: dict[str, int], policy: Policy, embedder: Embedder
) -> Extracts:
    batch = extract(
        [conversation for conversation, _, _ in pairs],
        facets=facets_of(policy),
        embed=embedder,
        phrases_limit=PHRASES_OF_A_CONVERSATION,
    )
    labels = np.array([codes[label] for _, label, _ in pairs], np.int16)
    return Extracts(
        conversation_ids=batch.conversation_ids,
        unit_ids=batch.unit_ids,
        phrases=batch.phrases,
        facets={**batch.facets, LABEL: labels},
        vectors=batch.vectors,
    )
