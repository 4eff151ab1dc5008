"""policy show, lint, explain, diff, test, schema: read, check, compare and try out policies; signing is beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import policy_signing, printing
from sfumato.cli.options import Json, PolicyArgument
from sfumato.errors import PolicyError, SfumatoError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sfumato.model.taxonomy import Taxonomy
    from sfumato.policy.directions import Change
    from sfumato.policy.finding import Finding
    from sfumato.policy.schema import Policy
    from sfumato.policy.schema_facets import TaxonomySection

WEAKER, INCOMPARABLE = 10, 11

group = typer.Typer(name="policy", help="Read, check, compare and try out policies.", no_args_is_help=True)

for command in (policy_signing.keygen, policy_signing.sign, policy_signing.verify_signature):
    group.command()(command)

Users = Annotated[
    int, typer.Option("--users", metavar="N", min=1, help="Users that you expect in an epoch; lint measures by them.")
]
Held = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Also ask whether each role has a holder in this deployment."),
]


@group.command()
def show(
    policy: PolicyArgument,
    resolved: Annotated[
        bool, typer.Option("--resolved/--written", help="With everything it extends and every default, or as written.")
    ] = True,
    json: Json = False,
) -> None:
    """Print the policy with everything it extends and every default filled in, and its digest."""
    from sfumato import wiring
    from sfumato.policy.load import digest, located
    from sfumato.policy.source import read

    loaded = wiring.policy(policy)
    plain = loaded.model_dump(mode="json") if resolved else read(located(policy)).tree
    value = {"digest": digest(loaded), "policy": plain}
    if json:
        printing.result(value)
        return
    import io

    from ruamel.yaml import YAML

    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(value, text)
    printing.drawn(text.getvalue().rstrip())


@group.command()
def lint(policy: PolicyArgument, users: Users = 10_000, data: Held = None, json: Json = False) -> None:
    """Look for contradictions and bad sense. Exit code 1 if there is an error; warnings alone exit 0."""
    from sfumato import wiring
    from sfumato.policy.load import digest

    loaded = wiring.policy(policy)
    findings = _findings(loaded, users, data, _taxonomies(loaded, policy))
    if json:
        printing.result(
            {
                "name": loaded.metadata.name,
                "digest": digest(loaded),
                "problems": [
                    {"rule": found.rule, "severity": found.severity, "field": found.field, "message": found.message}
                    for found in findings
                ],
            }
        )
    else:
        for found in findings:
            printing.drawn(f"{found.severity}  {found.field}: {found.message} [{found.rule}]")
        printing.drawn(f"{loaded.metadata.name}: {_verdict(findings)} ({digest(loaded)[:12]})")
    if any(found.severity == "error" for found in findings):
        raise typer.Exit(1)


@group.command()
def explain(policy: PolicyArgument, json: Json = False) -> None:
    """Say in plain language what may be learned, by whom, at what cost, and how exact it will be."""
    import dataclasses

    from sfumato import wiring
    from sfumato.forecast import forecast
    from sfumato.policy.explain import expected
    from sfumato.policy.explain import explain as explained
    from sfumato.policy.load import digest

    loaded = wiring.policy(policy)
    figures = forecast(loaded, _taxonomies(loaded, policy))
    page = explained(loaded, figures)
    if json:
        printing.result(
            {
                "name": loaded.metadata.name,
                "digest": digest(loaded),
                "figures": dataclasses.asdict(figures),
                "expected": expected(loaded, figures),
                "page": [dataclasses.asdict(section) for section in page],
            }
        )
        return
    printing.drawn(f"{loaded.metadata.name} ({loaded.metadata.owner}), digest {digest(loaded)}")
    for section in page:
        printing.drawn("", section.title, *(f"  {line}" for line in section.lines))


@group.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="Policy file or built-in name: what is now.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Policy file or built-in name: what would be.")],
    json: Json = False,
) -> None:
    """Compare B with A, field by field. Exit code 0: B is the same or only stronger; 10: only weaker; 11: incomparable.

    Stronger here and weaker there is incomparable. Codes 1 to 4 mean what they mean everywhere.
    """
    from sfumato import wiring
    from sfumato.policy.directions import compare, overall

    changes = compare(wiring.policy(before), wiring.policy(after))
    verdict = overall(changes)
    if json:
        printing.result({"overall": verdict, "fields": [_change(change) for change in changes]})
    else:
        for change in changes:
            if change.before != change.after:
                printing.drawn(
                    f"{change.verdict:12}  {change.field}: {_shown(change.before)} -> {_shown(change.after)}"
                    f"  ({change.direction.value})"
                )
        printing.drawn(f"overall: {verdict}")
    code = {"weaker": WEAKER, "incomparable": INCOMPARABLE}.get(verdict, 0)
    if code:
        raise typer.Exit(code)


@group.command("test")
def cases_(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH...]",
            help="Policies, built-in names, *.cases.yaml files or folders; all built-in ones if none.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Put the cases beside each policy to it. Exit code 1 if a decision is not the expected one."""
    from sfumato.policy import cases
    from sfumato.policy.load import load

    results, failed = [], 0
    for policy, file in cases.found(paths or ()):
        for outcome in cases.run(load(policy), cases.read(file)):
            got = "allow" if outcome.decision.allowed else "deny"
            failed += not outcome.passed
            results.append(
                {
                    "policy": policy.stem,
                    "name": outcome.case.name,
                    "passed": outcome.passed,
                    "expected": {"decision": outcome.case.expect.decision, "rule": outcome.case.expect.rule},
                    "decision": {"decision": got, "rule": outcome.decision.rule, "reason": outcome.decision.reason},
                }
            )
            if not outcome.passed and not json:
                wanted = outcome.case.expect
                printing.drawn(
                    f"{policy.stem}: {outcome.case.name}: expected {wanted.decision} by {wanted.rule}, "
                    f"got {got} by {outcome.decision.rule} ({outcome.decision.reason})"
                )
    if json:
        printing.result({"cases": len(results), "failed": failed, "results": results})
    else:
        printing.drawn(f"{len(results)} cases, {failed} failed")
    if failed:
        raise typer.Exit(1)


@group.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for editors that check as you type."""
    from sfumato.policy.json_schema import json_schema

    printing.result(json_schema())


def _taxonomies(loaded: Policy, policy: str) -> dict[TaxonomySection, Taxonomy]:
    """The trees that the policy declares, as far as their files are there."""
    from sfumato.policy import files

    return files.taxonomies(policy, loaded, missing=True)


def _findings(
    loaded: Policy, users: int, data: Path | None, read: dict[TaxonomySection, Taxonomy]
) -> tuple[Finding, ...]:
    """A budget too small to plan with leaves nothing else to compute."""
    from sfumato.forecast import forecast
    from sfumato.policy.finding import Circumstances, Finding
    from sfumato.policy.lint import lint as linted
    from sfumato.policy.load import utc_today

    try:
        figures = forecast(loaded, read)
    except PolicyError as problem:
        return (Finding(rule="budget-too-small", severity="error", field="guarantee.budget", message=str(problem)),)
    return linted(loaded, figures, Circumstances(today=utc_today(), users=users, held=_held(data)))


def _held(data: Path | None) -> set[str] | None:
    """Roles with an API key that is neither revoked nor expired; none if no key was ever issued."""
    if data is None:
        return None
    from datetime import UTC, datetime

    from sfumato.errors import KeyMissing
    from sfumato.serve.api_keys import ApiKeys

    try:
        records = ApiKeys.read_only(data).records()
    except KeyMissing:
        if data.is_dir():
            return set()
        raise SfumatoError(f"{data}: no data directory here") from None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {key.role for key in records if not key.revoked and (key.expires is None or key.expires > now)}


def _verdict(findings: Iterable[Finding]) -> str:
    severities = [found.severity for found in findings]
    errors, warnings = severities.count("error"), severities.count("warning")
    return f"{errors} errors, {warnings} warnings" if severities else "good"


def _change(change: Change) -> dict[str, object]:
    return {
        "field": change.field,
        "verdict": change.verdict,
        "direction": change.direction.value,
        "before": change.before,
        "after": change.after,
    }


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return "none" if value is None else str(value)
