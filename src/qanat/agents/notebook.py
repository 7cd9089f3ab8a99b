"""A holder's own copy of the journal, the changes it has not committed yet, and the rows made from it."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from qanat.agents.actions import Acked, Action, Change, Commit, CurrentSession, Gone, Note, Pending, remember
from qanat.agents.holding import Epoch, Held, Snapshot, Totals, attribute, close_at_reserved
from qanat.units import Instant, Octets
from qanat.wire.agent import UsageReport, UsageRow

ROWS_MAX: Final = 1000


class Notebook:
    """What is remembered now; it is in the journal after the next commit."""

    def __init__(self, kept: Snapshot) -> None:
        self.kept = kept
        self.actions: list[Action] = []
        self._changes: dict[tuple[type, str | int], Change] = {}

    @property
    def epoch(self) -> Epoch:
        assert self.kept.epoch is not None, "a holder is started before anything else"
        return self.kept.epoch

    @property
    def live(self) -> list[Held]:
        """The quotas under which traffic may pass, in order of use."""
        return [held for held in self.kept.quotas.values() if not held.ended]

    @property
    def ended(self) -> list[Held]:
        return [held for held in self.kept.quotas.values() if held.ended]

    @property
    def returnable(self) -> list[str]:
        """The quotas that have ended and that the server does not know to be used up or returned."""
        return [held.quota for held in self.ended if held.confirmed < held.octets]

    @property
    def has_usage_to_report(self) -> bool:
        return bool(self.kept.rows) or any(held.used != held.noted for held in self.kept.quotas.values())

    @property
    def unreported(self) -> Octets:
        """Octets that passed and that the server has not confirmed."""
        quotas = self.kept.quotas
        orphans = {row.quota: row.up + row.down for row in self.kept.rows.values() if row.quota not in quotas}
        return Octets(sum(held.used - held.confirmed for held in quotas.values()) + sum(orphans.values()))

    # Writing

    def put(self, change: Change) -> None:
        """Remember a change; until it is committed, a later change of the same thing replaces it."""
        remember(self.kept, change)
        key = _key(change)
        if isinstance(change, Gone):
            self._changes.pop((Held, key), None)
        self._changes.pop((type(change), key), None)
        self._changes[type(change), key] = change

    def commit(self) -> None:
        if self._changes:
            self.actions.append(Commit(tuple(self._changes.values())))
            self._changes.clear()

    def note(self, event: str, **facts: int | str) -> None:
        self.actions.append(Note(event, facts))

    # Metering

    def charge(self, reading: Totals) -> Octets:
        """Attribute what passed since the mark. In a session without a quota it stays for the first one. Return the growth."""
        up, down = Octets(reading.up - self.epoch.up), Octets(reading.down - self.epoch.down)
        charged = self.live or self._last
        if charged and up + down:
            for held in attribute(charged, up=up, down=down):
                self.put(held if held.left else replace(held, ended=True))
                if not (held.left or held.ended):
                    self.note("quota used up", quota=held.quota, octets=held.used)
            self.put(replace(self.epoch, up=reading.up, down=reading.down))
        return Octets(up + down)

    @property
    def _last(self) -> list[Held]:
        """The latest quota, though it has ended: what a gate could not stop is charged to it while its session lasts."""
        return [] if self.kept.session is None else list(self.kept.quotas.values())[-1:]

    def end(self, held: Held) -> None:
        self.put(replace(held, ended=True))
        self.note("quota ended", quota=held.quota, used=held.used, left=held.left)

    def break_off(self) -> None:
        for held in self.live:
            self.put(close_at_reserved(held))
            self.note("quota closed at its reservation", quota=held.quota, octets=held.reserved)

    def begin_epoch(self, reading: Totals | None) -> None:
        """Count from here: totals from before this reading belong to no quota that is held."""
        before = self.kept.epoch
        number = 0 if before is None else before.number
        source, up, down = ("", 0, 0) if reading is None else (reading.source, reading.up, reading.down)
        if before is None or before.source != source or up < before.up or down < before.down:
            number += 1
            self.note("counters begin anew", epoch=number, source=source)
        self.put(Epoch(number=number, source=source, up=Octets(up), down=Octets(down)))

    # Reporting

    def write_rows(self, now: Instant) -> None:
        """Make a row of each quota's figures, where they changed since its last row."""
        for held in list(self.kept.quotas.values()):
            if held.used != held.noted:
                row = UsageRow(
                    seq=self.kept.next_seq,
                    quota=held.quota,
                    epoch=held.epoch,
                    up=held.up,
                    down=held.down,
                    reserved=held.reserved,
                    at=now,
                )
                self.put(row)
                self.put(replace(held, noted=held.used))

    def report(self) -> UsageReport:
        rows = list(self.kept.rows.values())[:ROWS_MAX]
        return UsageReport(journal=self.kept.journal, floor=self.kept.floor, rows=rows)

    def confirm(self, acked: int) -> None:
        """Delete the rows the server has counted, and forget what was used up and counted whole."""
        if acked >= self.kept.next_seq:
            self._number_anew(acked)
        if acked <= self.kept.floor:
            return
        for row in self.kept.rows.values():
            held = self.kept.quotas.get(row.quota)
            if row.seq > acked or held is None:
                continue
            self.put(replace(held, confirmed=Octets(max(held.confirmed, row.up + row.down))))
        self.put(Acked(acked))
        self._forget_settled()

    def _number_anew(self, after: int) -> None:
        """The server has counted rows that this journal does not remember: it was put back from a copy.

        Rows written since then had numbers that were used before, and went unread. They are sent again behind all of those.
        """
        self.note("journal was put back from a copy", numbered_to=self.kept.next_seq - 1, counted_to=after)
        rows = list(self.kept.rows.values())
        self.put(Acked(after))
        for seq, row in enumerate(rows, after + 1):
            self.put(replace(row, seq=seq))

    def clear(self, quotas: list[str]) -> None:
        """The server has confirmed the return of these."""
        for quota in quotas:
            held = self.kept.quotas.get(quota)
            if held is not None:
                self.note("quota returned", quota=quota, used=held.used, returned=held.left)
                self.put(replace(held, octets=min(held.octets, held.used)))
        self._forget_settled()

    def close_session(self) -> None:
        self.put(CurrentSession(None))
        self._forget_settled()

    def _forget_settled(self) -> None:
        last = self._last
        for held in self.ended:
            if held.is_settled and held not in last:
                self.put(Gone(held.quota))


def _key(change: Change) -> str | int:
    match change:
        case Held() | Gone():
            return change.quota
        case UsageRow() | Acked():
            return change.seq
        case Epoch() | Pending() | CurrentSession():
            return ""
