"""Commands about Diameter peers: gateways that charge against this server."""

from __future__ import annotations

import click

from qanat.console.client import Client, Json, remote, segment
from qanat.console.lazy import Group
from qanat.console.tables import lately, say, show
from qanat.server.gy.quirks import DEFAULT, PROFILES


@click.group(cls=Group)
def peer() -> None:
    """Diameter peers: gateways that charge over Gy."""


@peer.command("list")
@remote
def list_peers(client: Client) -> Json:
    """List accepted peers, and strangers who were turned away.

    "followed" tells how many of our re-authorisations a peer acted on; it has some seconds to.
    """
    found = client.get("/v1/peers")
    rows = [
        (
            one["origin_host"],
            one["state"],
            one["profile"] or "–",
            one["connections"],
            followed(one),
            lately(one["last_at"] or None),
        )
        for one in found["peers"]
    ]
    columns = ("peer", "state", "profile", "connections", "followed", "since (UTC)")
    show(columns, rows, empty="No peer yet; whoever connects to `qanat serve --gy ADDRESS` is shown here.")
    strangers = [one["origin_host"] for one in found["peers"] if one["state"].startswith("turned away")]
    if strangers:
        say(f"`qanat peer accept {strangers[0]}` lets it in.")
    return found


def followed(one: Json) -> str:
    """Say of how many re-authorisations it is known that a peer acted on them, and of how many not yet."""
    judged = one["followed"] + one["ignored"]
    awaited = one["told"] - judged
    said = []
    if judged:
        said.append(f"{one['followed']} of {judged}")
    if awaited > 0:
        said.append(f"{awaited} awaited")
    return ", ".join(said) or "–"


@peer.command("accept")
@click.argument("origin_host")
@click.option(
    "--profile", type=click.Choice(list(PROFILES)), default=DEFAULT, show_default=True, help="How it behaves."
)
@remote
def accept(client: Client, origin_host: str, profile: str) -> Json:
    """Let a peer in, by its Origin-Host; `*.` in front accepts a whole realm."""
    made = client.post("/v1/peers", {"origin_host": origin_host, "profile": profile})
    say(f"{origin_host} is accepted, with the profile {made['profile']}.")
    return made


@peer.command("remove")
@click.argument("origin_host")
@remote
def remove(client: Client, origin_host: str) -> Json:
    """Let a peer in no longer, and close its connections."""
    made = client.post(f"/v1/peers/{segment(origin_host)}/removal")
    say(f"{origin_host} is not accepted any more.")
    return made
