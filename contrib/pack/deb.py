"""Build the Debian package: ``python contrib/pack/deb.py FOLDER``, with the Python of `.venv`, on the system it is for.

Everything that Qanat depends on is inside, in /usr/lib/qanat, as it was checked by hash when `.venv` was made; so the package
needs no other source than Debian. It is for the Python and the processor of the machine that builds it; so with ``--compiled`` it
may as well hold the hot path as machine code, from the folder that ``make fast`` made.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from contents import PROJECT, ROOT, SOURCE, own_metadata, whole_project

CONTRIB = ROOT / "contrib"
LIBRARY = Path("usr/lib/qanat")
COPIED = {
    "usr/bin/qanat": CONTRIB / "debian/qanat",
    "etc/qanat/qanat.toml": ROOT / "docs/qanat.toml",
    "usr/lib/sysusers.d/qanat.conf": CONTRIB / "systemd/qanat.sysusers",
    **{
        f"lib/systemd/system/{unit.name}": unit
        for kind in ("service", "timer")
        for unit in sorted((CONTRIB / "systemd").glob(f"*.{kind}"))
    },
    "usr/share/doc/qanat/copyright": ROOT / "LICENSE",
    "usr/share/doc/qanat/README.md": CONTRIB / "debian/README.md",
    "usr/share/qanat/prometheus/qanat.rules.yml": CONTRIB / "prometheus/qanat.rules.yml",
    "usr/share/qanat/grafana/qanat.json": CONTRIB / "grafana/qanat.json",
}
MODES = {
    **dict.fromkeys(("usr/bin/qanat", "DEBIAN/postinst", "DEBIAN/prerm", "DEBIAN/postrm"), 0o755),
    "etc/qanat/qanat.toml": 0o640,
}
"""Of what is not for everybody to read and nobody to run; a database's password may be in the settings."""


def build(folder: Path, source: Path) -> Path:
    architecture = _said("dpkg", "--print-architecture")
    out = folder / f"{PROJECT['name']}_{PROJECT['version']}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        root.chmod(0o755)
        _lay_out(root, architecture, source)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zzstd", "--build", root, out], check=True, stdout=subprocess.DEVNULL
        )
    return out


def _lay_out(root: Path, architecture: str, source: Path) -> None:
    scripts = {f"DEBIAN/{name}": CONTRIB / "debian" / name for name in ("conffiles", "postinst", "prerm", "postrm")}
    library = {str(LIBRARY / name): path for name, path in whole_project(source).items()}
    for name, path in {**library, **COPIED, **scripts}.items():
        _copy(path, root / name, mode=MODES.get(name, 0o644))
    metadata = root / LIBRARY / f"{PROJECT['name']}-{PROJECT['version']}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(own_metadata())
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) // 1024
    (root / "DEBIAN/control").write_text(_control(architecture, size))


def _control(architecture: str, size_kib: int) -> str:
    """Fill in what is only known when it is built (Debian Policy §5.3)."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    after = f"{sys.version_info.major}.{sys.version_info.minor + 1}"
    return (
        (CONTRIB / "debian/control")
        .read_text()
        .format(
            version=PROJECT["version"],
            description=PROJECT["description"],
            architecture=architecture,
            python=python,
            after=after,
            size_kib=size_kib,
        )
    )


def _copy(source: Path, target: Path, *, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the package is put")
    parser.add_argument(
        "--compiled", type=Path, default=SOURCE, metavar="BUILD", help="what make fast made: build/compiled"
    )
    given = parser.parse_args()
    if not (given.compiled / "qanat").is_dir():
        sys.exit(f"deb: {given.compiled} holds no qanat; make it with make fast")
    package = build(given.folder, given.compiled)
    print(f"{package}: {package.stat().st_size:,} octets")
