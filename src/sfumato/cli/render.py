"""A release for the terminal: the tree of topics and the guarantee card, as rich renderables that know their width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sfumato.model.document import share_of
from sfumato.model.guarantee import NANO
from sfumato.model.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from sfumato.model.guarantee import Guarantee
    from sfumato.model.release import Estimate, Release, Topic

PHRASES_SHOWN = 4
CONVERSATIONS_FROM, STATISTICS_FROM, PHRASES_FROM = 56, 80, 80  # columns a terminal must have to be shown these


def render_tree(release: Release) -> RenderableType:
    """Topics under their parents, the largest first, with noisy users, conversations and the top phrases."""
    card = release.guarantee
    head = Text.assemble(
        (visible(release.dataset), "bold"),
        f" · epoch {visible(release.epoch)} · {len(release.topics)} topics · ",
        f"about {_number(release.users)} users, {_number(release.conversations)} conversations",
    )
    promise = Text(f"{card.mode}: ε = {card.epsilon:.4g}, δ = {card.delta:.3g} per {card.unit}", "dim")
    if card.mode == "guarded":
        promise = Text("guarded mode: names and topics carry no formal guarantee", "bold red")
    if not release.topics:
        return Group(head, promise, Text("No topic had enough users to be shown.", "italic"))
    note = Text("± is the 95 % interval of the noise.", "dim")
    return Group(head, promise, _Sized(lambda width: _topic_table(release.topics, width)), note)


def render_card(release: Release) -> RenderableType:
    """Unit, epsilon, delta, bounds, what is covered and what is not, and every mechanism with its share."""
    card = release.guarantee
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    mode = "formal" if card.mode == "formal" else "guarded: names and topics carry no formal guarantee"
    bounds = ", ".join(f"{visible(name).replace('_', ' ')} ≤ {bound}" for name, bound in card.bounds.items())
    for name, value in (
        ("release", release.id),
        ("dataset, epoch", f"{release.dataset}, {release.epoch}"),
        ("policy", f"{release.policy_name}, {release.policy_digest}"),
        ("mode", mode),
        ("unit of privacy", card.unit),
        ("ε, δ", f"{card.epsilon:.4g}, {card.delta:.3g}"),
        ("ρ (zCDP)", f"{card.rho / NANO:.9g}"),  # noqa: RUF001 - the field's own symbol
        ("neighbouring", card.neighbouring),
        ("bounds", bounds),
        *((f"model for {one.role}", f"{one.model} at {one.host}") for one in release.models),
    ):
        facts.add_row(name, Text(visible(value)))
    promises: list[RenderableType] = [Text(), Text("covers", "bold"), _lines("+", card.covers)]
    promises += [Text("does not cover", "bold"), _lines("-", card.does_not_cover)]
    return Group(facts, *promises, _Sized(lambda width: _mechanisms(card, width)))


@dataclass(frozen=True, slots=True)
class _Sized:
    """What `draw` makes of the width at hand, in columns."""

    draw: Callable[[int], Table]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.draw(options.max_width)


def _topic_table(topics: Sequence[Topic], width: int) -> Table:
    """A narrow terminal loses the phrases first, then the conversations, never a name."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=width < PHRASES_FROM)
    table.add_column("topic", overflow="fold", min_width=12)
    table.add_column("users", justify="right", no_wrap=True)
    if width >= CONVERSATIONS_FROM:
        table.add_column("conversations", justify="right", no_wrap=True)
    if width >= PHRASES_FROM and any(topic.phrases for topic in topics):  # declared and guarded topics have none
        table.add_column("phrases", overflow="ellipsis", no_wrap=True, style="dim", max_width=width // 3)
    for depth, topic in _walk(topics):
        name = Padding(Text(visible(topic.name), "" if depth else "bold"), (0, 0, 0, 2 * depth))
        cells = (name, _with_margin(topic.users), _number(topic.conversations), _phrases(topic))
        table.add_row(*cells[: len(table.columns)])
    return table


def _walk(topics: Sequence[Topic]) -> Iterator[tuple[int, Topic]]:
    """(depth, topic), each parent before its children, siblings by users."""
    below: dict[str | None, list[Topic]] = {}
    for topic in sorted(topics, key=lambda one: (one.users.value, one.id)):
        below.setdefault(topic.parent, []).append(topic)
    stack = [(0, topic) for topic in below.get(None, [])]
    while stack:
        depth, topic = stack.pop()
        yield depth, topic
        stack += [(depth + 1, child) for child in below.get(topic.id, [])]


def _number(estimate: Estimate) -> str:
    return f"{estimate.value:,}"


def _with_margin(estimate: Estimate) -> str:
    return f"{estimate.value:,} ±{max(estimate.value - estimate.low, estimate.high - estimate.value):,}"


def _phrases(topic: Topic) -> Text:
    return Text(", ".join(visible(phrase.text) for phrase in topic.phrases[:PHRASES_SHOWN]))


def _lines(mark: str, sentences: Sequence[str]) -> Table:
    lines = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    for sentence in sentences:
        lines.add_row(Text(f"  {mark}"), Text(visible(sentence)))
    return lines


def _mechanisms(card: Guarantee, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("mechanism", overflow="fold", min_width=10)
    titles = ("share", "ρ", "δ", "σ", "threshold")[: 5 if width >= CONVERSATIONS_FROM else 1]  # noqa: RUF001 - symbols
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for one in card.mechanisms:
        named: list[RenderableType] = [Text(visible(one.name))]
        if width >= STATISTICS_FROM:
            named.append(Padding(Text(visible(one.statistic), "dim"), (0, 0, 0, 2)))
        figures = (
            f"{share_of(one, card.rho):.1%}",
            f"{one.rho / NANO:.4g}",
            f"{one.delta / NANO:.3g}",
            f"{one.sigma:.4g}",
            "" if one.threshold is None else f"{one.threshold:,}",
        )
        table.add_row(Group(*named), *figures[: len(titles)])
    return table
