"""Signs messages and brings them to the server over the first channel that works.

An answer counts only if it is one of ours, also one that says to come again: what a captive portal or a proxy says in
between is a channel that does not work.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Protocol, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qanat.agents import channel as one_at_a_time
from qanat.agents.channel import Reply, Server
from qanat.agents.corrected_clock import CorrectedClock
from qanat.agents.kept_channel import StaleConnection
from qanat.agents.outbox import RETRY_AFTER_MAX_S
from qanat.errors import Fault, Unreachable
from qanat.system import fresh_token
from qanat.units import Instant
from qanat.wire.agent import Interrogation, InterrogationAnswer, Problem, UsageConfirmation, UsageReport
from qanat.wire.signature import CLOCK_OFFSET, sign

ANY_ROUTE: Final = "any"
"""The name of the channel that leaves the choice of interface to the system."""
_PROBLEM: Final = "application/problem+json"
_COME_AGAIN: Final = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
UNREADABLE: Final = (ValueError, RecursionError)
"""What reading JSON of no matter whom may end in: not of the type, no UTF-8, nested without end."""

T = TypeVar("T")


class Exchange(Protocol):
    """How one request is sent: ``channel.exchange``, or that of ``KeptChannels``."""

    def __call__(
        self, server: Server, /, *, interface: str | None, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> Reply: ...


class Rejected(Fault):
    """The server read the request and would not take it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(" ".join(filter(None, (problem.detail or problem.title or problem.reason, problem.cure))))
        self.problem = problem


class NoAnswer(Unreachable):
    """No channel led to an answer; ``retry_after_s`` is what the server asked for, if it was heard at all."""

    def __init__(self, message: str, *, retry_after_s: int = 0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Busy(NoAnswer):
    """The server was heard, and has no time now."""


class Reporter:
    """Blocking; the agent calls it in a thread. Repeating any call is safe."""

    def __init__(
        self,
        server: Server,
        *,
        key: Ed25519PrivateKey,
        key_id: str,
        channels: list[str],
        clock: CorrectedClock,
        exchange: Exchange = one_at_a_time.exchange,
    ) -> None:
        self._send = exchange
        self._server = server
        self._key = key
        self._key_id = key_id
        self._channels = channels
        self._clock = clock
        self.last_channel = ""
        self.is_lost = False
        """The last message found no server over any channel."""

    def post(
        self, path: str, message: msgspec.Struct, answer: type[T], *, fits: Callable[[T], bool] = lambda _: True
    ) -> T:
        """Bring a message and return its answer, if that fits. Raises Rejected and NoAnswer."""
        return self._over_channels("POST", path, msgspec.json.encode(message), answer, fits=fits)

    def enrol(self, path: str, message: msgspec.Struct, answer: type[T], *, server: str) -> T:
        """Bring the first message, as ``post`` does, to what somebody just typed as the server."""
        try:
            return self.post(path, message, answer)
        except Busy:
            raise
        except NoAnswer as fault:
            raise NoAnswer(
                f"no server answers at {server} ({fault}). Start the server, or correct --server."
            ) from fault

    def interrogate(self, path: str, message: Interrogation) -> InterrogationAnswer:
        """Bring a question and return the answer to it and to no other. Raises Rejected and NoAnswer."""
        return self.post(
            path,
            message,
            InterrogationAnswer,
            fits=lambda answer: (answer.session, answer.number) == (message.session, message.number),
        )

    def report(self, path: str, message: UsageReport) -> UsageConfirmation:
        """Bring rows and return what is confirmed of this journal. Raises Rejected and NoAnswer."""
        return self.post(path, message, UsageConfirmation, fits=lambda answer: answer.journal == message.journal)

    def get(self, path: str, answer: type[T]) -> T:
        """Ask for something. Raises Rejected and NoAnswer."""
        return self._over_channels("GET", path, b"", answer, fits=lambda _: True)

    def _over_channels(self, method: str, path: str, body: bytes, answer: type[T], *, fits: Callable[[T], bool]) -> T:
        faults = []
        for channel in self._channels:
            try:
                found = self._over(channel, method, path, body, answer)
                if not fits(found):
                    raise Unreachable(f"{channel}: the answer is to another question")
            except NoAnswer:
                raise
            except Unreachable as fault:
                faults.append(str(fault))
            else:
                self.last_channel, self.is_lost = channel, False
                return found
        self.is_lost = True
        raise NoAnswer("; ".join(faults))

    def _over(self, channel: str, method: str, path: str, body: bytes, answer: type[T]) -> T:
        reply = self._exchange(channel, method, path, body)
        problem = problem_of(reply)
        if problem is not None and problem.reason == "clock_skew" and self._learn_time(reply):
            reply = self._exchange(channel, method, path, body)
            problem = problem_of(reply)
        if problem is not None and reply.status in _COME_AGAIN:
            raise Busy(f"the server is busy ({reply.status}); try again", retry_after_s=_retry_after(reply))
        if problem is not None and 400 <= reply.status < 500:
            raise Rejected(problem)
        try:
            if reply.status in (HTTPStatus.OK, HTTPStatus.CREATED):
                return msgspec.json.decode(reply.body, type=answer)
        except UNREADABLE as error:
            raise Unreachable(f"{channel}: something answered that is no Qanat server ({error})") from error
        raise Unreachable(f"{channel}: status {reply.status}")

    def _exchange(self, channel: str, method: str, path: str, body: bytes) -> Reply:
        try:
            return self._signed(channel, method, path, body)
        except StaleConnection:
            return self._signed(channel, method, path, body)

    def _signed(self, channel: str, method: str, path: str, body: bytes) -> Reply:
        headers = sign(
            self._key,
            key_id=self._key_id,
            method=method,
            path=path,
            body=body,
            created_s=self._clock.now() // 1000,
            nonce=fresh_token(),
        )
        headers["content-type"] = "application/json"
        headers[CLOCK_OFFSET] = str(self._clock.offset_ms)
        interface = None if channel == ANY_ROUTE else channel
        return self._send(self._server, interface=interface, method=method, path=path, body=body, headers=headers)

    def _learn_time(self, reply: Reply) -> bool:
        try:
            moment = parsedate_to_datetime(reply.headers.get("date", ""))
        except (ValueError, OverflowError):
            return False
        self._clock.learn(Instant(int(moment.timestamp() * 1000)))
        return True


def problem_of(reply: Reply) -> Problem | None:
    """Read an RFC 9457 body with its reason; None when it is none of ours, as from a portal or a proxy."""
    if not reply.headers.get("content-type", "").startswith(_PROBLEM):
        return None
    try:
        problem = msgspec.json.decode(reply.body, type=Problem)
    except UNREADABLE:
        return None
    return msgspec.structs.replace(problem, status=reply.status) if problem.reason else None


def _retry_after(reply: Reply) -> int:
    text = reply.headers.get("retry-after", "")
    return min(RETRY_AFTER_MAX_S, int(text)) if text.isascii() and text.isdigit() else 0
