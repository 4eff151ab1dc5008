"""What `sfumato show` sends to a terminal for one topic: the reader that attacks by injection are tried on."""

from __future__ import annotations

import io

from sfumato.cli.render import render_card, render_tree
from sfumato.model.guarantee import Guarantee
from sfumato.model.release import Estimate, PhraseCount, Release, Topic

WIDTH = 400  # columns, so that nothing is cut
_ABOUT = Estimate(value=100, low=90, high=110)


def to_a_terminal(name: str) -> str:
    """The tree and the card of a release whose only topic has this name, description and phrase, without our colours.

    What is left of a colour's escape sequence would be the topic's own.
    """
    from rich.console import Console

    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False, markup=False, emoji=False)
    with console.capture() as sent:
        for part in (render_tree(_release(name)), render_card(_release(name))):
            console.print(part)
    return sent.get()


def _release(name: str) -> Release:
    topic = Topic(
        id="leaf-001", parent=None, level=0, name=name, description=name,
        phrases=(PhraseCount(text=name, users=_ABOUT),), users=_ABOUT, conversations=_ABOUT,
    )  # fmt: skip
    card = Guarantee(
        mode="formal", unit="user", neighbouring=name, epsilon=1.0, delta=1e-6, rho=1, bounds={name: 1}, mechanisms=(),
        covers=(name,), does_not_cover=(name,),
    )  # fmt: skip
    return Release(
        id="", dataset=name, epoch=name, created="", policy_name=name, policy_digest="", guarantee=card, users=_ABOUT,
        conversations=_ABOUT, facets={}, topics=(topic,), audit=(),
    )  # fmt: skip
