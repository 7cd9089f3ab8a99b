"""Where the single file of the agents begins. ``contrib/pack/agent.py`` puts it in; the digest names the libraries
inside, which are for the Python and the processor named beside it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

DIGEST = "@DIGEST@"
BUILT_FOR = "@BUILT_FOR@"


def unpacked(archive: Path) -> Path:
    """Return the folder of the libraries that Python can't load from the archive; unpack them the first time."""
    root = archive.parent
    if not os.access(root, os.W_OK):
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = root / f"qanat-libraries-{DIGEST}"
    if not place.exists():
        root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=root, prefix=place.name))
        with ZipFile(archive) as file:
            file.extractall(draft, [name for name in file.namelist() if name.startswith("libraries/")])
        try:
            (draft / "libraries").rename(place)  # whole or not at all; another start may have been first
        except OSError:
            if not place.exists():
                raise
        shutil.rmtree(draft)
    return place


def complaint() -> str:
    """Say why this Python can't run the file; empty when it can."""
    here = f"{sys.implementation.cache_tag} on {os.uname().machine}"
    if sys.version_info < (3, 11):  # noqa: UP036 - whatever Python a device has starts this
        return f"Python 3.11 or later is needed, this is {here}"
    if DIGEST and here != BUILT_FOR:
        return f"this file was built for {BUILT_FOR}, this is {here}: build it here, or with --slim"
    return ""


def run() -> None:
    """Make the libraries ready, and then run the command."""
    if why_not := complaint():
        sys.exit(f"qanat: {why_not}.")
    if DIGEST:
        sys.path.insert(1, str(unpacked(Path(sys.argv[0]).resolve())))
    try:
        import cryptography  # noqa: F401, PLC0415 - it can be loaded only now
        import msgspec  # noqa: F401, PLC0415
    except ImportError as error:
        sys.exit(
            f"qanat: {error}. Install python3-msgspec and python3-cryptography, or build this file without --slim."
        )
    import click  # noqa: PLC0415

    from qanat.console.lazy import LazyGroup  # noqa: PLC0415

    agents = LazyGroup(
        "qanat",
        where={"terminal": "qanat.console.terminal:terminal", "station": "qanat.console.station:station"},
        help="The agents of Qanat on a device: a terminal with a cloud SIM, or a base station.",
    )
    click.version_option(package_name="qanat")(agents).main(prog_name="qanat")


try:
    run()
except KeyboardInterrupt:  # while something is loaded; the command itself sees to the rest
    sys.exit(130)
