"""Commands that look: sessions, refusals, why, changes, audit."""

from __future__ import annotations

import click

from qanat.console.client import Client, Json, remote, segment
from qanat.console.tables import moment, say, show, size


@click.command()
@click.option("--subscriber", metavar="NAME", help="Only this subscriber's.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@remote
def sessions(client: Client, subscriber: str | None, limit: int) -> Json:
    """List sessions: open ones, and those closed within a day."""
    found = (
        client.get(f"/v1/subscribers/{segment(subscriber)}/sessions")
        if subscriber
        else client.get("/v1/sessions", limit=limit)
    )
    _show_sessions(found["sessions"])
    return found


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@remote
def refusals(client: Client, limit: int) -> Json:
    """List what was refused in the last week, newest first."""
    found = client.get("/v1/refusals", limit=limit)
    rows = [
        (moment(one["at"]), one["who"], one["session"] or "–", one["reason"], one["times"]) for one in found["refusals"]
    ]
    show(("last (UTC)", "who", "session", "reason", "times"), rows, empty="Nothing was refused.")
    if rows:
        say("`qanat why SESSION` tells the whole of it.")
    return found


@click.command()
@click.argument("session")
@remote
def why(client: Client, session: str) -> Json:
    """Tell why a session was answered as it was."""
    found = client.get(f"/v1/sessions/{segment(session)}/why")
    if not found["sessions"] and not found["refusals"]:
        raise click.ClickException(f"Nothing is known of session {session}. `qanat sessions` lists what there is.")
    if found["sessions"]:
        _show_sessions(found["sessions"])
    for one in found["refusals"]:
        say(f"{moment(one['at'])} UTC, {one['times']} times: {one['reason']}\n  {one['sentence']}\n  {one['cure']}")
    if not found["refusals"]:
        say("Nothing was refused in this session.")
    return found


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--after", default="", help="Go on behind this, as `next` said.")
@remote
def changes(client: Client, limit: int, after: str) -> Json:
    """List who of the staff changed what in the last 400 days, newest first."""
    found = client.get("/v1/changes", limit=limit, after=after)
    rows = [(moment(one["at"]), one["who"], one["act"], one["target"], _said(one["said"])) for one in found["changes"]]
    show(("when (UTC)", "who", "what", "on", "said"), rows, empty="Nothing was changed.")
    if found["next"]:
        say(f"More: `qanat changes --after {found['next']}`")
    return found


@click.command()
@remote
def audit(client: Client) -> Json:
    """Recompute every balance from the entries; exit 1 when the books do not add up."""
    verdict = client.get("/v1/audit")
    word = "Balanced" if verdict["balanced"] else "NOT balanced"
    say(f"{word}: {verdict['accounts']} accounts, {verdict['entries']} entries.")
    for problem in verdict["problems"]:
        say(f"  {problem}")
    return verdict


def _said(fields: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in fields.items())


def _show_sessions(found: list[Json]) -> None:
    rows = [
        (
            one["session"],
            one["subscriber"],
            one["holder"] or "–",
            one["front"],
            one["state"],
            size(one["used"]),
            size(sum(quota["octets"] - quota["used"] for quota in one["quotas"])),
            moment(one["last_at"]),
        )
        for one in found
    ]
    columns = ("session", "subscriber", "holder", "front", "state", "used", "reserved", "last (UTC)")
    show(columns, rows, empty="No session.")
