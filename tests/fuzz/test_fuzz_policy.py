"""The promise of the policy loader: a Policy or a PolicyError of one line, and nothing else, in a short time.

SFUMATO_FUZZ=10000 runs as many mutations.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from pathlib import Path

import pytest

from sfumato.errors import PolicyError
from sfumato.policy.load import builtin_names, parse
from sfumato.policy.schema import Policy

POLICIES = Path(__file__).parents[2] / "policies"
MUTATIONS = int(os.environ.get("SFUMATO_FUZZ", "600"))
PIECES = [
    "\t", "\0", "\n", "  ", ":", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: {a: 1}", "!!set ", "!!binary x",
    "!!python/name:os ", "!!float x", "? ", "|", ">", "%YAML 1.1", "---\n", "'", '"', "\\x00", "#", "~", "null",
    "yes", "0x1f", "0o17", "010", "1_0", "1e400", "-.inf", ".nan", "1e-6", "2026-13-40", "2026-01-01T00:00:00Z",
    "12:30:45", "99999999999999999999", "\ud7ff", "\U0001f512", "\u202e", "\ufeff", "\u2028", "extends: standard\n",
    "extends: [a]\n", "override: [{}]\n", "guarded", "facets: [{name: language}]\n", "[" * 40, "{a: " * 30,
]  # fmt: skip


def mutated(draw: random.Random, corpus: list[str]) -> str:
    """One to six edits of a policy: a character, a slice, a line, a piece of trouble."""
    text = draw.choice(corpus)
    for _ in range(draw.randint(1, 6)):
        at, length = draw.randrange(len(text) + 1), draw.randrange(1, 20)
        lines = text.splitlines(keepends=True) or ["\n"]
        line = draw.choice(lines)
        text = draw.choice(
            [
                text[:at] + text[at + 1 :],
                text[:at] + text[at + length :],
                text[:at] + chr(draw.randrange(1, 0x300)) + text[at + 1 :],
                text[:at] + draw.choice(PIECES) + text[at:],
                text.replace(line, "", 1),
                text + line,
                text.replace(line, line.replace(":", draw.choice([" :", ":", "::", "=", ": -"])), 1),
                text.replace(line, draw.choice(["  ", "\t", ""]) + line.lstrip(), 1),
                text[:at] + text[at : at + 60] * draw.randint(2, 5) + text[at:],
            ]
        )
    return text


def test_mutated_policies_give_a_policy_or_one_line():
    draw = random.Random(20261121)
    corpus = [(POLICIES / f"{name}.yaml").read_text() for name in builtin_names()]
    seconds, accepted = [], 0
    for _ in range(MUTATIONS):
        text = mutated(draw, corpus)
        began = time.perf_counter()
        try:
            policy = parse(text)
        except PolicyError as refused:
            assert "\n" not in str(refused)  # noqa: PT017
            assert str(refused).startswith("policy")  # noqa: PT017
        else:
            assert type(policy) is Policy
            accepted += 1
        seconds.append(time.perf_counter() - began)
    assert statistics.median(seconds) <= 0.05
    assert 0.02 * MUTATIONS < accepted < 0.9 * MUTATIONS  # the mutations reach both outcomes


@pytest.mark.parametrize("piece", PIECES)
def test_a_piece_of_trouble_anywhere_gives_a_policy_or_one_line(piece: str):
    text = (POLICIES / "strict.yaml").read_text()
    for at in range(0, len(text), 23):
        try:
            parse(text[:at] + piece + text[at:])
        except PolicyError as refused:
            assert "\n" not in str(refused)  # noqa: PT017
