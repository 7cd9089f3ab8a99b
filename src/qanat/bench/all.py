"""``make bench``: every benchmark three times, the medians printed, the machine and the method beside them.

The settlement of a million trades runs once: making the trades takes longer than settling them. So does the terminal's
minute at 100 Mbit/s.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Final

import msgspec

_RUNS: Final = 3
_BENCHES: Final[tuple[tuple[str, ...], ...]] = (
    ("ledger", "--in-flight", "64"),
    ("ledger", "--in-flight", "1"),
    ("http", "--connections", "64"),
    ("http", "--connections", "16", "--kill"),
)


def main() -> None:
    machine = None
    for bench in _BENCHES:
        runs = sorted((_run(bench) for _ in range(_RUNS)), key=lambda run: int(run["requests_per_s"]))
        middle = runs[_RUNS // 2]
        machine = middle.pop("machine")
        rates = " ".join(f"{run['requests_per_s']:,}" for run in runs)
        print(f"qanat bench {' '.join(bench)}: {middle['requests_per_s']:,}/s (runs: {rates})")
        print(
            "   ",
            ", ".join(f"{name} {value}" for name, value in middle.items() if name != "requests_per_s"),
            flush=True,
        )
    print("qanat bench settlement:", ", ".join(f"{name} {value}" for name, value in _run(("settlement",)).items()))
    print("qanat bench terminal:", ", ".join(f"{name} {value}" for name, value in _run(("terminal",)).items()))
    print("machine:", machine)


def _run(bench: tuple[str, ...]) -> dict[str, Any]:
    command = [sys.executable, "-m", "qanat.console.main", "bench", *bench, "--json"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    figures: dict[str, Any] = msgspec.json.decode(output)
    return figures


if __name__ == "__main__":
    main()
