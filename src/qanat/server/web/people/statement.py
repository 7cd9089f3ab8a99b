"""The statement: what stands between a subscriber and others, and each offset told as a sentence."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from starlette.responses import Response

from qanat.server.http.views.plans import BalanceView
from qanat.server.http.views.sessions import RefusalList
from qanat.server.http.views.trades import (
    DisputeList,
    ObligationView,
    OffsetView,
    PaymentView,
    StatementList,
    StatementView,
)
from qanat.server.web import figures
from qanat.server.web.api import Turned
from qanat.server.web.forms import bad
from qanat.server.web.language import later
from qanat.server.web.pages import redirect, render
from qanat.server.web.people.fields import currency, money, money_cure, text
from qanat.server.web.visit import Visit
from qanat.units import format_money, format_size
from qanat.wire.agent import Problem

_SHOWN: Final = 50
_PAYMENT: Final = "pay-"
"""How the ids of payments begin."""
_SENTENCES: Final = {
    (False, True): later("On {day} you gave {other} {amount}."),
    (True, True): later("On {day} {other} gave you {amount}."),
    (False, False): later("On {day} {other} used traffic of yours for {amount}."),
    (True, False): later("On {day} you used traffic of {other} for {amount}."),
}
"""Whether the other is the creditor, and whether it is about octets."""
_OVERPAID: Final = later("On {day} {amount} more were paid than was owed.")
_OFFSET: Final = later("{amount} of it were offset against {day}, when it went the other way.")


async def statement(visit: Visit, problem: Problem | None = None) -> Response:
    found = (await visit.api.get("/v1/me/statement", StatementList)).statements
    balance = await visit.api.get("/v1/me/balance", BalanceView)
    return render(
        visit,
        "people/statement.html",
        problem.status if problem else 200,
        statements=[(one, told(visit, one)) for one in found],
        wallets={wallet.currency: wallet.balance for wallet in balance.wallets},
        disputes=(await visit.api.get("/v1/me/disputes", DisputeList)).disputes,
        problem=problem,
        paid=visit.request.query_params.get("done") == "paid",
    )


async def pay(visit: Visit) -> Response:
    try:
        paid = money(visit, "amount")
        if paid is None:
            raise Turned(bad("amount", visit.say("Say how much."), money_cure(visit)))
        body = {"to": text(visit, "to"), "amount": paid, "currency": currency(visit)}
        await visit.api.post("/v1/me/payments", body, PaymentView, once=visit.once)
    except Turned as turned:
        return await statement(visit, turned.problem)
    return redirect("/me/statement?done=paid")


async def refusals(visit: Visit) -> Response:
    found = (await visit.api.get("/v1/me/refusals", RefusalList)).refusals
    return render(visit, "people/refusals.html", refusals=sorted(found, key=lambda one: one.at, reverse=True))


def told(visit: Visit, statement: StatementView) -> list[tuple[str, list[str]]]:
    """Tell each obligation, newest first, with the offsets that made it smaller."""
    known = {one.obligation: one for one in statement.obligations}
    newest = sorted(statement.obligations, key=lambda one: one.since, reverse=True)[:_SHOWN]
    return [(_owed(visit, one, statement.other), _offsets(visit, one, statement.offsets, known)) for one in newest]


def _owed(visit: Visit, one: ObligationView, other: str) -> str:
    usual = _SENTENCES[one.creditor == other, one.unit == "octets"]
    sentence = _OVERPAID if one.obligation.startswith(_PAYMENT) else usual
    return visit.say(sentence, day=_day(visit, one.since), amount=_amount(one.amount, one.unit), other=other)


def _offsets(
    visit: Visit, one: ObligationView, offsets: list[OffsetView], known: dict[str, ObligationView]
) -> list[str]:
    lines = [
        _offset(visit, one, offset, known)
        for offset in offsets
        if one.obligation in (offset.obligation, offset.paid_with)
    ]
    left = _amount(one.left, one.unit)
    lines.append(
        visit.say("{amount} of it are open.", amount=left) if one.left else visit.say("Nothing of it is open.")
    )
    return lines


def _offset(visit: Visit, one: ObligationView, offset: OffsetView, known: dict[str, ObligationView]) -> str:
    amount = _amount(offset.amount, offset.unit)
    opposite = known.get(offset.paid_with if offset.obligation == one.obligation else offset.obligation)
    if offset.paid_with.startswith(_PAYMENT):
        return visit.say("{amount} of it were paid on {day}.", amount=amount, day=_day(visit, offset.at))
    if opposite is None:
        return visit.say("{amount} of it were offset on {day}.", amount=amount, day=_day(visit, offset.at))
    return visit.say(_OFFSET, amount=amount, day=_day(visit, opposite.since))


def _amount(amount: int, unit: str) -> str:
    return format_size(amount) if unit == "octets" else format_money(amount, unit)


def _day(visit: Visit, iso: str) -> str:
    return figures.day(datetime.fromisoformat(iso), visit.language)
