"""Commands about vouchers: made by an operator, redeemed by subscribers."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import click

from qanat.console.client import Client, Json, path_of, remote, segment
from qanat.console.lazy import Group
from qanat.console.parameters import AFTER, CURRENCY, MONEY, NAME, SIZE
from qanat.console.private import holds_something, private, shown_once
from qanat.console.tables import moment, say, say_more, show, size
from qanat.console.whose import OPERATOR, operator_of
from qanat.units import format_money, number_of

_COLUMNS = ("batch", "number", "code", "octets", "valid_days", "amount", "currency", "expires_at")


@click.group(cls=Group)
def voucher() -> None:
    """Vouchers: codes sold on paper, each good once."""


@voucher.command("create")
@click.argument("batch", type=NAME)
@click.option("--count", type=click.IntRange(1, 5000), required=True)
@click.option("--octets", type=SIZE, default=0, help="What each is worth: octets, such as 1GB …")
@click.option("--valid-days", type=click.IntRange(1, 36_500), default=30, show_default=True, help="… for so long,")
@click.option("--amount", type=MONEY, default=0, help="or money, such as 9.90.")
@CURRENCY
@OPERATOR
@click.option("--good-days", type=click.IntRange(1, 3650), default=365, show_default=True, help="To be redeemed by.")
@click.option(
    "--csv",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the codes here; amounts in minor units, as in the interface (990 is 9.90 EUR, 990 JPY).",
)
@remote
def create(client: Client, /, *, file: Path | None, operator_name: str | None, **batch: Any) -> Json:
    """Make a batch of vouchers. Their codes are shown this once."""
    if file and holds_something(file):
        raise click.ClickException(f"{file} may hold codes that are written nowhere else: name another file.")
    with private(file) as kept:  # before anything is made: codes that can't be written would be lost
        made = client.post("/v1/voucher-batches", {**batch, "operator": operator_of(client, operator_name)})
        cure = f"`qanat voucher withdraw {made['batch']}`, then make another batch."
        shown_once(f"The codes of batch {made['batch']}", cure=cure)
        kept.write(as_csv(made))
    if file is None:
        show(("code",), [(code,) for code in made["codes"]], empty="")
    where = f" Their codes are in {file}." if file else " Keep the codes: they are not shown again."
    count, were = number_of(made["count"], "voucher"), "was" if made["count"] == 1 else "were"
    say(f"{count} of {_worth(made)} {were} made, good until {moment(made['expires_at'])} UTC.{where}")
    return made


@voucher.command("list")
@click.argument("batch", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@AFTER
@remote
def list_vouchers(client: Client, batch: str | None, limit: int, after: str) -> Json:
    """List batches; or the vouchers of one, and who redeemed them."""
    if batch is not None:
        found = client.get(f"/v1/voucher-batches/{segment(batch)}/vouchers", limit=limit, after=after)
        rows = [(one["number"], one["redeemed_by"] or "–", moment(one["redeemed_at"])) for one in found["vouchers"]]
        show(("number", "redeemed by", "at (UTC)"), rows, empty="No voucher.")
        say_more(found)
        return found
    found = client.get("/v1/voucher-batches", limit=limit, after=after)
    lines = [
        (one["batch"], one["operator"], _worth(one), one["state"], f"{one['redeemed']} of {one['count']}")
        for one in found["batches"]
    ]
    show(("batch", "operator", "worth", "state", "redeemed"), lines, empty="No batch of vouchers yet.")
    say_more(found)
    return found


@voucher.command("withdraw")
@click.argument("batch", type=NAME)
@remote
def withdraw(client: Client, batch: str) -> Json:
    """Let nobody redeem what is left of a batch."""
    made = client.post(f"/v1/voucher-batches/{segment(batch)}/withdrawal")
    left = made["count"] - made["redeemed"]
    say(f"{number_of(left, 'voucher')} of batch {batch} can't be redeemed any more.")
    return made


@voucher.command("redeem")
@click.argument("code")
@click.option("--subscriber", metavar="NAME", help="For whom; else whoever's token it is.")
@remote
def redeem(client: Client, code: str, subscriber: str | None) -> Json:
    """Redeem a code: its octets or its money are the subscriber's at once."""
    made = client.post(path_of(subscriber, "/vouchers"), {"code": code})
    until = f", valid until {moment(made['expires_at'])} UTC" if made["expires_at"] else ""
    say(f"Redeemed: {_worth(made)}{until}.")
    return made


def as_csv(batch: Json) -> str:
    """Return a batch with its codes as CSV, one voucher a line (RFC 4180)."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(_COLUMNS)
    for number, code in enumerate(batch["codes"], 1):
        facts = {**batch, "number": number, "code": code}
        lines.writerow([facts[column] for column in _COLUMNS])
    return text.getvalue()


def _worth(facts: Json) -> str:
    return size(facts["octets"]) if facts["octets"] else format_money(facts["amount"], facts["currency"])
