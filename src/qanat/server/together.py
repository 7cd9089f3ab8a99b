"""How the workers of a host act as one server: a notice reaches the worker that holds the gateway's connection, a peer
that was accepted or removed is so everywhere, and figures are everybody's."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

import msgspec

from qanat.errors import Fault
from qanat.ids import Owner
from qanat.server.gy.peers import Picture
from qanat.server.http.services import Services
from qanat.server.metrics import together
from qanat.server.notices import Change

_LOOK_S: Final = 5
"""How soon a peer that was accepted on another host may come."""


async def join_siblings(stack: AsyncExitStack, services: Services) -> None:
    """Hear the other workers, and let them hear us, until the stack unwinds."""
    siblings, peers = services.siblings, services.peers

    async def notice(body: Any) -> None:
        services.notices.hear(Owner(body[0]), Change[body[1]])

    async def peer(body: Any) -> None:
        await peers.look(Owner(body[0]), body[1])

    async def standing(_: Any) -> Picture:
        return peers.picture()

    async def metrics(_: Any) -> list[Any]:
        return [siblings.worker, services.metrics.render().decode()]

    for word, answer in (("notice", notice), ("peer", peer), ("standing", standing), ("metrics", metrics)):
        siblings.on(word, answer)
    services.notices.onward = lambda owner, change: siblings.tell("notice", [owner, change.name])
    await siblings.start()
    stack.push_async_callback(siblings.stop)
    if services.store.is_shared:
        looking = asyncio.create_task(_look_for_ever(services), name="peers")
        stack.callback(looking.cancel)


async def peer_changed(services: Services, owner: Owner, id: str) -> None:
    """Return when every worker of this host has taken up what was decided about a peer."""
    await services.peers.look(owner, id)
    await services.siblings.ask("peer", [owner, id])


async def picture_of_all(services: Services) -> Picture:
    others = [msgspec.convert(one, Picture) for one in await services.siblings.ask("standing")]
    return services.peers.with_others(others)


async def figures_of_all(services: Services) -> bytes:
    own = services.metrics.render()
    if services.siblings.alone:
        return own
    others = await services.siblings.ask("metrics")
    return together({services.siblings.worker: own.decode(), **dict(map(tuple, others))}).encode()


async def _look_for_ever(services: Services) -> None:
    while True:
        await asyncio.sleep(_LOOK_S)
        with suppress(Fault):  # the database is away; the next look may see it
            await services.peers.look_again()
