"""The log of an agent is a line on stderr, and no reason to stop."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import TextIO

import pytest

from qanat.agents.log import JsonLog, Log, PlainLog
from qanat.clock import Clock, ManualClock


@pytest.mark.parametrize("make", [PlainLog, JsonLog])
def test_metering_goes_on_where_the_log_is_on_a_full_disk_or_nobody_reads_it(
    make: Callable[[Clock, TextIO], Log],
) -> None:
    reader, pipe = os.pipe()
    os.close(reader)
    for descriptor in (os.open("/dev/full", os.O_WRONLY), pipe):
        stream = os.fdopen(descriptor, "w", buffering=1)
        make(ManualClock(), stream)("quota granted", octets=1)
        with pytest.raises(OSError, match=r"No space|Broken pipe"):
            stream.close()


def test_what_strangers_said_steers_no_terminal_in_which_a_log_is_read() -> None:
    stream = io.StringIO()
    PlainLog(ManualClock(), stream)("refused", reason="\x1b[2J\ngone")
    assert stream.getvalue().endswith("refused  reason=\\x1b[2J\\ngone\n")
