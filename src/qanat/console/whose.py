"""Whose a list is, the same for every list: all that whoever asks may see, or one subscriber's. And whose a new thing is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from qanat.console.client import Client, Json, path_of
from qanat.console.parameters import NAME, refuse_pieces

OPERATOR: Final = click.option(
    "--operator", "operator_name", type=NAME, metavar="NAME", help="Whose; without it, the one you work for, else home."
)
"""Of a new thing; ``operator_of`` reads it."""


def operator_of(client: Client, named: str | None) -> str:
    """Return whose a new thing is: that of the operator named, or of the one for whom the caller works."""
    return named or client.get("/v1/whoami")["operator"] or "home"


def whose(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --subscriber and --mine."""
    mine = click.option("--mine", is_flag=True, help="Only those of whose token it is; a subscriber sees no others.")
    return click.option("--subscriber", metavar="NAME", help="Only this subscriber's.")(mine(command))


def is_ones(client: Client, *, subscriber: str | None, mine: bool) -> bool:
    """Tell whether a list is one subscriber's: named, or whoever asks."""
    return bool(subscriber) or mine or client.get("/v1/whoami")["role"] == "subscriber"


def listed(client: Client, what: str, *, subscriber: str | None, mine: bool, **pieces: Any) -> Json:
    """Get one subscriber's list whole, or a piece of what whoever asks may see. Raises UsageError for a piece of one's."""
    if not is_ones(client, subscriber=subscriber, mine=mine):
        return client.get(f"/v1{what}", **pieces)
    refuse_pieces()
    return client.get(path_of(subscriber, what))
