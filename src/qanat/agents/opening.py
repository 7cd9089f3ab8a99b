"""An agent's journal comes first: while it can't be opened the gate stands shut, and it is tried again.

A boot leaves no gate behind, so an agent that only ended would leave the interface open and unmetered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from qanat.agents.durable import JournalDamaged, JournalFault
from qanat.agents.log import Log

AGAIN_S: Final = 2
_NEVER: Final = threading.Event()

T = TypeVar("T")


def open_behind_shut_gate(open_journal: Callable[[], T], *, shut: Callable[[], object], log: Log) -> T:
    """Return the open journal, as soon as the disk lets it be opened. ``shut`` has a gate stand; repeating it is safe.

    Raises JournalInUse, and, with the gate shut, JournalDamaged.
    """
    while True:
        try:
            return open_journal()
        except JournalDamaged:
            shut()
            raise
        except JournalFault as fault:
            shut()
            log("journal cannot be opened", sentence=str(fault), again_in_s=AGAIN_S)
        _NEVER.wait(AGAIN_S)
