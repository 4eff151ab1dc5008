"""Work that is done all at once: the first failure is the last step that any of it takes."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from sfumato.adapters.background import all_of
from sfumato.errors import Refused


@pytest.mark.parametrize("place", [0, 1, 2])
def test_once_one_has_failed_no_other_begins_what_would_be_cut_off(place):
    """The others are as far as it, each about to take its next step in the same turn of the loop."""
    begun, order = [], []

    async def refused():
        await asyncio.sleep(0)
        order.append("refused")
        raise Refused("the cap is reached")

    async def sends():
        await asyncio.sleep(0)
        begun.append(len(order))
        await asyncio.sleep(60)

    work = [sends, sends]
    work.insert(place, refused)
    with pytest.raises(Refused, match="cap is reached"):
        asyncio.run(all_of(work))
    assert begun == [0] * place  # those whose turn came before; none after
    assert order == ["refused"]


def test_all_that_is_done_at_once_is_waited_for():
    done = []

    async def one(number):
        await asyncio.sleep(0.001 * number)
        done.append(number)

    asyncio.run(all_of(partial(one, number) for number in range(3)))
    assert done == [0, 1, 2]
