"""kill -9 of server, worker and database at random under load: nothing spent is lost, nothing unpaid was answered.

SFUMATO_CHAOS_SECONDS=300 torments for five minutes; without it each round takes some six seconds.
"""

from __future__ import annotations

import json
import random
from contextlib import closing

import pytest

import chaos
import postgres
from audits import KEY, TIME
from live_queries import policy, terms_of
from sfumato.audit.log import AuditLog
from sfumato.audit.verify import Trust, verify
from sfumato.model.layout import Layout
from sfumato.privacy.ledger import Ledger

pytestmark = pytest.mark.filterwarnings("ignore:.*psycopg.*:pytest.PytestUnraisableExceptionWarning")
PRICE = terms_of(policy(*chaos.CHANGES)).rho


@pytest.fixture(params=["files", "postgres"])
def world(request, tmp_path):
    return chaos.World(tmp_path, None if request.param == "files" else postgres.server())


def charged(log):
    """How many charges the audit log tells of."""
    return sum(event.operation == "query" and event.charge is not None for _, event in log.events())


def test_whatever_is_killed_no_charge_is_lost_and_no_answer_was_given_without_one(world):
    drawn = random.Random()
    with world.running():
        assert world.recovered(chaos.START), "it answers before anything is killed"
        known = world.entries()
        victims = world.torment(chaos.seconds(), drawn)
        assert world.recovered(chaos.START), f"it answers again after {victims}"
    print(f"killed {len(victims)}: {victims}; answers {len(world.heard.answers)}, refusals {world.heard.refused}")
    assert world.heard.unlike == [], "the same question was told the same every time"

    with closing(Ledger(world.ledger)) as ledger:  # which checks the chain of all rows
        ledger.recover()
        entries = [one for one in ledger.entries() if one.purpose == "queries"]
        assert {one.state for one in entries} <= {"released", "burned"}
        assert {one.rho for one in entries} == {PRICE}
        seen = {one.seq: one.question for one in known if one.purpose == "queries"}
        assert seen.items() <= {one.seq: one.question for one in entries}.items(), "what was spent before is there"
        paid = {one.question for one in entries if one.state == "released"}
        assert world.heard.answers.keys() <= paid
        for digest, answer in world.heard.answers.items():
            assert json.loads(ledger.answer_to(digest)) == answer, "what was told is what was paid for"

    url = world.as_user("gate")
    place = {} if url is None else {"url": url.render_as_string(hide_password=False)}
    with closing(AuditLog.open(Layout(data=world.data).audit, **place)) as log:
        log.checkpoint(log.signer(KEY), time=TIME)
        with log.stored() as stored:
            report = verify(stored, Trust())
        assert report.good, report.problem
        assert charged(log) >= len(paid), "each charge that was answered is in the log"
