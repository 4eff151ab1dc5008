"""From a data directory and the root key to a desk that answers: what is opened, what is kept, and what is let go."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Never

from sfumato.errors import InputError, KeyMissing, Refused
from sfumato.live.desk import Desk
from sfumato.live.shelf import Shelf
from sfumato.live.terms import Terms, terms
from sfumato.model.epochs import epoch_of, span
from sfumato.publication import published
from sfumato.vault.keystore import EpochKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from sfumato.live.desk import Ports
    from sfumato.model.layout import Layout
    from sfumato.planning import Resources
    from sfumato.policy.schema import Policy
    from sfumato.vault.keys import KeyWrapper
    from sfumato.vault.keystore import EpochKey


MOST_TERMS = 256  # epochs whose terms are remembered


@contextmanager
def desk(
    policy: Policy,
    layout: Layout,
    *,
    root: KeyWrapper,
    signer: Ed25519PublicKey,
    files: Resources,
    ports: Ports,
) -> Iterator[Desk]:
    """A desk that holds the keys of the extracts that are there now, and no way to the root key, once this returns.

    Whoever calls this drops the root key too. An epoch that is extracted later is answered after a restart.

    Raises:
        Refused: the policy allows no live questions. PolicyError: its budget pays for none.
        StorageError: the ledger does not account for every release here.
    """
    if not policy.queries.live:
        raise Refused("queries.live: the policy allows no live questions")
    ports.ledger.recover()
    ports.ledger.check_accounts_for(published(layout))

    @lru_cache(maxsize=MOST_TERMS)
    def of(dataset: str, epoch: str) -> Terms:
        span(epoch, policy.epoch)
        return terms(policy, dataset=dataset, epoch=epoch, resources=files)

    of("none", epoch_of(ports.now(), policy.epoch))  # a budget that pays for nothing must show now
    shelf = Shelf(
        layout,
        signer=signer,
        keys=_opened(EpochKeys(layout.keystore, root), of),
        held=EpochKeys(layout.keystore, _NoRoot()).held,
        now=ports.now,
    )
    del root  # this generator would hold it for as long as questions are answered
    with Desk(policy, terms=of, shelf=shelf, ports=ports) as opened:
        yield opened


def _opened(keys: EpochKeys, of: Callable[[str, str], Terms]) -> Mapping[tuple[str, str], EpochKey]:
    """The keys of extracts that were read as this policy reads; none of raw text, and none of other settings."""
    found = {}
    for dataset, part, zone in keys.held():
        epoch, _, read_as = part.rpartition(".")
        if zone != "derived":
            continue
        with suppress(InputError):  # an epoch of another length than this policy's
            if of(dataset, epoch).plan.extraction_digest.startswith(read_as):
                found[dataset, part] = keys.open(dataset, part, zone)
    return found


class _NoRoot:
    """Stands where the root key stood: it opens nothing."""

    id = "none"

    def wrap(self, _secret: bytes, _context: Mapping[str, str]) -> Never:
        raise KeyMissing("the worker holds no root key")

    unwrap = wrap
