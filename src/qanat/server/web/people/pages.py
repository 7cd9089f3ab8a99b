"""The subscribers' pages and what each of their buttons does."""

from __future__ import annotations

from functools import partial
from typing import Final

from qanat.server.web.pages import Page
from qanat.server.web.people import account, borrow, home, lend, plans, statement, terminals, usage

_shows: Final = partial(Page, role="subscriber")
_does: Final = partial(Page, role="subscriber", method="POST")

PAGES: Final = (
    _shows(path="/me", handle=home.home),
    _shows(path="/me/left", handle=home.left),
    _shows(path="/me/plans", handle=plans.plans),
    _shows(path="/me/plans/{plan}", handle=plans.plan),
    _does(path="/me/plans/{plan}", handle=plans.buy),
    _does(path="/me/vouchers", handle=plans.redeem),
    _shows(path="/me/usage", handle=usage.usage),
    _shows(path="/me/terminals", handle=terminals.terminals),
    _does(path="/me/terminals/new", handle=terminals.new_terminal),
    _does(path="/me/terminals/bind", handle=terminals.bind),
    _shows(path="/me/terminals/{id}", handle=terminals.terminal),
    _does(path="/me/terminals/{id}/end", handle=terminals.end_terminal),
    _does(path="/me/base-stations/new", handle=terminals.new_station),
    _shows(path="/me/base-stations/{id}", handle=terminals.station),
    _does(path="/me/base-stations/{id}/end", handle=terminals.end_station),
    _shows(path="/me/lend", handle=lend.lend),
    _does(path="/me/lend", handle=lend.offer),
    _shows(path="/me/lend/using", handle=lend.using),
    _does(path="/me/lend/{order}/stop", handle=lend.stop),
    _does(path="/me/circles", handle=lend.circle),
    _shows(path="/me/borrow", handle=borrow.borrow),
    _does(path="/me/borrow", handle=borrow.demand),
    _does(path="/me/borrow/{order}/stop", handle=borrow.stop),
    _does(path="/me/identity", handle=borrow.replace),
    _shows(path="/me/statement", handle=statement.statement),
    _does(path="/me/payments", handle=statement.pay),
    _shows(path="/me/refusals", handle=statement.refusals),
    _shows(path="/me/account", handle=account.account),
    _does(path="/me/account", handle=account.change_password),
)
