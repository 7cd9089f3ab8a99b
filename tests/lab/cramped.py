"""The show where there is no room, run in a place of its own by ``test_show``."""

from __future__ import annotations

import os
import subprocess
import sys

from qanat.lab import private
from qanat.lab.private import Place
from qanat.lab.show import show

if __name__ == "__main__":
    assert private.is_inside()
    options, working, *folders = sys.argv[1:]
    for folder in folders:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    os.chdir(working)
    sys.exit(show(Place.NOWHERE))
