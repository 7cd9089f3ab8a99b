"""Signing up, in and out. What goes wrong here tells nothing about which names exist."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.access import password_hash_of, set_password, sign_in, sign_out
from qanat.registry.operators import HOME
from qanat.registry.subscribers import Subscriber, create_subscriber
from qanat.server.http.bodies import SignIn, SignUp
from qanat.server.http.effects import AnyCaller, effect, refuse, token_of
from qanat.server.http.services import Services, services_of
from qanat.server.http.views import CallerView, Done, SignedIn, SubscriberView
from qanat.system import fresh_token
from qanat.units import HOUR, Millis, format_instant, later

router = APIRouter(tags=["signing in"])


@router.post("/v1/sign-up", status_code=201, response_model=SubscriberView)
async def up(body: SignUp, request: Request) -> Response:
    """Become a subscriber of the home operator."""
    services = services_of(request)
    too_often = services.tries_by_address.count(_address(request))
    if too_often:
        return await refuse(services, too_often)
    hashed = await services.passwords.hash(body.password.get_secret_value())

    def decision(work: Work) -> Subscriber | Refused:
        made = create_subscriber(work, name=body.name, operator=HOME, display_name=body.display_name)
        if isinstance(made, Subscriber):
            set_password(work, made.owner, hashed)
        return made

    return await effect(request, decision, show=SubscriberView.of)


@router.post("/v1/sign-in", status_code=201, response_model=SignedIn)
async def in_(body: SignIn, request: Request) -> Response:
    """Get a token for a name and a password."""
    services = services_of(request)
    too_often = services.tries_by_name.count(body.name) or services.tries_by_address.count(_address(request))
    if too_often:
        return await refuse(services, too_often)
    stored = await services.store.decide(lambda work: password_hash_of(work, body.name))
    if not await services.passwords.fits(body.password.get_secret_value(), stored):
        return await refuse(services, Refused(Refusal.WRONG_SIGN_IN))
    services.tries_by_name.forget(body.name)
    return Response((await _signed_in(services, body.name)).model_dump_json(), 201, media_type="application/json")


@router.post("/v1/sign-out", status_code=201)
async def out(request: Request) -> Done:
    """Forget this token. Repeating is safe."""
    token = token_of(request)
    await services_of(request).store.decide(lambda work: sign_out(work, token))
    return Done()


@router.get("/v1/whoami")
async def whoami(caller: AnyCaller) -> CallerView:
    """Tell whose token this is."""
    return CallerView.of(caller)


async def _signed_in(services: Services, name: str) -> SignedIn:
    token = fresh_token()
    hours = Millis(services.settings.sign_in.hours * HOUR)

    def decision(work: Work) -> SignedIn:
        until = later(work.now, hours)
        caller = sign_in(work, name=name, token=token, until=until)
        return SignedIn(token=token, name=caller.who, role=caller.role, expires_at=format_instant(until))

    return await services.store.decide(decision)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
