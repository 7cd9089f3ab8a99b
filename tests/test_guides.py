"""The guides are run as they stand: every command typed, every line of output shown is said.

In these documents a block ``console`` is typed at the server, line for line, in one shell; ``sh`` is for a device, and
``test_docs`` checks that its commands exist. Dates and identifiers may differ from those shown; figures may not.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.console.running import Shell, serving
from tests.patience import PATIENCE_S

DOCS = Path(__file__).parents[1] / "docs"
GUIDES = [DOCS / "quickstart.md", DOCS / "guides/cloud-sim-maker.md", DOCS / "guides/community-wifi.md"]
_MARK = "@@ends with"
_SAME = (
    (r"\b(ord|dem|trd|trm|bst|ses|jnl)-\w+", r"\1-x"),
    (r"\b[STB]-\w{5}-\w{5}\b", "IDENTITY"),
    (r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b", "CODE"),
    (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d", "THEN"),
    (r"127\.0\.0\.1:\d+", "SERVER"),
    (r"\s+", " "),
)


@dataclass
class Typed:
    command: str
    shown: list[str] = field(default_factory=list)


def typed_in(guide: Path) -> Iterator[Typed]:
    for block in re.findall(r"(?ms)^```console\n(.*?)^```", guide.read_text(encoding="utf-8")):
        found: list[Typed] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Typed(line[2:]))
            elif line != "…":
                found[-1].shown.append(line)
        yield from found


def plain(line: str) -> str:
    """Return a line without what differs from one run to another."""
    for pattern, same in _SAME:
        line = re.sub(pattern, same, line)
    return line.strip()


def run(shell: Shell, commands: list[str]) -> list[tuple[str, int]]:
    """Type the commands into one shell and return what each said, and how it ended."""
    python = f"{sys.executable} -m qanat.console.main"
    script = "\n".join(
        ["exec 2>&1", f'qanat() {{ {python} "$@"; }}', *(f"{one}\necho '{_MARK}' $?" for one in commands)]
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=shell.directory,
        env=shell.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    parts = re.split(rf"{_MARK} (\d+)\n", done.stdout)
    return [(said, int(status)) for said, status in zip(parts[:-1:2], parts[1::2], strict=True)]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_guide_can_be_followed_line_by_line(guide: Path, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    start, *steps = typed_in(guide)
    assert start.command == "qanat serve --data data"
    with serving(shell, *start.command.split()[2:]) as server:
        address = server.url.removeprefix("http://")
        outcomes = run(shell, [step.command.replace("127.0.0.1:8080", address) for step in steps])
        assert len(outcomes) == len(steps)
        for step, (said, status) in zip(steps, outcomes, strict=True):
            is_refused = any(line.startswith("Error:") for line in step.shown)
            assert bool(status) == is_refused, (step.command, said)
            lines = {plain(line) for line in said.splitlines()}
            assert [line for line in step.shown if plain(line) not in lines] == [], (step.command, said)
