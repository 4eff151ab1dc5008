"""A labelled corpus, read and extracted once, the truth about each conversation carried along beside its facets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import InputError, Refused
from sfumato.extract.extractive import extract
from sfumato.ingest.pseudonym import Pseudonyms, canonical
from sfumato.ingest.record import BadRecord, Records
from sfumato.ingest.report import IngestReport
from sfumato.ingest.source import lines, opened
from sfumato.model.extract import Extracts
from sfumato.planning import facets_of, field_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from sfumato.embed.sentences import Embedder
    from sfumato.model.conversation import Conversation
    from sfumato.policy.schema import Policy
    from sfumato.privacy.bounds import BoundedEpoch

BATCH = 4096
LARGEST_CODE = 32_767
PHRASES_OF_A_CONVERSATION = 12
_MARK = "\0label "  # no declared facet's name begins so


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """n records as extracts. names: per label field, in order, the values that its codes stand for."""

    policy: Policy
    extracts: tuple[Extracts, ...]
    names: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return sum(len(batch) for batch in self.extracts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """One conversation and what is true of it. named: whether the record names its user."""

    conversation: Conversation
    labels: tuple[str, ...]
    named: bool


def read(source: str, *, fields: Sequence[str], policy: Policy, embedder: Embedder) -> Labelled:
    """Read and extract a labelled JSON Lines corpus; a record that lacks one of the label fields is left out.

    A record without a user id is its own user. Where no record has one, one record is all that anybody contributes, so
    the unit becomes the conversation, which is then the same thing with tighter bounds.

    Raises:
        InputError: unreadable, or no record has the labels and a text. Refused: the policy asks a model, or declares
            its topics.
    """
    if policy.extraction.provider != "extractive" or policy.topics.taxonomy is not None:
        raise Refused("this measures discovery from words: take a policy that asks no model and declares no tree")
    told = list(_records(source, fields, policy))
    if not told:
        wanted = " and ".join(fields)
        raise InputError(f"no record of {source} has a text and the field {wanted}; name it with --label-field")
    if not any(one.named for one in told):
        policy = policy.model_copy(update={"unit": "conversation"})
    names = {field: tuple(sorted({one.labels[place] for one in told})) for place, field in enumerate(fields)}
    for field, values in names.items():
        if len(values) > LARGEST_CODE:
            raise InputError(f"{field} has more than {LARGEST_CODE} different values; that is no label")
    codes = [{value: code for code, value in enumerate(values)} for values in names.values()]
    batches = [
        _extract(told[start : start + BATCH], dict(zip(fields, codes, strict=True)), policy, embedder)
        for start in range(0, len(told), BATCH)
    ]
    return Labelled(policy=policy, extracts=tuple(batches), names=names)


def labels_of(epoch: BoundedEpoch, field: str) -> NDArray[np.int64]:
    """(n,) the code of each row's label."""
    return epoch.facets[_MARK + field].astype(np.int64)


def _records(source: str, fields: Sequence[str], policy: Policy) -> Iterator[_Told]:
    """Records that can't be read are left out."""
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
                found = [canonical(record[field]) for field in fields]
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            labels = tuple(label for label in found if label is not None)
            if len(labels) == len(fields):
                yield from _conversation(record, line, number, labels, by_user, alone)


def _conversation(
    record: object, line: bytes, number: int, labels: tuple[str, ...], by_user: Records, alone: Records
) -> Iterator[_Told]:
    """The record under its user; under itself where it names none."""
    place = b"%d\0%s" % (number, line)
    for records, named in ((by_user, True), (alone, False)):
        if named and records.unit != "user":
            continue
        try:
            yield _Told(conversation=records.conversation(record, place, number), labels=labels, named=named)
        except BadRecord as bad:
            if named and bad.reason == "no_user":
                continue
        return


def _extract(
    told: Sequence[_Told], codes: Mapping[str, Mapping[str, int]], policy: Policy, embedder: Embedder
) -> Extracts:
    batch = extract(
        [one.conversation for one in told],
        facets=facets_of(policy),
        embed=embedder,
        phrases_limit=PHRASES_OF_A_CONVERSATION,
    )
    columns = {
        _MARK + field: np.array([code[one.labels[place]] for one in told], np.int16)
        for place, (field, code) in enumerate(codes.items())
    }
    return Extracts(
        conversation_ids=batch.conversation_ids,
        unit_ids=batch.unit_ids,
        phrases=batch.phrases,
        facets={**batch.facets, **columns},
        vectors=batch.vectors,
    )
