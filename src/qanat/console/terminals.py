"""Commands about terminals at the server: codes for them, what there is, and the end of one.

What runs on the device itself (`enrol`, `run`, `status`) is in ``terminal``.
"""

from __future__ import annotations

import click

from qanat.console.client import Client, Json, path_of, remote, segment
from qanat.console.parameters import AFTER
from qanat.console.private import shown_once
from qanat.console.tables import moment, say, say_more, show
from qanat.console.whose import listed, whose


@click.command()
@click.option("--subscriber", metavar="NAME", help="Bind the terminal to this subscriber at once.")
@click.option("--operator", metavar="NAME", help="Leave binding to the subscriber who has the device.")
@click.option("--hours", type=click.IntRange(1, 8760), help="How long it is good for; the server chooses.")
@remote
def code(client: Client, subscriber: str | None, operator: str | None, hours: int | None) -> Json:
    """Issue a one-time code with which a terminal enrols."""
    if subscriber and operator:
        raise click.UsageError("Give --subscriber or --operator, not both.")
    given = (
        client.post("/v1/codes", {"operator": operator, "hours": hours})
        if operator
        else client.post(path_of(subscriber, "/codes"), {"hours": hours})
    )
    shown_once("The code", cure=f"It ends by itself at {moment(given['expires_at'])} UTC: issue another.")
    whose = f"for {given['subscriber']}" if given["subscriber"] else f"of {given['operator']}, to be bound later"
    say(f"{given['code']}   good once until {moment(given['expires_at'])} UTC, {whose}")
    return given


@click.command()
@click.argument("binding_code")
@click.option("--subscriber", metavar="NAME", help="Whose; without it, whose token it is.")
@remote
def bind(client: Client, binding_code: str, subscriber: str | None) -> Json:
    """Bind the terminal that shows BINDING_CODE, and its cloud SIM."""
    bound = client.post(path_of(subscriber, "/terminals"), {"binding_code": binding_code})
    say(f"Terminal {bound['terminal']} is bound to {bound['subscriber']}.")
    return bound


@click.command("list")
@whose
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@AFTER
@remote
def list_terminals(client: Client, subscriber: str | None, mine: bool, limit: int, after: str) -> Json:
    """List terminals."""
    found = listed(client, "/terminals", subscriber=subscriber, mine=mine, limit=limit, after=after)
    keys = ("terminal", "state", "subscriber", "serial", "hardware", "iccid", "imsi")
    rows = [[one[key] or "–" for key in keys] for one in found["terminals"]]
    show(keys, rows, empty="No terminal yet: `qanat terminal code`.", spare=["hardware", "iccid", "serial"])
    say_more(found)
    return found


@click.command()
@click.argument("terminal")
@remote
def revoke(client: Client, terminal: str) -> Json:
    """End a terminal: its cloud SIM goes back, its key is never accepted again."""
    ended = client.post(f"/v1/terminals/{segment(terminal)}/revocation")
    say(f"Terminal {terminal} is revoked.")
    return ended
