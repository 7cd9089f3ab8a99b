"""Commands that the lab runs in its hosts."""

from __future__ import annotations

import pytest
from tests.lab.place import processes_that_know

from qanat.lab.namespaces import run
from qanat.lab.waiting import TooLate


def test_a_command_that_does_not_come_out_is_ended_and_named() -> None:
    with pytest.raises(TooLate, match="waited 0 s in vain: sleep 987654"):
        run(["sleep", "987654"], within_s=0)
    assert not processes_that_know("sleep 987654")
