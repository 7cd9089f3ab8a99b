"""Settings: one commented TOML file, the environment, and flags; a flag beats the environment, which beats the file.

The types below are the only place where a setting is described: ``docs/qanat.toml`` is printed from them, and a wrong
value is answered with its path and that description.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec
from msgspec import Meta, field

from qanat.charging.quota import Policy
from qanat.errors import BadInput
from qanat.registry.names import NAME
from qanat.registry.operators import HOME
from qanat.store.address import is_postgres
from qanat.units import Millis, Octets
from qanat.wire.spelling import MISSPELT


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An unknown setting is a typing error that should be seen."""


class Http(Section, frozen=True, kw_only=True):
    listen: Annotated[str, Meta(description="Host and port; port 0 takes a free one.")] = "127.0.0.1:8080"
    proxies: Annotated[
        str,
        Meta(
            pattern=r"^[^*]*$",
            description="Proxies believed whom they speak for (X-Forwarded-For and -Proto), with commas between; empty: none.",
        ),
    ] = ""
    body_limit: Annotated[int, Meta(ge=1024, description="Octets of a request body; more is refused with 413.")] = (
        1_048_576
    )
    body_timeout_s: Annotated[
        int, Meta(ge=1, description="A head, and then a body, must have arrived within this many seconds.")
    ] = 20
    at_once: Annotated[int, Meta(ge=1, description="Requests worked on at once; more are answered 503.")] = 1024
    stop_timeout_s: Annotated[
        int, Meta(ge=1, description="How long a stop waits for requests under way; what takes longer is answered 503.")
    ] = 10


class Store(Section, frozen=True, kw_only=True):
    database: Annotated[
        str,
        Meta(
            description="sqlite:///PATH, postgresql://USER@HOST/NAME, or memory:; empty is qanat.db in the data directory."
        ),
    ] = ""


class Agents(Section, frozen=True, kw_only=True):
    report_interval_s: Annotated[int, Meta(ge=1, le=86_400, description="How often terminals report usage.")] = 60
    signature_window_s: Annotated[int, Meta(ge=1, description="How far a device's clock may be off.")] = 300
    nonces: Annotated[int, Meta(ge=1000, description="Signed requests remembered against replay in one window.")] = (
        2_000_000
    )
    code_hours: Annotated[int, Meta(ge=1, le=8760, description="How long an enrolment code is good for.")] = 24


class Quotas(Section, frozen=True, kw_only=True):
    octets: Annotated[int, Meta(ge=1, description="One quota, where the plan does not say.")] = 10_000_000
    octets_max: Annotated[int, Meta(ge=1, description="The largest quota.")] = 2_000_000_000
    interval_s: Annotated[int, Meta(ge=1, description="A busy session should ask about this seldom.")] = 20
    validity_s: Annotated[int, Meta(ge=1, description="A quota must be reported on within this time.")] = 3600
    grace_s: Annotated[int, Meta(ge=1, description="After the validity; then the reservation goes home.")] = 3600
    threshold_percent: Annotated[int, Meta(ge=0, le=99, description="Ask for more when so much remains.")] = 20


class Gy(Section, frozen=True, kw_only=True):
    listen: Annotated[str, Meta(description="Host and port, usually :3868; empty: Gy is not served.")] = ""
    tls_listen: Annotated[str, Meta(description="Host and port for TLS, usually :5658; empty: no TLS.")] = ""
    tls_certificate: Annotated[str, Meta(description="File with our certificate chain (PEM).")] = ""
    tls_key: Annotated[str, Meta(description="File with its private key (PEM).")] = ""
    tls_authorities: Annotated[
        str, Meta(description="File with the authorities of peers' certificates (PEM); empty: peers need none.")
    ] = ""
    origin_host: Annotated[str, Meta(min_length=1, description="Our Diameter identity.")] = "ocs.qanat.test"
    origin_realm: Annotated[
        str, Meta(min_length=1, description="Our realm; requests for another are answered 3003.")
    ] = "qanat.test"
    final_unit: Annotated[
        Literal["terminate", "redirect", "restrict"],
        Meta(description="What a gateway does when the last quota is used up (Final-Unit-Action)."),
    ] = "terminate"
    redirect_url: Annotated[str, Meta(description="Where redirect leads: a page for topping up.")] = ""
    restrict_filter: Annotated[
        str, Meta(description="What restrict still lets through: a filter's name (Filter-Id).")
    ] = ""
    failure_handling: Annotated[
        Literal["terminate", "continue", "retry_and_terminate"],
        Meta(description="What a gateway does when we don't answer (Credit-Control-Failure-Handling)."),
    ] = "retry_and_terminate"
    session_failover: Annotated[bool, Meta(description="Whether a gateway may ask another of our servers.")] = True
    holding_s: Annotated[
        int, Meta(ge=0, description="A quota unused for so long is returned (Quota-Holding-Time); 0: not said.")
    ] = 0
    at_once: Annotated[int, Meta(ge=1, description="Requests under way; more are answered 3004, too busy.")] = 4096
    answer_within_s: Annotated[
        float, Meta(gt=0, description="What the database has not taken by then is answered 3004.")
    ] = 2.0
    connections: Annotated[int, Meta(ge=1, description="More are closed at once.")] = 16_384
    capabilities_s: Annotated[float, Meta(gt=0, description="A connection must introduce itself within this time.")] = (
        10.0
    )
    watchdog_s: Annotated[float, Meta(ge=6, description="A silent peer is probed after this, closed after three.")] = (
        30.0
    )
    unread_s: Annotated[
        float, Meta(gt=0, description="A peer that reads none of our answers for so long is closed.")
    ] = 10.0
    follow_s: Annotated[
        float, Meta(gt=0, description="After a re-authorisation a gateway must ask within this time, or it is noted.")
    ] = 15.0


class SignIn(Section, frozen=True, kw_only=True):
    operator: Annotated[str, Meta(pattern=NAME, description="Who signs up becomes a subscriber of this operator.")] = (
        HOME
    )
    tries_per_minute: Annotated[int, Meta(ge=1, description="For one name; and ten times that for one address.")] = 5
    hashes_at_once: Annotated[int, Meta(ge=1, description="Passwords checked at once; each takes 64 MiB.")] = 2
    hours: Annotated[int, Meta(ge=1, description="How long a sign-in lasts.")] = 12


class Web(Section, frozen=True, kw_only=True):
    origin: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/]+)?$",
            description="How people reach the console through a proxy, as in https://qanat.example; empty: as it listens.",
        ),
    ] = ""


class Sweeper(Section, frozen=True, kw_only=True):
    interval_s: Annotated[int, Meta(ge=1, description="How often deadlines are looked at.")] = 1
    batch: Annotated[int, Meta(ge=1, description="Owners swept in one look; the rest wait for the next.")] = 500


class Log(Section, frozen=True, kw_only=True):
    format: Annotated[Literal["console", "json"], Meta(description="console for people, json for machines.")] = (
        "console"
    )
    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="The least that is logged.")] = (
        "info"
    )


class Settings(Section, frozen=True, kw_only=True):
    data: Annotated[str, Meta(description="The directory of the database and of admin.token.")] = "data"
    workers: Annotated[
        int, Meta(ge=1, le=256, description="Server processes on the same ports; more than one needs PostgreSQL.")
    ] = 1
    http: Http = field(default_factory=Http)
    store: Store = field(default_factory=Store)
    agents: Agents = field(default_factory=Agents)
    quotas: Quotas = field(default_factory=Quotas)
    gy: Gy = field(default_factory=Gy)
    sign_in: SignIn = field(default_factory=SignIn)
    web: Web = field(default_factory=Web)
    sweeper: Sweeper = field(default_factory=Sweeper)
    log: Log = field(default_factory=Log)

    @property
    def addresses(self) -> dict[str, str]:
        """What is listened on, by the setting that says so: HTTP always is."""
        gy = {"gy.listen": self.gy.listen, "gy.tls_listen": self.gy.tls_listen}
        return {"http.listen": self.http.listen} | {field: address for field, address in gy.items() if address}

    def policy(self) -> Policy:
        return Policy(
            quota_octets=Octets(self.quotas.octets),
            quota_octets_max=Octets(self.quotas.octets_max),
            interval_s=self.quotas.interval_s,
            validity_ms=Millis(self.quotas.validity_s * 1000),
            grace_ms=Millis(self.quotas.grace_s * 1000),
            threshold_percent=self.quotas.threshold_percent,
            report_interval_s=self.agents.report_interval_s,
        )


Tree = dict[str, Any]
_Given = tuple[str, str, str]
"""A setting's path, its value, and where it comes from, in words."""
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+)`")
_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+(?:%\w+)?)\]|(?P<host>[^\s:\[\]]+)):(?P<port>[0-9]{1,5})")
SECTIONS: Final[dict[str, type[Section]]] = {
    name: hint
    for name, hint in get_type_hints(Settings).items()
    if isinstance(hint, type) and issubclass(hint, Section)
}


def load(
    file: Path | None = None, *, environment: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings in force. ``flags`` are named ``section.key``. Raises BadInput that names setting and origin."""
    tree, origins = _gathered(file, os.environ if environment is None else environment, flags or {})
    try:
        return _checked(convert(tree))
    except BadInput as bad:
        raise BadInput(f"{bad.field} {origins.get(bad.field, f'in {file}')}: {bad}", field=bad.field) from bad


def origin_of(
    setting: str,
    file: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> str:
    """Return in words where a setting in force stands, as in ``from QANAT_DATA``; empty for a default."""
    _, origins = _gathered(file, os.environ if environment is None else environment, flags or {})
    return origins.get(setting, "")


def convert(tree: Tree) -> Settings:
    """Return the settings that a tree states. Raises BadInput for the first that can't be."""
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        path = at.removeprefix(".").removesuffix("`")
        if unknown := _UNKNOWN.fullmatch(message):
            field = f"{path}.{unknown[1]}".removeprefix(".")
            raise BadInput(f"there is no such setting. {_help(path)}", field=field) from error
        if message.startswith(MISSPELT):
            message = f"{_value(tree, path)!r} does not fit"
        raise BadInput(f"{_lower(message)}. {_help(path)}", field=path) from error


def _checked(settings: Settings) -> Settings:
    """Return settings in which also that is right which no type says of one alone. Raises BadInput."""
    for setting, address in settings.addresses.items():
        host_port(address, field=setting)
    database = settings.store.database
    if settings.workers > 1 and not is_postgres(database):
        kind = "memory" if database == "memory:" else "a SQLite file"
        raise BadInput(
            f"{settings.workers} workers can't share {kind}: it has one writer. Serve with --workers 1, or from "
            "PostgreSQL: --database postgresql://…, after `qanat database copy` if there is something to keep",
            field="workers",
        )
    return settings


def as_toml() -> str:
    """Return the complete file with every default, commented."""
    lines = ["# Qanat server settings. Every value shown is the default; flags and QANAT_SECTION_KEY override it.", ""]
    lines += _describe(Settings, Settings())
    for name, section in SECTIONS.items():
        lines += ["", f"[{name}]", *_describe(section, section())]
    return "\n".join(lines) + "\n"


def host_port(text: str, *, field: str = "") -> tuple[str, int]:
    """Split ``127.0.0.1:8080`` or ``[::1]:8080``. Raises BadInput."""
    read = _ADDRESS.fullmatch(text)
    if read is None or int(read["port"]) > 65_535:
        raise BadInput(
            f"{text!r} is no HOST:PORT: write a host, a colon and a port up to 65535, as in 127.0.0.1:8080 or, "
            "with an IPv6 address in brackets, [::1]:8080",
            field=field,
        )
    return read["v6"] or read["host"], int(read["port"])


def _read(file: Path) -> Tree:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{file} can't be read: {error.strerror}", field=str(file)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} is not TOML: {error}", field=str(file)) from error


def _gathered(
    file: Path | None, environment: Mapping[str, str], flags: Mapping[str, str]
) -> tuple[Tree, dict[str, str]]:
    """Return what is said of settings, and where each that is said stands."""
    tree = _read(file) if file else {}
    origins: dict[str, str] = {}
    for name, value in tree.items():
        keys = [f"{name}.{key}" for key in value] if isinstance(value, dict) else [name]
        origins |= dict.fromkeys(keys, f"in {file}")
    for path, value, origin in (*_from_environment(environment), *_from_flags(flags)):
        _put(tree, path, value)
        origins[path] = origin
    return tree, origins


def _from_environment(environment: Mapping[str, str]) -> Iterator[_Given]:
    """Yield ``QANAT_HTTP_LISTEN`` as ``http.listen``; names outside the sections belong to others (``QANAT_URL``)."""
    for name, value in environment.items():
        words = name.lower()
        if words in ("qanat_data", "qanat_workers"):
            yield words.removeprefix("qanat_"), value, f"from {name}"
        for section in SECTIONS:
            if words.startswith(f"qanat_{section}_"):
                yield f"{section}.{words.removeprefix(f'qanat_{section}_')}", value, f"from {name}"


def _from_flags(flags: Mapping[str, str]) -> Iterator[_Given]:
    return ((path, value, "from the command line") for path, value in flags.items())


def _put(tree: Tree, path: str, value: str) -> None:
    section, _, key = path.rpartition(".")
    place = tree.setdefault(section, {}) if section else tree
    if isinstance(place, dict):
        place[key] = value


def _describe(section: type[Section], defaults: Section) -> list[str]:
    lines = []
    for found in msgspec.structs.fields(section):
        if found.name not in SECTIONS:
            value = msgspec.json.encode(getattr(defaults, found.name)).decode()
            lines += [f"# {_description(section, found.name)}", f"{found.name} = {value}"]
    return lines


def _description(section: type[Section], name: str) -> str:
    hints = get_type_hints(section, include_extras=True)
    return next((meta.description for meta in getattr(hints[name], "__metadata__", ()) if meta.description), "")


def _help(path: str) -> str:
    section_name, _, key = path.rpartition(".")
    section = SECTIONS.get(section_name, Settings)
    if key in {found.name for found in msgspec.structs.fields(section)} and key not in SECTIONS:
        return f"It is: {_description(section, key)} The default is {getattr(section(), key)!r}."
    if path in SECTIONS:
        section = SECTIONS[path]
    known = ", ".join(found.name for found in msgspec.structs.fields(section))
    return f"Known here: {known}. `qanat check-config --example` prints all settings."


def _value(tree: Tree, path: str) -> Any:
    section, _, key = path.rpartition(".")
    return (tree[section] if section else tree)[key]


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
