"""Commands of the exchange: consent to supply, ask to be supplied, and see what came of it."""

from __future__ import annotations

import click

from qanat.console.client import Client, Json, path_of, remote, segment
from qanat.console.lazy import Group
from qanat.console.parameters import AFTER, CURRENCY, MONEY, PAID, SIZE, refuse_pieces
from qanat.console.private import shown_once
from qanat.console.tables import moment, say, say_more, show, size
from qanat.console.whose import listed, whose
from qanat.units import format_money

_subscriber = click.option("--subscriber", metavar="NAME", help="Whose; without it, whose token it is.")
_hours = click.option(
    "--hours", type=click.IntRange(1, 876_000), help="Until so many hours from now; else without end."
)


@click.command()
@_subscriber
@click.option("--revoke", is_flag=True, help="Replace the code; the old one is refused from now on.")
@remote
def identity(client: Client, subscriber: str | None, revoke: bool) -> Json:
    """Show the identity code by which others name a subscriber."""
    path = path_of(subscriber, "/identity")
    shown = client.post(path + "/revocation") if revoke else client.get(path)
    say(f"{shown['name']}: {shown['code']}")
    return shown


# -- supply


@click.group(cls=Group)
def supply() -> None:
    """What you are willing to supply. Without an order nothing is ever taken."""


@supply.command("offer")
@_subscriber
@click.option("--octets", type=SIZE, required=True, help="In all: 1GB, 500MB, 2GiB or plain octets.")
@click.option("--per-day", type=SIZE, help="At most so much in a day (UTC).")
@click.option("--to", "person", metavar="NAME", help="One person only.")
@click.option("--circle", metavar="NAME", help="The people of a circle only.")
@click.option("--price", type=MONEY, help="For a gigabyte, as in 1.50; without it, octet for octet.")
@CURRENCY
@_hours
@click.option("--base-station", "base_stations", multiple=True, metavar="ID", help="Only there; may be repeated.")
@click.option(
    "--operator", "operators", multiple=True, metavar="NAME", help="Only at this operator's; may be repeated."
)
@click.option("--terminal", default="", metavar="ID", help="The terminal that stands for you.")
@remote
def offer(client: Client, /, *, subscriber: str | None, **terms: object) -> Json:
    """Open a supply order."""
    body = {key: value for key, value in terms.items() if key != "price" and value is not None}
    for key in ("base_stations", "operators"):
        body[key] = list(body[key])  # type: ignore[call-overload]
    order = client.post(path_of(subscriber, "/supply-orders"), body | {"per_gb": terms["price"]})
    say(f"Order {order['order']}: {size(order['octets'])} for {_audience(order)}, {_asked(order['price'])}.")
    say(f"Take it back at any time: `qanat supply stop {order['order']}{_named(subscriber)}`.")
    return order


@supply.command("list")
@_subscriber
@remote
def list_supply(client: Client, subscriber: str | None) -> Json:
    """List supply orders."""
    found = client.get(path_of(subscriber, "/supply-orders"))
    rows = [
        (
            one["order"],
            one["state"],
            size(one["octets"]),
            size(one["given"]),
            size(one["promised"]),
            _audience(one),
            _price(one["price"]),
            moment(one["until"]),
        )
        for one in found["orders"]
    ]
    columns = ("order", "state", "octets", "given", "promised", "for", "price of 1 GB", "until (UTC)")
    show(columns, rows, empty="No supply order yet.", spare=["promised", "price of 1 GB"])
    return found


@supply.command("stop")
@click.argument("order")
@_subscriber
@remote
def stop_supply(client: Client, order: str, subscriber: str | None) -> Json:
    """Take consent back; what runs on ORDER is recalled."""
    stopped = client.post(path_of(subscriber, f"/supply-orders/{segment(order)}/stop"))
    say(f"Order {order} is stopped; {size(stopped['given'])} were given.")
    return stopped


@supply.command("circle")
@click.argument("name")
@click.argument("members", nargs=-1)
@_subscriber
@remote
def circle(client: Client, name: str, members: tuple[str, ...], subscriber: str | None) -> Json:
    """Make a circle NAME of MEMBERS, or give it other members."""
    made = client.post(path_of(subscriber, "/circles"), {"name": name, "members": list(members)})
    say(f"Circle {name}: {', '.join(made['members']) or 'nobody'}.")
    return made


# -- demand


@click.group(cls=Group)
def demand() -> None:
    """Go online on somebody else's traffic, with a passcode for a device that has no agent."""


@demand.command("offers")
@_subscriber
@remote
def offers(client: Client, subscriber: str | None) -> Json:
    """List what others would supply now; name the identity code at a base station to choose one."""
    found = client.get(path_of(subscriber, "/offers"))
    rows = [
        (one["supplier"], one["identity"], size(one["octets"]), _price(one["price"]), moment(one["until"]), _where(one))
        for one in found["offers"]
    ]
    columns = ("supplier", "identity code", "octets", "price of 1 GB", "until (UTC)", "where")
    show(
        columns,
        rows,
        empty="Nobody offers you anything now; ask somebody for `qanat supply offer`.",
        spare=["until (UTC)"],
    )
    return found


@demand.command("open")
@_subscriber
@click.option("--octets", type=SIZE, required=True, help="In all: 1GB, 500MB, 2GiB or plain octets.")
@click.option("--price", type=MONEY, help="The most for a gigabyte; without it, only octet for octet.")
@CURRENCY
@_hours
@remote
def open_demand(client: Client, /, *, subscriber: str | None, **terms: object) -> Json:
    """Open a demand order; its passcode is shown this once."""
    price = terms.pop("price")
    order = client.post(path_of(subscriber, "/demand-orders"), terms | {"per_gb": price})
    stop = f"`qanat demand stop {order['order']}{_named(subscriber)}`"
    shown_once(f"The passcode of order {order['order']}", cure=f"{stop}, then open another.")
    say(f"Order {order['order']}: type {order['passcode']} at a base station, for {size(order['octets'])} in all.")
    return order


@demand.command("list")
@_subscriber
@remote
def list_demand(client: Client, subscriber: str | None) -> Json:
    """List demand orders."""
    found = client.get(path_of(subscriber, "/demand-orders"))
    rows = [
        (one["order"], one["state"], size(one["octets"]), size(one["obtained"]), moment(one["until"]))
        for one in found["orders"]
    ]
    show(("order", "state", "octets", "obtained", "until (UTC)"), rows, empty="No demand order yet.")
    return found


@demand.command("stop")
@click.argument("order")
@_subscriber
@remote
def stop_demand(client: Client, order: str, subscriber: str | None) -> Json:
    """Stop ORDER; its passcode opens nothing any more."""
    stopped = client.post(path_of(subscriber, f"/demand-orders/{segment(order)}/stop"))
    say(f"Order {order} is stopped; {size(stopped['obtained'])} were obtained.")
    return stopped


# -- what came of it


@click.command()
@whose
@click.option("--statement", is_flag=True, help="What is owed, and how offsets came about; of --subscriber or --mine.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@AFTER
@remote
def trades(client: Client, /, *, subscriber: str | None, mine: bool, statement: bool, limit: int, after: str) -> Json:
    """List trades, one subscriber's with what it obtained; or state what came of them."""
    if statement:
        refuse_pieces()
        return _statement(client.get(path_of(subscriber, "/statement")), whose=subscriber)
    found = listed(client, "/trades", subscriber=subscriber, mine=mine, limit=limit, after=after)
    if "trades" in found:
        show_trades(found["trades"])
        say_more(found)
        return found
    show_trades(found["given"])
    rows = [
        (one["trade"], one["supplier"], one["base_station"], size(one["octets"]), moment(one["booked_at"]))
        for one in found["obtained"]
    ]
    show(("obtained in", "from", "at", "octets", "booked (UTC)"), rows, empty="Nothing was obtained yet.")
    return found


@click.command()
@whose
@click.option("--all", is_flag=True, hidden=True, expose_value=False, help="What staff sees anyhow; it had to be said.")
@AFTER
@remote
def disputes(client: Client, subscriber: str | None, mine: bool, after: str) -> Json:
    """List disputes: where base station, terminal and ledger count differently."""
    found = listed(client, "/disputes", subscriber=subscriber, mine=mine, limit=1000, after=after)
    rows = [
        (
            one["trade"],
            one["about"],
            size(one["by_base_station"]),
            "–" if one["by_terminal"] is None else size(one["by_terminal"]),
            size(one["ledger"]),
            one["note"] or "open",
        )
        for one in found["disputes"]
    ]
    show(("trade", "about", "base station", "terminal", "ledger", "settled"), rows, empty="No dispute.")
    say_more(found)
    return found


@click.command()
@_subscriber
@click.option("--to", metavar="NAME", required=True)
@click.option("--amount", type=PAID, required=True, help="As in 20 or 9.90.")
@CURRENCY
@remote
def pay(client: Client, subscriber: str | None, to: str, amount: int, currency: str) -> Json:
    """Pay what is owed to somebody from the wallet."""
    paid = client.post(path_of(subscriber, "/payments"), {"to": to, "amount": amount, "currency": currency})
    say(f"{format_money(amount, currency)} paid to {to}.")
    return paid


def _statement(found: Json, *, whose: str | None) -> Json:
    for one in found["statements"]:
        for unit, net in one["net"].items():
            say(_standing(one["other"], net, unit, whose=whose))
        if not one["net"]:
            say(f"Nothing is owed between {whose or 'you'} and {one['other']}.")
        rows = [
            (
                offset["obligation"],
                _amount(offset["amount"], offset["unit"]),
                offset["paid_with"],
                moment(offset["at"]),
            )
            for offset in one["offsets"]
        ]
        show(("obligation", "offset", "paid with", "at (UTC)"), rows, empty="Nothing was offset yet.")
    if not found["statements"]:
        say("Nothing was given or obtained yet.")
    return found


def _standing(other: str, net: int, unit: str, *, whose: str | None) -> str:
    if not net:
        return f"Quits with {other} in {unit}."
    amount = _amount(abs(net), unit)
    if net > 0:
        return f"{other} owes {whose or 'you'} {amount}"
    return f"{whose} owes {other} {amount}" if whose else f"you owe {other} {amount}"


def show_trades(found: list[Json]) -> None:
    rows = [
        (
            one["trade"],
            one["supplier"],
            one["demander"],
            one["base_station"],
            one["state"],
            size(one["octets"]),
            _price(one["price"]),
            moment(one["opened_at"]),
        )
        for one in found
    ]
    columns = ("trade", "supplier", "demander", "base station", "state", "octets", "price of 1 GB", "begun (UTC)")
    show(columns, rows, empty="No trade yet.", spare=["price of 1 GB", "begun (UTC)", "base station"])


def _named(subscriber: str | None) -> str:
    return f" --subscriber {subscriber}" if subscriber else ""


def _audience(order: Json) -> str:
    return str(order["audience"]) + (f" {order['to']}" if order["to"] else "")


def _where(offer: Json) -> str:
    return ", ".join([*offer["places"], *offer["operators"]]) or "everywhere"


def _price(price: Json) -> str:
    return format_money(price["per_gb"], price["currency"]) if price["currency"] else "octet for octet"


def _asked(price: Json) -> str:
    return _price(price) + (" a gigabyte" if price["currency"] else "")


def _amount(amount: int, unit: str) -> str:
    return size(amount) if unit == "octets" else format_money(amount, unit)
