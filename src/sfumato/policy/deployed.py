"""Privacy parameters that others have deployed and published, to hold a policy's own against.

Figures are from the OpenDP Deployments Registry (registry.opendp.org) and the papers it cites; the units differ, and
a figure for a day or an event promises less than the same figure for a user's month.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One published deployment. central: noise is added by the collector, as here, and not on each device."""

    name: str
    unit: str
    epsilon: float
    delta: float | None
    central: bool
    source: str


DEPLOYED: tuple[Deployed, ...] = (
    Deployed(
        name="Wikimedia, current pageviews", unit="device-day", epsilon=0.85, delta=1e-7, central=True,
        source="arXiv 2308.16298: rho 0.015, converted here at delta 1e-7",
    ),
    Deployed(
        name="Google, COVID-19 search symptoms", unit="user-day", epsilon=1.68, delta=None, central=True,
        source="arXiv 2009.01265",
    ),
    Deployed(
        name="Google, vaccination search insights", unit="user-day", epsilon=2.19, delta=1e-5, central=True,
        source="arXiv 2107.01179",
    ),
    Deployed(
        name="Google, community mobility", unit="user-day", epsilon=2.64, delta=None, central=True,
        source="arXiv 2004.04145",
    ),
    Deployed(
        name="Microsoft, assistive AI phrases", unit="user", epsilon=4.0, delta=1e-7, central=True,
        source="arXiv 2002.09745",
    ),
    Deployed(
        name="LinkedIn, hiring reports", unit="event-month", epsilon=4.8, delta=4e-10, central=True,
        source="arXiv 2010.13981",
    ),
    Deployed(
        name="Transluce, assistant conversations", unit="conversation", epsilon=10.0, delta=1e-5, central=True,
        source="registry.opendp.org, MHUsage (draft entry)",
    ),
    Deployed(
        name="LinkedIn, audience engagement", unit="user-month", epsilon=34.9, delta=7e-9, central=True,
        source="arXiv 2002.05839",
    ),
    Deployed(
        name="Microsoft, Windows telemetry", unit="user-6h", epsilon=1.672, delta=None, central=False,
        source="Ding, Kulkarni and Yekhanin 2017",
    ),
    Deployed(
        name="Apple, popular emoji", unit="event", epsilon=4.0, delta=None, central=False,
        source="Apple, Learning with Privacy at Scale, 2017",
    ),
)  # fmt: skip


def at_least(epsilon: float) -> tuple[Deployed, ...]:
    """Deployments of our kind whose epsilon is as large or larger."""
    return tuple(system for system in DEPLOYED if system.central and system.epsilon >= epsilon)


def of_our_kind() -> tuple[Deployed, ...]:
    """Deployments in which the collector adds the noise."""
    return tuple(system for system in DEPLOYED if system.central)
