"""Signing up, in and out, and passwords. What goes wrong here tells nothing about which names exist."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network, ip_address

from fastapi import APIRouter, Request
from starlette.responses import Response

from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.access import Caller, Staff, password_hash_of, replace_password, set_password, sign_in, sign_out
from qanat.registry.changes import note_change
from qanat.registry.names import staff_owner
from qanat.registry.subscribers import Subscriber, create_subscriber
from qanat.server.http.bodies import NewPassword, SignIn, SignUp
from qanat.server.http.effects import AnyCaller, StaffCaller, Subject, effect, refuse, token_of
from qanat.server.http.services import Services, services_of
from qanat.server.http.subjects import acting_for, both
from qanat.server.http.views.common import Done
from qanat.server.http.views.people import CallerView, SignedIn, StaffView, SubscriberView
from qanat.system import fresh_id, fresh_token
from qanat.units import HOUR, Millis, format_instant, later

router = APIRouter()


@router.post("/v1/sign-up", status_code=201, response_model=SubscriberView, tags=["signing in"])
async def up(body: SignUp, request: Request) -> Response:
    """Become a subscriber of the operator that the settings name."""
    services = services_of(request)
    too_often = services.tries_by_address.count(_household(_address(request)))
    if too_often:
        return await refuse(services, too_often)
    hashed = await services.passwords.hash(body.password.get_secret_value())

    def decision(work: Work) -> Subscriber | Refused:
        operator = services.settings.sign_in.operator
        made = create_subscriber(work, name=body.name, operator=operator, display_name=body.display_name)
        if isinstance(made, Subscriber):
            set_password(work, made.owner, hashed)
        return made

    return await effect(request, decision, show=SubscriberView.of)


@router.post("/v1/sign-in", status_code=201, response_model=SignedIn, tags=["signing in"])
async def in_(body: SignIn, request: Request) -> Response:
    """Get a token for a name and a password."""
    services = services_of(request)
    # The address first: what it may not even try must not keep others out of their names.
    too_often = services.tries_by_address.count(_household(_address(request))) or services.tries_by_name.count(
        _door(body.name)
    )
    if too_often:
        return await refuse(services, too_often)
    stored = await services.store.decide(lambda work: password_hash_of(work, body.name))
    fits = await services.passwords.fits(body.password.get_secret_value(), stored)
    if stored is None or not fits:
        return await refuse(services, Refused(Refusal.WRONG_SIGN_IN))
    given = await _signed_in(services, body.name, checked=stored, address=_address(request))
    if isinstance(given, Refused):
        return await refuse(services, given)
    services.tries_by_name.forget(_door(body.name))
    return Response(given.model_dump_json(), 201, media_type="application/json")


@router.post("/v1/sign-out", status_code=201, tags=["signing in"])
async def out(request: Request) -> Done:
    """Forget this token. Repeating is safe."""
    token = token_of(request)
    await services_of(request).store.decide(lambda work: sign_out(work, token))
    return Done()


@both(router, "POST", "/password", SubscriberView, tag="signing in")
async def change_password(name: Subject, body: NewPassword, request: Request, caller: AnyCaller) -> Response:
    """Give a subscriber another password. Staff needs no current one; every other sign-in of the subscriber ends."""
    services, here = services_of(request), token_of(request)
    is_own = caller.role == "subscriber" and caller.who == name
    checked = await _current(services, caller, body) if is_own else ""
    if isinstance(checked, Refused):
        return await refuse(services, checked)
    hashed = await services.passwords.hash(body.password.get_secret_value())

    def decide(work: Work, one: Subscriber) -> Subscriber | Refused:
        if is_own:
            return replace_password(work, one.owner, hashed, checked=checked, here=here) or one
        set_password(work, one.owner, hashed)
        return one

    return await effect(request, acting_for(caller, name, decide), show=SubscriberView.of, caller=caller)


@router.post("/v1/staff/password", status_code=201, response_model=StaffView, tags=["signing in"])
async def change_staff_password(body: NewPassword, request: Request, caller: StaffCaller) -> Response:
    """Give oneself another password, with the current one; one's other sign-ins end, the token file's stays."""
    services = services_of(request)
    checked = await _current(services, caller, body)
    if isinstance(checked, Refused):
        return await refuse(services, checked)
    hashed = await services.passwords.hash(body.password.get_secret_value())

    def decision(work: Work) -> Staff | Refused:
        staff = work.get(Staff, staff_owner(caller.who), caller.who)
        assert staff is not None, "a token of staff is somebody's"
        return replace_password(work, staff.owner, hashed, checked=checked, here=token_of(request)) or staff

    return await effect(request, decision, show=StaffView.of, caller=caller)


async def _current(services: Services, caller: Caller, body: NewPassword) -> str | Refused:
    """Return the hash that the current password fits; tries are bounded like sign-ins."""
    too_often = services.tries_by_name.count(_door(caller.who))
    if too_often:
        return too_often
    stored = await services.store.decide(lambda work: password_hash_of(work, caller.who))
    current = body.current.get_secret_value() if body.current else ""
    if stored is None or not await services.passwords.fits(current, stored):
        return Refused(Refusal.WRONG_SIGN_IN)
    services.tries_by_name.forget(_door(caller.who))
    return stored


@router.get("/v1/whoami", tags=["signing in"])
async def whoami(caller: AnyCaller) -> CallerView:
    """Tell whose token this is."""
    return CallerView.of(caller)


async def _signed_in(services: Services, name: str, *, checked: str, address: str) -> SignedIn | Refused:
    token, change = fresh_token(), fresh_id("chg")
    hours = Millis(services.settings.sign_in.hours * HOUR)

    def decision(work: Work) -> SignedIn | Refused:
        until = later(work.now, hours)
        caller = sign_in(work, name=name, checked=checked, token=token, until=until)
        if isinstance(caller, Refused):
            return caller
        if caller.role != "subscriber":
            note_change(work, caller, id=change, target="sign-in", said={"from": address})
        return SignedIn(token=token, name=caller.who, role=caller.role, expires_at=format_instant(until))

    return await services.store.decide(decision)


def _door(name: str) -> str:
    """Return where passwords for a name are tried. Vouchers are tried elsewhere, and a stranger may call itself anything."""
    return f"password {name}"


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _household(address: str) -> str:
    """Return whose tries count together: of IPv6 the /64, since one line may take any interface identifier (RFC 4291 §2.5.1)."""
    try:
        at = ip_address(address)
    except ValueError:
        return address
    if isinstance(at, IPv4Address) or at.ipv4_mapped:
        return address
    return str(IPv6Network((at, 64), strict=False))
