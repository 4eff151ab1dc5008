"""The same steps against Anthropic's own endpoint; only where a key is set and its use is asked for."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from gateways import gateway, modelled_policy, quiet, write_corpus
from sfumato.adapters.roles import PolicyModels
from sfumato.model import document

if TYPE_CHECKING:
    from pathlib import Path

ASKED = "SFUMATO_LIVE_TEST"

pytestmark = pytest.mark.skipif(
    not (os.environ.get("ANTHROPIC_API_KEY") and os.environ.get(ASKED)),
    reason=f"costs money: set ANTHROPIC_API_KEY and {ASKED}=1",
)


def test_a_real_model_reads_names_and_audits_a_small_log(tmp_path: Path) -> None:
    loaded = modelled_policy(("facets:", "spend: {usd_per_epoch: 2.0}\nfacets:"))
    key = {"ANTHROPIC_API_KEY": os.environ["ANTHROPIC_API_KEY"]}
    paid: list[Decimal] = []
    opened = gateway(
        tmp_path / "data",
        policy=loaded,
        models=lambda spent: PolicyModels(loaded, environment=key, spent_before=spent),
    )
    with opened:
        opened.ingest(str(write_corpus(tmp_path / "chats.jsonl", users=60, each=1)), advance=quiet)
        opened.extract(advance=quiet, paid=paid.append)
        release = document.decode(json.loads(opened.release()))
    assert 0 < paid[-1] < Decimal("1.8")
    assert release.topics
    assert [one.role for one in release.models] == ["extraction", "naming", "auditor"]
