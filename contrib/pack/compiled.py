"""Compile what every request passes through: ``python contrib/pack/compiled.py OUT``, with the Python of `.venv`.

OUT then holds the whole package, the modules below as machine code that mypyc made from the same sources. Whoever has it
first on their path runs it: ``PYTHONPATH=OUT .venv/bin/qanat serve``. It is for the Python and the processor of the machine
that builds it, which needs a C compiler and Python's headers. Building again replaces it.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import sysconfig
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Final

from contents import SOURCE
from mypyc.build import mypycify
from setuptools import Distribution
from shapes import write_apart

HOT: Final = (
    *(f"ledger/{name}" for name in ("work", "book", "history")),
    *(f"charging/{name}" for name in ("interrogation", "credit_control", "granting", "quota", "metering")),
    *(f"exchange/{name}" for name in ("booking", "trades", "obligations")),
    *(f"registry/{name}" for name in ("names", "subscribers")),
    *(f"store/{name}" for name in ("store", "lane", "shared_lane", "pages", "batch", "projector")),
    *(f"wire/diameter/{name}" for name in ("codec", "encode", "layout", "framer", "stencil", "peer")),
    *(f"server/gy/{name}" for name in ("connection", "front", "translate", "reading", "answers")),
)
"""Where a server's processor time goes, module by module."""


def compile_into(out: Path) -> None:
    """Make OUT anew. Raises SystemExit with the cure where something that it takes is missing."""
    _require_compiler()
    lay_out(out)
    said = io.StringIO()
    try:
        with chdir(out), redirect_stdout(said), redirect_stderr(said):
            _build()
    except BaseException:
        sys.stderr.write(said.getvalue())
        raise
    shutil.rmtree(out / "build")


def lay_out(out: Path) -> None:
    """Copy the sources, with the shapes of the hot modules set apart: the compiler's input, which runs as it is."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(SOURCE / "qanat", out / "qanat", ignore=shutil.ignore_patterns("__pycache__"))
    for name in HOT:
        write_apart(out / f"qanat/{name}.py", f"qanat.{name.replace('/', '.')}")


def _build() -> None:
    Path("mypy.ini").write_text("[mypy]\nfollow_imports = silent\nignore_missing_imports = True\n")
    paths = [f"qanat/{name}.py" for name in HOT]
    extensions = mypycify(["--config-file=mypy.ini", *paths], opt_level="2", debug_level="0", group_name="qanat")
    command = Distribution({"name": "qanat", "ext_modules": extensions}).get_command_obj("build_ext")
    command.inplace = True
    command.ensure_finalized()
    command.run()


def _require_compiler() -> None:
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if shutil.which(compiler) is None:
        sys.exit(f"compiled: no C compiler {compiler}; install it: apt-get install gcc libc6-dev")
    if not header.exists():
        sys.exit(f"compiled: no {header}; install Python's headers: apt-get install python3-dev")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a folder of its own; what was in it goes")
    out = parser.parse_args().out
    if out.exists() and not (out / "qanat").is_dir():
        sys.exit(f"compiled: {out} is there and is no build of ours; name another folder")
    print(f"compiling {len(HOT)} modules: two minutes of processor time", flush=True)
    compile_into(out)
    print(f"done; to run them: PYTHONPATH={out} .venv/bin/qanat serve")


if __name__ == "__main__":
    main()
