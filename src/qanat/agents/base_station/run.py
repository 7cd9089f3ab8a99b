"""The running base station: its guests on one event loop, one gateway, one journal, one way to the server.

The kernel says which grant ran dry, timers bring the rest. Messages travel in threads, so a slow server never delays
the metering; fences are waited for in a thread of their own, many at once.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextlib import ExitStack, closing, suppress
from functools import partial
from ipaddress import ip_network
from typing import Final

from qanat.agents.background import begin
from qanat.agents.base_station import said
from qanat.agents.base_station.fences import Fences
from qanat.agents.base_station.gateway import Gateway
from qanat.agents.base_station.ground import Shelf
from qanat.agents.base_station.guests import Guests
from qanat.agents.base_station.office import Office
from qanat.agents.base_station.session import Session
from qanat.agents.base_station.sides import SideAnew
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.durable import JournalFault
from qanat.agents.kernel.fence import wait_for_packets_in_flight
from qanat.agents.kernel.link import NoSuchInterface, forwards
from qanat.agents.kernel.neighbour import Address, LinkAddress, Neighbours
from qanat.agents.kernel.netlink import KernelFault
from qanat.agents.kernel.nft import TableGone
from qanat.agents.log import Log
from qanat.agents.release import stays_shut
from qanat.agents.reporter import NoAnswer, Rejected
from qanat.agents.signalling import Endpoint
from qanat.errors import Fault
from qanat.units import Instant, Millis
from qanat.wire.agent import Interrogation, InterrogationAnswer, RefusalBody, UsageConfirmation, UsageReport
from qanat.wire.base_station import Admission, Admitted

STOP_WITHIN_S: Final = 10.0
"""How long a stop waits for the server; after that the journal keeps what is left for the next start."""
AGAIN_S: Final = 2
DECIDED_WITHIN_S: Final = 5.0
"""How long a demander waits for its first grant before it is told to look again."""
CURED_BY_BEGINNING_ANEW: Final = (JournalFault, TableGone, KernelFault, SideAnew, NoSuchInterface)
"""The gate stands closed at its last limits meanwhile; what was not written did not happen."""
RECALLS_AGAIN_S: Final = 1.0
SERVERS_AGAIN_S: Final = 10.0
ADMITTED_WITHIN_S: Final = 8.0
"""How long a demander waits for the server, so that he is told the reason before his connection is given up."""


class BaseStation:
    """Runs until it is told to stop. Raises a Fault that names its cure when it cannot go on."""

    def __init__(
        self,
        *,
        slots: Shelf,
        open_gateway: Callable[[list[Endpoint]], Gateway],
        office: Office,
        clock: CorrectedClock,
        log: Log,
        report_interval_s: int | None,
        idle_end: Millis,
        resolve: Callable[[], list[Endpoint]],
    ) -> None:
        self.guests = Guests(slots, self, log=log, report_interval_s=report_interval_s, idle_end=idle_end)
        self._open_gateway = open_gateway
        self._resolve = resolve
        self._servers: list[Endpoint] = []
        self._office = office
        self._clock = clock
        self._log = log
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = self._is_paused = False

    async def run(self, serve: Callable[[], Awaitable[None]]) -> None:
        """Run; ``serve`` opens what faces the demanders once the sessions are back."""
        loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._guarded, self._stop)
        self._servers = await asyncio.to_thread(self._resolve)
        self._open()
        try:
            self._guarded(self._resume)
            self._background(self._ask_for_recalls())
            self._background(self._keep_servers_reachable())
            await serve()
            await self._finished
        finally:
            self._take_down()

    # What demanders and their browsers ask for

    async def admit(self, asked: Admission, address: Address) -> Session | RefusalBody:
        """Ask the server and open the gate; a refusal comes back with its reason and cure."""
        link_address = self._link_address(address)
        if self._is_stopping or self._is_paused:
            return said.STOPPING if self._is_stopping else said.OUT_OF_ORDER
        if link_address is None:
            return said.NOT_A_NEIGHBOUR
        try:
            admitted = await asyncio.wait_for(self._office.admit(asked), ADMITTED_WITHIN_S)
        except (NoAnswer, TimeoutError) as fault:
            self._log("no channel works", sentence=str(fault) or f"no answer within {ADMITTED_WITHIN_S:.0f} s")
            return said.SERVER_AWAY
        except Rejected as fault:
            refusal = said.passed_on(fault.problem)
            self._log("admission refused", address=str(address), reason=refusal.reason, sentence=refusal.sentence)
            self.guests.remember_why([address], refusal)
            return refusal
        self._clock.learn(admitted.server_time)
        session = self._let_in(admitted, address, link_address)
        if isinstance(session, RefusalBody):
            return session
        with suppress(TimeoutError):
            await asyncio.wait_for(session.decided.wait(), DECIDED_WITHIN_S)
        return session.refusal if session.refusal is not None and session.metered.is_shut else session

    def _let_in(self, admitted: Admitted, address: Address, link_address: LinkAddress) -> Session | RefusalBody:
        if self._is_paused:
            return said.OUT_OF_ORDER  # since the server was asked: the gateway is closed
        try:
            return self.guests.admit(admitted, address, link_address)
        except CURED_BY_BEGINNING_ANEW as fault:
            self._pause("gate could not be opened", fault)
            return said.OUT_OF_ORDER

    def device(self, address: Address) -> Hashable:
        """Return what is the same for all addresses of one device: its link address, or the network it comes from."""
        if (link_address := self._link_address(address)) is not None:
            return link_address
        return ip_network((address, 64 if address.version == 6 else 32), strict=False)

    def _link_address(self, address: Address) -> LinkAddress | None:
        """Return what answers for the address now; guests are told what is heard by the way."""
        self._guarded(self._hear_neighbours)
        return self._neighbours.link_address(address)

    def leave(self, address: Address) -> None:
        session = self.guests.at(address)
        if session is not None:
            self._guarded(partial(session.stop, said.LEFT))

    # Opening, pausing, stopping

    def _open(self) -> None:
        with ExitStack() as opened:
            gateway = opened.enter_context(closing(self._open_gateway(self._servers)))
            self._neighbours = Neighbours(gateway.sides.access)
            self.gateway = gateway
            opened.pop_all()
        self._fences = Fences(wait_for_packets_in_flight, failed=lambda fault: self._guarded(partial(_raise, fault)))
        loop = asyncio.get_running_loop()
        loop.add_reader(self.gateway.fileno(), self._guarded, self._hear_the_kernel)
        loop.add_reader(gateway.sides.fileno(), self._guarded, self._hear_links)
        loop.add_reader(self._neighbours.fileno(), self._guarded, self._hear_neighbours)
        if self.gateway.merging:
            self._log("offloads stay on", which=", ".join(self.gateway.merging), sentence="Some headers go uncounted.")
        if not (forwards(gateway.sides.access) and forwards(gateway.sides.uplink)):
            self._log(
                "nothing is forwarded",
                sentence="This kernel passes no packet on.",
                cure="sysctl -w net.ipv4.ip_forward=1",
            )

    def _resume(self) -> None:
        self.guests.resume(self.gateway, self._neighbours)

    def _shut_down_io(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.gateway.fileno())
        loop.remove_reader(self.gateway.sides.fileno())
        loop.remove_reader(self._neighbours.fileno())
        self._fences.cancel()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self.gateway.close()
        self._neighbours.close()

    def _stop(self) -> None:
        if self._is_stopping or self._is_paused or not self.guests.sessions:
            self._finish()
            return
        self._is_stopping = True
        self._log("stopping", within_s=int(STOP_WITHIN_S), sessions=len(self.guests.sessions))
        asyncio.get_running_loop().call_later(STOP_WITHIN_S, self._finish)
        self.guests.stop()

    def _finish(self) -> None:
        if not self._finished.done():
            self._finished.set_result(None)

    def _take_down(self) -> None:
        for task in self._tasks:
            task.cancel()
        if not self._is_paused:
            self._shut_down_io()
        self._log("base station stopped", gate=stays_shut(self.gateway.sides.access.name, device="station"))

    def _guarded(self, event: Callable[[], None]) -> None:
        """Run an event. What can be cured by beginning anew from journal and kernel is; any other fault ends the agent."""
        if self._is_paused and event not in (self._start_again, self._stop):
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
        self._log(event, sentence=str(fault))
        if not self._is_paused:
            self._shut_down_io()
        self._is_paused = True
        wait_s = 0 if isinstance(fault, TableGone | SideAnew) else AGAIN_S
        asyncio.get_running_loop().call_later(wait_s, self._guarded, self._start_again)

    def _start_again(self) -> None:
        self._open()
        self._is_paused = False
        self._resume()
        if self._is_stopping:
            self.guests.stop()

    # Events

    def _hear_the_kernel(self) -> None:
        self.guests.ran_dry(self.gateway.take_dry())

    def _hear_links(self) -> None:
        sides = self.gateway.sides
        before = sides.away
        sides.hear()
        if sides.away and sides.away != before:
            which = ", ".join(sides.away)
            self._log("interface away", which=which, sentence="Nothing passes until it is up under this name.")

    def _hear_neighbours(self) -> None:
        for address, link_address in self._neighbours.take():
            self.guests.neighbour(address, link_address)

    async def _ask_for_recalls(self) -> None:
        while True:
            wait_s = RECALLS_AGAIN_S
            if self.guests.sessions:
                try:
                    found = await self._office.recalls()
                except (NoAnswer, Rejected):
                    pass  # the questions about quotas notice it and say so
                else:
                    wait_s = found.ask_again_ms / 1000
                    self._guarded(partial(self.guests.recall, set(found.trades)))
            await asyncio.sleep(wait_s)

    async def _keep_servers_reachable(self) -> None:
        """The DNS may have been away at the start, as it is while a gateway boots; or a name leads elsewhere by now."""
        while True:
            await asyncio.sleep(SERVERS_AGAIN_S)
            self._servers = await asyncio.to_thread(self._resolve)
            self._guarded(lambda: self.gateway.allow_signalling(self._servers))

    # What guests ask of their host

    def now(self) -> Instant:
        return self._clock.now()

    def fence(self, then: Callable[[], None]) -> None:
        self._fences.after(partial(self._guarded, then))

    def wake(self, session: Session, at: Instant) -> None:
        label = session.slot.label
        if label in self._timers:
            self._timers[label].cancel()
        wait_s = max(0.0, (at - self._clock.now()) / 1000)
        self._timers[label] = asyncio.get_running_loop().call_later(wait_s, self._guarded, session.tick)

    def left(self, session: Session) -> None:
        self._timers.pop(session.slot.label).cancel()
        if self._is_stopping and not self.guests.sessions:
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
        if self.guests.sessions.get(session.slot.label) is session:
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
        begin(work, among=self._tasks, ends=self._finished)


def _raise(fault: Exception) -> None:
    raise fault
