"""Reads a rules file, YAML or JSON, or says in one line where it is wrong."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from sfumato.errors import InputError
from sfumato.standin.faults import Rules

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 262_144


def load(path: Path) -> Rules:
    """The rules in a file.

    Raises:
        InputError: it can't be read, is no YAML, or is not what the schema of rules asks for.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as problem:
        raise InputError(f"can't read the rules file ({problem.strerror or 'not a file'}); give its path") from None
    if len(raw) > LARGEST:
        raise InputError(f"the rules file is larger than {LARGEST // 1024} KiB; that is no rules file")
    try:
        tree = YAML(typ="safe", pure=True).load(io.StringIO(raw.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise InputError("the rules file is not UTF-8 text; save it as UTF-8") from None
    except MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"the rules file is not valid YAML{where}; mend it") from None
    except (YAMLError, ValueError, RecursionError, ArithmeticError, TypeError, AttributeError, LookupError):
        raise InputError("the rules file is not valid YAML; mend it") from None
    try:
        return Rules.model_validate(_tuples(tree if tree is not None else {}))
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the whole file"
        raise InputError(f"the rules file, {place[:120]!a}: {first['msg']}") from None


def _tuples(value: object) -> object:
    """Lists as tuples, so that strict validation sees what was meant."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
