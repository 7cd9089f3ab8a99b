"""A terminal goes online at a base station on somebody else's traffic: presents itself, counts, and says what it counted.

Its own count is what makes the reconciliation three-way; it is sent once the terminal has left, and kept until it was.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qanat.agents.base_station.said import Here
from qanat.agents.channel import exchange, read_server
from qanat.agents.claim import claim
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.device_key import key_of
from qanat.agents.log import Log
from qanat.agents.reporter import UNREADABLE, Rejected, Reporter, problem_of
from qanat.agents.signalling import endpoints_of
from qanat.agents.state_folder import write_whole
from qanat.agents.terminal import identity as identities
from qanat.agents.terminal.enrol import channels_of
from qanat.agents.terminal.own_count import OwnCount, interface_towards
from qanat.clock import Clock
from qanat.errors import Fault, Unreachable
from qanat.wire.base_station import (
    Admitted,
    OwnIdentities,
    Presentation,
    SignedPresentation,
    TradeCount,
    TradeCounted,
    Wish,
    sign_presentation,
)

LOOK_EVERY_S: Final = 1.0
_COUNT_TRIES: Final = 10
_NEVER: Final = threading.Event()

T = TypeVar("T")


class Host:
    """The base station, as a terminal on its access side asks it over HTTP. Raises Unreachable, Rejected."""

    def __init__(self, url: str) -> None:
        self.server = read_server(url)

    def here(self) -> Here:
        return self._ask("GET", "/v1/here", b"", Here)

    def meet(self) -> Here:
        """Ask it for the first time: whoever does not answer may be another."""
        try:
            return self.here()
        except Unreachable as fault:
            raise Unreachable(
                f"no base station answers: {fault}. Go into its network, or correct --station."
            ) from fault

    def present(self, signed: SignedPresentation) -> Admitted:
        return self._ask("POST", "/v1/presentations", msgspec.json.encode(signed), Admitted)

    def depart(self) -> Here:
        return self._ask("POST", "/v1/departure", b"", Here)

    def _ask(self, method: str, path: str, body: bytes, answer: type[T]) -> T:
        headers = {"content-type": "application/json"}
        reply = exchange(self.server, interface=None, method=method, path=path, body=body, headers=headers)
        problem = problem_of(reply)
        if problem is not None:
            raise Rejected(problem)
        try:
            return msgspec.json.decode(reply.body, type=answer)
        except UNREADABLE as error:
            raise Unreachable(f"{self.server.authority} is no base station of Qanat ({reply.status})") from error


def join(state: Path, *, station: str, wish: Wish, interface: str | None, log: Log, clock: Clock) -> None:
    """Go online, stay until SIGTERM, SIGINT, or the end, and send the count.

    Raises Rejected with the refusal, and other Faults that name their cure.
    """
    identity = identities.load(state)
    corrected = CorrectedClock(clock)
    host = Host(station)
    interface = interface or interface_towards(host.server)
    key = key_of(state)
    server = read_server(identity.server)
    channels = channels_of(interface, identity.channels)
    reporter = Reporter(server, key=key, key_id=identity.terminal, channels=channels, clock=corrected)
    send_counts(state, reporter, log)
    own = own_identities(state, reporter)
    leaving = _heeded()
    with claim("terminal", interface):
        count = OwnCount(interface, free=[*endpoints_of(server), *endpoints_of(host.server)], log=log)
        try:
            admitted = _present(host, own, key=key, wish=wish, clock=corrected)
            count.open()
            log("online", trade=admitted.trade, octets=admitted.octets, **admitted.identities)
            _stay(host, admitted.trade, leaving, count, log)
        finally:
            counted = count.finish()
    keep_count(state, TradeCount(trade=admitted.trade, up=counted.up, down=counted.down))
    log("offline", trade=admitted.trade, up=counted.up, down=counted.down)
    send_counts(state, reporter, log)


def own_identities(state: Path, reporter: Reporter) -> OwnIdentities:
    """Return the identity codes to present: the server's word, or, where it is out of reach, its last one."""
    path = state / "identities.json"
    try:
        own = reporter.get("/v1/agent/identities", OwnIdentities)
    except Unreachable:
        try:
            return msgspec.json.decode(path.read_bytes(), type=OwnIdentities)
        except (OSError, msgspec.DecodeError):
            pass
        raise
    write_whole(path, msgspec.json.encode(own))
    return own


def keep_count(state: Path, counted: TradeCount) -> None:
    write_whole(state / f"count-{counted.trade}.json", msgspec.json.encode(counted))


def send_counts(state: Path, reporter: Reporter, log: Log) -> None:
    """Send the counts that were kept; one is forgotten when the server has it and has judged it, or wants it no more."""
    for path in sorted(state.glob("count-*.json")):
        counted = msgspec.json.decode(path.read_bytes(), type=TradeCount)
        try:
            agrees = _judged(reporter, counted)
        except Rejected as fault:
            log("count refused", trade=counted.trade, sentence=str(fault))
        except Unreachable as fault:
            log("count waits", trade=counted.trade, sentence=str(fault))
            continue
        else:
            log("counts compared", trade=counted.trade, agrees={True: "yes", False: "no", None: "not yet"}[agrees])
        path.unlink()


def _judged(reporter: Reporter, counted: TradeCount) -> bool | None:
    """Send a count until the base station has reported too, which takes a moment."""
    for _ in range(_COUNT_TRIES):
        said = reporter.post("/v1/agent/trade-counts", counted, TradeCounted)
        if said.agrees is not None:
            return said.agrees
        _NEVER.wait(LOOK_EVERY_S)
    return None


def _present(host: Host, own: OwnIdentities, *, key: Ed25519PrivateKey, wish: Wish, clock: CorrectedClock) -> Admitted:
    presentation = Presentation(
        terminal=own.terminal,
        subscriber=own.subscriber,
        base_station=host.meet().identity,
        wish=wish,
        at=clock.now(),
    )
    return host.present(sign_presentation(key, presentation))


def _heeded() -> threading.Event:
    """Return what SIGTERM and SIGINT set from now on: whoever goes online must be able to leave in order."""
    leaving = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leaving.set())
    return leaving


def _stay(host: Host, trade: str, leaving: threading.Event, count: OwnCount, log: Log) -> None:
    """Look how things stand until the base station says that it is over, or somebody wants to leave."""
    while not leaving.wait(LOOK_EVERY_S):
        count.look()
        try:
            here = host.here()
        except Fault as fault:
            log("base station does not answer", sentence=str(fault))
            continue
        if here.session is None or here.session.trade != trade:
            if here.refusal is not None:
                log("refused", reason=here.refusal.reason, sentence=here.refusal.sentence, cure=here.refusal.cure)
            return
    host.depart()
