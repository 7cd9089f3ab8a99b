from __future__ import annotations

import sys

import pytest
from tests.console.running import Shell

_PRESSED = "import signal\nsignal.raise_signal(signal.SIGINT)\n"


@pytest.mark.parametrize("library", ["click", "structlog"], ids=["loading the commands", "loading one command"])
def test_ctrl_c_while_a_command_is_loaded_ends_it_without_a_word(shell: Shell, library: str) -> None:
    """Whoever loads the library hears of Ctrl-C at that moment."""
    (shell.directory / f"{library}.py").write_text(_PRESSED)
    ended = shell.run(sys.executable, "-m", "qanat", "serve")
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
