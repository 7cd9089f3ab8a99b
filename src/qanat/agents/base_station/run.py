"""The running base station: everybody's session on one event loop, one gateway, one journal, one way to the server.

The kernel says which grant ran dry, timers bring the rest. Messages travel in threads, so a slow server never delays
the metering; fences are waited for in a thread, many at once.
"""

from __future__ import annotations

import asyncio
import signal
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from qanat.agents.base_station import said
from qanat.agents.base_station.fences import Fences
from qanat.agents.base_station.gateway import Gateway, Standing
from qanat.agents.base_station.metered import Metered
from qanat.agents.base_station.office import Office
from qanat.agents.base_station.ruleset import key_of
from qanat.agents.base_station.session import Session
from qanat.agents.base_station.slots import Slot, Slots, Visit
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.durable import JournalFault
from qanat.agents.kernel.fence import wait_for_packets_in_flight
from qanat.agents.kernel.ladder import Key
from qanat.agents.kernel.link import UpDown
from qanat.agents.kernel.neighbour import Address, LinkAddress, Neighbours
from qanat.agents.kernel.netlink import KernelFault
from qanat.agents.kernel.nft import TableGone
from qanat.agents.log import Log
from qanat.agents.reporter import NoAnswer, Rejected
from qanat.errors import Fault
from qanat.units import Instant, Octets
from qanat.wire.agent import Interrogation, InterrogationAnswer, RefusalBody, UsageConfirmation, UsageReport
from qanat.wire.base_station import Admission, Admitted

STOP_WITHIN_S: Final = 10.0
"""How long a stop waits for the server; after that the journal keeps what is left for the next start."""
AGAIN_S: Final = 2
DECIDED_WITHIN_S: Final = 5.0
"""How long a demander waits for its first grant before it is told to look again."""
CURED_BY_BEGINNING_ANEW: Final = (JournalFault, TableGone, KernelFault)
"""The gate stands closed at its last limits meanwhile; what was not written did not happen."""
RECALLS_AGAIN_S: Final = 1.0
ENDED_KEPT: Final = 1000
NOTHING: Final = UpDown(Octets(0), Octets(0))


class BaseStation:
    """Runs until it is told to stop. Raises a Fault that names its cure when it cannot go on."""

    def __init__(
        self,
        *,
        slots: Slots,
        open_gateway: Callable[[], Gateway],
        office: Office,
        clock: CorrectedClock,
        log: Log,
        report_interval_s: int | None,
    ) -> None:
        self._slots = slots
        self._open_gateway = open_gateway
        self._office = office
        self._clock = clock
        self._log = log
        self._report_interval_s = report_interval_s
        self.sessions: dict[str, Session] = {}
        """By label."""
        self.ended_why: OrderedDict[Address, RefusalBody] = OrderedDict()
        """By address: what a person who is offline again is shown."""
        self._at: dict[Address, Session] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = self._is_paused = False

    async def run(self, serve: Callable[[], Awaitable[None]]) -> None:
        """Run; ``serve`` opens what faces the demanders once the sessions are back."""
        loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._guarded, self._stop)
        self._open()
        try:
            self._guarded(self._resume)
            self._background(self._ask_for_recalls())
            await serve()
            await self._finished
        finally:
            self._take_down()

    # What demanders and their browsers ask for

    def session_at(self, address: Address) -> Session | None:
        return self._at.get(address)

    async def admit(self, asked: Admission, address: Address) -> Session | RefusalBody:
        """Ask the server and open the gate; a refusal comes back with its reason and cure."""
        link_address = self._neighbours.link_address(address)
        if link_address is None or self._is_stopping or self._is_paused:
            return said.NOT_A_NEIGHBOUR if link_address is None else said.STOPPING
        try:
            admitted = await self._office.admit(asked)
        except NoAnswer as fault:
            self._log("no channel works", sentence=str(fault))
            return said.SERVER_AWAY
        except Rejected as fault:
            refusal = said.passed_on(fault.problem)
            self._log("admission refused", address=str(address), reason=refusal.reason, sentence=refusal.sentence)
            self._remember_why([address], refusal)
            return refusal
        self._clock.learn(admitted.server_time)
        try:
            session = self._admitted(admitted, address, link_address)
        except CURED_BY_BEGINNING_ANEW as fault:
            self._pause("gate could not be opened", fault)
            return said.OUT_OF_ORDER
        with suppress(TimeoutError):
            await asyncio.wait_for(session.decided.wait(), DECIDED_WITHIN_S)
        return session.refusal if session.refusal is not None and session.metered.is_shut else session

    def leave(self, address: Address) -> None:
        session = self._at.get(address)
        if session is not None:
            self._guarded(partial(session.stop, said.LEFT))

    # Opening, resuming

    def _open(self) -> None:
        self.gateway = self._open_gateway()
        self._neighbours = Neighbours(self.gateway.access)
        self._fences = Fences(lambda: asyncio.to_thread(wait_for_packets_in_flight))
        loop = asyncio.get_running_loop()
        loop.add_reader(self.gateway.fileno(), self._guarded, self._hear_the_kernel)
        loop.add_reader(self._neighbours.fileno(), self._guarded, self._hear_neighbours)
        if self.gateway.merging:
            self._log("offloads stay on", which=", ".join(self.gateway.merging), sentence="Some headers go uncounted.")

    def _shut_down_io(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.gateway.fileno())
        loop.remove_reader(self._neighbours.fileno())
        self._fences.cancel()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self.gateway.close()
        self._neighbours.close()

    def _resume(self) -> None:
        """Take the sessions up from the journal and, by name, from the kernel; what nobody knows there is removed."""
        standing, counted = self.gateway.standing(), self.gateway.readings()
        self.sessions, self._at = {}, {}
        for slot in self._slots.load():
            self._take_up(slot, standing.pop(slot.label, None), counted.get(slot.label, NOTHING))
        for label, remains in standing.items():
            Metered.adopt(self.gateway, label, remains).remove()
        self._log("base station runs", sessions=len(self.sessions), table=self.gateway.table.name)

    def _take_up(self, slot: Slot, standing: Standing | None, counted: UpDown) -> None:
        assert slot.visit is not None, "a slot in use has a visit"
        if standing is None:
            link_address = bytes.fromhex(slot.visit.link_address.replace(":", ""))
            keys = [key_of(ip_address(each)) for each in slot.visit.addresses]
            metered = Metered.open(self.gateway, slot.label, keys=keys, link_address=link_address)
        else:
            metered = Metered.adopt(self.gateway, slot.label, standing)
        self._begin(slot, metered, counted)

    def _begin(self, slot: Slot, metered: Metered, counted: UpDown) -> Session:
        session = Session(slot, metered, self, meter=self.gateway.meter, report_interval_s=self._report_interval_s)
        self.sessions[slot.label] = session
        for key in metered.keys:
            self._at[_address(key)] = session
            self._neighbours.pin(_address(key), metered.link_address)
        session.start(counted)
        return session

    def _admitted(self, admitted: Admitted, address: Address, link_address: LinkAddress) -> Session:
        running = next((each for each in self.sessions.values() if each.trade == admitted.trade), None)
        here = self._at.get(address)
        if here is not None and here is not running:
            here.stop(said.REPLACED)
            self._forget_addresses(here)
        keys = [key_of(each) for each in self._addresses_of(address, link_address, running)]
        if running is None:
            return self._open_session(admitted, keys, link_address)
        if address not in map(_address, running.metered.keys):
            self._forget_addresses(running, keep_bound=True)
            running.move(keys, link_address)
            self._settle_at(running)
        return running

    def _addresses_of(self, address: Address, link_address: LinkAddress, session: Session | None) -> list[Address]:
        """Return all that this device answers for, but for what somebody else has been admitted with."""
        known = dict.fromkeys([address, *self._neighbours.addresses(link_address)])
        return [each for each in known if self._at.get(each) in (None, session)]

    def _open_session(self, admitted: Admitted, keys: list[Key], link_address: LinkAddress) -> Session:
        slot = self._slots.take()
        slot.visit = Visit(
            admitted=admitted,
            link_address=link_address.hex(":"),
            addresses=[str(_address(key)) for key in keys],
            merging=self.gateway.merging,
            since=self._clock.now(),
        )
        self._slots.put(slot)  # journal first, only then the kernel
        metered = Metered.open(self.gateway, slot.label, keys=keys, link_address=link_address)
        self._log("admitted", trade=admitted.trade, supplier=admitted.supplier, address=str(_address(keys[0])))
        return self._begin(slot, metered, NOTHING)

    def _settle_at(self, session: Session) -> None:
        for key in session.metered.keys:
            self._at[_address(key)] = session
            self._neighbours.pin(_address(key), session.metered.link_address)

    def _forget_addresses(self, session: Session, *, keep_bound: bool = False) -> None:
        for key in list(session.metered.keys):
            self._at.pop(_address(key), None)
            self._neighbours.unpin(_address(key), session.metered.link_address)
        if session.metered.keys and not keep_bound:
            session.metered.unbind()

    # Events

    def _hear_the_kernel(self) -> None:
        dry = self.gateway.take_dry()
        if dry is None:
            self._log("kernel events were lost", sentence="Every session looks for itself.")
            for session in list(self.sessions.values()):
                session.look()
            return
        for label, names in dry.items():
            if label in self.sessions:
                self.sessions[label].ran_dry(names)

    def _hear_neighbours(self) -> None:
        """A device that was admitted has another address: it may use that one too, unless somebody else does."""
        fresh = self._neighbours.take()
        of = {session.metered.link_address: session for session in self._at.values()} if fresh else {}
        for address, link_address in fresh:
            session = of.get(link_address)
            if session is not None and address not in self._at and not address.is_link_local:
                session.metered.add_key(key_of(address))
                self._at[address] = session
                self._neighbours.pin(address, link_address)

    async def _ask_for_recalls(self) -> None:
        while True:
            wait_s = RECALLS_AGAIN_S
            if self.sessions:
                try:
                    found = await self._office.recalls()
                except (NoAnswer, Rejected):
                    pass  # the questions about quotas notice it and say so
                else:
                    wait_s = found.ask_again_ms / 1000
                    self._guarded(partial(self._recall, set(found.trades)))
            await asyncio.sleep(wait_s)

    def _recall(self, trades: set[str]) -> None:
        for session in [each for each in self.sessions.values() if each.trade in trades and each.why is None]:
            self._log("recalled", trade=session.trade)
            session.stop(said.order_recalled(session.visit.admitted, self._clock.now()))

    def _stop(self) -> None:
        if self._is_stopping or not self.sessions:
            self._finish()
            return
        self._is_stopping = True
        self._log("stopping", within_s=int(STOP_WITHIN_S), sessions=len(self.sessions))
        asyncio.get_running_loop().call_later(STOP_WITHIN_S, self._finish)
        for session in list(self.sessions.values()):
            session.stop(said.STOPPING)

    def _finish(self) -> None:
        if not self._finished.done():
            self._finished.set_result(None)

    def _take_down(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._shut_down_io()

    def _guarded(self, event: Callable[[], None]) -> None:
        """Run an event. What can be cured by beginning anew from journal and kernel is; any other fault ends the agent."""
        if self._is_paused and event != self._start_again:
            return
        try:
            event()
        except CURED_BY_BEGINNING_ANEW as fault:
            self._pause("beginning anew", fault)
        except Exception as fault:
            if not self._finished.done():
                self._finished.set_exception(fault)

    def _pause(self, event: str, fault: Fault) -> None:
        """The gate keeps its last limit. What was not written did not happen: begin again from the journal."""
        self._is_paused = True
        self._log(event, sentence=str(fault))
        self._shut_down_io()
        wait_s = 0 if isinstance(fault, TableGone) else AGAIN_S
        asyncio.get_running_loop().call_later(wait_s, self._guarded, self._start_again)

    def _start_again(self) -> None:
        self._is_paused = False
        self._open()
        self._resume()
        if self._is_stopping:
            for session in list(self.sessions.values()):
                session.stop(said.STOPPING)

    # What sessions ask of their surroundings

    def now(self) -> Instant:
        return self._clock.now()

    def put(self, slot: Slot) -> None:
        self._slots.put(slot)

    def fence(self, then: Callable[[], None]) -> None:
        self._fences.after(partial(self._guarded, then))

    def wake(self, session: Session, at: Instant) -> None:
        label = session.slot.label
        if label in self._timers:
            self._timers[label].cancel()
        wait_s = max(0.0, (at - self._clock.now()) / 1000)
        self._timers[label] = asyncio.get_running_loop().call_later(wait_s, self._guarded, session.tick)

    def note(self, session: Session, event: str, facts: dict[str, int | str]) -> None:
        self._log(event, trade=session.trade, **facts)

    def ended(self, session: Session) -> None:
        label = session.slot.label
        if self.sessions.pop(label, None) is None:
            return
        self._timers.pop(label).cancel()
        addresses = [ip_address(each) for each in session.visit.addresses]
        for address in [each for each, owner in self._at.items() if owner is session]:
            del self._at[address]
            self._neighbours.unpin(address, session.metered.link_address)
            addresses.append(address)
        if session.refusal is not None:
            self._remember_why(addresses, session.refusal)
        counted = session.metered.reading()
        session.metered.remove()
        self._slots.free(session.slot)
        self._log("trade ended", trade=session.trade, up=counted.up, down=counted.down)
        if self._is_stopping and not self.sessions:
            self._finish()

    def send(self, session: Session, message: Interrogation | UsageReport) -> None:
        self._background(self._deliver(session, message))

    async def _deliver(self, session: Session, message: Interrogation | UsageReport) -> None:
        answer: InterrogationAnswer | UsageConfirmation
        try:
            if isinstance(message, Interrogation):
                answer = await self._office.interrogate(message)
            else:
                answer = await self._office.report(message)
        except NoAnswer as fault:
            then: Callable[[], None] = partial(session.unreachable, message, retry_after_s=fault.retry_after_s)
        except Rejected as fault:
            then = partial(session.rejected, message, fault.problem)
        else:
            then = partial(self._arrived, session, message, answer)
        if self.sessions.get(session.slot.label) is session:
            self._guarded(then)

    def _arrived(
        self, session: Session, message: Interrogation | UsageReport, answer: InterrogationAnswer | UsageConfirmation
    ) -> None:
        if isinstance(answer, InterrogationAnswer):
            self._clock.learn(answer.server_time)
            session.answered(answer)
        elif isinstance(message, UsageReport):
            session.confirmed(message, answer)

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _remember_why(self, addresses: list[Address], why: RefusalBody) -> None:
        for address in addresses:
            self.ended_why[address] = why
            self.ended_why.move_to_end(address)
        while len(self.ended_why) > ENDED_KEPT:
            self.ended_why.popitem(last=False)


def _address(key: Key) -> IPv4Address | IPv6Address:
    return ip_address(key.octets)
