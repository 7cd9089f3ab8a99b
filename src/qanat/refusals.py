"""Refusals: ordinary answers with a reason code, a sentence and the cure.

A refusal is returned, never raised: it says who may not have what, and what to do about it. Each front has one table from
refusal to its protocol's code. ``qanat why`` prints the facts that a refusal carries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Refusal(StrEnum):
    """Why not. The value is the reason code that people and programs see."""

    # who is asking
    UNKNOWN_SUBSCRIBER = "unknown_subscriber"
    SUBSCRIBER_SUSPENDED = "subscriber_suspended"
    UNKNOWN_TERMINAL = "unknown_terminal"
    TERMINAL_UNBOUND = "terminal_unbound"
    TERMINAL_REVOKED = "terminal_revoked"
    BOUND_TO_ANOTHER = "bound_to_another"
    NO_IDENTITY = "no_identity"
    # requests that prove nothing
    WRONG_SIGNATURE = "wrong_signature"
    CLOCK_SKEW = "clock_skew"
    REPLAYED = "replayed"
    # enrolment and the SIM pool
    UNKNOWN_CODE = "unknown_code"
    CODE_EXPIRED = "code_expired"
    CODE_USED = "code_used"
    POOL_EMPTY = "pool_empty"
    # signing in
    WRONG_SIGN_IN = "wrong_sign_in"
    TOO_MANY_TRIES = "too_many_tries"
    SIGNED_OUT = "signed_out"
    NOT_ALLOWED = "not_allowed"
    # buying
    UNKNOWN_PLAN = "unknown_plan"
    PLAN_SOLD_OUT = "plan_sold_out"
    WALLET_TOO_SMALL = "wallet_too_small"
    # names and repeats
    NAME_TAKEN = "name_taken"
    UNKNOWN_OPERATOR = "unknown_operator"
    NOT_FOUND = "not_found"
    KEY_REUSED = "key_reused"
    REQUEST_REUSED = "request_reused"
    # quotas
    CREDIT_LIMIT_REACHED = "credit_limit_reached"
    ALL_OR_NOTHING = "all_or_nothing"
    UNKNOWN_SESSION = "unknown_session"
    SESSION_CLOSED = "session_closed"
    SESSION_OPEN = "session_open"


@dataclass(frozen=True, slots=True)
class Words:
    """How a refusal is said. ``{…}`` are filled from its facts."""

    sentence: str
    cure: str


@dataclass(frozen=True, slots=True)
class Refused:
    """One refusal with the facts it rests on: identities, balances, limits."""

    reason: Refusal
    facts: dict[str, int | str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        return WORDS[self.reason].sentence.format_map(_Facts(self.facts))

    @property
    def cure(self) -> str:
        return WORDS[self.reason].cure.format_map(_Facts(self.facts))


class _Facts(dict[str, int | str]):
    """Facts that a caller left out are shown as a dash: a refusal must never fail to say itself."""

    def __missing__(self, key: str) -> str:
        return "–"


WORDS: Final[dict[Refusal, Words]] = {
    Refusal.UNKNOWN_SUBSCRIBER: Words(
        "There is no subscriber with the identity {identity}.",
        "Create it with `qanat subscriber create`, or correct the identity that the equipment sends.",
    ),
    Refusal.SUBSCRIBER_SUSPENDED: Words(
        "Subscriber {subscriber} is suspended.", "The operator {operator} can set the subscriber active again."
    ),
    Refusal.UNKNOWN_TERMINAL: Words(
        "There is no terminal {terminal}.", "Enrol it with `qanat terminal enrol` and a code from its subscriber."
    ),
    Refusal.TERMINAL_UNBOUND: Words(
        "Terminal {terminal} is not bound to a subscriber yet.",
        "Its subscriber signs in and binds it with the binding code that `qanat terminal status` shows.",
    ),
    Refusal.TERMINAL_REVOKED: Words(
        "Terminal {terminal} was revoked.", "Ask the operator; a revoked terminal enrols anew with a new key and code."
    ),
    Refusal.BOUND_TO_ANOTHER: Words(
        "{thing} is bound to another subscriber.", "The subscriber it is bound to must release it first."
    ),
    Refusal.NO_IDENTITY: Words(
        "The request names no subscriber.", "Send a Subscription-Id with the IMSI or the telephone number."
    ),
    Refusal.WRONG_SIGNATURE: Words(
        "The signature does not fit these bytes and the key of {key_id}.",
        "Sign the exact bytes with the enrolled key; enrol again if the key was lost.",
    ),
    Refusal.CLOCK_SKEW: Words(
        "The request was signed at {created_s}, the server's clock says {now_s}: more than {window_s} s apart.",
        "Correct the device's clock, or sign with the time from the Date header of this answer.",
    ),
    Refusal.REPLAYED: Words(
        "This signed request was received before (nonce {nonce}).", "Sign each request anew, with a fresh nonce."
    ),
    Refusal.UNKNOWN_CODE: Words(
        "There is no such code.", "Check the spelling, or issue a new code: `qanat terminal code`."
    ),
    Refusal.CODE_EXPIRED: Words("The code ran out at {expired_at}.", "Issue a new code: `qanat terminal code`."),
    Refusal.CODE_USED: Words(
        "The code was used already, by another key.", "Issue a new code: `qanat terminal code`; each is good once."
    ),
    Refusal.POOL_EMPTY: Words(
        "Operator {operator} has no free cloud SIM left.", "Add profiles with `qanat sim import` or `qanat sim make`."
    ),
    Refusal.WRONG_SIGN_IN: Words(
        "Name and password do not fit together.", "Check both; the operator can set a new password."
    ),
    Refusal.TOO_MANY_TRIES: Words("Too many tries.", "Wait {wait_s} s and try again."),
    Refusal.SIGNED_OUT: Words(
        "No valid sign-in came with this request.", "Sign in, or give the token: --token-file or QANAT_TOKEN."
    ),
    Refusal.NOT_ALLOWED: Words("{who} may not do this.", "Sign in as {needed}, or ask somebody who is."),
    Refusal.UNKNOWN_PLAN: Words("There is no plan {plan} on sale.", "List the plans with `qanat plan list`."),
    Refusal.PLAN_SOLD_OUT: Words("Plan {plan} is sold out: all {stock} are sold.", "Choose another plan."),
    Refusal.WALLET_TOO_SMALL: Words(
        "The wallet holds {wallet} {currency}, the plan costs {price} {currency} (in minor units).",
        "Pay money in first: `qanat pay-in`, then buy again.",
    ),
    Refusal.NAME_TAKEN: Words("{thing} exists already.", "Choose another name, or use the one that exists."),
    Refusal.UNKNOWN_OPERATOR: Words("There is no operator {operator}.", "Create it: `qanat operator create`."),
    Refusal.NOT_FOUND: Words("There is no {thing}.", "Check the name; lists show what there is."),
    Refusal.KEY_REUSED: Words(
        "The Idempotency-Key {key} was used before with another request.", "Use a new key for a new request."
    ),
    Refusal.REQUEST_REUSED: Words(
        "Request {number} of session {session} was answered before, with other contents or long ago.",
        "A repeat must be identical; a new request needs the next number.",
    ),
    Refusal.CREDIT_LIMIT_REACHED: Words(
        "Nothing is left: {available} octets are available to {subscriber}, {reserved} are reserved by open sessions.",
        "Buy a plan: `qanat buy`, or top up: `qanat top-up`.",
    ),
    Refusal.ALL_OR_NOTHING: Words(
        "{wanted} octets were asked for and {available} are available; the plan grants all or nothing.",
        "Ask for no more than what is available, or buy a plan.",
    ),
    Refusal.UNKNOWN_SESSION: Words(
        "There is no session {session}.",
        "Start a session with a first interrogation; the usage was kept for the operator.",
    ),
    Refusal.SESSION_CLOSED: Words(
        "Session {session} has ended.", "What was used has been counted; start a new session to go on."
    ),
    Refusal.SESSION_OPEN: Words(
        "Session {session} is open already.",
        "Go on with intermediate interrogations, or choose a new session identifier.",
    ),
}
assert WORDS.keys() == set(Refusal), "every refusal has its words"
