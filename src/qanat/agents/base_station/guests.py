"""Who is online at a base station: one session for each trade, found by its label and by the addresses it may use.

Begins sessions, takes them up after a crash, lets them move with their demander, and forgets them when everything about
them is confirmed. It waits for nothing and asks nobody: time, fences and messages are the agent's it lives in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, Protocol

from qanat.agents.base_station import said
from qanat.agents.base_station.ground import Laid, Neighbourhood, Shelf, Standing
from qanat.agents.base_station.metered import Metered
from qanat.agents.base_station.ruleset import address_of, key_of
from qanat.agents.base_station.session import Session
from qanat.agents.base_station.slots import Slot, Visit
from qanat.agents.kernel.ladder import Key
from qanat.agents.kernel.link import UpDown
from qanat.agents.kernel.neighbour import Address, LinkAddress
from qanat.agents.log import Log
from qanat.units import Instant, Millis, Octets
from qanat.wire.agent import Interrogation, RefusalBody, UsageReport
from qanat.wire.base_station import Admitted

ENDED_KEPT: Final = 1000
ADDRESSES_MAX: Final = 32
"""Of one device: each stays pinned while its session lasts, and a device may invent as many as it likes."""
NOTHING: Final = UpDown(Octets(0), Octets(0))


class Host(Protocol):
    """What guests need of the agent they live in."""

    def now(self) -> Instant: ...

    def fence(self, then: Callable[[], None]) -> None: ...

    def send(self, session: Session, message: Interrogation | UsageReport) -> None: ...

    def wake(self, session: Session, at: Instant) -> None: ...

    def left(self, session: Session) -> None:
        """This session needs nothing any more."""
        ...


class Guests:
    """Raises KernelFault, TableGone and JournalFault; what was not written did not happen: ``resume`` on new ground."""

    def __init__(self, slots: Shelf, host: Host, *, log: Log, report_interval_s: int | None, idle_end: Millis) -> None:
        self._slots = slots
        self._host = host
        self._log = log
        self._report_interval_s = report_interval_s
        self._idle_end = idle_end
        self._ground: Laid
        self._neighbours: Neighbourhood
        self.sessions: dict[str, Session] = {}
        """By label."""
        self.ended_why: OrderedDict[Address, RefusalBody] = OrderedDict()
        """By address: what a person who is offline again is shown."""
        self._at: dict[Address, Session] = {}
        self._of_device: dict[LinkAddress, dict[str, Session]] = {}
        """By link address those that have addresses, by label: several may be online from one device."""
        self._over: OrderedDict[str, None] = OrderedDict()
        """Trades that ended lately."""

    def at(self, address: Address) -> Session | None:
        return self._at.get(address)

    # Beginning

    def resume(self, ground: Laid, neighbours: Neighbourhood) -> None:
        """Take the sessions up from the journal and, by name, from the kernel; what nobody knows there is removed."""
        self._ground, self._neighbours = ground, neighbours
        standing, counted = ground.standing(), ground.readings()
        self.sessions, self._at, self._of_device = {}, {}, {}
        for slot in self._slots.load():
            self._take_up(slot, standing.pop(slot.label, None), counted.get(slot.label, NOTHING))
        for label, remains in standing.items():
            Metered.adopt(ground, label, remains).remove()
        self._log("base station runs", sessions=len(self.sessions), table=ground.table.name)

    def admit(self, admitted: Admitted, address: Address, link_address: LinkAddress) -> Session | RefusalBody:
        """Begin the session of a trade, or move the running one to where its demander is now. Repeating is safe.

        A trade that is ending or has ended here is never begun again: the server named it while its end was still on the
        way, and would repeat old grants in it that nobody may use any more.
        """
        if admitted.trade in self._over:
            return said.JUST_ENDED
        running = next((each for each in self.sessions.values() if each.trade == admitted.trade), None)
        here = self._at.get(address)
        if here is not None and here is not running:
            here.stop(said.REPLACED)
            self._forget_addresses(here)
        keys = [key_of(each) for each in self._addresses_of(address, link_address, running)]
        if running is None:
            return self._open_session(admitted, keys, link_address)
        if running.is_ending:
            return said.JUST_ENDED
        if address not in map(address_of, running.metered.keys):
            self._forget_addresses(running, keep_bound=True)
            running.move(keys, link_address)
            self._settle_at(running)
        return running

    def _take_up(self, slot: Slot, standing: Standing | None, counted: UpDown) -> None:
        assert slot.visit is not None, "a slot in use has a visit"
        if standing is None:
            link_address = bytes.fromhex(slot.visit.link_address.replace(":", ""))
            keys = [key_of(ip_address(each)) for each in slot.visit.addresses]
            metered = Metered.open(self._ground, slot.label, keys=keys, link_address=link_address)
        else:
            metered = Metered.adopt(self._ground, slot.label, standing)
        self._begin(slot, metered, counted)

    def _open_session(self, admitted: Admitted, keys: list[Key], link_address: LinkAddress) -> Session:
        slot = self._slots.take()
        slot.visit = Visit(
            admitted=admitted,
            link_address=link_address.hex(":"),
            addresses=[str(address_of(key)) for key in keys],
            merging=self._ground.merging,
            since=self._host.now(),
            sessions_before=slot.snapshot.sessions,
        )
        self._slots.put(slot)  # journal first, only then the kernel
        metered = Metered.open(self._ground, slot.label, keys=keys, link_address=link_address)
        self._log("admitted", trade=admitted.trade, supplier=admitted.supplier, address=str(address_of(keys[0])))
        return self._begin(slot, metered, NOTHING)

    def _begin(self, slot: Slot, metered: Metered, counted: UpDown) -> Session:
        session = Session(
            slot,
            metered,
            self,
            meter=self._ground.meter,
            report_interval_s=self._report_interval_s,
            idle_end=self._idle_end,
        )
        self.sessions[slot.label] = session
        self._settle_at(session)
        session.start(counted)
        return session

    # Addresses

    def neighbour(self, address: Address, link_address: LinkAddress) -> None:
        """A device that was admitted has another address: it may use that one too, unless somebody else does."""
        session = next(iter(self._of_device.get(link_address, {}).values()), None)
        if session is None or len(session.metered.keys) >= ADDRESSES_MAX:
            return
        if address not in self._at and not address.is_link_local:
            session.metered.add_key(key_of(address))
            self._at[address] = session
            self._neighbours.pin(address, link_address)

    def _addresses_of(self, address: Address, link_address: LinkAddress, session: Session | None) -> list[Address]:
        """Return all that this device answers for, but for what somebody else has been admitted with."""
        known = dict.fromkeys([address, *self._neighbours.addresses(link_address)])
        return [each for each in known if self._at.get(each) in (None, session)][:ADDRESSES_MAX]

    def _settle_at(self, session: Session) -> None:
        self._of_device.setdefault(session.metered.link_address, {})[session.slot.label] = session
        for key in session.metered.keys:
            self._at[address_of(key)] = session
            self._neighbours.pin(address_of(key), session.metered.link_address)

    def _forget_addresses(self, session: Session, *, keep_bound: bool = False) -> None:
        self._forget_device(session)
        for key in list(session.metered.keys):
            self._at.pop(address_of(key), None)
            self._neighbours.unpin(address_of(key), session.metered.link_address)
        if session.metered.keys and not keep_bound:
            session.metered.unbind()

    def _forget_device(self, session: Session) -> None:
        link_address = session.metered.link_address
        here = self._of_device.get(link_address, {})
        here.pop(session.slot.label, None)
        if not here:
            self._of_device.pop(link_address, None)

    # Events

    def ran_dry(self, names: dict[str, list[str]] | None) -> None:
        """The kernel said these rungs to be dry, by label; None when its events were lost and everyone has to look."""
        if names is None:
            self._log("kernel events were lost", sentence="Every session looks for itself.")
            for session in list(self.sessions.values()):
                session.look()
            return
        for label, rungs in names.items():
            if label in self.sessions:
                self.sessions[label].ran_dry(rungs)

    def recall(self, trades: set[str]) -> None:
        """End these: the supplier took its consent back."""
        for session in [each for each in self.sessions.values() if each.trade in trades and each.why is None]:
            self._log("recalled", trade=session.trade)
            session.stop(said.order_recalled(session.visit.admitted, self.now()))

    def stop(self) -> None:
        for session in list(self.sessions.values()):
            session.stop(said.STOPPING)

    def remember_why(self, addresses: list[Address], why: RefusalBody) -> None:
        for address in addresses:
            self.ended_why[address] = why
            self.ended_why.move_to_end(address)
        while len(self.ended_why) > ENDED_KEPT:
            self.ended_why.popitem(last=False)

    # What sessions ask of their surroundings

    def now(self) -> Instant:
        return self._host.now()

    def put(self, slot: Slot) -> None:
        self._slots.put(slot)

    def fence(self, then: Callable[[], None]) -> None:
        self._host.fence(then)

    def send(self, session: Session, message: Interrogation | UsageReport) -> None:
        self._host.send(session, message)

    def wake(self, session: Session, at: Instant) -> None:
        self._host.wake(session, at)

    def note(self, session: Session, event: str, facts: dict[str, int | str]) -> None:
        self._log(event, trade=session.trade, **facts)

    def ended(self, session: Session) -> None:
        if self.sessions.pop(session.slot.label, None) is None:
            return
        self._forget_device(session)
        addresses = [ip_address(each) for each in session.visit.addresses]
        for address in [each for each, owner in self._at.items() if owner is session]:
            del self._at[address]
            self._neighbours.unpin(address, session.metered.link_address)
            addresses.append(address)
        if session.refusal is not None:
            self.remember_why(addresses, session.refusal)
        counted = session.metered.reading()
        session.metered.remove()
        self._slots.free(session.slot)
        self._log("trade ended", trade=session.trade, up=counted.up, down=counted.down)
        self._over[session.trade] = None
        if len(self._over) > ENDED_KEPT:
            self._over.popitem(last=False)
        self._host.left(session)
