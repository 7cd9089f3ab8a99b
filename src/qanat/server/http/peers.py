"""Diameter peers: who is accepted, who was turned away, and how gateways behave."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from qanat.registry.peers import AcceptedPeer, accept_peer, peer_owner, remove_peer
from qanat.server.gy.peers import Roster, Standing, Stranger
from qanat.server.http.bodies import NewPeer
from qanat.server.http.effects import Administrator, effect
from qanat.server.http.services import services_of
from qanat.server.http.views.house import PeerList, PeerView
from qanat.server.together import peer_changed, picture_of_all
from qanat.units import format_instant

router = APIRouter()


@router.post("/v1/peers", status_code=201, response_model=PeerView, tags=["peers"])
async def accept(body: NewPeer, request: Request, caller: Administrator) -> Response:
    """Accept a Diameter peer, or change its profile; a leading `*.` accepts all whose name ends so."""
    services = services_of(request)
    standings = (await picture_of_all(services)).standings
    decision = partial(accept_peer, origin_host=body.origin_host, profile=body.profile)
    answer = await effect(request, decision, show=partial(_accepted, standings), caller=caller)
    await peer_changed(services, peer_owner(body.origin_host), body.origin_host)
    return answer


@router.get("/v1/peers", tags=["peers"])
async def list_peers(request: Request, _caller: Administrator) -> PeerList:
    """List accepted peers, gateways that are or were connected, and strangers who were turned away, newest first."""
    roster, seen = services_of(request).peers, await picture_of_all(services_of(request))
    named = {peer.id for peer in roster.known}
    heard = [host for host in sorted(seen.standings) if host not in named and roster.knows(host)]
    return PeerList(
        peers=[
            *(_accepted(seen.standings, peer) for peer in roster.known),
            *(_heard(roster, host, seen.standings[host]) for host in heard),
            *(_stranger(stranger) for stranger in seen.strangers),
        ]
    )


@router.post("/v1/peers/{origin_host}/removal", status_code=201, response_model=PeerView, tags=["peers"])
async def remove(origin_host: str, request: Request, caller: Administrator) -> Response:
    """Accept a peer no longer; its connections are closed."""
    services = services_of(request)
    standings = (await picture_of_all(services)).standings
    decision = partial(remove_peer, origin_host=origin_host)
    answer = await effect(request, decision, show=partial(_accepted, standings), caller=caller)
    await peer_changed(services, peer_owner(origin_host), origin_host)
    return answer


def _accepted(standings: dict[str, Standing], peer: AcceptedPeer) -> PeerView:
    return _view(peer.id, "accepted", peer.profile, format_instant(peer.accepted_at), standings.get(peer.id))


def _heard(roster: Roster, host: str, standing: Standing) -> PeerView:
    covering = roster.covering(host)
    return _view(host, f"by {covering.id}" if covering else "", covering.profile if covering else "", "", standing)


def _stranger(stranger: Stranger) -> PeerView:
    last_at = format_instant(stranger.last_at)
    shown = _view(stranger.origin_host, f"turned away {stranger.times}×", "", last_at, None)
    return shown.model_copy(update={"turned_away": stranger.times})


def _view(origin_host: str, state: str, profile: str, last_at: str, standing: Standing | None) -> PeerView:
    stands = standing or Standing()
    return PeerView(
        protocol="gy",
        origin_host=origin_host,
        state=state,
        profile=profile,
        connections=stands.connections,
        last_at=last_at,
        told=stands.told,
        followed=stands.followed,
        ignored=stands.ignored,
    )
