"""How a person's request becomes a decision: who is asking, once only, and what is said when it is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from qanat.errors import BadInput
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.access import Caller, caller_may_serve, caller_of
from qanat.registry.answers import Answer, Repeatable, earlier_answer, store_answer
from qanat.registry.names import digest, is_name
from qanat.registry.refused import remember
from qanat.server.http.noting import noted
from qanat.server.http.problems import Denied, refusal
from qanat.server.http.services import Services, services_of

T = TypeVar("T")
Decision = Callable[[Work], T | Refused]


async def caller(request: Request) -> Caller:
    """Return who holds the request's token. Raises Denied."""
    token = token_of(request)
    found = await services_of(request).store.decide(lambda work: caller_of(work, token))
    if isinstance(found, Refused):
        raise Denied(found)
    return found


async def staff(request: Request) -> Caller:
    """Return the caller, who must work for an operator or administer the installation. Raises Denied."""
    found = await caller(request)
    if found.role == "subscriber":
        raise Denied(Refused(Refusal.NOT_ALLOWED, {"who": found.who, "needed": "an operator"}))
    return found


async def administrator(request: Request) -> Caller:
    found = await caller(request)
    if found.role != "administrator":
        raise Denied(Refused(Refusal.NOT_ALLOWED, {"who": found.who, "needed": "an administrator"}))
    return found


async def subject(request: Request) -> str:
    """Return the subscriber a path is about: its ``{name}``, or under ``/v1/me`` whoever is asking. Raises Denied."""
    named = request.path_params.get("name")
    if named is None:
        return _own_name(await caller(request))
    if not is_name(named):
        raise Denied(Refused(Refusal.UNKNOWN_SUBSCRIBER, {"identity": repr(named[:64])}))
    return str(named)


def _own_name(found: Caller) -> str:
    """Return the subscriber that is asking. Staff has no traffic of its own. Raises Denied."""
    if found.role != "subscriber":
        raise Denied(Refused(Refusal.SUBSCRIBER_NOT_NAMED, {"who": found.who}))
    return found.who


AnyCaller = Annotated[Caller, Depends(caller)]
StaffCaller = Annotated[Caller, Depends(staff)]
Administrator = Annotated[Caller, Depends(administrator)]
Subject = Annotated[str, Depends(subject)]
Limit = Annotated[int, Query(ge=1, le=1000)]


async def effect(
    request: Request,
    decision: Decision[T],
    *,
    show: Callable[[T], BaseModel],
    caller: Caller | None = None,
) -> Response:
    """Take a decision durably and show its result; once only if the request carries an ``Idempotency-Key``.

    What staff does is noted in the log of changes by the same decision, and that the caller is still signed in is seen
    by it as well.
    """
    asked, note = await _repeatable(request, caller), await noted(request, caller)

    def once(work: Work) -> Answer | Refused:
        earlier = earlier_answer(work, asked) if asked else None
        if earlier is not None:
            return earlier
        result = decision(work)
        if isinstance(result, Refused):
            return result
        answer = Answer(201, show(result).model_dump_json().encode())
        if asked:
            store_answer(work, asked, answer)
        note(work)
        return answer

    decided = while_signed_in(request, once) if caller else once
    return await _answered(request, await services_of(request).store.decide(decided), caller)


def while_signed_in(request: Request, decision: Decision[T]) -> Decision[T]:
    """Make a decision that is refused to whoever was signed out, or dismissed, since ``caller`` looked."""
    token = token_of(request)

    def decide(work: Work) -> T | Refused:
        held = caller_of(work, token)
        return held if isinstance(held, Refused) else decision(work)

    return decide


async def told_before(request: Request, caller: Caller) -> Response | None:
    """Return what a repeat of this request is told; None if it is new. For what takes more than one decision."""
    asked = await _repeatable(request, caller)
    if asked is None:
        return None
    earlier = await services_of(request).store.decide(lambda work: earlier_answer(work, asked))
    return None if earlier is None else await _answered(request, earlier, caller)


async def chosen(request: Request, caller: Caller, choose: Callable[[Work], int]) -> int | Refused:
    """Take the decision that the others of a request depend on, and return the number it chose.

    A repeat gets the same, also while they are under way and after they were interrupted.
    """
    asked = await _repeatable(request, caller)
    # No key that somebody sends has a line break in it.
    beside = replace(asked, key=f"{asked.key}\nchosen") if asked else None

    def once(work: Work) -> int | Refused:
        earlier = earlier_answer(work, beside) if beside else None
        if earlier is not None:
            return earlier if isinstance(earlier, Refused) else int(earlier.body)
        number = choose(work)
        if beside:
            store_answer(work, beside, Answer(200, b"%d" % number))
        return number

    return await services_of(request).store.decide(while_signed_in(request, once))


async def view(request: Request, decision: Decision[T], *, show: Callable[[T], BaseModel], caller: Caller) -> Response:
    """Answer a question that changes nothing."""

    def look(work: Work) -> Answer | Refused:
        result = decision(work)
        return result if isinstance(result, Refused) else Answer(200, show(result).model_dump_json().encode())

    return await _answered(request, await services_of(request).store.decide(look), caller)


def not_theirs(caller: Caller, operator: str) -> Refused | None:
    if caller_may_serve(caller, operator):
        return None
    return Refused(Refusal.NOT_ALLOWED, {"who": caller.who, "needed": f"staff of operator {operator}"})


async def refuse(services: Services, refused: Refused, *, who: str = "", session: str = "") -> Response:
    """Answer a refusal. Of whom we know it is remembered for ``qanat refusals``; a stranger's is only counted."""
    services.metrics.refusals.labels(refused.reason.value).inc()
    if who:
        await services.store.decide(lambda work: remember(work, refused, who=who, session=session))
    return refusal(refused)


def token_of(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Denied(Refused(Refusal.SIGNED_OUT))
    return token.strip()


async def _answered(request: Request, outcome: Answer | Refused, caller: Caller | None) -> Response:
    if isinstance(outcome, Refused):
        who = f"{caller.role}/{caller.who}" if caller else ""
        return await refuse(services_of(request), outcome, who=who)
    return Response(outcome.body, outcome.status, media_type="application/json")


async def _repeatable(request: Request, caller: Caller | None) -> Repeatable | None:
    key = request.headers.get("idempotency-key", "")
    if not key:
        return None
    if len(key) > 255 or not key.isprintable():
        raise BadInput("at most 255 printable characters", field="Idempotency-Key")
    body = (await request.body()).decode(errors="replace")
    # The key goes into the digest, so that a password in the body can't be guessed from what is stored.
    said = digest(f"{key}\n{request.method}\n{request.url.path}\n{body}")
    return Repeatable(caller=f"{caller.role}/{caller.who}" if caller else "", key=key, request=said)
