"""Puts a base station's parts together from its state folder, and runs them."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from qanat.agents.base_station import identity as identities
from qanat.agents.base_station.gateway import Gateway, shut_in_advance
from qanat.agents.base_station.http import HttpServer
from qanat.agents.base_station.identity import Identity
from qanat.agents.base_station.office import Office
from qanat.agents.base_station.portal import Portal
from qanat.agents.base_station.run import BaseStation
from qanat.agents.base_station.slots import Slots
from qanat.agents.base_station.state_file import StateFile
from qanat.agents.channel import read_server
from qanat.agents.claim import claim
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.device_key import key_of
from qanat.agents.kept_channel import KeptChannels
from qanat.agents.kernel.lay import until_it_stands
from qanat.agents.log import Log
from qanat.agents.opening import open_behind_shut_gate
from qanat.agents.reporter import ANY_ROUTE, Reporter
from qanat.agents.signalling import Endpoint, endpoints_now
from qanat.clock import Clock
from qanat.units import Millis

if TYPE_CHECKING:
    from qanat.agents.base_station.page_tls import PageTls


def run_base_station(
    state: Path,
    *,
    access: str | None,
    uplink: str | None,
    portal_port: int,
    page_tls: PageTls | None,
    free: list[str],
    report_interval_s: int | None,
    idle_end: Millis,
    log: Log,
    clock: Clock,
) -> None:
    """Run until SIGTERM or SIGINT. ``free`` names servers that demanders reach uncharged, besides the enrolled one.
    ``idle_end`` is how long a session may last without an octet.

    Raises a Fault that names its cure.
    """
    identity = identities.load(state)
    access = access or identity.access
    uplink = uplink or identity.uplink
    corrected = CorrectedClock(clock)
    office = Office(_reporter(state, identity, corrected), corrected)
    servers = [read_server(url) for url in (identity.server, *free)]

    def open_gateway(signalling: list[Endpoint]) -> Gateway:
        return until_it_stands(
            lambda _: Gateway(access=access, uplink=uplink, portal_port=portal_port, signalling=signalling)
        )

    def shut() -> bool:
        return shut_in_advance(access=access, uplink=uplink)

    with (
        claim("station", access),
        closing(open_behind_shut_gate(lambda: Slots(slots_path(state)), shut=shut, log=log)) as slots,
    ):
        station = BaseStation(
            slots=slots,
            open_gateway=open_gateway,
            office=office,
            clock=corrected,
            log=log,
            report_interval_s=report_interval_s,
            idle_end=idle_end,
            resolve=lambda: [each for server in servers for each in endpoints_now(server, log)],
        )
        page = HttpServer(
            Portal(station, identity).answer,
            device_of=station.device,
            failed=lambda fault: log("request failed", sentence=f"{type(fault).__name__}: {fault}"),
        )
        state_file = StateFile(state_path(state), station, corrected)

        async def serve() -> None:
            await page.listen(None, portal_port)
            if page_tls is not None:
                from qanat.agents.base_station.page_tls import context_for  # noqa: PLC0415  # megabytes, if not wanted

                await page.listen(None, page_tls.port, tls=context_for(page_tls, state, clock))
            log("ready", portal=f"http://…:{portal_port}/", access=access)
            state_file.keep_up_to_date()

        asyncio.run(station.run(serve))


def _reporter(state: Path, identity: Identity, clock: CorrectedClock) -> Reporter:
    return Reporter(
        read_server(identity.server),
        key=key_of(state),
        key_id=identity.base_station,
        channels=[ANY_ROUTE],
        clock=clock,
        exchange=KeptChannels().exchange,
    )


def slots_path(state: Path) -> Path:
    return state / "slots.db"


def state_path(state: Path) -> Path:
    return state / "state.json"
