"""Commands for operators: operators, plans, cloud SIMs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qanat.console.client import Client, Json, remote, segment
from qanat.console.lazy import Group
from qanat.console.parameters import AFTER, CURRENCY, MONEY, NAME, PASSWORD, SIZE, SIZE_OR_NONE
from qanat.console.passwords import Password
from qanat.console.tables import amount, moment, say, say_more, show
from qanat.console.whose import OPERATOR, operator_of
from qanat.units import format_money, number_of


@click.group(cls=Group)
def operator() -> None:
    """Operators, who own plans, subscribers and cloud SIMs."""


@operator.command("create")
@click.argument("name", type=NAME)
@click.option("--display-name", default="", help="As people should read it.")
@remote
def create_operator(client: Client, name: str, display_name: str) -> Json:
    """Create an operator."""
    made = client.post("/v1/operators", {"name": name, "display_name": display_name})
    say(f"Operator {name} created.")
    return made


@operator.command("list")
@click.option("--staff", metavar="OPERATOR", help="The staff of one instead.")
@AFTER
@remote
def list_operators(client: Client, staff: str | None, after: str) -> Json:
    """List operators, or the staff of one."""
    if staff is not None:
        return _list_staff(client, staff, after)
    found = client.get("/v1/operators", limit=1000, after=after)
    rows = [(one["name"], one["display_name"], moment(one["created_at"])) for one in found["operators"]]
    show(("operator", "name", "since (UTC)"), rows, empty="None.")
    say_more(found)
    return found


@operator.command("staff")
@click.argument("operator_name", metavar="OPERATOR")
@click.argument("name")
@click.password_option(
    cls=Password, type=PASSWORD, metavar="TEXT", help="At least 8 characters; asked for when it is not given."
)
@remote
def create_staff(client: Client, operator_name: str, name: str, password: str) -> Json:
    """Let NAME sign in and work for OPERATOR."""
    made = client.post(f"/v1/operators/{segment(operator_name)}/staff", {"name": name, "password": password})
    say(f"{name} works for {operator_name} now: `qanat sign-in {name}`.")
    return made


@operator.command("dismiss")
@click.argument("operator_name", metavar="OPERATOR")
@click.argument("name")
@remote
def dismiss_staff(client: Client, operator_name: str, name: str) -> Json:
    """Let NAME work for OPERATOR no more; its sign-ins end."""
    made = client.post(f"/v1/operators/{segment(operator_name)}/staff/{segment(name)}/dismissal")
    say(f"{name} works for {operator_name} no more; `qanat operator staff {operator_name} {name}` takes it back.")
    return made


def _list_staff(client: Client, operator_name: str, after: str) -> Json:
    found = client.get(f"/v1/operators/{segment(operator_name)}/staff", limit=1000, after=after)
    rows = [(one["name"], moment(one["created_at"]), moment(one["dismissed_at"])) for one in found["staff"]]
    show(("name", "since (UTC)", "dismissed (UTC)"), rows, empty="None: `qanat operator staff`.")
    say_more(found)
    return found


@click.group(cls=Group)
def plan() -> None:
    """Plans on sale."""


@plan.command("create")
@click.argument("name", type=NAME)
@click.option("--octets", type=SIZE, default=0, help="How much: 1GB, 500MB, 2GiB or plain octets.")
@click.option("--seconds", type=click.IntRange(0), default=0, help="Instead of octets: how much time.")
@click.option(
    "--units", type=click.IntRange(0), default=0, help="Instead of octets: how many of what a service counts."
)
@click.option("--valid-days", type=click.IntRange(1, 36_500), required=True, help="How long from the purchase.")
@click.option("--price", type=MONEY, required=True, help="As in 9.90; 0 is free.")
@CURRENCY
@OPERATOR
@click.option("--priority", type=click.IntRange(0, 10_000), default=100, show_default=True, help="Lower is used first.")
@click.option("--quota", type=SIZE_OR_NONE, default=0, help="Size of one quota; the server chooses if not given.")
@click.option("--all-or-nothing", is_flag=True, help="Refuse a request for more than there is.")
@click.option("--stock", type=click.IntRange(0), help="How many may be sold in all.")
@remote
def create_plan(client: Client, /, operator_name: str | None, **terms: Any) -> Json:
    """Put a plan on sale: of octets, of seconds, or of units."""
    if [bool(terms[unit]) for unit in ("octets", "seconds", "units")].count(True) != 1:
        raise click.UsageError("Say how much with one of --octets, --seconds and --units.")
    made = client.post("/v1/plans", {**terms, "operator": operator_of(client, operator_name)})
    say(
        f"Plan {made['name']}: {amount(made['size'], made['unit'])} for {number_of(made['valid_days'], 'day')} at {_price(made)}."
    )
    return made


@plan.command("list")
@AFTER
@remote
def list_plans(client: Client, after: str) -> Json:
    """List plans."""
    found = client.get("/v1/plans", limit=1000, after=after)
    rows = [
        (
            one["name"],
            one["operator"],
            amount(one["size"], one["unit"]),
            one["valid_days"],
            _price(one),
            one["priority"],
            "withdrawn" if one["withdrawn"] else _stock(one),
        )
        for one in found["plans"]
    ]
    columns = ("plan", "operator", "size", "days", "price", "priority", "on sale")
    show(columns, rows, empty="No plan yet: `qanat plan create`.", spare=["operator"])
    say_more(found)
    return found


@plan.command("withdraw")
@click.argument("name")
@remote
def withdraw_plan(client: Client, name: str) -> Json:
    """Take a plan off sale; what was bought stays."""
    made = client.post(f"/v1/plans/{segment(name)}/withdrawal")
    say(f"Plan {name} is off sale.")
    return made


@click.group(cls=Group)
def sim() -> None:
    """The pool of cloud SIMs."""


@sim.command("make")
@click.option("--count", type=click.IntRange(1, 10_000), required=True)
@OPERATOR
@click.option("--issuer", default="89001", show_default=True, help="First digits of the ICCIDs.")
@click.option("--imsi-prefix", default="00101", show_default=True, help="First digits of the IMSIs: MCC and MNC.")
@click.option("--first", type=click.IntRange(0), help="First number; goes on behind the last if not given.")
@remote
def make_sims(client: Client, /, operator_name: str | None, **wanted: Any) -> Json:
    """Make up a range of profiles and put them into the pool."""
    return _said_pool(client.post("/v1/sims", {**wanted, "operator": operator_of(client, operator_name)}))


@sim.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@OPERATOR
@remote
def import_sims(client: Client, file: Path, operator_name: str | None) -> Json:
    """Put the profiles of a CSV FILE (columns iccid, imsi) into the pool. Repeating is safe."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} can't be read as text: {error}") from error
    return _said_pool(client.post("/v1/sims/import", {"operator": operator_of(client, operator_name), "csv": text}))


@sim.command("list")
@click.option("--prefix", default="", help="Only ICCIDs that begin so.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@AFTER
@remote
def list_sims(client: Client, prefix: str, limit: int, after: str) -> Json:
    """List cloud SIMs, and how the pools stand."""
    found = client.get("/v1/sims", limit=limit, prefix=prefix, after=after)
    keys = ("iccid", "imsi", "operator", "state", "terminal", "subscriber")
    show(
        keys,
        _rows(found["sims"], *keys),
        empty="No cloud SIM yet: `qanat sim make --count 100`.",
        spare=["operator", "terminal"],
    )
    say_more(found)
    for pool in found["pools"]:
        say(f"Pool of {pool['operator']}: {pool['free']} free of {pool['profiles']}.")
    return found


def _said_pool(pool: Json) -> Json:
    known = f", {pool['existing']} were in it already" if pool["existing"] else ""
    say(f"{pool['added']} added to the pool of {pool['operator']}{known}; {pool['free']} are free now.")
    return pool


def _rows(found: list[Json], *keys: str) -> list[list[Any]]:
    return [[one[key] for key in keys] for one in found]


def _price(plan: Json) -> str:
    return format_money(plan["price"], plan["currency"])


def _stock(plan: Json) -> str:
    return "yes" if plan["stock"] is None else f"{plan['stock'] - plan['sold']} of {plan['stock']}"
