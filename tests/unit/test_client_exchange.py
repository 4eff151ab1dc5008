"""A request and its repetitions as steps: no network, no clock, and a question that costs is not asked twice."""

from __future__ import annotations

import pytest

from sfumato.client.exchange import ATTEMPTS, Dropped, Pause, Reply, Request, attempted
from sfumato.client.failures import Unreachable

READ = Request(path="/v1/policy")
CHARGED = Request(method="POST", path="/v1/queries", body={}, charged=True)
OK = Reply(status=200)
SPENT = Reply(status=429, body=b'{"left": {"rho": 0.0, "questions": 0}}')
LOST, REFUSED = Dropped(sent=True, why="ReadError"), Dropped(sent=False, why="ConnectError")


def later(status: int, seconds: object, **more: str) -> Reply:
    return Reply(status=status, headers={"retry-after": str(seconds), **more})


def played(request: Request, *events: Reply | Dropped, draw: float = 0.0) -> tuple[Reply | None, list[float], int]:
    """The last reply (None: unreachable), the pauses and the number of requests when these things happen in turn."""
    steps, left, pauses, sent = attempted(request, lambda: draw), list(events), [], 0
    try:
        step = next(steps)
        while True:
            if isinstance(step, Pause):
                pauses.append(step.seconds)
                step = steps.send(None)
            else:
                sent += 1
                step = steps.send(left.pop(0))
    except StopIteration as done:
        return done.value, pauses, sent
    except Unreachable:
        return None, pauses, sent


@pytest.mark.parametrize(
    ("request_", "events", "pauses", "last"),
    [
        (READ, [OK], [], 200),
        (READ, [later(429, 7), OK], [7], 200),
        (READ, [later(503, 0), OK], [0], 200),
        (READ, [Reply(status=503), Reply(status=502), OK], [0.5, 1.0], 200),
        (READ, [LOST, REFUSED, OK], [0.5, 1.0], 200),
        (READ, [Reply(status=503)] * ATTEMPTS, [0.5, 1.0, 2.0], 503),
        (READ, [LOST] * ATTEMPTS, [0.5, 1.0, 2.0], None),
        (READ, [later(429, 61)], [], 429),
        (READ, [Reply(status=500)], [], 500),
        (READ, [Reply(status=404)], [], 404),
        (READ, [Reply(status=403)], [], 403),
        (CHARGED, [later(429, 60), OK], [60], 200),
        (CHARGED, [REFUSED, OK], [0.5], 200),
        (CHARGED, [LOST], [], None),
        (CHARGED, [Reply(status=503)], [], 503),
        (CHARGED, [later(503, 1)], [], 503),
        (CHARGED, [SPENT], [], 429),
        (READ, [SPENT], [], 429),
    ],
    ids=range(18),
)
def test_what_may_be_otherwise_a_moment_later_is_asked_again_and_no_more_than_is_safe(request_, events, pauses, last):
    reply, waited, sent = played(request_, *events)
    assert (reply.status if reply else None, waited, sent) == (last, pauses, len(events))


def test_pauses_are_drawn_so_that_callers_do_not_come_back_all_at_once():
    assert played(READ, LOST, OK, draw=0.5)[1] == [0.75]
    assert played(READ, later(429, 7), OK, draw=0.5)[1] == [7.5]


@pytest.mark.parametrize(
    ("told", "pause"),
    [
        ("Sat, 21 Nov 2026 12:00:09 GMT", 9.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", 0.5),
        ("-5", 0.5),
        ("", 0.5),
        ("١٢", 0.5),
    ],
    ids=range(6),
)
def test_either_form_of_retry_after_is_read_and_what_is_neither_is_as_if_absent(told, pause):
    said = later(503, told, date="Sat, 21 Nov 2026 12:00:00 GMT")
    assert played(READ, said, OK)[1] == [pause]


def test_an_absurd_wait_is_not_waited_for():
    assert played(READ, later(503, "9" * 400)) == (later(503, "9" * 400), [], 1)
