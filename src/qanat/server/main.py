"""The server: opens the store, starts the fronts and the sweeper, and stops with nothing lost.

Stopping goes in this order: accept nothing new, finish what is under way, stop the sweeper, flush the store.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, closing, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

import structlog

from qanat.errors import BadInput
from qanat.server.clock_watch import ClockWatch, compare
from qanat.server.files import raise_limit
from qanat.server.first_start import prepare
from qanat.server.gy.listen import GyListener
from qanat.server.http.listen import HttpListener
from qanat.server.http.services import Services, make_services
from qanat.server.logs import configure
from qanat.server.place import ALONE, Place
from qanat.server.settings import Settings
from qanat.server.sharing import Shared, forget_if_damaged, shared_file
from qanat.server.supervisor import Supervisor
from qanat.server.sweeper import sweep_for_ever
from qanat.server.together import join_siblings
from qanat.server.web import drawing
from qanat.store.sole import is_written_to, sole_server
from qanat.store.store import open_store
from qanat.system import SteadyClock, SystemClock, fresh_id, tune

_log: Final = structlog.get_logger("server")


class Front(Protocol):
    """Something that listens."""

    async def start(self) -> str:
        """Listen, and return the address as ``host:port``."""
        ...

    async def stop(self) -> None:
        """Accept nothing new and return once everything under way was answered."""
        ...


def run(settings: Settings, *, announce: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT and return the exit status.

    ``announce`` gets the one line ``ready http=…`` once every listener is bound. Raises BadInput, CannotListen, StoreFault;
    Outdated also later.
    """
    configure(settings.log)
    raise_limit()
    if settings.workers == 1:
        _run(settings, announce=announce)
        return 0
    forget_if_damaged(shared_file(_data_directory(settings)))
    _loop_factory()  # what is imported now is shared by all workers

    def work(place: Place, life: int, ready: Callable[[], None]) -> None:
        _run(settings, announce=lambda _: ready(), place=place, life=life)

    return Supervisor(settings, work, announce).run()


def _run(settings: Settings, *, announce: Callable[[str], None], place: Place = ALONE, life: int | None = None) -> None:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(settings, announce=announce, place=place, life=life))


async def serve(
    settings: Settings, *, announce: Callable[[str], None], place: Place = ALONE, life: int | None = None
) -> None:
    """Serve until a signal says to stop, or the descriptor ``life`` says that who started us is gone.

    Raises BadInput, StoreFault, CannotListen before it is ready; Outdated when it has stopped because it must.
    """
    stop = _stop_on_signals(life)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        data = _data_directory(settings)
        templates = asyncio.create_task(asyncio.to_thread(drawing.prepare, data / "pages"))
        database = settings.store.database or f"sqlite:///{data / 'qanat.db'}"
        stack.enter_context(sole_server(database))
        if is_written_to(database):
            _log.warning("waiting for another program that writes to the database", database=database)
        store = await open_store(database, clock)
        stack.push_async_callback(store.close)
        compare(clock.now(), await store.newest())
        shared = None if place.alone else stack.enter_context(closing(Shared(shared_file(data))))
        services = make_services(store=store, clock=clock, settings=settings, place=place, shared=shared)
        await join_siblings(stack, services)
        await _start_sweeper(stack, services, stop)
        listening = fronts(services, place)
        addresses = [f"{name}={await _start(stack, front)}" for name, front in listening.items()]
        if isinstance(gateways := listening.get("gy"), GyListener):
            services.metrics.watch_gateways(gateways.front)
        await templates
        if place.worker == 0:  # the others are started when it is ready
            await prepare(store, services.passwords, data)  # at last: a password is said by a start that succeeds
        tune()
        announce(" ".join(["ready", *addresses]))
        _log.info("ready", addresses=addresses)
        await stop.wait()
        _log.info("stopping")
    _log.info("stopped")


def fronts(services: Services, place: Place) -> dict[str, Front]:
    """Return everything that listens, by its name in the ``ready`` line."""
    listening: dict[str, Front] = {"http": HttpListener(services, place=place)}
    settings = services.settings
    if settings.gy.listen or settings.gy.tls_listen:
        listening["gy"] = GyListener(
            services.store, SteadyClock(), settings, services.peers, services.notices, place=place
        )
    return listening


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's event loop where there is one, else asyncio's own."""
    return import_module("uvloop").new_event_loop if find_spec("uvloop") else None


def _data_directory(settings: Settings) -> Path:
    data = Path(settings.data)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{data} can't be made a data directory: {error.strerror}", field="data") from error
    return data


async def _start(stack: AsyncExitStack, front: Front) -> str:
    address = await front.start()
    stack.push_async_callback(front.stop)
    return address


async def _start_sweeper(stack: AsyncExitStack, services: Services, stop: asyncio.Event) -> None:
    """Sweep until the stack unwinds; what ends the sweeper before stops the server, and is raised then."""
    sweeper = asyncio.create_task(
        sweep_for_ever(
            services.store,
            services.settings.sweeper,
            services.metrics,
            server=fresh_id("srv"),
            watch=ClockWatch(services.clock, SteadyClock()),
        ),
        name="sweeper",
    )
    sweeper.add_done_callback(lambda _: stop.set())

    async def cancel() -> None:
        sweeper.cancel()
        with suppress(asyncio.CancelledError):
            await sweeper

    stack.push_async_callback(cancel)


def _stop_on_signals(life: int | None) -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if life is not None:
        loop.add_reader(life, _gone, loop, life, stop)
    return stop


def _gone(loop: asyncio.AbstractEventLoop, life: int, stop: asyncio.Event) -> None:
    loop.remove_reader(life)
    stop.set()
