"""What every section of the policy schema is made of: strictness, names, shares, durations, exact decimals."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
DURATION = r"^[1-9][0-9]{0,4}[hd]$"
HASH = r"^[0-9a-f]{64}$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
Positive = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
Delta = Annotated[float, Field(ge=1e-8, le=1e-3, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Duration = Annotated[str, StringConstraints(pattern=DURATION)]
Hash = Annotated[str, StringConstraints(pattern=HASH)]
Stated = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
DomainValue = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Section(BaseModel):
    """Strict, frozen, and silent about the input in its errors."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


def exact(declared: float) -> Fraction:
    """The decimal that stood in the file, exactly: 0.1 is one tenth here, not its nearest binary fraction."""
    return Fraction(repr(declared))
