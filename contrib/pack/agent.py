"""Build the agents as one file: ``python contrib/pack/agent.py OUT [--slim]``, with the Python of `.venv`.

The file holds the agents' rooms and click, compiled for the Python that builds it. msgspec and cryptography are libraries
of machine code, which Python can't load from inside an archive: they are unpacked once, beside the file or into the user's
cache. ``--slim`` leaves them out and compiles nothing, for a system that has packages of them: that file runs on every
processor and every Python from 3.11.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import py_compile
import sys
import tempfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from contents import ROOT, Files, installed, modules_of, own_metadata

ENTRANCES = ("qanat.console.terminal", "qanat.console.station", "qanat.console.lazy")
LIBRARIES = "libraries"
_HERE = f"{sys.implementation.cache_tag} on {os.uname().machine}"
_START = (ROOT / "contrib/pack/start.py").read_text()
_MOMENT = (1980, 1, 1, 0, 0, 0)  # the same input gives the same file


def build(out: Path, *, slim: bool) -> None:
    files = modules_of(*ENTRANCES) | installed(["click"])
    libraries = {} if slim else installed(["msgspec", "cryptography"])
    with out.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=9) as archive:
            start = _START.replace("@DIGEST@", _digest(libraries)).replace("@BUILT_FOR@", "" if slim else _HERE)
            _write(archive, "__main__.py", start.encode())
            _write(archive, "qanat-0.dist-info/METADATA", own_metadata().encode())
            _write(archive, "qanat-0.dist-info/licenses/LICENSE", (ROOT / "LICENSE").read_bytes())
            for name, path in sorted(files.items()):
                is_code = path.suffix == ".py" and not slim
                _write(
                    archive, f"{name}c" if is_code else name, _compiled(path, name) if is_code else path.read_bytes()
                )
            for name, path in sorted(libraries.items()):
                _write(archive, f"{LIBRARIES}/{name}", path.read_bytes())
    out.chmod(0o755)


def _compiled(path: Path, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = py_compile.compile(
            str(path),
            cfile=f"{folder}/made.pyc",
            dfile=name,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        return Path(str(made)).read_bytes()


def _write(archive: ZipFile, name: str, content: bytes) -> None:
    entry = ZipInfo(name, _MOMENT)
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def _digest(libraries: Files) -> str:
    """Return a name for these libraries, for this Python and processor; empty when there are none."""
    if not libraries:
        return ""
    seen = hashlib.sha256(sys.implementation.cache_tag.encode())
    for name, path in sorted(libraries.items()):
        seen.update(name.encode() + path.read_bytes())
    return seen.hexdigest()[:16]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--slim", action="store_true", help="without msgspec and cryptography")
    given = parser.parse_args()
    build(given.out, slim=given.slim)
    print(f"{given.out}: {given.out.stat().st_size:,} octets")
