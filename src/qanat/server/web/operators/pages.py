"""The operators' pages and what each of their buttons does."""

from __future__ import annotations

from functools import partial
from typing import Final

from qanat.server.web.operators import account, books, network, overview, refusals, staff, stock, subscribers
from qanat.server.web.pages import Page

_shows: Final = partial(Page, role="operator")
_does: Final = partial(Page, role="operator", method="POST")

PAGES: Final = (
    _shows(path="/ops", handle=overview.overview),
    _shows(path="/ops/pulse", handle=overview.pulse),
    _shows(path="/ops/search", handle=overview.search),
    _shows(path="/ops/refusals", handle=refusals.refusals),
    _shows(path="/ops/refusals/why/{session}", handle=refusals.why),
    _shows(path="/ops/subscribers", handle=subscribers.subscribers),
    _does(path="/ops/subscribers", handle=subscribers.create),
    _shows(path="/ops/subscribers/{name}", handle=subscribers.subscriber),
    _does(path="/ops/subscribers/{name}/top-up", handle=subscribers.top_up),
    _does(path="/ops/subscribers/{name}/pay-in", handle=subscribers.pay_in),
    _does(path="/ops/subscribers/{name}/status", handle=subscribers.change_status),
    _shows(path="/ops/plans", handle=stock.plans),
    _does(path="/ops/plans", handle=stock.create_plan),
    _does(path="/ops/plans/{plan}/withdraw", handle=stock.withdraw_plan),
    _shows(path="/ops/sims", handle=stock.sims),
    _does(path="/ops/sims", handle=stock.make_sims),
    _shows(path="/ops/vouchers", handle=stock.vouchers),
    _does(path="/ops/vouchers", handle=stock.create_batch),
    _shows(path="/ops/vouchers/{batch}", handle=stock.batch),
    _does(path="/ops/vouchers/{batch}/withdraw", handle=stock.withdraw_batch),
    _shows(path="/ops/base-stations", handle=network.base_stations),
    _shows(path="/ops/reservations", handle=network.reservations),
    _shows(path="/ops/peers", handle=network.peers),
    _does(path="/ops/peers", handle=network.accept),
    _does(path="/ops/peers/remove", handle=network.remove),
    _shows(path="/ops/disputes", handle=books.disputes),
    _does(path="/ops/disputes", handle=books.note_dispute),
    _shows(path="/ops/settlement", handle=books.settlement),
    _does(path="/ops/settlement", handle=books.close),
    _shows(path="/ops/settlement/{period}/{operator}", handle=books.settlement_file),
    _shows(path="/ops/audit", handle=books.audit),
    _shows(path="/ops/audit/verdict", handle=books.verdict),
    _shows(path="/ops/changes", handle=books.changes),
    _shows(path="/ops/staff", handle=staff.choose),
    _shows(path="/ops/staff/{operator}", handle=staff.staff),
    _does(path="/ops/staff/{operator}", handle=staff.hire),
    _does(path="/ops/staff/{operator}/dismiss", handle=staff.dismiss),
    _shows(path="/ops/account", handle=account.account),
    _does(path="/ops/account", handle=account.change_password),
)
