"""Commands about base stations at the server: codes for them, what there is, and the end of one.

What runs on the device itself (`enrol`, `run`, `status`) joins them under one name in ``main``.
"""

from __future__ import annotations

import click

from qanat.console.client import Client, Json, path_of, remote, segment
from qanat.console.parameters import AFTER
from qanat.console.private import shown_once
from qanat.console.tables import moment, say, say_more, show
from qanat.console.whose import listed, whose


@click.command()
@click.option("--subscriber", metavar="NAME", help="Whose base station; without it, whose token it is.")
@click.option("--hours", type=click.IntRange(1, 8760), help="How long it is good for; the server chooses.")
@remote
def code(client: Client, subscriber: str | None, hours: int | None) -> Json:
    """Issue a one-time code with which a base station enrols."""
    given = client.post(path_of(subscriber, "/base-station-codes"), {"hours": hours})
    shown_once("The code", cure=f"It ends by itself at {moment(given['expires_at'])} UTC: issue another.")
    say(f"{given['code']}   good once until {moment(given['expires_at'])} UTC, for {given['subscriber']}")
    return given


@click.command("list")
@whose
@AFTER
@remote
def list_base_stations(client: Client, subscriber: str | None, mine: bool, after: str) -> Json:
    """List base stations."""
    found = listed(client, "/base-stations", subscriber=subscriber, mine=mine, limit=1000, after=after)
    keys = ("base_station", "identity", "state", "subscriber", "operator", "place", "hardware")
    rows = [[one[key] or "–" for key in keys] for one in found["base_stations"]]
    columns = ("base station", *keys[1:])
    show(columns, rows, empty="No base station yet: `qanat station code`.", spare=["hardware", "operator", "place"])
    say_more(found)
    return found


@click.command()
@click.argument("base_station")
@remote
def revoke(client: Client, base_station: str) -> Json:
    """End a base station: it admits nobody and is granted nothing."""
    ended = client.post(f"/v1/base-stations/{segment(base_station)}/revocation")
    say(f"Base station {base_station} is revoked.")
    return ended
