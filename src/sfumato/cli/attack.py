"""attack: the attacks that a policy's releases must withstand, tried on made-up data; each says how guessing fares."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sfumato.cli import printing
from sfumato.cli.options import Json, possible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfumato.cli.printing import Bar
    from sfumato.evaluate.attacks.report import Outcome
    from sfumato.evaluate.attacks.terms import Terms

group = typer.Typer(name="attack", help="Attack a policy's releases, on made-up data.", no_args_is_help=True)

Policy = Annotated[str, typer.Option("--policy", metavar="P", help="Policy file, or the name of a built-in policy.")]
Trials = Annotated[int, typer.Option("--trials", min=2, max=1_000_000, help="How often the attack is tried.")]
FEWEST = 8  # that train a rule and try it: `telling_apart.FEWEST` of a side


def _enough(trials: int) -> int:
    """No fewer trials than an attack that trains its rule needs, and a line that says so."""
    if trials < FEWEST:
        printing.note(f"an attack that trains its rule needs {FEWEST} trials: so many are run")
    return max(trials, FEWEST)


Trained = Annotated[
    int,
    typer.Option(
        "--trials",
        min=2,
        max=1_000_000,
        callback=_enough,
        help=f"How often it is tried; what trains it counts too, so {FEWEST} at least.",
    ),
]
Epsilon = Annotated[float | None, typer.Option("--epsilon", min=0.01, max=100, help="Instead of the policy's.")]
Delta = Annotated[float | None, typer.Option("--delta", min=1e-8, max=1e-3, help="Instead of the policy's.")]


@group.command()
def cliopatra(
    policy: Policy = "standard",
    trials: Trials = 30,
    poison: Annotated[int, typer.Option("--poison", min=1, max=500, help="Poisoned chats of the attacker.")] = 50,
    accounts: Annotated[
        int | None, typer.Option("--accounts", min=1, max=500, help="Accounts they come from; default one each.")
    ] = None,
    background: Annotated[int, typer.Option("--background", min=1, max=1_000_000, help="Other users.")] = 2_000,
    medical: Annotated[
        float, typer.Option("--medical", min=0, max=1, help="Share of the other users who are patients too.")
    ] = 0.01,
    embedder: Annotated[
        Literal["hashed", "model"], typer.Option("--embedder", help="Hashed words, or the policy's sentence model.")
    ] = "hashed",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of targets, chats and background.")] = 0,
    epsilon: Epsilon = None,
    delta: Delta = None,
    json: Json = False,
) -> None:
    """Read a stranger's diagnosis with poisoned chats and a gullible model (Cliopatra, arXiv 2603.09781)."""
    from sfumato import wiring
    from sfumato.evaluate.attacks import cliopatra as tried
    from sfumato.evaluate.attacks.hashed import HashedEmbedder

    with possible():
        campaign = tried.Campaign(
            poison=poison,
            accounts=poison if accounts is None else accounts,
            background=background,
            medical=medical,
            seed=seed,
        )
    with _prepared(policy, epsilon, delta, "cliopatra", trials) as (under, bar):
        vectors = wiring.embedder(under.policy) if embedder == "model" else nullcontext(HashedEmbedder())
        with wiring.noise() as noise, vectors as opened:
            found = tried.attack(campaign, under, trials=trials, noise=noise, embedder=opened, advance=bar.advance)
    _print(found, json=json)


@group.command()
def membership(
    policy: Policy = "standard",
    trials: Trained = 1_000,
    level: Annotated[
        Literal["gaussian", "counts", "mechanisms", "discover", "pipeline"],
        typer.Option("--level", help="One Gaussian, counts alone, all measurements redrawn, discoveries, or gateways."),
    ] = "mechanisms",
    epsilon: Epsilon = None,
    delta: Delta = None,
    json: Json = False,
) -> None:
    """Was this user there? Lower bounds on epsilon from all noisy answers, everybody else known."""
    from sfumato import wiring
    from sfumato.evaluate.attacks import membership as tried
    from sfumato.evaluate.attacks import pipeline

    with _prepared(policy, epsilon, delta, "membership", trials) as (under, bar):
        if level == "pipeline":
            with wiring.noise() as noise:
                found = pipeline.attack(under, trials=trials, noise=noise, advance=bar.advance)
        else:
            found = tried.attack(level, under, trials=trials, advance=bar.advance)
    _print(found, json=json)


@group.command()
def averaging(
    policy: Policy = "standard",
    trials: Trials = 5,
    repeats: Annotated[int, typer.Option("--repeats", min=1, max=10_000, help="How often each is asked.")] = 20,
    epsilon: Epsilon = None,
    delta: Delta = None,
    json: Json = False,
) -> None:
    """Ask for the same release again and again, and average."""
    from sfumato import wiring
    from sfumato.evaluate.attacks import averaging as tried

    with _prepared(policy, epsilon, delta, "averaging", trials) as (under, bar), wiring.noise() as noise:
        found = tried.attack(under, trials=trials, repeats=repeats, noise=noise, advance=bar.advance)
    _print(found, json=json)


@group.command()
def differencing(
    policy: Policy = "standard",
    trials: Trained = 100,
    epsilon: Epsilon = None,
    delta: Delta = None,
    json: Json = False,
) -> None:
    """Subtract parts of a release, and releases under other policies and epochs, until one user is left."""
    from sfumato import wiring
    from sfumato.evaluate.attacks import differencing as tried

    with _prepared(policy, epsilon, delta, "differencing", trials) as (under, bar), wiring.noise() as noise:
        found = tried.attack(under, trials=trials, noise=noise, advance=bar.advance)
    _print(found, json=json)


@group.command()
def sybil(
    policy: Policy = "standard",
    trials: Trials = 1_000,
    accounts: Annotated[
        int | None, typer.Option("--accounts", min=1, max=1_000_000, help="Fake accounts; default one too few.")
    ] = None,
    epsilon: Epsilon = None,
    delta: Delta = None,
    json: Json = False,
) -> None:
    """Lift a phrase to its threshold with fake accounts, and see what one real user adds."""
    from sfumato.evaluate.attacks import sybil as tried

    with _prepared(policy, epsilon, delta, "sybil", len(tried.CURVE)) as (under, bar):
        found = tried.attack(under, accounts=accounts, trials=trials, advance=bar.advance)
    _print(found, json=json)


@group.command()
def oracle(
    policy: Policy = "standard",
    trials: Trained = 100,
    epsilon: Epsilon = None,
    delta: Delta = None,
    json: Json = False,
) -> None:
    """Was this user there, by what stands in the document, its order and its size alone?"""
    from sfumato import wiring
    from sfumato.evaluate.attacks import oracle as tried

    with _prepared(policy, epsilon, delta, "oracle", trials) as (under, bar), wiring.noise() as noise:
        found = tried.attack(under, trials=trials, noise=noise, advance=bar.advance)
    _print(found, json=json)


@group.command()
def reconstruction(
    policy: Policy = "standard",
    trials: Annotated[
        int, typer.Option("--trials", min=1, max=100, help="Deployments; each is asked all it pays.")
    ] = 1,
    epsilon: Epsilon = None,
    delta: Delta = None,
    json: Json = False,
) -> None:
    """Ask every live question that the budget buys, and solve them for one bit of each person (Dinur, Nissim 2003)."""
    from sfumato import wiring
    from sfumato.evaluate.attacks import reconstruction as tried

    with _prepared(policy, epsilon, delta, "reconstruction", trials) as (under, bar), wiring.noise() as noise:
        found = tried.attack(under, trials=trials, noise=noise, advance=bar.advance)
    _print(found, json=json)


@group.command()
def timing(
    policy: Policy = "standard",
    trials: Trained = 2_000,
    epsilon: Epsilon = None,
    delta: Delta = None,
    json: Json = False,
) -> None:
    """Tell from the time of an answer how large its noise was."""
    from sfumato import wiring
    from sfumato.evaluate.attacks import timing as tried

    with _prepared(policy, epsilon, delta, "timing", trials) as (under, bar), wiring.noise() as noise:
        found = tried.attack(under, trials=trials, noise=noise, advance=bar.advance)
    _print(found, json=json)


@group.command()
def injection(
    policy: Policy = "standard",
    epsilon: Epsilon = None,
    delta: Delta = None,
    json: Json = False,
) -> None:
    """Write what hurts its readers: models that extract, name and audit, an agent, a terminal, a page."""
    from sfumato.cli.sent import to_a_terminal
    from sfumato.evaluate.attacks import injection as tried
    from sfumato.serve.shield import CONTENT_SECURITY_POLICY

    with _prepared(policy, epsilon, delta, "injection", tried.TRIALS) as (under, bar):
        found = tried.attack(under, terminal=to_a_terminal, page_policy=CONTENT_SECURITY_POLICY, advance=bar.advance)
    _print(found, json=json)


@group.command()
def inversion(
    policy: Policy = "standard",
    trials: Trials = 100,
    epsilon: Epsilon = None,
    delta: Delta = None,
    json: Json = False,
) -> None:
    """Steal the derived data before retention ends, and read diagnoses off the vectors."""
    from sfumato.evaluate.attacks import inversion as tried

    with _prepared(policy, epsilon, delta, "inversion", trials) as (under, bar):
        found = tried.attack(under, trials=trials, advance=bar.advance)
    _print(found, json=json)


@contextmanager
def _prepared(
    policy: str, epsilon: float | None, delta: float | None, label: str, total: int
) -> Iterator[tuple[Terms, Bar]]:
    """The terms under attack, and a progress bar on a terminal."""
    from sfumato import wiring
    from sfumato.evaluate.attacks.terms import terms

    loaded = wiring.policy(policy)
    under = terms(loaded, epsilon=epsilon, delta=delta, files=wiring.resources(policy, loaded))
    with printing.progress(label, total=total) as bar:
        yield under, bar


def _print(found: Outcome, *, json: bool) -> None:
    result = found.as_json()
    if json:
        printing.result(result)
        return
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for name, value in result.items():
        table.add_row(name, str(value))
    printing.drawn(table)
