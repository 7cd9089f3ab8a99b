"""How much to grant next.

A small quota costs messages; a large one is stranded in a terminal that is lost. So a quota should last about
``interval_s`` at the rate measured: the signalling budget. It grows at most fourfold from one to the next, and what
growth takes is never more than half of what is left, so that other sessions of the subscriber find something.
Source: RFC 8506 §5.2; 3GPP TS 32.299 §6.3 (quota management).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qanat.units import HOUR, MINUTE, Instant, Millis, Octets, Unit

_GROWTH: Final = 4
_STEPS: Final[dict[Unit, Octets]] = {"seconds": Octets(10 * 60), "units": Octets(10)}
"""Ten minutes, and ten of whatever a service counts: few messages, little stranded."""
MEASURED_OVER_MS: Final = Millis(50)
"""Less than this tells how fast the machine answers, not how fast the traffic is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the operator wants quotas to be handed out."""

    quota_octets: Octets = Octets(10_000_000)
    """For buckets whose plan does not say."""
    quota_octets_max: Octets = Octets(2_000_000_000)
    interval_s: int = 20
    """The signalling budget: a busy session should ask about this seldom."""
    validity_ms: Millis = HOUR
    grace_ms: Millis = HOUR
    """A reservation outlives its quota by this, so that one lost report does not close a session."""
    idle_ms: Millis = Millis(5 * MINUTE)
    """A session that holds no quota is closed after so long without a word: its holder may have had nothing to say."""
    threshold_percent: int = 20
    report_interval_s: int = 60

    def step(self, unit: Unit) -> Octets:
        """Return the size of a quota from a bucket whose plan does not say."""
        return self.quota_octets if unit == "octets" else _STEPS[unit]

    def valid_until(self, now: Instant, bucket_ends: Instant | None) -> Instant:
        """A grant never outlives its bucket."""
        end = Instant(now + self.validity_ms)
        return end if bucket_ends is None else min(end, bucket_ends)


def next_size(
    policy: Policy, *, step: Octets, wanted: Octets | None, rate: int, previous: int, available: Octets
) -> Octets:
    """Decide how many octets go into the next quota: at most what is available.

    ``step`` is the plan's quota, ``wanted`` the holder's hint, ``rate`` in octets per second, ``previous`` the quota
    before this one (0 for the first).
    """
    grown = min(rate * policy.interval_s, previous * _GROWTH)
    asked = max(wanted or step, min(grown, available // 2))
    most = min(policy.quota_octets_max, available)
    return Octets(min(asked, most))


def threshold_of(policy: Policy, octets: Octets) -> Octets:
    return Octets(octets * policy.threshold_percent // 100)


def measured_rate(before: int, octets: int, elapsed_ms: int) -> int:
    """Fold a new measurement into the rate (octets per second), half and half with what was known."""
    measured = octets * 1000 // elapsed_ms
    return (before + measured) // 2 if before else measured
