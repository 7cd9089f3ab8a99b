"""Commands about subscribers: who they are, what they own, what they buy."""

from __future__ import annotations

from pathlib import Path

import click

from qanat.console.client import Client, Json, path_of, remote, segment
from qanat.console.lazy import Group
from qanat.console.parameters import AFTER, CURRENCY, NAME, PAID, PASSWORD, SIZE
from qanat.console.passwords import Password, ask
from qanat.console.private import private, shown_once
from qanat.console.tables import amount, moment, say, say_more, show, size
from qanat.console.whose import OPERATOR, operator_of
from qanat.units import format_money

_subscriber = click.option("--subscriber", metavar="NAME", help="Whose; without it, whose token it is.")


@click.group(cls=Group)
def subscriber() -> None:
    """Subscribers, who own terminals and pay."""


@subscriber.command("create")
@click.argument("name", type=NAME)
@click.option("--imsi", default="", help="Of a SIM of the subscriber's own: 6 to 15 digits.")
@click.option("--msisdn", default="", help="Number with country code, without +.")
@OPERATOR
@click.option("--display-name", default="", help="As people should read it.")
@remote
def create(client: Client, /, *, operator_name: str | None, **wanted: str) -> Json:
    """Create a subscriber."""
    made = client.post("/v1/subscribers", {**wanted, "operator": operator_of(client, operator_name)})
    say(f"Subscriber {made['name']} of {made['operator']} created.")
    return made


@subscriber.command("list")
@click.option("--prefix", default="", help="Only names that begin so.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@AFTER
@remote
def list_subscribers(client: Client, prefix: str, limit: int, after: str) -> Json:
    """List subscribers."""
    found = client.get("/v1/subscribers", prefix=prefix, limit=limit, after=after)
    keys = ("name", "operator", "status", "imsi", "msisdn", "display_name")
    rows = [[one[key] for key in keys] for one in found["subscribers"]]
    show(
        ("subscriber", *keys[1:-1], "name"), rows, empty="No subscriber yet: `qanat subscriber create`.", spare=["name"]
    )
    say_more(found)
    return found


@subscriber.command("show")
@click.argument("name")
@remote
def show_subscriber(client: Client, name: str) -> Json:
    """Show a subscriber."""
    found = client.get(path_of(name))
    show(("", ""), [(key.replace("_", " "), value) for key, value in found.items() if value], empty="")
    return found


@subscriber.command("suspend")
@click.argument("name")
@remote
def suspend(client: Client, name: str) -> Json:
    """Grant a subscriber nothing from now on."""
    made = client.post(f"/v1/subscribers/{segment(name)}/status", {"status": "suspended"})
    say(f"Subscriber {name} is suspended; `qanat subscriber activate {name}` takes it back.")
    return made


@subscriber.command("activate")
@click.argument("name")
@remote
def activate(client: Client, name: str) -> Json:
    """Take a suspension back."""
    made = client.post(f"/v1/subscribers/{segment(name)}/status", {"status": "active"})
    say(f"Subscriber {name} is active.")
    return made


@click.command("pay-in")
@click.option("--subscriber", metavar="NAME", required=True)
@click.option("--amount", type=PAID, required=True, help="As in 20 or 9.90.")
@CURRENCY
@remote
def pay_in(client: Client, subscriber: str, amount: int, currency: str) -> Json:
    """Book money that a subscriber has paid."""
    wallet = client.post(path_of(segment(subscriber), "/pay-ins"), {"amount": amount, "currency": currency})
    say(f"{format_money(amount, currency)} paid in; the wallet holds {format_money(wallet['balance'], currency)}.")
    return wallet


@click.command()
@_subscriber
@click.option("--plan", metavar="NAME", required=True)
@remote
def buy(client: Client, subscriber: str | None, plan: str) -> Json:
    """Buy a plan from the wallet."""
    bucket = client.post(path_of(subscriber, "/purchases"), {"plan": plan})
    say(f"Bought {plan}: {amount(bucket['size'], bucket['unit'])} until {moment(bucket['expires_at'])} UTC.")
    return bucket


@click.command("top-up")
@click.option("--subscriber", metavar="NAME", required=True)
@click.option("--octets", type=SIZE, required=True, help="1GB, 500MB, 2GiB or plain octets.")
@click.option("--valid-days", type=click.IntRange(1, 36_500), default=30, show_default=True)
@remote
def top_up(client: Client, subscriber: str, octets: int, valid_days: int) -> Json:
    """Give octets without a price."""
    bucket = client.post(path_of(segment(subscriber), "/top-ups"), {"octets": octets, "valid_days": valid_days})
    say(f"Topped up {subscriber} by {size(octets)} until {moment(bucket['expires_at'])} UTC.")
    return bucket


@click.command()
@_subscriber
@remote
def balance(client: Client, subscriber: str | None) -> Json:
    """Show what is available, reserved, used and owed, to the octet."""
    found = client.get(path_of(subscriber, "/balance"))
    figures = ("available", "reserved", "used", "debt")
    show(("subscriber", *figures), [(found["subscriber"], *(size(found[key]) for key in figures))], empty="")
    rows = [
        (
            one["plan"] or "top-up",
            amount(one["available"], one["unit"]),
            amount(one["size"], one["unit"]),
            one["priority"],
            moment(one["expires_at"]),
        )
        for one in found["buckets"]
    ]
    show(("in order of use", "available", "size", "priority", "expires (UTC)"), rows, empty="No bucket: `qanat buy`.")
    for wallet in found["wallets"]:
        say(f"Wallet: {format_money(wallet['balance'], wallet['currency'])}")
    return found


@click.command()
@_subscriber
@click.option("--by", type=click.Choice(["hour", "day"]), default="day", show_default=True)
@remote
def usage(client: Client, subscriber: str | None, by: str) -> Json:
    """Show when traffic was used: by the day for a month, by the hour for two days (UTC)."""
    found = client.get(path_of(subscriber, "/usage"))
    rows = [(moment(one["at"]), size(one["octets"])) for one in found[f"{by}s"] if one["octets"]]
    show((f"{by} (UTC)", "octets"), rows, empty="Nothing was used.")
    return found


@click.command("sign-up")
@click.argument("name", type=NAME)
@click.password_option(
    cls=Password, type=PASSWORD, metavar="TEXT", help="At least 8 characters; asked for when it is not given."
)
@remote
def sign_up(client: Client, name: str, password: str) -> Json:
    """Become a subscriber."""
    made = client.post("/v1/sign-up", {"name": name, "password": password})
    say(f"Welcome, {name}. Next: `qanat sign-in {name}`.")
    return made


@click.command()
@_subscriber
@click.option("--staff", is_flag=True, help="Your own, as staff.")
@click.option("--current", help="Your own password as it is; asked for when you change your own.")
@click.password_option(
    cls=Password,
    type=PASSWORD,
    metavar="TEXT",
    prompt="New password",
    help="At least 8 characters; asked for when it is not given.",
)
@remote
def password(client: Client, subscriber: str | None, staff: bool, current: str | None, password: str) -> Json:
    """Give a subscriber, or yourself, another password; the other sign-ins end."""
    if staff and subscriber:
        raise click.UsageError("staff changes its own password only: leave --subscriber or --staff away.")
    if subscriber is None and current is None:
        current = ask("Current password", option="--current")
    body = {"password": password} | ({"current": current} if current else {})
    changed = client.post("/v1/staff/password" if staff else path_of(subscriber, "/password"), body)
    say(f"{changed['name']} has another password.")
    return changed


@click.command("sign-in")
@click.argument("name")
@click.option("--password", cls=Password, prompt=True, hide_input=True, help="Asked for when it is not given.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write the token here, for --token-file.")
@remote
def sign_in(client: Client, name: str, password: str, save: Path | None) -> Json:
    """Get a token for a name and a password."""
    with private(save) as kept:
        given = client.post("/v1/sign-in", {"name": name, "password": password})
        shown_once("The token", cure=f"It ends by itself at {moment(given['expires_at'])} UTC: sign in again.")
        kept.write(given["token"] + "\n")
    say(
        f"Signed in until {moment(given['expires_at'])} UTC. "
        + (f"Use it with --token-file {save}." if save else f"Use it with QANAT_TOKEN={given['token']}")
    )
    return given
