"""The states of a holder and what moves it from one to the next."""

from __future__ import annotations

from enum import Enum
from typing import Final


class State(Enum):
    IDLE = "no session"
    OPENING = "the first question is on its way"
    SERVING = "traffic flows within a quota"
    WAITING = "a session without a quota: asks again in a while"
    ENDING = "gate shut; an earlier question has no answer yet"
    CLOSING = "the final report is on its way"


class Event(Enum):
    WANTED = "the link is there and somebody wants to use it"
    GRANTED = "a quota was granted"
    REFUSED = "nothing was granted"
    SPENT = "no quota is left"
    UNWANTED = "the link left, a stop was asked for, or the counters broke"
    FREED = "every question has its answer"
    SETTLED = "nothing is left to report or to return"
    CLOSED = "the final report was confirmed"
    LOST = "the server does not know the session"


TRANSITIONS: Final = {
    (State.IDLE, Event.WANTED): State.OPENING,
    (State.OPENING, Event.GRANTED): State.SERVING,
    (State.OPENING, Event.REFUSED): State.IDLE,  # a refused first question opens no session
    (State.OPENING, Event.UNWANTED): State.ENDING,  # it may have been heard: the answer must be known
    (State.OPENING, Event.LOST): State.IDLE,
    (State.SERVING, Event.GRANTED): State.SERVING,
    (State.SERVING, Event.REFUSED): State.SERVING,  # what is held may still be used
    (State.SERVING, Event.SPENT): State.WAITING,
    (State.SERVING, Event.UNWANTED): State.ENDING,
    (State.SERVING, Event.LOST): State.IDLE,
    (State.WAITING, Event.GRANTED): State.SERVING,
    (State.WAITING, Event.REFUSED): State.WAITING,
    (State.WAITING, Event.UNWANTED): State.ENDING,
    (State.WAITING, Event.LOST): State.IDLE,
    (State.ENDING, Event.GRANTED): State.ENDING,  # goes home unused
    (State.ENDING, Event.REFUSED): State.ENDING,
    (State.ENDING, Event.FREED): State.CLOSING,
    (State.ENDING, Event.SETTLED): State.IDLE,
    (State.ENDING, Event.LOST): State.IDLE,
    (State.CLOSING, Event.CLOSED): State.IDLE,
    (State.CLOSING, Event.LOST): State.IDLE,
}
