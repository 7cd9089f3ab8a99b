"""A terminal's kernel: running totals, and a gate that never lets one octet past its ceiling, or none that could.

It goes on without the agent. A boot or a new interface takes gate and totals away. Whole packets pass or don't, so a gate
may be dry with less than a packet to spare; it says so once, until it is raised.
"""

from __future__ import annotations

from collections.abc import Callable

from qanat.agents.holding import Totals
from qanat.units import Instant, Octets


class Kernel:
    def __init__(self, now: Instant, *, passed: Callable[[int], None]) -> None:
        self.stops = True
        """Whether anything stops the traffic at the ceiling, or the kernel only counts it."""
        self._tell = passed
        self._since = now
        self._boot = self._interface = 1
        self._up = self._down = self._ceiling = 0
        self._rate = 0
        self._packet = 1500
        self._owed = 0
        """Thousandths of octets of demand that do not make a packet yet."""
        self._is_dry = self._was_said = False
        """A packet was refused for want of quota, and the gate was not raised since; the agent was told so."""
        self.may_pass = 0
        """The highest ceiling of these totals that the journal may have been told of: a bound for what a cut can cost."""

    @property
    def total(self) -> int:
        return self._up + self._down

    @property
    def demand(self) -> int:
        """Octets per second that somebody wants to pass."""
        return self._rate

    @property
    def at_stake(self) -> int:
        """Octets that may be allowed in the journal and have not passed."""
        return max(0, self.may_pass - self.total)

    def want(self, now: Instant, *, octets_per_s: int, packet: int = 1500) -> None:
        self.flow(now)
        self._rate, self._packet, self._owed = octets_per_s, packet, 0

    def flow(self, now: Instant) -> None:
        """Let pass what was wanted until now, as far as the gate lets it."""
        self._owed += self._rate * (now - self._since)
        self._since = now
        wanted = self._owed // (1000 * self._packet)
        if not wanted:
            return
        fitting = min(wanted, max(0, self._ceiling - self.total) // self._packet)
        self._is_dry = self._is_dry or fitting < wanted
        packets = fitting if self.stops else wanted
        self._owed = 0 if packets < wanted else self._owed - packets * 1000 * self._packet
        self._count(packets * self._packet)

    def refuses_in(self) -> int | None:
        """Return after how many milliseconds the next packet will find the gate dry; None when that is no news."""
        if not self._rate or self._is_dry:
            return None
        fitting = (self._ceiling - self.total) // self._packet
        missing = (fitting + 1) * 1000 * self._packet - self._owed
        return max(1, -(-missing // self._rate))

    def says_dry(self) -> bool:
        """Tell, once, that the gate has refused a packet."""
        is_news, self._was_said = self._is_dry and not self._was_said, self._is_dry
        return is_news

    def reading(self) -> Totals:
        source = f"boot-{self._boot}/{self._interface}"
        return Totals(source=source, up=Octets(self._up), down=Octets(self._down))

    def raise_to(self, ceiling: int) -> None:
        assert ceiling >= self._ceiling, f"a ceiling only rises: {ceiling} after {self._ceiling}"
        self._ceiling = ceiling
        self.may_pass = max(self.may_pass, ceiling)
        self._is_dry = self._was_said = False

    def shut(self) -> None:
        self._ceiling = self.total

    def reboot(self) -> None:
        self._boot += 1
        self.reset_counters()

    def make_interface_anew(self) -> None:
        self._interface += 1
        self.reset_counters()

    def reset_counters(self) -> None:
        """Totals begin again at nothing and the gate is shut; by itself it is the same source going backwards."""
        self._up = self._down = self._ceiling = self.may_pass = self._owed = 0
        self._is_dry = self._was_said = False

    def _count(self, octets: int) -> None:
        up = octets // 8
        self._up, self._down = self._up + up, self._down + octets - up
        if octets:
            self._tell(octets)
