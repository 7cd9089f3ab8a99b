"""Commands that look: sessions, refusals, why, changes, audit."""

from __future__ import annotations

import click

from qanat.console.client import Client, Json, path_of, remote, segment
from qanat.console.exchange import show_trades
from qanat.console.parameters import AFTER, WORDS, refuse_typed, typed
from qanat.console.tables import lately, moment, say, say_more, show, size
from qanat.console.whose import is_ones, listed, whose
from qanat.units import number_of


@click.command()
@whose
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@AFTER
@click.option("--watch", is_flag=True, help="Go on showing the live ones, the fastest fifty at most, until Ctrl-C.")
@remote
def sessions(client: Client, /, *, subscriber: str | None, mine: bool, limit: int, after: str, watch: bool) -> Json:
    """List sessions: live ones, and those closed within a day."""
    if watch and (subscriber or mine or after):
        raise click.UsageError("--watch shows everybody's live sessions: leave --subscriber, --mine and --after out.")
    if watch:
        from qanat.console.watch import watch_sessions  # noqa: PLC0415  # agents' small devices never load it

        watch_sessions(client, most=limit if typed("limit") else None)
    found = listed(client, "/sessions", subscriber=subscriber, mine=mine, limit=limit, after=after)
    _show_sessions(found["sessions"])
    say_more(found)
    return found


@click.command()
@remote
def top(client: Client) -> Json:
    """Show live sessions and their rates on the whole screen, until Ctrl-C."""
    from qanat.console.watch import show_top  # noqa: PLC0415  # as above

    show_top(client)


@click.command()
@whose
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--reason", default="", help="Only this reason.")
@click.option("--by-reason", is_flag=True, help="Count them by reason, the most frequent first.")
@remote
def refusals(
    client: Client, /, *, subscriber: str | None, mine: bool, limit: int, reason: str, by_reason: bool
) -> Json:
    """List what was refused in the last week, newest first.

    Of one subscriber, or for one reason, with what was said and the cure.
    """
    if is_ones(client, subscriber=subscriber, mine=mine):
        refuse_typed("limit", "reason", "by_reason", why="the refusals of one subscriber come whole")
        return _told(client.get(path_of(subscriber, "/refusals")))
    if by_reason:
        return _by_reason(client)
    found = client.get("/v1/refusals", limit=limit, reason=reason)
    if reason:
        _told(found)
    else:
        _show_refusals(found["refusals"])
    if not _say_what_was_looked_through(found) and not found["complete"]:
        say("More was refused: --limit lists up to 1,000, --by-reason counts all.")
    return found


def _show_refusals(refused: list[Json]) -> None:
    rows = [(lately(one["at"]), one["who"], one["session"] or "–", one["reason"], one["times"]) for one in refused]
    show(("last (UTC)", "who", "session", "reason", "times"), rows, empty="Nothing was refused.", spare=["who"])
    if rows:
        say("`qanat why 'SESSION'` tells the whole of it, `--reason REASON` what was said.")


def _told(found: Json) -> Json:
    """Print what was said in each refusal, with its cure."""
    if not found["refusals"]:
        say("Nothing was refused.")
    for one in found["refusals"]:
        _tell(one)
    return found


def _tell(one: Json) -> None:
    say(f"{moment(one['at'])} UTC, {one['times']}×: {one['reason']}\n  {one['sentence']}\n  {one['cure']}")


def _by_reason(client: Client) -> Json:
    found = client.get("/v1/refusals/reasons")
    rows = [
        (one["reason"], one["times"], one["whom"], moment(one["newest"]["at"]), one["newest"]["sentence"])
        for one in found["reasons"]
    ]
    columns = ("reason", "times", "to", "last (UTC)", "the newest")
    show(columns, rows, empty="Nothing was refused.", spare=["the newest"])
    _say_what_was_looked_through(found)
    return found


def _say_what_was_looked_through(found: Json) -> bool:
    """Say where it was not everything, and how to find the rest. Tells whether there was something to say."""
    if found["looked_through"]:
        say(
            f"Only the first {found['looked_through']:,} refusals by session were looked through; newer ones may be among"
            " the rest. `--subscriber NAME` lists all of one, `qanat why 'SESSION'` tells all of a session."
        )
    return bool(found["looked_through"])


@click.command()
@click.argument("session")
@remote
def why(client: Client, session: str) -> Json:
    """Tell why a session was answered as it was: its last answers, step by step."""
    found = client.get(f"/v1/sessions/{segment(session)}/why")
    if not (found["sessions"] or found["refusals"] or found["trades"]):
        raise click.ClickException(
            f"Nothing is known of session {session}. `qanat sessions` lists what there is; quote a name with semicolons."
        )
    if found["trades"]:
        show_trades(found["trades"])
    for one in found["trades"]:
        if one["ended_at"]:
            say(f"Ended {moment(one['ended_at'])} UTC: {one['cause']}.")
    if found["sessions"]:
        _show_sessions(found["sessions"])
    for one in found["balances"]:
        say(f"{one['subscriber']} has {size(one['available'])} now, {size(one['reserved'])} more are reserved.")
    if found["steps"] and found["steps"][0]["number"]:
        say(f"Of its interrogations the last are kept, from number {found['steps'][0]['number']} on.")
    for step in found["steps"]:
        say(_step(step))
    for one in found["refusals"]:
        _tell(one)
    if not found["refusals"]:
        say("Nothing was refused in this session.")
    return found


def _step(step: Json) -> str:
    said = f"refused: {step['sentence']} ({step['reason']})" if step["reason"] else _granted(step)
    return f"{moment(step['at'])} UTC, interrogation {step['number']}: {said}"


def _granted(step: Json) -> str:
    last = ", the last that could be granted" if step["final"] else ""
    return f"granted {size(step['octets'])} until {moment(step['valid_until'])}{last}"


@click.command()
@click.argument("words", type=WORDS)
@remote
def search(client: Client, words: str) -> Json:
    """Find subscribers by the beginning of a name, IMSI or number, and anything by its identity code or id."""
    found = client.get("/v1/search", q=words)
    rows = [(one["kind"], one["name"], one["operator"], one["by"], one["detail"]) for one in found["hits"]]
    show(
        ("kind", "name", "operator", "found by", "detail"),
        rows,
        empty=f"Nothing begins with {words}.",
        spare=["detail"],
    )
    return found


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@remote
def reservations(client: Client, limit: int) -> Json:
    """List octets reserved in live sessions, those of the longest silent holders first."""
    found = client.get("/v1/reservations", limit=limit)
    if found["reservations"]:
        _show_reservations(found)
    else:
        say("Nothing is reserved.")
    if found["looked_through"]:
        say(f"Only the first {found['looked_through']:,} live sessions by name were looked at; the sums are theirs.")
    elif not found["complete"]:
        say("More is reserved than is listed: --limit lists up to 1,000, the sums count all.")
    return found


def _show_reservations(found: Json) -> None:
    say(f"{size(found['octets'])} are reserved.")
    show(
        ("silent for", "quotas", "octets"),
        [(_age(one), one["quotas"], size(one["octets"])) for one in found["ages"]],
        empty="",
    )
    say("")
    rows = [
        (f"{one['silent_s']} s", one["subscriber"], one["session"], size(one["octets"]), moment(one["deadline"]))
        for one in found["reservations"]
    ]
    columns = ("silent for", "subscriber", "session", "octets", "released at (UTC)")
    show(columns, rows, empty="", spare=["released at (UTC)"])


def _age(age: Json) -> str:
    return f"under {age['under_s'] // 60} min" if age["under_s"] else "longer"


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@AFTER
@remote
def changes(client: Client, limit: int, after: str) -> Json:
    """List who of the staff changed what in the last 400 days, newest first."""
    found = client.get("/v1/changes", limit=limit, after=after)
    rows = [(moment(one["at"]), one["who"], one["act"], one["target"], _said(one["said"])) for one in found["changes"]]
    show(("when (UTC)", "who", "what", "on", "said"), rows, empty="Nothing was changed.", spare=["said"])
    say_more(found)
    return found


@click.command()
@remote
def audit(client: Client) -> Json:
    """Recompute every balance from the entries; exit 1 when the books do not add up."""
    verdict = client.get("/v1/audit", within_s=None)  # some 70 seconds for a million entries
    word = "Balanced" if verdict["balanced"] else "NOT balanced"
    archived = f" ({verdict['archived']:,} before them are in archives)" if verdict["archived"] else ""
    say(
        f"{word}: {number_of(verdict['accounts'], 'account')}, {number_of(verdict['entries'], 'entry', 'entries')}{archived}."
    )
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
            lately(one["last_at"]),
        )
        for one in found
    ]
    columns = ("session", "subscriber", "holder", "front", "state", "used", "reserved", "last (UTC)")
    show(columns, rows, empty="No session.", spare=["front", "holder", "state", "last (UTC)"])
