"""The disk of a simulated base station: images of slots, which survive the agent; it may be full, or the last to hear."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from qanat.agents.base_station.slots import Slot
from qanat.agents.durable import JournalFault
from qanat.agents.holding import Snapshot


class MemorySlots:
    """Keeps the contract of ``Slots``. ``before_writing`` may end the agent's life before a write or behind it."""

    def __init__(self, name: str, *, guarded: Callable[[Callable[[], None]], None]) -> None:
        self.is_full = False
        self._name = name
        self._guarded = guarded
        self._images: dict[int, bytes] = {}
        self.trade_in: dict[int, str] = {}
        """By the slot's number, as it is written."""
        self._free: list[Slot] = []
        self._count = 0

    def load(self) -> list[Slot]:
        slots = self.look()
        self._count = max((slot.number for slot in slots), default=0)
        self._free = [slot for slot in slots if slot.visit is None]
        return [slot for slot in slots if slot.visit is not None]

    def look(self) -> list[Slot]:
        """Return all that is on the disk."""
        return [msgspec.msgpack.decode(self._images[number], type=Slot) for number in sorted(self._images)]

    def take(self) -> Slot:
        if self._free:
            return self._free.pop()
        self._count += 1
        return Slot(number=self._count, snapshot=Snapshot(journal=f"{self._name}.{self._count}"))

    def put(self, slot: Slot) -> None:
        if self.is_full:
            raise JournalFault("the disk is full")
        image = msgspec.msgpack.encode(slot)
        trade = "" if slot.visit is None else slot.visit.admitted.trade
        self._guarded(lambda: self._write(slot.number, image, trade))

    def _write(self, number: int, image: bytes, trade: str) -> None:
        self._images[number], self.trade_in[number] = image, trade

    def free(self, slot: Slot) -> None:
        slot.visit = None
        self.put(slot)
        self._free.append(slot)
