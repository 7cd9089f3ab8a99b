"""The states of one connection and what each event does to it: RFC 6733 §5.6 as a table, with RFC 3539's watchdog.

The table holds for both sides of a transport connection that already stands: a responder waits for capabilities, an
initiator has sent its own. There is no election (§5.6.4): it settles two connections between the same two peers who
both initiate, and a charging server never does.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class State(Enum):
    AWAIT_CER = auto()
    AWAIT_CEA = auto()
    OPEN = auto()
    PROBING = auto()
    """Open; a watchdog request is out."""
    SUSPECT = auto()
    """Open; the watchdog went unanswered. Send new requests elsewhere if you can."""
    CLOSING = auto()
    CLOSED = auto()


class Event(Enum):
    CER_WELCOME = auto()
    CER_REFUSED = auto()
    CEA_WELCOME = auto()
    CEA_REFUSED = auto()
    DWR = auto()
    DWA = auto()
    DPR = auto()
    DPA = auto()
    TRAFFIC = auto()
    MALFORMED = auto()
    UNFRAMEABLE = auto()
    TIMER = auto()
    STOP = auto()
    LOST = auto()


class Step(Enum):
    """What is done on a transition."""

    NOTHING = auto()
    WELCOME = auto()
    OPENED = auto()
    TURN_AWAY = auto()
    ANSWER_WATCHDOG = auto()
    SEND_WATCHDOG = auto()
    ANSWER_DISCONNECT = auto()
    SEND_DISCONNECT = auto()
    DELIVER = auto()
    REFUSE = auto()
    REFUSE_AND_CLOSE = auto()
    CLOSE = auto()


Transitions = dict[tuple[State, Event], tuple[State, Step]]


def _waiting(state: State) -> Transitions:
    """Before capabilities are exchanged, anything else ends the connection."""
    rest = {(state, event): (State.CLOSED, Step.CLOSE) for event in Event}
    return rest | {
        (state, Event.MALFORMED): (State.CLOSED, Step.REFUSE_AND_CLOSE),
        (state, Event.UNFRAMEABLE): (State.CLOSED, Step.REFUSE_AND_CLOSE),
        (state, Event.LOST): (State.CLOSED, Step.NOTHING),
    }


def _open(state: State) -> Transitions:
    """While open, every message proves the peer alive."""
    return {
        (state, Event.CER_WELCOME): (State.OPEN, Step.WELCOME),
        (state, Event.CER_REFUSED): (State.CLOSED, Step.TURN_AWAY),
        (state, Event.CEA_WELCOME): (State.OPEN, Step.NOTHING),
        (state, Event.CEA_REFUSED): (State.OPEN, Step.NOTHING),
        (state, Event.DWR): (State.OPEN, Step.ANSWER_WATCHDOG),
        (state, Event.DWA): (State.OPEN, Step.NOTHING),
        (state, Event.DPR): (State.CLOSING, Step.ANSWER_DISCONNECT),
        (state, Event.DPA): (State.OPEN, Step.NOTHING),
        (state, Event.TRAFFIC): (State.OPEN, Step.DELIVER),
        (state, Event.MALFORMED): (State.OPEN, Step.REFUSE),
        (state, Event.UNFRAMEABLE): (State.CLOSED, Step.REFUSE_AND_CLOSE),
        (state, Event.STOP): (State.CLOSING, Step.SEND_DISCONNECT),
        (state, Event.LOST): (State.CLOSED, Step.NOTHING),
    }


TRANSITIONS: Final[Transitions] = {
    **_waiting(State.AWAIT_CER),
    (State.AWAIT_CER, Event.CER_WELCOME): (State.OPEN, Step.WELCOME),
    (State.AWAIT_CER, Event.CER_REFUSED): (State.CLOSED, Step.TURN_AWAY),
    **_waiting(State.AWAIT_CEA),
    (State.AWAIT_CEA, Event.CEA_WELCOME): (State.OPEN, Step.OPENED),
    (State.AWAIT_CEA, Event.CEA_REFUSED): (State.CLOSED, Step.TURN_AWAY),
    **_open(State.OPEN),
    (State.OPEN, Event.TIMER): (State.PROBING, Step.SEND_WATCHDOG),
    **_open(State.PROBING),
    (State.PROBING, Event.TIMER): (State.SUSPECT, Step.NOTHING),
    **_open(State.SUSPECT),
    (State.SUSPECT, Event.TIMER): (State.CLOSED, Step.CLOSE),
    # Requests that were under way are still served while the connection ends.
    **{(State.CLOSING, event): (State.CLOSING, Step.NOTHING) for event in Event},
    (State.CLOSING, Event.TRAFFIC): (State.CLOSING, Step.DELIVER),
    (State.CLOSING, Event.MALFORMED): (State.CLOSING, Step.REFUSE),
    (State.CLOSING, Event.UNFRAMEABLE): (State.CLOSED, Step.REFUSE_AND_CLOSE),
    (State.CLOSING, Event.DWR): (State.CLOSING, Step.ANSWER_WATCHDOG),
    (State.CLOSING, Event.DPR): (State.CLOSING, Step.ANSWER_DISCONNECT),
    (State.CLOSING, Event.DPA): (State.CLOSED, Step.CLOSE),
    (State.CLOSING, Event.TIMER): (State.CLOSED, Step.CLOSE),
    (State.CLOSING, Event.LOST): (State.CLOSED, Step.NOTHING),
    **{(State.CLOSED, event): (State.CLOSED, Step.NOTHING) for event in Event},
}
assert len(TRANSITIONS) == len(State) * len(Event), "some event has no transition in some state"
